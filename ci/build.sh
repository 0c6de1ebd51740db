#!/bin/sh
# Builds the libraries and the tests.
#   ci/build.sh [PRESET]    of CMakePresets.json; release unless told
. "$(dirname "$0")/lib.sh"
preset=${1:-release}

ci/setup.sh build
configure "$preset" >/dev/null
cmake --build "build/$preset" --parallel "$(jobs_wanted)"
