#!/bin/sh
# Everything that is tested on every change: cargo's tests with the header's drift, CTest's with the consumer projects and
# the demo. Ends with both closing lines.
. "$(dirname "$0")/lib.sh"
jobs=$(jobs_wanted)
mkdir -p build
log=build/test

# Runs a command, shows what it says, and keeps it for the end.
logged() { # FILE COMMAND...
    file=$1
    shift
    { "$@" 2>&1 && : >"$file.passed"; } | tee "$file"
    [ -e "$file.passed" ]
}

summary() {
    echo
    echo "cargo test:"
    grep -E '^test result: ' "$log.cargo"
    echo "ctest:"
    grep -E '^[0-9]+% tests passed' "$log.ctest"
}

rm -f "$log".*
stage "set-up" ci/setup.sh test
stage "cargo test" logged "$log.cargo" cargo test --locked
stage "build (Release)" ci/build.sh release
stage "ctest" logged "$log.ctest" ctest --test-dir build/release --output-on-failure --no-tests=error --parallel "$jobs"
summary
