#!/bin/sh
# A user's ThreadSanitizer build against the installed package, as README.md says: the release library, and the
# suppressions of the package, found by pkg-config. Without them the run must have something to report.
#   tsan.sh PREFIX CPP-TESTS WORK CXX
set -eu
prefix=$1 tests=$2 work=$3 cxx=$4

rm -rf "$work"
mkdir -p "$work"
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name conex.pc)")
export PKG_CONFIG_PATH
flags=$(pkg-config --cflags --static --libs conex | sed "s| -lconex| -l:libconex.a|")
eval "set -- $flags"
"$cxx" -std=c++17 -g -O1 -fsanitize=thread -I"$tests" "$tests/stress/queue.cpp" "$@" -pthread -o "$work/queue"

# Quoted for a shell, as the flags are.
suppressions=
eval "suppressions=$(pkg-config --variable=tsan_suppressions conex)"
[ -e "$suppressions" ]
export CONEX_STRESS_SECONDS=0.05
TSAN_OPTIONS="halt_on_error=1:history_size=7:suppressions='$suppressions'" "$work/queue"
if TSAN_OPTIONS="halt_on_error=1" "$work/queue" >"$work/without.txt" 2>&1; then
    echo "nothing is reported without the suppressions: they are not tested by this" >&2
    exit 1
fi
grep -q 'WARNING: ThreadSanitizer' "$work/without.txt"
