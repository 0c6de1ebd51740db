#!/bin/sh
# Measures which lines of the library its tests run: Rust's tests, the churn of all operations through the C functions, the
# C and C++ programs of cpp-tests/unit, cpp-tests/abuse and cpp-tests/life, and tests/park, which goes through the retries.
#   ci/coverage.sh
# Fails when the C layer or the core falls below what is demanded here. Prints every file, and the lines that were not run;
# those that no test can run are listed in ci/coverage.exceptions, each with the reason, and not counted.
. "$(dirname "$0")/rig.lib.sh"
need g++
ffi_least=100
core_least=95

# The compiler's own: those of another version, older or newer, may not read its profiles.
llvm() { find "$(rustc --print sysroot)" -name llvm-profdata | head -n 1; }
[ -n "$(llvm)" ] || rustup --quiet component add llvm-tools
tools=$(dirname "$(llvm)")
out=$rig/coverage
rm -rf "$out"
mkdir -p "$out"
# A child of fork has its parent's number, so the processes of a program share their files.
LLVM_PROFILE_FILE="$out/%4m.profraw"
export LLVM_PROFILE_FILE
began() { say "after $(($(date +%s) - start)) s: $*"; }
start=$(date +%s)
# quietly COMMAND... : shows what it said only if it fails.
quietly() { "$@" >"$rig/coverage.txt" 2>&1 || { cat "$rig/coverage.txt" && exit 1; }; }
# Little optimised: the compiler takes longer than the tests.
instrument="-Cinstrument-coverage -Copt-level=1"
# tests WHAT... -- ARGUMENT... : runs tests and adds their programs, as cargo names them, to the list.
tests() {
    what=
    while [ "$1" != -- ]; do
        what="$what $1"
        shift
    done
    # shellcheck disable=SC2086 # words
    quietly cargo test --quiet --locked --profile dev $what "$@"
    # shellcheck disable=SC2086 # words
    cargo test --quiet --locked --profile dev $what --no-run --message-format=json 2>/dev/null | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' >>"$rig/coverage-programs.txt"
}
: >"$rig/coverage-programs.txt"

began "tests/park"
# shellcheck disable=SC2086 # words
flags_of_ours $instrument --cfg conex_park
parked_peer
# Each k up to 30, then some: what is wanted here is the retries, not the proof.
export CONEX_PARK_EACH="${CONEX_PARK_EACH:-30}" CONEX_PARK_STRIDE="${CONEX_PARK_STRIDE:-8}"
tests --test park -- nobody_waits
# shellcheck disable=SC2086 # words
flags_of_ours $instrument
began "Rust's tests"
tests --lib --tests --
began "the programs in C and C++"
quietly cargo build --quiet --locked --lib
library=$target/debug/libconex.a
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
# shellcheck disable=SC2086 # words
program churn g++ -std=c++17 -O1 -g -Iinclude -- $churn
quietly "$out/churn" --operations 20000 --rounds 1 --threads 4
for file in cpp-tests/unit/c_*.c cpp-tests/unit/guard_domain.cpp cpp-tests/unit/status.cpp cpp-tests/unit/map_keys.cpp cpp-tests/abuse/*.cpp; do
    case $file in *.c) compile="gcc -std=c11" ;; *) compile="g++ -std=c++17" ;; esac
    name=$(basename "$(dirname "$file")")-$(basename "$file" | tr . -)
    # shellcheck disable=SC2086 # words
    program "$name" $compile -O1 -g -Iinclude -Icpp-tests -- "$file"
    quietly "$out/$name"
done
for life in fork fork_session thread_exit static_exit; do
    program "life-$life" g++ -std=c++17 -O1 -g -Iinclude -- "cpp-tests/life/$life.cpp"
    # shellcheck disable=SC2046 # nothing, or a number
    quietly "$out/life-$life" $(case $life in fork) echo 30 ;; thread_exit) echo 100 ;; esac)
done

began "the figures"
"$tools/llvm-profdata" merge -sparse "$out"/*.profraw -o "$out/all.profdata"
# One program after the other, and a line counts if one has run it: the same function is another one in another program. Models
# have nothing in them in this build.
# shellcheck disable=SC2016,SC2086 # the inner shell's; words
{ cat "$rig/coverage-programs.txt" && printf '%s\n' $programs; } |
    xargs -P "$(nproc)" -I '{}' sh -c 'to=$2/$(basename "$1"); "$0" export "$1" -instr-profile="$2/all.profdata" --format=lcov --sources src >"$to.lcov" 2>"$to.err" ||
        grep -q "no coverage data found" "$to.err" || { cat "$to.err" && exit 1; }' \
        "$tools/llvm-cov" '{}' "$out"
cat "$out"/*.lcov >"$rig/coverage.lcov"
awk -v ffi_least=$ffi_least -v core_least=$core_least '
    FILENAME == ARGV[1] {
        # FILE: TEXT OF THE LINE: REASON
        if (match($0, /^src[^:]*: .*: /)) { at = index($0, ": "); exception[substr($0, 1, at - 1), substr($0, at + 2, RLENGTH - at - 3)] = 1 }
        next
    }
    # Unit tests, models and the hooks of tests/park are not the library.
    /^SF:/ { file = substr($0, 4); sub(".*/src/", "src/", file); counts = file ~ /^src\// && file !~ /(models|tests|sync\/step)\.rs$/ }
    /^DA:/ && counts { split(substr($0, 4), part, ","); if (!((file, part[1]) in count) || part[2] > count[file, part[1]]) count[file, part[1]] = part[2] + 0 }
    END {
        for (place in count) {
            split(place, part, SUBSEP)
            if (!(part[1] in seen)) {
                seen[part[1]] = 1
                n = 0
                while ((getline line <part[1]) > 0) text[part[1], ++n] = line
                for (i = 1; i <= n; i++) if (text[part[1], i] ~ /^#\[cfg\((test\)|all\(test,)/ && text[part[1], i + 1] ~ /^mod [a-z]+ \{/) break
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
