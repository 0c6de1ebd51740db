#!/bin/sh
# What goes beyond `make test`: style, every build preset with its tests, and the rungs of the verification ladder.
#   ci/check.sh [STAGE...]    lint, preset-NAME for a workflow of CMakePresets.json, or the name of a script in this folder;
#                             unless told, what the list below says
. "$(dirname "$0")/lib.sh"

lint() {
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings
    if have shellcheck; then shellcheck -x -P SCRIPTDIR .ci/run ci/*.sh cpp-tests/package/*.sh examples/wordcount/tests/*.sh; fi
}
workflow() { cmake --workflow --preset "$1"; }

stages=$*
if [ -z "$stages" ]; then
    stages="lint preset-dev preset-clang preset-asan preset-tsan"
    for rung in model loom miri linearizability memory suspend asan tsan valgrind; do
        if [ -x "ci/$rung.sh" ]; then stages="$stages $rung"; else echo "check: without $rung: there is no ci/$rung.sh"; fi
    done
fi

ci/setup.sh check
for name in $stages; do
    case $name in
        lint) stage lint lint ;;
        preset-*) stage "$name" workflow "${name#preset-}" ;;
        *) stage "$name" "ci/$name.sh" ;;
    esac
done
echo "check: passed: $stages"
