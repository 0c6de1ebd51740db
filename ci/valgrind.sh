#!/bin/sh
# A second opinion on memory (G3, G4), without instrumentation: the release library, as users link it, under Valgrind's
# memcheck. What is definitely, indirectly or possibly lost counts; what is still reachable at the end (the default domain
# lives as long as the process) does not.
#   ci/valgrind.sh [stack|queue|map|shared|hazard|rcu ...]
# Fails on a bad access or a leak. Valgrind runs one thread at a time, so this is not about races.
. "$(dirname "$0")/rig.lib.sh"
need valgrind
need g++
operations=$(if [ "$tier" = soak ]; then echo 50000; else echo 1500; fi)
release_library
# shellcheck disable=SC2086 # words
objects=$(objects g++ -std=c++17 -O1 -g -Iinclude -- $churn)
# shellcheck disable=SC2086 # words
g++ $objects "$library" $system_libs -o "$rig/churn"
valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite,indirect,possible --show-leak-kinds=definite,indirect,possible \
    --fair-sched=yes "$rig/churn" --operations "$operations" --rounds 1 --threads 3 --seed "${CONEX_SEED:-1}" "$@"
report $((operations * 3)) "operations a container under memcheck"
