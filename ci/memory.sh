#!/bin/sh
# Proves the memory promise (G4): every allocation of the process is counted while containers are drained, churned, batched,
# destroyed, and used beside threads that stand still; each number is printed beside its bound.
#   ci/memory.sh [stack|queue|map ...]
# Fails when a bound is broken.
. "$(dirname "$0")/rig.lib.sh"
need g++
release_library
objects=$(objects g++ -std=c++17 -O2 -g -Wall -Wextra -Wshadow -Iinclude -- cpp-tests/suspend/malloc.cpp cpp-tests/memory/memory.cpp)
# shellcheck disable=SC2086 # words
g++ $objects "$library" $system_libs -o "$rig/memory"
"$rig/memory" --operations "$(if [ "$tier" = soak ]; then echo 100000000; else echo 2000000; fi)" "$@" | tee "$rig/memory.txt" || true
grep -q '^memory: [0-9]* cases, 0 broken$' "$rig/memory.txt"
report "$(sed -n 's/^memory: \([0-9]*\) cases.*/\1/p' "$rig/memory.txt")" "bounds measured"
