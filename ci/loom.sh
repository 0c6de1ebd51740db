#!/bin/sh
# Proves the protocols on small cases (G2, G3, G4): loom runs the models of tests/loom_*.rs in every interleaving within a
# bound of preemptions, with every value that a load may return, on the code of the library with shrunken constants.
#   ci/loom.sh [MODEL...]    loom_stack and so on, or lib for those beside the code; MODEL:NAME for some of one; unless told all of
#                            them, of lib in the commit tier those of the hazards' slots and of the stack's depot
# Fails when one interleaving breaks a model's assertion, leaks, deadlocks or races.
# Blind spots: loom knows SeqCst accesses as AcqRel only, and a pin acts as a fence, so that too weak a publication of what
# was built before the pin passes here. Miri and ThreadSanitizer see that.
. "$(dirname "$0")/rig.lib.sh"

models=${*:-$(basename -s .rs -a tests/loom_*.rs)}
# The map's models take minutes: not in the commit tier. These take no time.
quick="lib:hazard::models lib:depot::models"
if [ $# = 0 ]; then models="$(if [ "$tier" = soak ]; then echo lib; else echo "$quick"; fi) $models"; fi
RUSTFLAGS="--cfg loom --cfg crossbeam_loom --cfg crossbeam_sanitize ${RUSTFLAGS:-}"
LOOM_MAX_PREEMPTIONS=${LOOM_MAX_PREEMPTIONS:-$(if [ "$tier" = soak ]; then echo 3; else echo 2; fi)}
export RUSTFLAGS LOOM_MAX_PREEMPTIONS
count=0
for model in $models; do
    case $model in
        lib) what=--lib ;;
        lib:*) what="--lib ${model#lib:}" ;;
        *:*) what="--test ${model%%:*} ${model#*:}" ;;
        *) what="--test $model" ;;
    esac
    # shellcheck disable=SC2086 # words
    CARGO_TARGET_DIR=$target/loom cargo test --quiet --locked --release --no-default-features $what 2>&1 | tee "$rig/loom.txt" || true
    grep -q '^test result: ok' "$rig/loom.txt"
    passed=$(sed -n 's/^test result: ok. \([0-9]*\) passed.*/\1/p' "$rig/loom.txt")
    [ "$passed" -gt 0 ] || { say "there is no model $model" >&2 && exit 1; }
    count=$((count + passed))
done
report "$count" "models in every interleaving with up to $LOOM_MAX_PREEMPTIONS preemptions"
