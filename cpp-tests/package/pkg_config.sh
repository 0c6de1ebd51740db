#!/bin/sh
# Builds the hello programs with pkg-config's answers alone, against the shared and the static library, and runs them.
#   pkg_config.sh PREFIX CONSUMERS WORK CC CXX
set -eu
prefix=$1 consumers=$2 work=$3 cc=$4 cxx=$5

rm -rf "$work"
mkdir -p "$work"
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name conex.pc)")
export PKG_CONFIG_PATH
libdir=$(dirname "$PKG_CONFIG_PATH")

# pkg-config quotes what needs quotes, for a shell to read: hence eval.
build() { # PROGRAM FLAGS COMPILER...
    program=$1 flags=$2
    shift 2
    eval "set -- \"\$@\" $flags"
    "$@" -pthread -o "$work/$program"
}
shared=$(pkg-config --cflags --libs conex)
build shared_c "$shared" "$cc" -std=c99 "$consumers/hello.c"
build shared_cpp "$shared" "$cxx" -std=c++17 "$consumers/hello.cpp"
# With both libraries in one folder -lconex means the shared one; a static link names the archive.
static=$(pkg-config --cflags --static --libs conex | sed "s| -lconex| -l:libconex.a|")
build static_c "$static" "$cc" -std=c99 "$consumers/hello.c"
build static_cpp "$static" "$cxx" -std=c++17 "$consumers/hello.cpp"

for program in shared_c shared_cpp static_c static_cpp; do
    printf '%s: ' "$program"
    case $program in
        shared_*)
            readelf -d "$work/$program" | grep -q 'NEEDED.*\[libconex\.so\.[0-9]*\]' || { echo "not linked with the shared library"; exit 1; }
            said=$(LD_LIBRARY_PATH=$libdir "$work/$program")
            ;;
        *) said=$("$work/$program") ;;
    esac
    echo "$said"
    case $said in "42 and 1 from conex "*) ;; *) exit 1 ;; esac
done
