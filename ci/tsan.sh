#!/bin/sh
# Proves that the orderings order what they must (G2, G3), in the whole program: C++ threads drive the library through its C
# functions, with library, Rust's standard library and C++ instrumented by ThreadSanitizer.
# The user's case (G9), a ThreadSanitizer build against the ordinary library, is in CTest: see cpp-tests/stress.
#   ci/tsan.sh [stack|queue|map|shared|hazard|rcu ...]    that container only
# CONEX_OPERATIONS says how many operations each thread does in a round.
# Fails on a reported race or a broken oracle.
. "$(dirname "$0")/rig.lib.sh"
need clang++-19
triple=$(rustc -vV | sed -n 's/^host: //p')
export TSAN_OPTIONS="halt_on_error=1 exitcode=66 second_deadlock_stack=1"

RUSTFLAGS="-Zsanitizer=thread ${RUSTFLAGS:-}" cargo +nightly build --quiet --locked --release --lib -Zbuild-std --target "$triple" --target-dir "$target/tsan"
# shellcheck disable=SC2086 # words
objects=$(objects clang++-19 -std=c++17 -O1 -g -fsanitize=thread -Iinclude -- $churn)
# shellcheck disable=SC2086 # words
clang++-19 -fsanitize=thread $objects "$target/tsan/$triple/release/libconex.a" $system_libs -o "$rig/churn-tsan"
operations=${CONEX_OPERATIONS:-$(if [ "$tier" = soak ]; then echo 400000; else echo 15000; fi)}
"$rig/churn-tsan" --operations "$operations" --rounds 2 --threads 4 --seed "${CONEX_SEED:-1}" "$@"

report $((operations * 8)) "operations under ThreadSanitizer"
