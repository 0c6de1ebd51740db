#!/bin/sh
# Proves that no sequence of calls breaks a container (G3, G5): libFuzzer drives every operation beside a model, and the C
# functions with arguments of which some are wrong, under AddressSanitizer with debug assertions.
#   ci/fuzz.sh [TARGET...]    stack queue map capi, unless told
# Fails on a difference from the model, a crash, a leak or a hang; the input is kept in fuzz/artifacts, and
# `cargo +nightly fuzz run TARGET FILE` runs it again. What was found interesting stays in fuzz/corpus.
. "$(dirname "$0")/rig.lib.sh"

triple=$(rustc -vV | sed -n 's/^host: //p')
# What cargo-fuzz passes, so that it need not be installed.
RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Zsanitizer=address -Ccodegen-units=1" \
    cargo +nightly build --quiet --release --manifest-path fuzz/Cargo.toml --target "$triple" --target-dir "$target/fuzz" --bins
cases=0
[ $# -gt 0 ] || set -- stack queue map capi
for name in "$@"; do
    mkdir -p "fuzz/corpus/$name" "fuzz/artifacts/$name"
    if ! "$target/fuzz/$triple/release/$name" -max_total_time="$(seconds 8)" -timeout=30 -max_len=4096 -artifact_prefix="fuzz/artifacts/$name/" \
        ${CONEX_SEED:+-seed="$CONEX_SEED"} "fuzz/corpus/$name" >"$rig/fuzz.txt" 2>&1; then
        tail -n 40 "$rig/fuzz.txt"
        exit 1
    fi
    runs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$rig/fuzz.txt")
    say "$name: $runs inputs, $(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$rig/fuzz.txt" | tail -n 1) edges covered"
    cases=$((cases + runs))
done
report "$cases" "inputs"
