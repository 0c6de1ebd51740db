#!/usr/bin/env python3
"""Runs the drivers: every contestant of every case, in interleaved repetitions, each run a process of its own.

    run.py --drivers DIR --out DIR [--quick] [--only PREFIX] [--deadline SECONDS] [--meta FILE]

Writes one CSV line a figure to OUT/<family>.csv; OUT/run.json says on which machine, of which versions and in which way the
figures were taken. The report is another program's (report/report.py).
"""

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import time

FIELDS = ["family", "case", "metric", "unit", "better", "contestant", "repetition", "value", "status", "note"]

# The order in which cases run and are reported; a case that is not named here comes last in its family.
ORDER = {
    "limits": ["atomics", "line", "allocator", "memory"],
    "queue": ["pairs-1", "flow-1+1", "pairs-2", "flow-2+2", "flow-8+8", "burst", "batch-32", "batch-256", "latency"],
    "stack": ["pairs-1", "flow-1+1", "pairs-2", "flow-2+2", "flow-8+8", "burst", "batch-32", "batch-256", "latency"],
    "map": ["single-u64", "single-text", "single-wide", "mixed-u64-10k", "mixed-u64-1M", "mixed-u64-10M", "mixed-text-1M",
            "mixed-wide-1M", "grow-u64", "pause-u64", "hot-u64", "hot-text"],
}

# The subset for QUICK=1: the same contestants, fewer cases, shorter runs.
QUICK = {
    "limits/atomics", "limits/line", "limits/allocator", "limits/memory",
    "queue/pairs-1", "queue/flow-1+1", "queue/pairs-2", "queue/flow-8+8", "queue/burst", "queue/batch-32", "queue/latency",
    "stack/pairs-1", "stack/flow-1+1", "stack/pairs-2", "stack/burst",
    "map/single-u64", "map/single-text", "map/mixed-u64-10k", "map/grow-u64-2t", "map/pause-u64-1t", "map/hot-u64",
    "map/hot-text",
}


def measured_ms(unit, quick):
    """(measured, warm-up) milliseconds of a timed run."""
    if quick:
        return (25, 8)
    if unit.startswith("map/"):
        return (30, 8)  # one run holds many cells of the same table; twice as long with more threads than processors
    if "8+8" in unit or "2+2" in unit:
        return (80 if "work" in unit else 120, 15)  # more threads than processors: several time slices for each
    return (60, 10)


def time_limit(unit):
    return 60 if "10M" in unit else 20


class Driver:
    def __init__(self, path):
        self.path = path
        self.contestants, self.cases = [], []
        out = subprocess.run([path, "--list"], check=True, capture_output=True, text=True).stdout
        for line in out.splitlines():
            f = line.split("\t")
            if f[0] == "contestant":
                keys = ["family", "name", "peer", "order", "bound", "progress", "memory", "how"]
                self.contestants.append(dict(zip(keys, f[1:])))
            elif f[0] == "case":
                self.cases.append((f[1] + "/" + f[3], f[2]))


def rank(unit):
    family, _, case = unit.partition("/")
    names = ORDER.get(family, [])
    best = max((n for n in names if case == n or case.startswith(n + "-")), key=len, default=None)
    return (list(ORDER).index(family) if family in ORDER else 9, names.index(best) if best else 99, len(case), case)


def run_once(driver, unit, who, quick, loops, seed):
    """Returns (figures, failures) of one run; a figure is (case, metric, unit, better, value)."""
    ms, warm = measured_ms(unit, quick)
    command = [driver, "--run", unit, "--contestant", who, "--ms", str(ms), "--warm", str(warm), "--seed", str(seed)]
    if loops:
        command += ["--loops-per-ns", f"{loops:.4f}"]
    if quick:
        command.append("--quick")
    limit = time_limit(unit)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        return [], [(unit, f"did not finish within {limit} s")]
    figures, failures, done = [], [], False
    for line in out.splitlines():
        f = line.split("\t")
        if f[0] == "figure":
            figures.append((f[1], f[2], f[3], f[4], float(f[5])))
        elif f[0] == "failed":
            failures.append((f[1], f[2]))
        elif f[0] == "done":
            done = True
    if not done:
        why = f"ended by signal {-process.returncode}" if process.returncode < 0 else f"ended with status {process.returncode}"
        last = err.strip().splitlines()[-1:] if err.strip() else []
        failures.append((unit, "; ".join([why] + last)))
    return figures, failures


def busy():
    """The share of the processors that others keep busy, over half a second in which this program sleeps."""
    def read():
        with open("/proc/stat") as f:
            return [int(x) for x in f.readline().split()[1:9]]
    before = read()
    time.sleep(0.5)
    spent = [b - a for a, b in zip(before, read())]
    return 1 - (spent[3] + spent[4]) / max(sum(spent), 1)  # all but idle and iowait; stolen time counts as busy


