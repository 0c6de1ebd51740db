#!/bin/sh
# Links libconex.a and another Rust library into one program, in both orders, and runs it.
#   two_rust_libraries.sh PREFIX SOURCE WORK CC RUSTC NATIVE_LIBS
# The other library is built in the ways that are known to clash: plainly, with LTO, and by another compiler version.
set -eu
prefix=$1 source=$2 work=$3 cc=$4 rustc=$5 native_libs=$6

rm -rf "$work"
mkdir -p "$work"
archive=$(find "$prefix" -name libconex.a)

link_and_run() { # NAME OTHER
    for order in conex_first conex_last; do
        set -- "$1" "$2" "$archive" "$2"
        [ $order = conex_first ] || set -- "$1" "$2" "$2" "$archive"
        program=$work/$1.$order
        # The native libraries are a list of words.
        # shellcheck disable=SC2086
        "$cc" -std=c11 -I"$prefix/include" "$source/main.c" "$3" "$4" $native_libs -pthread -o "$program"
        said=$("$program" 2>"$program.stderr") || { echo "$1, $order: $said"; tail "$program.stderr"; exit 1; }
        [ "$(grep -c 'is odd' "$program.stderr")" -eq 200 ] || { echo "$1, $order: not every panic was reported"; exit 1; }
        echo "$1, $order: $said"
    done
}

"$rustc" --edition 2021 --crate-type staticlib -O "$source/other.rs" -o "$work/libplain.a"
link_and_run plain "$work/libplain.a"

"$rustc" --edition 2021 --crate-type staticlib -O -C lto=fat -C codegen-units=1 "$source/other.rs" -o "$work/liblto.a"
link_and_run lto "$work/liblto.a"

if RUSTUP_TOOLCHAIN=nightly "$rustc" --version >"$work/nightly" 2>/dev/null; then
    RUSTUP_TOOLCHAIN=nightly "$rustc" --edition 2021 --crate-type staticlib -O "$source/other.rs" -o "$work/libnightly.a"
    link_and_run nightly "$work/libnightly.a"
else
    echo "nightly: no second toolchain here"
fi
