#!/bin/sh
# Proves that the stack also works where the machine cannot exchange two words at once: there each pair of a pointer and a
# number is a block of its own that is replaced as a whole (src/sync/pair/boxed.rs). With --cfg conex_boxed it is so here, too.
#   ci/boxed.sh
# The tests of the pair, of the stack and of its C functions; not those of its memory, of which the blocks are not a part.
. "$(dirname "$0")/rig.lib.sh"

flags_of_ours --cfg conex_boxed
# Unoptimised: the compiler takes longer than the tests.
cargo test --quiet --locked --profile dev --lib --test stack --test ffi_stack -- --skip map:: >"$rig/boxed.txt" 2>&1 || { cat "$rig/boxed.txt" && exit 1; }
report "$(sed -n 's/^test result: ok. \([0-9]*\) passed.*/\1/p' "$rig/boxed.txt" | awk '{n += $1} END {print n + 0}')" "tests with boxed pairs"
