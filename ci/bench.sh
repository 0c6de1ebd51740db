#!/usr/bin/env bash
# The side-by-side benchmark: fetches the peers, builds the drivers, runs every contestant of every case, writes the report.
#
#   ci/bench.sh                    everything, under 40 minutes; writes bench/results/ and docs/BENCHMARKS.md
#   QUICK=1 ci/bench.sh            the same contestants, fewer cases, shorter runs; under 5 minutes
#   ONLY=queue/pairs ci/bench.sh   the cases whose name begins so; prints their tables, leaves the report alone
#   BENCH_PEERS=0 ci/bench.sh      conex and the baselines of the standard library only
#
# Nothing is installed: the peers' Debian packages are unpacked in the build tree (build/bench), the Rust peers are built
# there. A peer that cannot be had is named in the report, with the reason.
set -euo pipefail
cd "$(dirname "$0")/.."

began=$SECONDS
quick=${QUICK:-}
[[ $quick == 0 ]] && quick=
only=${ONLY:-}
tree=$PWD/build/bench
mkdir -p "$tree/debs"
absent=$tree/absent.tsv # peer, reason
: >"$absent"

say() { printf '%s\n' "$*" >&2; }
missing() { printf '%s\t%s\n' "$1" "$2" >>"$absent"; say "absent: $1: $2"; }
have() { command -v "$1" >/dev/null; }

for tool in cmake cargo python3; do
  have "$tool" || { say "$tool is needed and not there: \`make setup\` installs it"; exit 1; }
done

# ---- the peers from Debian -------------------------------------------------------------------------------------------
# adapter: the packages that it needs
declare -A needs=(
  [moodycamel]="libconcurrentqueue-dev"
  [tbb]="libtbb-dev libtbb12 libtbbmalloc2"
  [boost]="libboost1.81-dev"
  [libcds_queue]="libcds-dev libboost1.81-dev libboost-thread1.81-dev"
  [libcds_stack]="libcds-dev libboost1.81-dev libboost-thread1.81-dev"
  [libcds_map]="libcds-dev libboost1.81-dev libboost-thread1.81-dev"
  [xenium]="libxenium-dev"
  [ck]="libck-dev"
  [urcu]="liburcu-dev"
  [libcuckoo]="libcuckoo-dev"
  [atomic_queue]="libatomic-queue-dev"
)
order=(libcds_queue libcds_map xenium tbb boost libcds_stack libcuckoo ck urcu moodycamel atomic_queue)
peers=(std_map std_mutex)

# Unpacks a package below $tree/root; libatomic-queue-dev conflicts with libboost1.81-dev only as an installed package.
unpack() {
  local package=$1 file
  [[ -e $tree/debs/$package.done ]] && return 0
  have apt-get && have dpkg-deb || return 1
  if ! (cd "$tree/debs" && apt-get download -qq "$package" >/dev/null 2>&1); then
    [[ $(id -u) == 0 && ! -e $tree/debs/updated ]] || return 1
    touch "$tree/debs/updated"
    apt-get update -qq >/dev/null 2>&1 || return 1
    (cd "$tree/debs" && apt-get download -qq "$package" >/dev/null 2>&1) || return 1
  fi
  file=("$tree/debs/${package}"_*.deb)
  dpkg-deb -x "${file[-1]}" "$tree/root" || return 1
  dpkg-deb -f "${file[-1]}" Version >"$tree/debs/$package.done"
}

if [[ ${BENCH_PEERS:-1} != 0 ]]; then
  say "fetching the peers"
  for adapter in "${order[@]}"; do
    lacking=
    for package in ${needs[$adapter]}; do
      unpack "$package" || lacking+=" $package"
    done
    if [[ -z $lacking ]]; then
      peers+=("$adapter")
    else
      missing "$adapter" "no Debian package to be had:$lacking"
    fi
  done
fi

# ---- Rust: the peers, and conex in its forms --------------------------------------------------------------------------
export PYTHONDONTWRITEBYTECODE=1
unset CARGO_TARGET_DIR RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
log=$tree/build.log
: >"$log"
cargo_build() { cargo "$@" --locked >>"$log" 2>&1; }

options=(-DBENCH_ROOT="$tree/root")
if [[ ${BENCH_PEERS:-1} != 0 ]]; then
  say "building the Rust peers"
  level= # the C++ peers are built for the same level
  [[ $(uname -m) == x86_64 ]] && level=-Ctarget-cpu=x86-64-v2
  if RUSTFLAGS=$level cargo_build build --release --manifest-path bench/peers/rust/Cargo.toml --target-dir "$tree/rust-peers"; then
    peers+=(rust)
    options+=(-DBENCH_RUST_PEERS="$tree/rust-peers/release/libconex_bench_peers.a")
  else
    missing rust "the crates could not be fetched or built, see build/bench/build.log"
  fi
