#!/bin/sh
# Installs what is missing, and says what and why. Quick when nothing is.
#   ci/setup.sh [build|test|check]
#     build   compilers and build tools
#     test    and what the tests compare with
#     check   and what the sanitizers and model checkers need
. "$(dirname "$0")/lib.sh"
level=${1:-build}

missing=

# need COMMAND PACKAGE REASON : PACKAGE goes onto the list if there is no COMMAND.
need() {
    have "$1" && return 0
    case " $missing " in *" $2 "*) return 0 ;; esac
    missing="$missing $2"
    echo "setup: $2 is missing: $3"
}

install_missing() {
    [ -n "$missing" ] || return 0
    if ! have apt-get; then
        echo "setup: this is no Debian or Ubuntu. Install with this system's package manager what these packages hold:$missing" >&2
        exit 1
    fi
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        if ! have sudo; then
            echo "setup: installing needs root, and there is no sudo here. As root, run: apt-get update && apt-get install$missing" >&2
            exit 1
        fi
        sudo=sudo
        echo "setup: installing needs root: sudo may ask for a password"
    fi
    echo "setup: installing:$missing"
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq update
    # shellcheck disable=SC2086 # a list of words
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null
}

check_rust() {
    if ! have cargo || ! have rustc; then
        echo "setup: conex is written in Rust, and there is no cargo here. See https://rustup.rs, then run this again." >&2
        exit 1
    fi
    least=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(rustc --version | cut -d ' ' -f 2)
    if [ "$(printf '%s\n%s\n' "$least" "$found" | sort -V | head -n 1)" != "$least" ]; then
        echo "setup: conex needs Rust $least or later, and this is $found. \`rustup update stable\` brings a newer one." >&2
        exit 1
    fi
}

# The sanitizers and Miri exist in the nightly toolchain only. An image without rustup has to bring it itself.
check_nightly() {
    if rustup run nightly cargo miri --version >/dev/null 2>&1 && [ -d "$(rustup run nightly rustc --print sysroot)/lib/rustlib/src" ]; then
        return
    fi
    if ! have rustup; then
        echo "setup: the nightly toolchain with miri and rust-src is needed, and there is no rustup to install it" >&2
        exit 1
    fi
    echo "setup: installing the nightly toolchain with miri and rust-src: sanitizers and Miri need it"
    rustup --quiet toolchain install nightly --profile minimal --component miri --component rust-src
}

check_rust
need cc build-essential "the C compiler, and the linker that Rust uses"
need c++ build-essential "the C++ compiler"
need cmake cmake "it builds and installs the library, and runs the C++ tests"
need ninja ninja-build "CMake builds with it"
case $level in test | check)
    need pkg-config pkg-config "the tests build programs with pkg-config's answers"
    ;;
esac
case $level in check)
    need clang++-19 clang-19 "the second compiler, and the sanitizers' runtime that fits Rust's"
    need ld.lld-19 lld-19 "Clang's linker"
    [ -d /usr/lib/llvm-19/lib/clang/19/lib/linux ] || need clang_rt libclang-rt-19-dev "the sanitizers' runtime"
    need valgrind valgrind "it finds bad memory accesses without instrumentation"
    check_nightly
    cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
    cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
    ;;
esac
install_missing
echo "setup: all there ($(rustc --version | cut -d ' ' -f 1-2), $(cmake --version | head -n 1 | tr -d '\n'), $(c++ --version | head -n 1))"
