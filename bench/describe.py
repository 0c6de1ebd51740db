#!/usr/bin/env python3
"""Says on what and with which versions the benchmark runs, as JSON: what run.py carries over into its results."""

import argparse
import glob
import json
import os
import platform
import re
import subprocess
import time


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def cpu():
    facts = {}
    for line in output("lscpu").splitlines():
        name, _, value = line.partition(":")
        facts[name.strip()] = value.strip()
    model = facts.get("Model name", platform.processor() or "unknown")
    caches = ", ".join(f"{c} {facts[c + ' cache']}" for c in ("L1d", "L2", "L3") if c + " cache" in facts)
    return {"model": model, "threads": os.cpu_count(), "caches": caches, "virtual": facts.get("Hypervisor vendor", "")}


def memory_gib():
    with open("/proc/meminfo") as f:
        return round(int(re.search(r"MemTotal:\s+(\d+)", f.read()).group(1)) / 1048576)


def system():
    try:
        with open("/etc/os-release") as f:
            return re.search(r'PRETTY_NAME="?([^"\n]*)', f.read()).group(1)
    except OSError:
        return platform.system()


def locked_versions(lockfile, wanted):
    found = {}
    with open(lockfile) as f:
        for name, version in re.findall(r'name = "([^"]+)"\nversion = "([^"]+)"', f.read()):
            if name in wanted:
                found[name] = version
    return found


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--tree", required=True)
    a.add_argument("--clang", default="")
    o = a.parse_args()
    peers = {}
    for done in sorted(glob.glob(os.path.join(o.tree, "debs", "*.done"))):
        with open(done) as f:
            peers[os.path.basename(done)[: -len(".done")]] = f.read().strip()
    peers.update(locked_versions("bench/peers/rust/Cargo.lock", {"crossbeam-queue", "papaya", "dashmap", "scc", "foldhash"}))
    absent = []
    with open(os.path.join(o.tree, "absent.tsv")) as f:
        absent = [line.rstrip("\n").split("\t") for line in f]
    with open("Cargo.toml") as f:
        version = re.search(r'^version = "([^"]+)"', f.read(), re.M).group(1)
    commit = output("git", "rev-parse", "--short", "HEAD")
    changed = bool(output("git", "status", "--porcelain", "--untracked-files=no", "--", "src", "include", "Cargo.toml", "build.rs"))
    print(json.dumps({
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cpu": cpu(),
        "memory_gib": memory_gib(),
        "system": system(),
        "kernel": platform.release(),
        "compilers": {
            "C++": output("c++", "--version").splitlines()[0] if output("c++", "--version") else "",
            "C++ of xlto": output(o.clang, "--version").splitlines()[0] if o.clang and output(o.clang, "--version") else "",
            "Rust": output("rustc", "--version"),
        },
        "flags": "-O3 -DNDEBUG" + (" -march=x86-64-v2" if platform.machine() in ("x86_64", "AMD64") else ""),
        "libc": " ".join(platform.libc_ver()),
        "conex": {"version": version, "commit": commit + (" with changes" if changed else "")},
        "peers": peers,
        "absent": absent,
    }, indent=1))


if __name__ == "__main__":
    main()
