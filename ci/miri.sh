#!/bin/sh
# Proves the absence of undefined behaviour on the paths the tests take (G3, G4, G5): Miri interprets the Rust tests of core
# and C layer with random schedules, weak-memory emulation, Tree Borrows and a leak check, once a seed.
#   ci/miri.sh [TEST...]    tests/*.rs that Miri can run, unless told
# The commit tier runs tests one by one with one seed for CONEX_SECONDS, 100 unless told: first those of `first` below, then
# others in an order that depends on the commit, as does the seed. The soak tier runs all of them, with 64 seeds; tests that
# are named run with two.
# Fails on undefined behaviour, a data race, a leak, or a test that fails.
# crossbeam-epoch turns integers into pointers (hence permissive provenance) and is not clean under Stacked Borrows.
. "$(dirname "$0")/rig.lib.sh"

flags="-Zmiri-tree-borrows -Zmiri-permissive-provenance -Zmiri-disable-isolation ${MIRIFLAGS:-}"
# Pairs of words that are exchanged at once: Miri has no processor to ask whether it can.
if [ "$(uname -m)" = x86_64 ]; then export RUSTFLAGS="-Ctarget-feature=+cmpxchg16b ${RUSTFLAGS:-}"; fi
CARGO_TARGET_DIR=$target/miri-rung
export CARGO_TARGET_DIR
# One of each container, the map's three ways to keep its entries, the reclamation, and the C layer.
first="queue_stress::batches map_stress::values_belong_to_their_keys_and_are_dropped_once
map_owners::owning_keys_of_words_are_copied_and_dropped_once map_ffi::words_are_counted_by_threads
reclaim::the_barrier_reaches_what_idle_threads_retired queue_memory::memory_comes_back map_calls::batches_answer_by_index"

files() {
    for file in tests/*.rs; do
        case $file in
            */loom_* | */house.rs | */header.rs | */c_header.rs) ;; # they look at files, or are models
            *) basename "$file" .rs ;;
        esac
    done
}
passed() { sed -n 's/.*test result: ok. \([0-9]*\) passed.*/\1/p' "$rig/miri.txt" | awk '{n += $1} END {print n + 0}'; }

count=0
if [ $# = 0 ] && [ "$tier" != soak ]; then
    commit=$(git rev-parse HEAD 2>/dev/null || date +%s)
    seed=${CONEX_SEED:-$((0x$(echo "$commit" | sha256sum | cut -c 1-4)))}
    end=$(($(date +%s) + ${CONEX_SECONDS:-100}))
    others=$(for file in $(files); do
        awk -v file="$file" '/^#\[test\]/ {test = 1; next} test && /^fn / {sub(/^fn /, ""); sub(/\(.*/, ""); print file "::" $0} !/^#\[/ {test = 0}' "tests/$file.rs"
    done | while read -r name; do echo "$(echo "$commit $name" | sha256sum | cut -c 1-16) $name"; done | sort | cut -d ' ' -f 2)
    MIRIFLAGS="$flags -Zmiri-seed=$seed"
    export MIRIFLAGS
    for name in $first $others; do
        [ "$(date +%s)" -lt "$end" ] || break
        file=${name%%::*} test=${name##*::}
        grep -q "^fn $test(" "tests/$file.rs" || { say "there is no test $name" >&2 && exit 1; }
        status=0
        timeout 60 cargo +nightly miri test --quiet --locked --test "$file" -- --exact "$test" >"$rig/miri.txt" 2>&1 || status=$?
        case $status in
            0) count=$((count + $(passed))) && say "$name, seed $seed" ;;
            124) say "$name takes more than a minute: left to the soak tier" ;;
            *) cat "$rig/miri.txt" && exit 1 ;;
        esac
    done
else
    begin=${CONEX_SEED:-0}
    if [ "$tier" = soak ]; then seeds=64 skip=; else seeds=2 skip="--skip behaves_like_the_model"; fi
    MIRIFLAGS="$flags -Zmiri-many-seeds=$begin..$((begin + seeds))"
    export MIRIFLAGS
    # shellcheck disable=SC2046 # words
    [ $# -gt 0 ] || set -- $(files)
    for test in "$@"; do
        say "$test, seeds $begin to $((begin + seeds - 1))"
        # shellcheck disable=SC2086 # words
        cargo +nightly miri test --quiet --locked --test "$test" -- $skip >"$rig/miri.txt" 2>&1 || { cat "$rig/miri.txt" && exit 1; }
        count=$((count + $(passed)))
    done
fi
[ "$count" -gt 0 ]
report "$count" "tests times seeds interpreted"
