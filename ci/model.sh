#!/bin/sh
# Model-checks the hash map's protocol: buckets, migration, reclamation.
#   ci/model.sh [deep]    deep: also the large scenarios and the cross-check with stateright; up to half an hour, 3 GB of
#                         memory. The soak tier (CONEX_TIER=soak) is deep. Otherwise well under 90 seconds.
# Proves, for each scenario of models/map/src/suite.rs and in every state that any schedule of it can reach: operations are
# linearizable per key, a scan meets what is present throughout exactly once, the invariants I1..I5 of
# docs/ALGORITHMS/map-model.md hold, nothing is leaked, freed twice or freed while it can be reached, and every thread ends
# its operation alone, whatever the others have stopped in for ever. Then shows that each planted bug of
# models/map/src/scenario.rs is caught.
# Blind spots: memory is sequentially consistent here, and the bounds are small; see the end of map-model.md.
. "$(dirname "$0")/rig.lib.sh"

scenarios=commit
if [ "${1:-}" = deep ] || [ "$tier" = soak ]; then scenarios="commit deep"; fi
cd models/map
# shellcheck disable=SC2086 # one word or two
cargo run --release --locked --quiet -- $scenarios | tee "$rig/model.txt"
if grep -q BROKEN "$rig/model.txt"; then exit 1; fi
cargo test --release --locked --quiet --test mutants
if [ "$scenarios" != commit ]; then cargo test --release --locked --quiet --features stateright --test stateright; fi
report "$(($(wc -l <"$rig/model.txt") - 1))" "scenarios in every schedule, and every planted bug caught"
