#!/bin/sh
# Proves the order promise (G2): histories of real C++ threads on the release library are linearizable. The queue and the
# stack are checked by polynomial checkers, the stack's batches and the map (key by key) by search.
#   ci/linearizability.sh [queue|stack|stack_n|map|map_bytes ...]
# Fails when a history has no explanation. The checker is tested with histories that are wrong, and the recorder with
# containers that are: they must be found out, or the operations do not meet where it matters.
. "$(dirname "$0")/rig.lib.sh"
need g++

cargo test --quiet --manifest-path tests/linearizability/Cargo.toml --target-dir "$rig/linearizability" >"$rig/checker.txt" 2>&1 ||
    { cat "$rig/checker.txt"; exit 1; }
cargo build --quiet --manifest-path tests/linearizability/Cargo.toml --target-dir "$rig/linearizability"
check=$rig/linearizability/debug/check-histories

release_library
source=cpp-tests/linearizability
objects=$(objects g++ -std=c++17 -O2 -g -Wall -Wextra -Wpedantic -Wshadow -Iinclude -- $source/*.cpp)
# shellcheck disable=SC2086 # a list of words
g++ $objects "$library" $system_libs -o "$rig/record"

seed=${CONEX_SEED:-$(date +%s)}
say "seed $seed"
file=$rig/histories
for kind in broken_queue broken_stack broken_map; do
    # Interruptions are a matter of chance; that none strikes in three goes is not.
    for go in 1 2 3; do
        "$rig/record" $kind 2 "$seed$go" >"$file"
        "$check" "$file" >/dev/null 2>"$file.fault" || break
        if [ $go = 3 ]; then say "$kind was not found out" >&2 && exit 1; fi
    done
    say "$kind is found out: $(sed 's/^[^:]*: //' "$file.fault")"
done

operations=0
[ $# -gt 0 ] || set -- queue stack stack_n map map_bytes
for kind in "$@"; do
    "$rig/record" "$kind" "$(seconds 3)" "$seed" >"$file"
    answer=$("$check" "$file") || { cp "$file" "$file.$kind" && say "$kind: not linearizable; the history is in $file.$kind" >&2 && exit 1; }
    say "$kind: $answer"
    operations=$((operations + $(echo "$answer" | sed 's/.* \([0-9]*\) operations.*/\1/')))
done
rm -f "$file"
report "$operations" "operations recorded and explained"
