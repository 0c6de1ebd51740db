#!/bin/sh
# Builds wordcount against an installed conex, as a user would, and runs it.
#   ci/demo.sh [ARGUMENT...]    of wordcount; without a path among them it counts a text that is here anyway
. "$(dirname "$0")/lib.sh"
prefix=$PWD/build/release/stage

# Prints the first folder of the candidates that holds some tens of MB of text.
default_text() {
    docs=$(rustc --print sysroot)/share/doc/rust/html
    for folder in "$docs/std" "$docs" /usr/share/doc /usr/include "$HOME/.cargo/registry/src"; do
        [ -d "$folder" ] || continue
        if [ "$(du -sm "$folder" | cut -f 1)" -ge 20 ]; then
            echo "$folder"
            return
        fi
    done
    echo "$PWD"
}

prepare() {
    ci/setup.sh build
    configure release >/dev/null
    cmake --build build/release --target conex_cargo
    rm -rf "$prefix"
    cmake --install build/release --prefix "$prefix" >/dev/null
    cmake -S examples/wordcount -B build/release/demo -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_PREFIX_PATH="$prefix" -DWORDCOUNT_DEFAULT_TEXT="$(default_text)" >/dev/null
    cmake --build build/release/demo
}

stage "building wordcount against conex, installed in $prefix" prepare
echo "==> wordcount $*"
exec build/release/demo/wordcount "$@"
