#!/bin/sh
# Repeats the stress tests for as long as it is told, in the build users get and under ThreadSanitizer.
#   ci/soak.sh [MINUTES]    30 unless told
. "$(dirname "$0")/lib.sh"
end=$(($(date +%s) + ${1:-30} * 60))

ci/setup.sh check
for preset in release tsan; do
    configure "$preset" >/dev/null
    cmake --build "build/$preset"
done
round=0
while [ "$(date +%s)" -lt "$end" ]; do
    round=$((round + 1))
    for preset in release tsan; do
        ctest --test-dir "build/$preset" --label-regex stress --output-on-failure --no-tests=error --quiet ||
            { echo "soak: failed in round $round, preset $preset" >&2 && exit 1; }
    done
    echo "soak: round $round passed, $(((end - $(date +%s)) / 60)) minutes left"
done
