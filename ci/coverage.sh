#!/bin/sh
# Measures which lines of the library its tests run: Rust's tests, the churn of all operations through the C functions, and
# the C and C++ programs of cpp-tests/unit and cpp-tests/abuse.
#   ci/coverage.sh
# Fails when the C layer or the core falls below what is demanded here. Prints every file, and the lines that were not run;
# those that no test can run are listed in ci/coverage.exceptions, each with the reason, and not counted.
. "$(dirname "$0")/rig.lib.sh"
need g++
ffi_least=100
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
library=$CARGO_TARGET_DIR/debug/libconex.a
# program NAME COMPILER... -- FILE... : builds a program with the instrumented library, and adds it to the list.
programs=
program() {
    name=$1
    shift
    # shellcheck disable=SC2046 # words
    set -- $(objects "$@")
    # Without the symbol the runtime that writes the profile is not linked in.
    # shellcheck disable=SC2086 # words
    g++ "$@" "$library" $system_libs -Wl,-u,__llvm_profile_runtime -o "$out/$name"
    programs="$programs $out/$name"
}
source=cpp-tests/suspend
program churn g++ -std=c++17 -O1 -g -Iinclude -- $source/stack.cpp $source/queue.cpp $source/map.cpp $source/churn.cpp
"$out/churn" --operations 20000 --rounds 1 --threads 4
for file in cpp-tests/unit/c_*.c cpp-tests/unit/guard_domain.cpp cpp-tests/unit/status.cpp cpp-tests/unit/map_keys.cpp cpp-tests/abuse/*.cpp; do
    case $file in *.c) compile="gcc -std=c11" ;; *) compile="g++ -std=c++17" ;; esac
    name=$(basename "$(dirname "$file")")-$(basename "$file" | tr . -)
    # shellcheck disable=SC2086 # words
    program "$name" $compile -O1 -g -Iinclude -Icpp-tests -- "$file"
    "$out/$name" >"$rig/coverage-program.txt" 2>&1 || { cat "$rig/coverage-program.txt" && exit 1; }
done
"$tools/llvm-profdata" merge -sparse "$out"/*.profraw -o "$out/all.profdata"

# The test programs that cargo names, which are those of this build and no older ones.
cargo +nightly test --quiet --locked --lib --tests --no-run --message-format=json 2>/dev/null | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' >"$rig/coverage-programs.txt"
# One after the other, and a line counts if one program has run it: the same function is another one in another program.
for program in $programs $(cat "$rig/coverage-programs.txt"); do
    "$tools/llvm-cov" export "$program" -instr-profile="$out/all.profdata" --format=lcov --sources src 2>/dev/null
done >"$rig/coverage.lcov"
awk -v ffi_least=$ffi_least -v core_least=$core_least '
    FILENAME == ARGV[1] {
        # FILE: TEXT OF THE LINE: REASON
        if (match($0, /^src[^:]*: .*: /)) { at = index($0, ": "); exception[substr($0, 1, at - 1), substr($0, at + 2, RLENGTH - at - 3)] = 1 }
        next
    }
    /^SF:/ { file = substr($0, 4); sub(".*/src/", "src/", file) }
    /^DA:/ { split(substr($0, 4), part, ","); if (!((file, part[1]) in count) || part[2] > count[file, part[1]]) count[file, part[1]] = part[2] + 0 }
    END {
        for (place in count) {
            split(place, part, SUBSEP)
            if (!(part[1] in seen)) {
                seen[part[1]] = 1
                n = 0
                while ((getline line <part[1]) > 0) text[part[1], ++n] = line
                # Unit tests and models are not the library.
                for (i = 1; i <= n; i++) if (text[part[1], i] == "#[cfg(test)]") break
                end[part[1]] = i
            }
            if (part[2] + 0 >= end[part[1]]) continue
            line = text[part[1], part[2]]
            gsub(/^ +| +$/, "", line)
            if (count[place] == 0 && (part[1], line) in exception) { used[part[1], line] = 1; excepted++; continue }
            found[part[1]]++
            if (count[place] > 0) hit[part[1]]++
            else printf "  not run: %s:%d: %s\n", part[1], part[2], line | "sort -t: -k2,2 -k3,3n"
        }
        close("sort -t: -k2,2 -k3,3n")
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
        for (place in exception) if (!(place in used)) { split(place, part, SUBSEP); printf "  run after all, or gone: %s: %s\n", part[1], part[2] }
        print "  " excepted + 0 " lines are exceptions"
    }' ci/coverage.exceptions "$rig/coverage.lcov" | tee "$rig/coverage-table.txt"
grep -q '^coverage: ffi' "$rig/coverage-table.txt"
if grep -q 'too little$' "$rig/coverage-table.txt"; then exit 1; fi
report "$(sed -n 's/^coverage: .* of \([0-9]*\) lines.*/\1/p' "$rig/coverage-table.txt" | awk '{n += $1} END {print n + 0}')" \
    "lines looked at: $(sed -n 's/^coverage: \(.*\) of .*/\1/p' "$rig/coverage-table.txt" | tr '\n' ' ')"
