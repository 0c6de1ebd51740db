#!/bin/sh
# The deep version of the verification ladder, for as long as it is told: every rung's soak tier, all planted bugs, and then
# the rungs that draw at random again and again, with new seeds.
#   ci/soak.sh [MINUTES]    30 unless told
# Ends with the table of ci/check.sh, and stops at the first failure.
. "$(dirname "$0")/rig.lib.sh"
minutes=${1:-30}
end=$(($(date +%s) + minutes * 60))

# A part that repeats takes a sixtieth of the time: there are about thirty such parts in a round.
CONEX_TIER=soak
CONEX_SECONDS=${CONEX_SECONDS:-$(((minutes * 60 + 59) / 60))}
export CONEX_TIER CONEX_SECONDS
ci/check.sh
round=1
while [ "$(date +%s)" -lt "$end" ]; do
    round=$((round + 1))
    CONEX_SEED=$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')
    export CONEX_SEED
    say "round $round, seed $CONEX_SEED, $(((end - $(date +%s)) / 60)) minutes left"
    ci/check.sh suspend linearizability tsan asan fuzz life
done
say "passed: $round rounds in $minutes minutes"
