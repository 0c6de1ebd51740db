#!/bin/sh
# Proves the promise about the life of a process (G7): fork in the middle of operations, dlopen and dlclose with live
# threads, destructors of thread_local and static objects that call in, a process that ends while threads are at work.
#   ci/life.sh
# Fails when a program fails, crashes or hangs.
. "$(dirname "$0")/rig.lib.sh"
need g++
release_library
source=cpp-tests/life
many() { if [ "$tier" = soak ]; then echo "$2"; else echo "$1"; fi; }
for name in fork fork_session thread_exit static_exit; do
    # shellcheck disable=SC2086 # words
    g++ -std=c++17 -O2 -g -Wall -Wextra -Wshadow -Iinclude $source/$name.cpp "$library" $system_libs -o "$rig/life-$name"
    g++ -std=c++17 -O2 -g -Iinclude $source/$name.cpp -L"$target/release" -lconex -lpthread -o "$rig/life-$name-shared"
done
# shellcheck disable=SC2086 # words
g++ -std=c++17 -O2 -g -Wall -Wextra -Wshadow -Iinclude $source/unload.cpp $system_libs -o "$rig/life-unload"

# The shared library is found by its SONAME, which cargo does not name the file by.
mkdir -p "$rig/lib"
cp "$target/release/libconex.so" "$rig/lib/$(readelf -d "$target/release/libconex.so" | sed -n 's/.*SONAME.*\[\(.*\)\].*/\1/p')"
LD_LIBRARY_PATH=$rig/lib
export LD_LIBRARY_PATH
run() { timeout 300 "$@" || { say "$* failed or hung: $?" >&2 && exit 1; }; }
for suffix in "" -shared; do
    run "$rig/life-fork$suffix" "$(many 60 5000)"
    run "$rig/life-fork_session$suffix"
    run "$rig/life-thread_exit$suffix" "$(many 500 50000)"
    run "$rig/life-static_exit$suffix" >"$rig/life.txt"
    grep 'destroyed after main' "$rig/life.txt"
done
run "$rig/life-unload" "$target/release/libconex.so" "$(many 50 5000)"
report 9 "programs lived and ended as they should"
