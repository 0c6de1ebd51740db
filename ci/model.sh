#!/usr/bin/env bash
# Model-checks the hash map's protocol: buckets, migration and reclamation.
#
# Proves, for every scenario of models/map/src/suite.rs and by visiting every reachable state of it: each operation is
# linearizable per key, the invariants I1..I5 of docs/ALGORITHMS/map-model.md hold, nothing is leaked, freed twice or freed
# while it can be reached, and every thread ends its operation alone from every state, whatever the others have stopped in.
# Then shows that each planted bug of models/map/src/scenario.rs is caught.
#
# Usage: ci/model.sh          the commit tier: well under 90 seconds on two cores
#        ci/model.sh deep     the large scenarios and the cross-check with stateright: about half an hour, 6 GB of memory
set -euo pipefail
cd "$(dirname "$0")/../models/map"

tier=${1:-commit}
case $tier in
commit)
	cargo run --release --locked --quiet -- commit
	cargo test --release --locked --quiet --test mutants
	;;
deep)
	cargo run --release --locked --quiet -- commit deep
	cargo test --release --locked --quiet --features stateright
	;;
*)
	echo "model.sh: unknown tier '$tier'; allowed: commit, deep" >&2
	exit 2
	;;
esac