fi

say "building conex"
cargo_build build --release --lib --target-dir "$tree/conex" || { tail -30 "$log" >&2; exit 1; }
mkdir -p "$tree/lib"
cp "$tree/conex/release/libconex.a" "$tree/conex/release/libconex.so" "$tree/lib/"
abi=$(sed -n 's/^const ABI: &str = "\(.*\)";$/\1/p' build.rs)
ln -sf libconex.so "$tree/lib/libconex.so.$abi"
options+=(-DCONEX_INCLUDE="$PWD/include" -DCONEX_STATIC="$tree/lib/libconex.a" -DCONEX_SHARED="$tree/lib/libconex.so")

# Cross-language LTO: rustc leaves bitcode in the archive, clang leaves bitcode in the objects, and the LLD that came with
# rustc, newer than clang's, reads both. A newer clang than rustc's LLVM would not do.
clang=
for candidate in clang++-19 clang++-18 clang++-17 clang++-16 clang++ clang++-15 clang++-14; do
  have "$candidate" && { clang=$candidate; break; }
done
host=$(rustc -vV | sed -n 's/^host: //p')
lld=$(rustc --print sysroot)/lib/rustlib/$host/bin/gcc-ld/ld.lld
xlto=
if [[ -z $clang ]]; then
  missing "conex, xlto" "no clang++ on this machine"
elif [[ ! -x $lld ]]; then
  missing "conex, xlto" "this Rust toolchain came without its LLD"
elif RUSTFLAGS=-Clinker-plugin-lto cargo_build rustc --release --lib --crate-type staticlib --target-dir "$tree/xlto"; then
  cp "$tree/xlto/release/libconex.a" "$tree/lib/libconex-xlto.a"
  xlto=1
else
  missing "conex, xlto" "conex could not be built for it, see build/bench/build.log"
fi

# ---- the drivers ------------------------------------------------------------------------------------------------------
say "building the drivers"
generator=()
have ninja && generator=(-G Ninja)
jobs=$(nproc 2>/dev/null || echo 2)
keep_going=(-k)
have ninja && keep_going=(-k 0)
build() { cmake --build "$tree/$1" -j "$jobs" -- "${keep_going[@]}" >>"$log" 2>&1; }
configure() {
  (cd bench && cmake --preset drivers "${generator[@]}" "-DBENCH_PEERS=$(IFS=';'; echo "${peers[*]}")" "${options[@]}") >>"$log" 2>&1
}
configure || { tail -30 "$log" >&2; exit 1; }
if ! build cmake; then
  # An adapter that does not compile against the version that is here takes nobody else with it.
  fit=()
  for adapter in "${peers[@]}"; do
    if [[ -e $tree/cmake/CMakeFiles/bench-peers.dir/peers/$adapter.cpp.o ]]; then
      fit+=("$adapter")
    else
      missing "$adapter" "the adapter does not compile against the version here, see build/bench/build.log"
    fi
  done
  peers=("${fit[@]}")
  if ! { configure && build cmake; }; then
    grep -E 'error|undefined|FAILED' "$log" | head -30 >&2
    exit 1
  fi
fi
drivers=$tree/cmake/drivers
rm -f "$drivers/bench-conex-xlto"
if [[ -n $xlto ]]; then
  export BENCH_CLANGXX=$clang BENCH_CLANG=${clang/++/} BENCH_TARGET=$host BENCH_LLD=$lld
  if (cd bench && cmake --preset xlto "${generator[@]}") >>"$log" 2>&1 && build cmake-xlto; then
    cp "$tree/cmake-xlto/drivers/bench-conex-xlto" "$drivers/"
  else
    missing "conex, xlto" "the driver could not be built, see build/bench/build.log"
  fi
fi

# ---- run and report ---------------------------------------------------------------------------------------------------
python3 bench/describe.py --tree "$tree" --clang "$clang" >"$tree/machine.json"
out=bench/results
document=docs/BENCHMARKS.md
if [[ -n $only ]]; then
  out=$tree/only
  document=$tree/only/BENCHMARKS.md
fi
spent=$((SECONDS - began))
run=(--drivers "$drivers" --meta "$tree/machine.json" --out "$out")
if [[ -n $quick ]]; then
  run+=(--quick --least 2 --deadline $((280 - spent)))
elif [[ -z $only ]]; then
  run+=(--least 5 --deadline $((2340 - spent)))
fi
[[ -n $only ]] && run+=(--only "$only")
say "running; $spent s were for building"
python3 bench/run.py "${run[@]}"
mkdir -p "$(dirname "$document")"
python3 bench/report/report.py --results "$out" --reasons bench/reasons.tsv --document "$document" ${only:+--print}
say "$((SECONDS - began)) s in all; the report is $document"
