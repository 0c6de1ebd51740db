# shellcheck shell=sh disable=SC2034
# Shared by the rungs of the verification ladder, which begin with: . "$(dirname "$0")/rig.lib.sh"
# Afterwards the shell stands in the project's top folder and stops at the first command that fails.
#
#   CONEX_TIER      commit (the default: seconds) or soak (as long as told)
#   CONEX_SECONDS   how long a rung's repeatable part runs in the soak tier
#   CONEX_SEED      for the rungs that draw at random; each prints the seed it used
#   CONEX_REPORT    a file to which the rung adds a line for the table of ci/check.sh
set -eu

cd "$(dirname "$0")/.."
case ":$PATH:" in *":$HOME/.cargo/bin:"*) ;; *) PATH=$PATH:$HOME/.cargo/bin ;; esac
export PATH

tier=${CONEX_TIER:-commit}
rung=$(basename "$0" .sh)
# Where the rungs build: one folder for all, so that they share what they can.
target=${CARGO_TARGET_DIR:-$PWD/target}
export CARGO_TARGET_DIR="$target"
rig=$target/rig
mkdir -p "$rig"
system_libs="-lpthread -ldl -lm"

have() { command -v "$1" >/dev/null 2>&1; }

# seconds COMMIT : how long a part runs: COMMIT seconds in the commit tier, CONEX_SECONDS in the soak tier.
seconds() { if [ "$tier" = soak ]; then echo "${CONEX_SECONDS:-600}"; else echo "$1"; fi; }

say() { echo "$rung: $*"; }

# report CASES TEXT... : the result of a part that passed.
report() {
    cases=$1
    shift
    say "passed: $cases cases: $*"
    if [ -n "${CONEX_REPORT:-}" ]; then echo "$rung $cases $*" >>"$CONEX_REPORT"; fi
}

# missing TOOL : a rung without its tool must not look as if it had passed.
need() {
    have "$1" && return
    say "needs $1, which is not installed; ci/setup.sh check installs it" >&2
    exit 1
}

# objects COMPILER FLAG... -- FILE... : compiles C++ files and prints the names of the objects. What was compiled before, from
# the same texts in the same way, is used again: most runs differ in the library alone.
objects() {
    command=
    while [ "$1" != -- ]; do
        command="$command $1"
        shift
    done
    shift
    mkdir -p "$rig/objects"
    texts=$({ echo "$command" && cat include/conex/*.h* include/conex/detail/* cpp-tests/*/*.hpp; } | sha256sum | cut -c 1-16)
    for file in "$@"; do
        object=$rig/objects/$texts-$(sha256sum <"$file" | cut -c 1-16).o
        if [ ! -e "$object" ]; then
            $command -c "$file" -o "$object.part" || return 1
            mv "$object.part" "$object"
        fi
        echo "$object"
    done
}

# The subjects of the suspension test, and the program that has them run without freezes.
subjects="cpp-tests/suspend/stack.cpp cpp-tests/suspend/queue.cpp cpp-tests/suspend/map.cpp cpp-tests/suspend/shared.cpp cpp-tests/suspend/cells.cpp"
churn="$subjects cpp-tests/suspend/churn.cpp"

# The library that users link, as they get it.
release_library() {
    cargo build --locked --release --lib --quiet
    library=$target/release/libconex.a
}

# flags_of_ours FLAG... : from now on the compiler gets these flags for the project's own crates, and for nothing that they depend
# on, which so is built once for all rungs.
flags_of_ours() {
    wrapper=$rig/rustc-$(echo "$*" | tr -c 'a-z0-9\n' -)
    printf '#!/bin/sh\nexec "$@" %s\n' "$*" >"$wrapper.part"
    chmod +x "$wrapper.part"
    mv "$wrapper.part" "$wrapper"
    RUSTC_WORKSPACE_WRAPPER=$wrapper
    export RUSTC_WORKSPACE_WRAPPER
}

# parked_peer : the text that tests/park includes of the peer that is not ours, with the hooked atomics in place of the standard
# ones.
parked_peer() {
    peers=cpp-tests/suspend/peers/Cargo.toml
    text=$(cargo metadata --format-version 1 --manifest-path $peers | sed -n 's,.*"manifest_path":"\([^"]*/crossbeam-queue-[0-9.]*\)/Cargo.toml".*,\1,p')/src/seg_queue.rs
    CONEX_PARK_SEG_QUEUE=$rig/seg_queue.rs
    export CONEX_PARK_SEG_QUEUE
    sed -e 's/core::sync::atomic::{self, AtomicPtr, AtomicUsize, Ordering}/{conex::park::{self as atomic, AtomicPtr, AtomicUsize}, std::sync::atomic::Ordering}/' \
        -e 's/core::sync::atomic::AtomicU64/conex::park::AtomicU64/' -e 's/^use alloc::/use std::/' "$text" >"$CONEX_PARK_SEG_QUEUE.part"
    grep -q 'conex::park::{' "$CONEX_PARK_SEG_QUEUE.part"
    if grep -n 'core::sync::atomic' "$CONEX_PARK_SEG_QUEUE.part" | grep -v AtomicUsize; then say "the peer's text has changed" >&2 && exit 1; fi
    cmp -s "$CONEX_PARK_SEG_QUEUE.part" "$CONEX_PARK_SEG_QUEUE" || cp "$CONEX_PARK_SEG_QUEUE.part" "$CONEX_PARK_SEG_QUEUE"
}
