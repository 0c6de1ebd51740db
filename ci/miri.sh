#!/bin/sh
# Proves the absence of undefined behaviour on the paths the tests take (G3, G4, G5): Miri interprets the Rust tests of core
# and C layer with random schedules, weak-memory emulation, Tree Borrows and a leak check, once a seed.
#   ci/miri.sh [TEST...]    tests/*.rs that Miri can run, unless told
# Fails on undefined behaviour, a data race, a leak, or a test that fails.
# crossbeam-epoch turns integers into pointers (hence permissive provenance) and is not clean under Stacked Borrows.
. "$(dirname "$0")/rig.lib.sh"

if [ "$tier" = soak ]; then seeds=64 skip=; else seeds=2 skip="--skip behaves_like_the_model"; fi
first=${CONEX_SEED:-0}
tests=$*
if [ -z "$tests" ]; then
    for file in tests/*.rs; do
        case $file in
            */loom_* | */house.rs | */header.rs | */c_header.rs) ;; # they look at files, or are models
            *) tests="$tests $(basename "$file" .rs)" ;;
        esac
    done
fi
MIRIFLAGS="-Zmiri-tree-borrows -Zmiri-permissive-provenance -Zmiri-disable-isolation -Zmiri-many-seeds=$first..$((first + seeds)) ${MIRIFLAGS:-}"
# Pairs of words that are exchanged at once: Miri has no processor to ask whether it can.
if [ "$(uname -m)" = x86_64 ]; then RUSTFLAGS="-Ctarget-feature=+cmpxchg16b ${RUSTFLAGS:-}"; fi
export MIRIFLAGS RUSTFLAGS
count=0
for test in $tests; do
    say "$test, seeds $first to $((first + seeds - 1))"
    # shellcheck disable=SC2086 # words
    CARGO_TARGET_DIR=$target/miri-rung cargo +nightly miri test --quiet --locked --test "$test" -- $skip >"$rig/miri.txt" 2>&1 ||
        { cat "$rig/miri.txt" && exit 1; }
    count=$((count + $(sed -n 's/.*test result: ok. \([0-9]*\) passed.*/\1/p' "$rig/miri.txt" | awk '{n += $1} END {print n + 0}')))
done
[ "$count" -gt 0 ]
report "$count" "tests times seeds interpreted"
