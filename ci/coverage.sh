#!/bin/sh
# Measures which lines of the library its tests run: Rust's tests, and the churn of all operations through the C functions.
#   ci/coverage.sh
# Fails when the C layer or the core falls below what is demanded here. Prints every file; the lines that were not run are
# in target/rig/coverage.txt.
. "$(dirname "$0")/rig.lib.sh"
need g++
ffi_least=95
core_least=95

tools=$(dirname "$(find "$(rustc +nightly --print sysroot)" -name llvm-profdata | head -n 1)")
out=$rig/coverage
rm -rf "$out"
mkdir -p "$out"
LLVM_PROFILE_FILE="$out/%p-%m.profraw"
RUSTFLAGS="-Cinstrument-coverage ${RUSTFLAGS:-}"
CARGO_TARGET_DIR=$target/coverage
export LLVM_PROFILE_FILE RUSTFLAGS CARGO_TARGET_DIR
cargo +nightly test --quiet --locked --lib --tests >"$rig/coverage-tests.txt" 2>&1 || { cat "$rig/coverage-tests.txt" && exit 1; }
cargo +nightly build --quiet --locked --lib
source=cpp-tests/suspend
objects=$(objects g++ -std=c++17 -O1 -g -Iinclude -- $source/stack.cpp $source/queue.cpp $source/map.cpp $source/churn.cpp)
# Without the symbol the runtime that writes the profile is not linked in.
# shellcheck disable=SC2086 # words
g++ $objects "$CARGO_TARGET_DIR/debug/libconex.a" $system_libs -Wl,-u,__llvm_profile_runtime -o "$out/churn"
"$out/churn" --operations 20000 --rounds 1 --threads 4
"$tools/llvm-profdata" merge -sparse "$out"/*.profraw -o "$out/all.profdata"

# The test programs that cargo names, which are those of this build and no older ones.
set -- "$out/churn"
cargo +nightly test --quiet --locked --lib --tests --no-run --message-format=json 2>/dev/null | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' >"$rig/coverage-programs.txt"
while read -r program; do set -- "$@" -object "$program"; done <"$rig/coverage-programs.txt"
"$tools/llvm-cov" show "$@" -instr-profile="$out/all.profdata" --sources src >"$rig/coverage.txt" 2>/dev/null
"$tools/llvm-cov" export "$@" -instr-profile="$out/all.profdata" --format=lcov --sources src 2>/dev/null |
    awk -F: -v ffi_least=$ffi_least -v core_least=$core_least '
        /^SF:/ { file = $2; sub(".*/src/", "src/", file) }
        /^LF:/ { found[file] += $2 }
        /^LH:/ { hit[file] += $2 }
        END {
            for (file in found) {
                ring = file ~ /^src\/ffi\// ? "ffi" : "core"
                lines[ring] += found[file]
                run[ring] += hit[file]
                printf "  %-34s %5d of %5d lines  %6.2f %%\n", file, hit[file], found[file], 100 * hit[file] / found[file] | "sort"
            }
            close("sort")
            for (ring in lines) {
                share = 100 * run[ring] / lines[ring]
                least = ring == "ffi" ? ffi_least : core_least
                printf "coverage: %s: %.2f %% of %d lines (at least %d %%)%s\n", ring, share, lines[ring], least, share < least ? ": too little" : ""
            }
        }' | tee "$rig/coverage-table.txt"
[ -s "$rig/coverage-table.txt" ]
if grep -q 'too little$' "$rig/coverage-table.txt"; then exit 1; fi
report "$(sed -n 's/^coverage: .* of \([0-9]*\) lines.*/\1/p' "$rig/coverage-table.txt" | awk '{n += $1} END {print n + 0}')" \
    "lines looked at: $(sed -n 's/^coverage: \(.*\) of .*/\1/p' "$rig/coverage-table.txt" | tr '\n' ' ')"
