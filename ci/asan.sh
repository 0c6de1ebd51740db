#!/bin/sh
# Proves that no memory is used after it was freed, beyond its end, or leaked (G3, G4), in library and C++ alike: C++ threads
# drive the library through its C functions, both instrumented by AddressSanitizer, with its leak check; the C++ side also
# by UndefinedBehaviorSanitizer. Then the release library as it is, with the leak check alone.
#   ci/asan.sh [stack|queue|map|shared|hazard|rcu ...]    with a container named: the first part only, for that one
# Fails on any report or broken oracle.
. "$(dirname "$0")/rig.lib.sh"
need clang++-19
need g++
triple=$(rustc -vV | sed -n 's/^host: //p')
operations=$(if [ "$tier" = soak ]; then echo 1000000; else echo 40000; fi)
export ASAN_OPTIONS="detect_leaks=1 detect_stack_use_after_return=1 strict_string_checks=1" UBSAN_OPTIONS="halt_on_error=1 print_stacktrace=1"

RUSTFLAGS="-Zsanitizer=address ${RUSTFLAGS:-}" cargo +nightly build --quiet --locked --release --lib --target "$triple" --target-dir "$target/asan"
# shellcheck disable=SC2086 # words
objects=$(objects clang++-19 -std=c++17 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -Iinclude -- $churn)
# shellcheck disable=SC2086 # words
clang++-19 -fsanitize=address,undefined $objects "$target/asan/$triple/release/libconex.a" $system_libs -o "$rig/churn-asan"
"$rig/churn-asan" --operations "$operations" --rounds 2 --threads 4 --seed "${CONEX_SEED:-1}" "$@"

if [ $# = 0 ]; then
    release_library
    # shellcheck disable=SC2086 # words
    objects=$(objects g++ -std=c++17 -O1 -g -Iinclude -- $churn)
    # shellcheck disable=SC2086 # words
    g++ -fsanitize=leak $objects "$library" $system_libs -o "$rig/churn-lsan"
    "$rig/churn-lsan" --operations "$operations" --rounds 2 --threads 4 --seed "${CONEX_SEED:-1}"
fi
report $((operations * 16)) "operations under AddressSanitizer, UBSan and LeakSanitizer"
