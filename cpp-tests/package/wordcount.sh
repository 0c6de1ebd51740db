#!/bin/sh
# Builds the demo against the installed package alone, warnings as errors, and runs its test.
#   wordcount.sh CMAKE CTEST SOURCE WORK PREFIX CXX
set -eu
cmake=$1 ctest=$2 source=$3 work=$4 prefix=$5 cxx=$6

rm -rf "$work"
"$cmake" -S "$source" -B "$work" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_COMPILE_WARNING_AS_ERROR=ON
"$cmake" --build "$work"
"$ctest" --test-dir "$work" --output-on-failure --no-tests=error
