#!/bin/sh
# Proves the progress promise (G1): threads of the release library are frozen at arbitrary instructions, and all others
# still complete their operations, growth of the map included. Peers that are known to block must be found to block.
#   ci/suspend.sh [--no-peers] [stack|queue|map|shared|hazard|rcu ...]
# Fails when an operation waited for a frozen thread, when a container lost, doubled, tore or reordered something, when the
# map did not resize meanwhile, or when a blocking peer was not noticed.
# The allocator under it (cpp-tests/suspend/malloc.cpp) has no lock: a thread frozen in malloc must not be what is seen.
. "$(dirname "$0")/rig.lib.sh"
need g++

source=cpp-tests/suspend
release_library
cargo build --release --quiet --manifest-path $source/peers/Cargo.toml --target-dir "$rig/peers"
out=$rig/suspend
# shellcheck disable=SC2086 # words
objects=$(objects g++ -std=c++17 -O2 -g -Wall -Wextra -Wpedantic -Wshadow -Iinclude -- $source/malloc.cpp $subjects $source/peers.cpp $source/test.cpp $source/random.cpp $source/stepped.cpp $source/suspend.cpp)
# shellcheck disable=SC2086 # a list of words
g++ $objects "$library" -L"$rig/peers/release" -lsuspend_peers -Wl,-rpath,"$rig/peers/release" \
    $system_libs -o "$out"

"$out" --seconds "$(seconds 4)" ${CONEX_SEED:+--seed "$CONEX_SEED"} "$@" | tee "$out.txt" || true
grep -q '^suspend: [0-9]* subjects, all as expected$' "$out.txt"
report "$(awk '/ freezes in /{split($0, part, ": "); split(part[2], word, " "); n += word[1]} END {print n}' "$out.txt")" "freezes; $(grep -c 'lock-free$' "$out.txt") operations lock-free, $(grep -c ': BLOCKING' "$out.txt") blocking peers noticed"
