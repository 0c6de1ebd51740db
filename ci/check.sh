#!/bin/sh
# What goes beyond `make test`: style, every build preset with its tests, and the rungs of the verification ladder.
#   ci/check.sh [STAGE...]    of the list below; all of them unless told
. "$(dirname "$0")/lib.sh"

lint() {
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings
    if have shellcheck; then shellcheck -x -P SCRIPTDIR .ci/run ci/*.sh cpp-tests/package/*.sh examples/wordcount/tests/*.sh; fi
}
workflow() { cmake --workflow --preset "$1"; }
rung() { "ci/$1.sh"; }

stages=${*:-"lint dev clang asan tsan loom miri"}
ci/setup.sh check
for name in $stages; do
    case $name in
        lint) stage lint lint ;;
        dev | clang | asan | tsan | multi) stage "preset $name" workflow "$name" ;;
        *)
            # Each rung is a script of its own.
            if [ -x "ci/$name.sh" ]; then
                stage "$name" rung "$name"
            else
                echo "there is no stage '$name': no ci/$name.sh" >&2
                exit 2
            fi
            ;;
    esac
done
echo "check: passed: $stages"