class Progress:
    """One plain line a case; on a terminal also the run in progress, overwritten."""

    def __init__(self, total):
        self.start, self.total, self.done = time.monotonic(), total, 0
        self.tty = sys.stderr.isatty()

    def step(self, unit, who):
        self.done += 1
        if self.tty:
            spent = time.monotonic() - self.start
            left = spent / self.done * (self.total - self.done)
            text = f"{clock(spent)} {self.done}/{self.total} {unit} {who}, about {clock(left)} left"
            sys.stderr.write("\r\x1b[2K" + text[:118])
            sys.stderr.flush()

    def line(self, text):
        if self.tty:
            sys.stderr.write("\r\x1b[2K")
        print(f"{clock(time.monotonic() - self.start)} {self.done}/{self.total} {text}", file=sys.stderr, flush=True)


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def short(value):
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def leader(rows, unit):
    if unit.startswith("limits/"):
        return unit + ": " + ", ".join(f"{r['metric']} {short(r['value'])} {r['unit']}" for r in rows if r["status"] == "ok")
    return first(rows, unit)


def first(rows, unit):
    """What to say of a case when its contestants have run: the best, and the best of conex, in its first figure."""
    metric = next(((r["case"], r["metric"]) for r in rows if r["status"] == "ok"), None)
    rows = [r for r in rows if (r["case"], r["metric"]) == metric and r["status"] == "ok"]
    if not rows:
        return f"{unit}: no figures"
    rows.sort(key=lambda r: r["value"], reverse=rows[0]["better"] == "more")
    text = f"{metric[0]} {metric[1]}: {rows[0]['contestant']} {short(rows[0]['value'])} {rows[0]['unit']}"
    ours = next((r for r in rows if r["contestant"].startswith("conex")), None)
    if ours and ours is not rows[0]:
        text += f"; {ours['contestant']} {short(ours['value'])}"
    return text


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--drivers", required=True)
    a.add_argument("--out", required=True)
    a.add_argument("--quick", action="store_true")
    a.add_argument("--only", default="")
    a.add_argument("--repetitions", type=int, default=5)
    a.add_argument("--least", type=int, default=0, help="repetitions that are made even past the deadline")
    a.add_argument("--deadline", type=float, default=0, help="seconds from now after which no further repetition starts")
    a.add_argument("--meta", default="", help="a JSON file to carry over into run.json")
    o = a.parse_args()
    least = o.least or o.repetitions
    drivers = [Driver(os.path.join(o.drivers, f)) for f in sorted(os.listdir(o.drivers))
               if f.startswith("bench-") and os.access(os.path.join(o.drivers, f), os.X_OK)]
    plan = {}
    for d in drivers:
        for unit, who in d.cases:
            if unit.endswith("/calibration") or (o.quick and not o.only and unit not in QUICK):
                continue
            if o.only and not unit.startswith(o.only) and not unit.startswith("limits/"):
                continue
            plan.setdefault(unit, []).append((d.path, who))
    units = sorted(plan, key=rank)
    if o.only and not any(u.startswith(o.only) for u in units):
        names = sorted({u for d in drivers for u, _ in d.cases}, key=rank)
        sys.exit(f"no case begins with {o.only}; there are:\n  " + "\n  ".join(names))
    os.makedirs(o.out, exist_ok=True)
    for family in {u.partition("/")[0] for u in units}:
        with open(os.path.join(o.out, family + ".csv"), "w", newline="") as f:
            csv.writer(f).writerow(FIELDS)
    loops = 0
    for d in drivers:
        if ("limits/calibration", "machine") in d.cases:
            loops = max(f[4] for _ in range(3) for f in run_once(d.path, "limits/calibration", "machine", False, 0, 1)[0])
            break
    progress = Progress(o.repetitions * sum(len(v) for v in plan.values()))
    failed, shuffle = set(), random.Random(1)
    began = time.monotonic()
    repetitions, others = 0, []
    for repetition in range(1, o.repetitions + 1):
        if o.deadline and repetition > least:
            spent = time.monotonic() - began
            if spent + spent / (repetition - 1) > o.deadline:
                progress.line(f"no time for repetition {repetition}: the report says how many there are")
                break
        others.append(round(busy(), 3))
        for unit in units:
            family = unit.partition("/")[0]
            rows = []
            order = list(plan[unit])
            shuffle.shuffle(order)
            for driver, who in order:
                progress.step(unit, who)
                if (unit, who) in failed:  # it hung or crashed before
                    continue
                figures, failures = run_once(driver, unit, who, o.quick, loops, repetition)
                for case, metric, measure, better, value in figures:
                    rows.append(dict(zip(FIELDS, [family, case, metric, measure, better, who, repetition, value, "ok", ""])))
                for case, why in failures:
                    rows.append(dict(zip(FIELDS, [family, case, "", "", "", who, repetition, "", "failed", why])))
                    if case == unit and not figures:
                        failed.add((unit, who))
                    progress.line(f"{case}: {who} failed: {why}")
            with open(os.path.join(o.out, family + ".csv"), "a", newline="") as f:
                csv.DictWriter(f, FIELDS).writerows(rows)
            progress.line(f"repetition {repetition}: {leader(rows, unit)}")
        repetitions = repetition
    meta = {}
    if o.meta:
        with open(o.meta) as f:
            meta = json.load(f)
    meta.update({
        "mode": "quick" if o.quick else "full",
        "only": o.only,
        "repetitions": repetitions,
        "seconds": round(time.monotonic() - began),
        "busy": others,
        "units": units,
        "contestants": [c for d in drivers for c in d.contestants],
        "milliseconds": {u: measured_ms(u, o.quick)[0] for u in units},
    })
    with open(os.path.join(o.out, "run.json"), "w") as f:
        json.dump(meta, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
