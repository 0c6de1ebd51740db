#!/bin/sh
# Proves that the compiler refuses what would be unsound (G3, G5 for Rust): containers of elements that may not cross
# threads, guards on another thread, references that outlive their guard or map. Each file of tests/bounds names the error
# that it must get; ok.rs, which is right, must compile.
#   ci/bounds.sh
. "$(dirname "$0")/rig.lib.sh"

cargo build --quiet --locked --lib
cases=0
for file in tests/bounds/*.rs; do
    expected=$(sed -n '1s,^// error: ,,p' "$file")
    found=ok
    rustc --edition 2024 --crate-type lib --emit=metadata --out-dir "$rig" --extern conex="$target/debug/libconex.rlib" -L "dependency=$target/debug/deps" \
        "$file" >"$rig/bounds.txt" 2>&1 || found=$(sed -n 's/^error\[\(E[0-9]*\)\].*/\1/p' "$rig/bounds.txt" | head -n 1)
    if [ "$found" != "${expected:-ok}" ]; then
        cat "$rig/bounds.txt"
        say "$file: expected ${expected:-no error}, found $found" >&2
        exit 1
    fi
    cases=$((cases + 1))
done
report "$cases" "programs refused, or accepted, as they should be"
