#!/bin/sh
# Proves the progress promise (G1) step by step: a thread is parked before its k-th access to shared memory, for every k of
# every operation of every container, and all others complete every operation; a resize that it was in the middle of
# comes to its end. Peers that are known to block must be found to block.
#   ci/park.sh [SUITE...]    those suites, without the peers; "queue*": all whose names begin so. All of them unless told
# The library is built with --cfg conex_park, by which its atomics call a hook (src/sync/step.rs); crossbeam-epoch's own do
# not: ci/suspend.sh stops threads in those.
. "$(dirname "$0")/rig.lib.sh"

parked_peer
# In the soak tier without exceptions: thousands of steps of walks over a table, and all pairs of two parked threads.
if [ "$tier" = soak ]; then export CONEX_PARK_EACH=1000000 CONEX_PARK_STRIDE=1; fi
flags_of_ours --cfg conex_park
which=
if [ $# -gt 0 ]; then
    CONEX_PARK_ONLY=$(printf '%s;' "$@") which="--exact nobody_waits_for_a_parked_thread"
    export CONEX_PARK_ONLY
fi
# shellcheck disable=SC2086 # words
cargo test --quiet --locked --test park -- $which --nocapture --test-threads=1 >"$rig/park.txt" 2>&1 || { cat "$rig/park.txt" && exit 1; }
cat "$rig/park.txt"
report "$(sed -n 's/^park: \([0-9]*\) cases, 0 faults$/\1/p' "$rig/park.txt")" "parked threads; $(grep -c ' lock-free$' "$rig/park.txt") operations lock-free, $(grep -c 'BLOCKING, parked at' "$rig/park.txt") of the peers' found to block"
