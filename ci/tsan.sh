#!/bin/sh
# Proves that the orderings order what they must (G2, G3), in the whole program: C++ threads drive the library through its C
# functions, with library, Rust's standard library and C++ instrumented by ThreadSanitizer.
# And G9: a user's ThreadSanitizer build against the ordinary release library is quiet, and still reports the user's races.
#   ci/tsan.sh [stack|queue|map ...]    with a container named: the first part only, for that one
# Fails on a reported race, a broken oracle, a false report in the user's case, or a user's race that goes unreported.
. "$(dirname "$0")/rig.lib.sh"
need clang++-19
triple=$(rustc -vV | sed -n 's/^host: //p')
source=cpp-tests/suspend
export TSAN_OPTIONS="halt_on_error=1 exitcode=66 second_deadlock_stack=1"

RUSTFLAGS="-Zsanitizer=thread ${RUSTFLAGS:-}" cargo +nightly build --quiet --locked --release --lib -Zbuild-std --target "$triple" --target-dir "$target/tsan"
objects=$(objects clang++-19 -std=c++17 -O1 -g -fsanitize=thread -Iinclude -- $source/stack.cpp $source/queue.cpp $source/map.cpp $source/churn.cpp)
# shellcheck disable=SC2086 # words
clang++-19 -fsanitize=thread $objects "$target/tsan/$triple/release/libconex.a" $system_libs -o "$rig/churn-tsan"
operations=$(if [ "$tier" = soak ]; then echo 400000; else echo 15000; fi)
"$rig/churn-tsan" --operations "$operations" --rounds 2 --threads 4 --seed "${CONEX_SEED:-1}" "$@"

cases=0
if [ $# = 0 ]; then
    release_library
    for race in "" -DRACE; do
        objects=$(objects clang++-19 -std=c++17 -O1 -g -fsanitize=thread ${race:+"$race"} -Iinclude -- cpp-tests/tools/user.cpp)
        # shellcheck disable=SC2086 # words
        clang++-19 -fsanitize=thread $objects "$library" $system_libs -o "$rig/user-tsan$race"
    done
    # What the uninstrumented library does inside itself is invisible to the tool: users take this file along.
    TSAN_OPTIONS="$TSAN_OPTIONS suppressions=$PWD/cpp-tests/support/tsan.supp"
    export TSAN_OPTIONS
    for _ in 1 2 3; do "$rig/user-tsan" >"$rig/user-tsan.txt" 2>&1 || { cat "$rig/user-tsan.txt" && say "a false report" >&2 && exit 1; }; done
    # Which threads meet is a matter of chance; that they never do in five runs is not.
    for go in 1 2 3 4 5; do
        "$rig/user-tsan-DRACE" >"$rig/user-tsan.txt" 2>&1 || break
        if [ $go = 5 ]; then say "the user's race was not reported" >&2 && exit 1; fi
    done
    grep -q 'data race' "$rig/user-tsan.txt"
    cases=4
fi
report $((cases + operations * 8)) "operations under ThreadSanitizer; the user's build is quiet, and the race in it reported"
