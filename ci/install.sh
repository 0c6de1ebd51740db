#!/bin/sh
# Builds both libraries and installs them, the headers, the CMake package and conex.pc.
#   ci/install.sh PREFIX    below $DESTDIR if that is set
. "$(dirname "$0")/lib.sh"

ci/setup.sh build
configure release >/dev/null
cmake --build build/release --target conex_cargo
cmake --install build/release --prefix "$1"
