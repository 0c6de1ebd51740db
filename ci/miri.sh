#!/bin/sh
# Proves the absence of undefined behaviour on the paths the tests take (G3, G4, G5): Miri interprets the Rust tests of core
# and C layer with random schedules, weak-memory emulation, Tree Borrows and a leak check, once a seed.
#   ci/miri.sh [FILE|FILE::TEST...]    tests of tests/ that Miri can run, unless told; of one that is a folder, FILE::MODULE::TEST
# The commit tier runs the tests of `first` and `shared` below, with one seed, which depends on the commit. The soak tier runs
# all of them, with 64 seeds; tests that are named run with two, or CONEX_SEEDS.
# Fails on undefined behaviour, a data race, a leak, or a test that fails.
# crossbeam-epoch turns integers into pointers (hence permissive provenance) and is not clean under Stacked Borrows.
. "$(dirname "$0")/rig.lib.sh"

flags="-Zmiri-tree-borrows -Zmiri-permissive-provenance ${MIRIFLAGS:-}"
# Pairs of words that are exchanged at once: Miri has no processor to ask whether it can.
if [ "$(uname -m)" = x86_64 ]; then export RUSTFLAGS="-Ctarget-feature=+cmpxchg16b ${RUSTFLAGS:-}"; fi
CARGO_TARGET_DIR=$target/miri-rung
export CARGO_TARGET_DIR
# One of each container, the map's three ways to keep its entries, the reclamation, and the C layer; and all of `handovers`,
# which are made for Miri.
first="handovers queue_stress::batches map_stress::values::values_belong_to_their_keys_and_are_dropped_once
reclaim::barrier::the_barrier_reaches_what_idle_threads_retired queue_memory::memory_comes_back
stack_memory::amount::memory_comes_back_while_the_stack_is_in_use hazard::what_waits_is_bounded"
# These use the default domain. What waits there when the process ends has not leaked, but Miri cannot tell.
shared="map_owners::owning_keys_of_words_are_copied_and_dropped_once map_ffi::words_are_counted_by_threads
map_calls::batches_answer_by_index"
default_domain=" map_owners map_ffi map_calls map_interference ffi_handles "

files() {
    for file in tests/*.rs tests/*/main.rs; do
        file=${file%/main.rs}
        case $file in
            */loom_* | */house.rs | */header.rs | */c_header.rs) ;; # they look at files, or are models
            */park) ;; # built with hooks only
            *) basename "$file" .rs ;;
        esac
    done
}
more() {
    case $default_domain in *" $1 "*) printf "%s " -Zmiri-ignore-leaks ;; esac
    # Races are what these are for: each load finds the latest word and the clock is Miri's own, so that the steps are the same each time.
    case $1 in handovers) echo -Zmiri-disable-weak-memory-emulation ;; *) echo -Zmiri-disable-isolation ;; esac
}
# The lines of several seeds can be mixed up.
passed() { grep -o '[0-9][0-9]* passed' "$rig/miri.txt" | awk '{n += $1} END {print n + 0}'; }

count=0
if [ $# = 0 ] && [ "$tier" != soak ]; then
    commit=$(git rev-parse HEAD 2>/dev/null || date +%s)
    seed=${CONEX_SEED:-$((0x$(echo "$commit" | sha256sum | cut -c 1-4)))}
    for name in $first $shared; do
        file=${name%%::*}
        case $name in *::*) which="--exact ${name#*::}" ;; *) which= ;; esac
        # shellcheck disable=SC2086 # words
        MIRIFLAGS="$flags -Zmiri-seed=$seed $(more "$file")" timeout 300 \
            cargo +nightly miri test --quiet --locked --test "$file" -- $which >"$rig/miri.txt" 2>&1 || { cat "$rig/miri.txt" && exit 1; }
        [ "$(passed)" -gt 0 ] || { say "there is no test $name" >&2 && exit 1; }
        count=$((count + $(passed)))
        say "$name, seed $seed"
    done
else
    begin=${CONEX_SEED:-0}
    if [ "$tier" = soak ]; then seeds=64 skip=; else seeds=${CONEX_SEEDS:-2} skip="--skip behaves_like_the_model"; fi
    # shellcheck disable=SC2046 # words
    [ $# -gt 0 ] || set -- $(files)
    for test in "$@"; do
        say "$test, seeds $begin to $((begin + seeds - 1))"
        file=${test%%::*}
        case $test in *::*) which="--exact ${test#*::}" ;; *) which=$skip ;; esac
        # shellcheck disable=SC2086 # words
        MIRIFLAGS="$flags -Zmiri-many-seeds=$begin..$((begin + seeds)) $(more "$file")" \
            cargo +nightly miri test --quiet --locked --test "$file" -- $which >"$rig/miri.txt" 2>&1 || { cat "$rig/miri.txt" && exit 1; }
        [ "$(passed)" -gt 0 ] || { say "there is no test $test" >&2 && exit 1; }
        count=$((count + $(passed)))
    done
fi
[ "$count" -gt 0 ]
report "$count" "tests times seeds interpreted"
