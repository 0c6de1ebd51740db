#!/bin/sh
# Generates include/conex/conex.h anew from src/ffi, and checks it as the tests do.
. "$(dirname "$0")/lib.sh"

CONEX_BLESS=1 cargo test --locked --quiet --test header
git --no-pager diff --stat -- include/conex/conex.h
