#!/bin/sh
# Runs the verification ladder and ends with a table: rung, cases, time, verdict. Every rung runs, whatever the others say;
# the exit status is that of the worst.
#   ci/check.sh [RUNG...]    of the list below; all rungs of the tier unless told
# CONEX_TIER=soak and CONEX_SECONDS=N run the deep version (see ci/soak.sh). docs/TESTING.md says what each rung proves.
. "$(dirname "$0")/rig.lib.sh"

lint() {
    cargo fmt --check
    cargo clippy --quiet --locked --all-targets -- -D warnings
    # The library and its tests without the C functions.
    cargo clippy --quiet --locked --no-default-features --all-targets -- -D warnings
    cargo fmt --check --manifest-path tests/linearizability/Cargo.toml
    cargo fmt --check --manifest-path fuzz/Cargo.toml
    cargo clippy --quiet --manifest-path tests/linearizability/Cargo.toml --target-dir "$rig/linearizability" --all-targets -- -D warnings
    # The models beside the code, most of which only the soak tier runs.
    RUSTFLAGS="--cfg loom --cfg crossbeam_loom --cfg crossbeam_sanitize" CARGO_TARGET_DIR=$target/loom \
        cargo check --quiet --locked --no-default-features --tests
    CONEX_REPORT='' ci/planted.sh --fit
    if have shellcheck; then shellcheck -x -P SCRIPTDIR .ci/run ci/*.sh cpp-tests/package/*.sh examples/wordcount/tests/*.sh; fi
}

commit="lint guarantees bounds boxed model park asan memory life linearizability suspend valgrind fuzz tsan loom miri planted"
# The C++ unit and stress tests once more, with another compiler and under the sanitizers: minutes each.
soak="$commit coverage preset-dev preset-clang preset-asan preset-tsan"
names=$*
[ -n "$names" ] || names=$(if [ "$tier" = soak ]; then echo "$soak"; else echo "$commit"; fi)

ci/setup.sh check
CONEX_REPORT=$rig/report.txt
export CONEX_REPORT
: >"$CONEX_REPORT"
table=$rig/table.txt
: >"$table"
# What ci/planted.sh need not run again without a bug.
CONEX_PASSED=
export CONEX_PASSED
logs=$rig/logs
mkdir -p "$logs"
failures=0
begin_all=$(date +%s)
for name in $names; do
    begin=$(date +%s)
    echo "==> $name"
    case $name in
        # In a shell of its own, which stops at the first command that fails, as it would not in a condition.
        lint) set -- sh -ec ". ci/rig.lib.sh; $(sed -n '/^lint() {/,/^}/p' ci/check.sh)
lint" ci/check.sh ;;
        preset-*) set -- cmake --workflow --preset "${name#preset-}" ;;
        *) set -- "ci/$name.sh" ;;
    esac
    status=0
    "$@" >"$logs/$name.txt" 2>&1 || status=$?
    if [ $status = 0 ]; then
        verdict=passed
        CONEX_PASSED="$CONEX_PASSED $name"
        tail -n 3 "$logs/$name.txt"
    else
        verdict=FAILED
        failures=$((failures + 1))
        tail -n 60 "$logs/$name.txt"
        echo "==> $name failed with status $status; all of it is in $logs/$name.txt"
    fi
    cases=$(awk -v rung="$name" '$1 == rung {n = $2} END {print n == "" ? "-" : n}' "$CONEX_REPORT")
    what=$(awk -v rung="$name" '$1 == rung {$1 = $2 = ""; text = $0} END {print text}' "$CONEX_REPORT")
    printf '%-16s %12s %6s s  %-7s %s\n' "$name" "$cases" $(($(date +%s) - begin)) $verdict "$what" >>"$table"
done

echo
printf '%-16s %12s %8s  %-7s %s\n' rung cases time verdict "what was counted"
cat "$table"
echo "check: $(wc -l <"$table") rungs in $(($(date +%s) - begin_all)) s, $failures failed"
[ $failures = 0 ]
