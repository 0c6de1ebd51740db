# shellcheck shell=sh
# Shared by the scripts of this folder, which begin with: . "$(dirname "$0")/lib.sh"
# Afterwards the shell stands in the project's top folder, and stops at the first command that fails.
set -eu

cd "$(dirname "$0")/.."
case ":$PATH:" in *":$HOME/.cargo/bin:"*) ;; *) PATH=$PATH:$HOME/.cargo/bin ;; esac
export PATH

have() { command -v "$1" >/dev/null 2>&1; }

jobs_wanted() { nproc 2>/dev/null || echo 2; }

# stage TEXT COMMAND... : says what is done now, and afterwards how long it took or that it failed. The command is called
# plainly, not in a condition: there the shell would no longer stop at a failure within it.
stage() {
    stage_text=$1
    shift
    echo "==> $stage_text"
    stage_start=$(date +%s)
    "$@"
    echo "==> $stage_text: $(($(date +%s) - stage_start)) s"
    stage_text=
}
stage_text=
trap '[ -z "$stage_text" ] || echo "==> failed: $stage_text" >&2' EXIT

# configure PRESET [ARGUMENT...] : the build tree is build/PRESET. Presets need CMake 3.25; an older one gets in words what
# the presets release and dev say.
configure() {
    preset=$1
    shift
    if cmake --list-presets >/dev/null 2>&1; then
        cmake --preset "$preset" "$@"
    else
        case $preset in
            release) type=Release ;;
            dev) type=Debug ;;
            *) echo "the preset $preset needs CMake 3.25 or later; this is $(cmake --version | head -n 1)" >&2 && return 1 ;;
        esac
        cmake -S . -B "build/$preset" -G Ninja -DCMAKE_BUILD_TYPE="$type" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON "$@"
    fi
}
