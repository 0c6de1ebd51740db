#!/usr/bin/env python3
"""Writes the report from the results of run.py.

    report.py --results DIR --reasons FILE --document FILE [--print]

DIR gets one file with all tables a family, and the plots; FILE is the document that a reader opens first. Ends with status 1
when conex itself failed a check.
"""

import argparse
import fnmatch
import os
import sys

from cells import OURS, Results
from svg import bars
import words
from words import number, title

FAMILIES = ["queue", "stack", "map"]

# The cells whose tables and plots stand in the document itself; all others are in the family's file.
MAIN = {
    "queue": [("queue/pairs-1", "pair"), ("queue/flow-1+1", "throughput"), ("queue/pairs-2", "throughput"),
              ("queue/flow-2+2", "throughput"), ("queue/flow-8+8", "throughput"), ("queue/burst", "push"), ("queue/burst", "pop"),
              ("queue/burst", "peak memory"), ("queue/burst", "memory after drain"), ("queue/batch-32", "in and out"),
              ("queue/batch-32-1+1", "throughput"), ("queue/latency", "p50"), ("queue/latency", "p99.9")],
    "stack": [("stack/pairs-1", "pair"), ("stack/flow-1+1", "throughput"), ("stack/pairs-2", "throughput"),
              ("stack/flow-8+8", "throughput"), ("stack/burst", "push"), ("stack/burst", "pop"),
              ("stack/burst", "memory after drain"), ("stack/latency", "p99.9")],
    "map": [("map/single-u64", "insert"), ("map/single-u64", "hit"), ("map/single-u64", "miss"), ("map/single-u64", "update"),
            ("map/single-u64", "erase"), ("map/single-u64", "iterate"), ("map/single-u64", "memory"),
            ("map/single-u64", "memory after erasing all"), ("map/single-u64", "hit in batches of 32"),
            ("map/single-text", "hit"), ("map/mixed-u64-1M/100-0-uniform-2t", "throughput"),
            ("map/mixed-u64-1M/95-5-zipf-2t", "throughput"), ("map/mixed-u64-1M/50-25-25-uniform-2t", "throughput"),
            ("map/mixed-u64-1M/50-25-25-zipf-8t", "throughput"), ("map/mixed-u64-10k/95-5-uniform-2t", "throughput"),
            ("map/mixed-u64-10k/50-25-25-zipf-2t", "throughput"), ("map/mixed-u64-10M/95-5-uniform-2t", "throughput"),
            ("map/mixed-text-1M/95-5-zipf-2t", "throughput"), ("map/grow-u64-2t", "throughput"), ("map/pause-u64-1t", "p99.99"),
            ("map/pause-u64-1t", "max"), ("map/hot-u64/key-50-50-2t", "throughput"), ("map/hot-u64/count-1key-2t", "throughput"),
            ("map/hot-text/count-16keys-2t", "throughput")],
}
PLOTS = {
    "queue": ["queue/pairs-1 pair", "queue/flow-1+1 throughput", "queue/pairs-2 throughput", "queue/flow-8+8 throughput",
              "queue/latency p99.9"],
    "stack": ["stack/pairs-1 pair", "stack/pairs-2 throughput", "stack/flow-8+8 throughput"],
    "map": ["map/single-u64 hit", "map/single-u64 insert", "map/mixed-u64-1M/95-5-zipf-2t throughput",
            "map/mixed-u64-10k/95-5-uniform-2t throughput", "map/grow-u64-2t throughput", "map/pause-u64-1t max"],
}
PROMISE = {"queue": "FIFO and unbounded", "stack": "LIFO", "map": "growing"}


def direction(cell):
    return "more is better" if cell.better == "more" else "less is better"


def heading(cell):
    return f"{title(cell.case)}: {cell.metric}"


def times(ratio):
    if ratio is None:
        return "–"
    middle, least, most = ratio
    if f"{least:.2f}" == f"{most:.2f}":
        return f"{middle:.2f}"
    return f"{middle:.2f} ({least:.2f}–{most:.2f})"


def table(results, cell):
    """All contestants of a cell, best first; the ratio is to the best conex form, or to the best of all without one."""
    order = cell.ranking()
    base = cell.ours() or order[0]
    fair = bool(cell.fairness)
    head = ["", "contestant", f"{cell.unit}", "range", f"times {base}"] + (["fairness"] if fair else []) + ["promises"]
    lines = ["| " + " | ".join(head) + " |", "|" + "--:|" + ":--|" + "--:|" * (len(head) - 3) + ":--|"]
    for place, who in enumerate(order, 1):
        low, high = cell.spread(who)
        name = f"**{who}**" if who.startswith(OURS) else who
        row = [str(place), name, number(cell.middle(who)), f"{number(low)}–{number(high)}",
               "1" if who == base else times(cell.ratio(who, base))]
        if fair:
            row.append(f"{cell.fairness[who]:.2f}" if who in cell.fairness else "")
        lines.append("| " + " | ".join(row + [results.semantics(cell.family, who)]) + " |")
    for who, why in results.failed_in(cell):
        row = ["", who, "failed", why] + [""] * (len(head) - 5)
        lines.append("| " + " | ".join(row + [results.semantics(cell.family, who)]) + " |")
    return "\n".join(lines)


class Reasons:
    """`cell<TAB>winner<TAB>reason` lines: patterns for the cell's key (case, blank, metric) and for the contestant that is first;
    the first line that fits both counts. `*` fits anything."""

    def __init__(self, path):
        self.rules = []
        if os.path.exists(path):
            with open(path) as f:
                for n, line in enumerate(f, 1):
                    line = line.rstrip("\n")
                    if not line or line.startswith("#"):
                        continue
                    fields = line.split("\t")
                    if len(fields) != 3 or not all(x.strip() for x in fields):
                        sys.exit(f"{path}:{n}: wants a cell, a winner and a reason, with a tab between them")
                    self.rules.append(fields)

    def of(self, cell, winner):
        for key, who, reason in self.rules:
            if fnmatch.fnmatchcase(cell.key, key) and fnmatch.fnmatchcase(winner, who):
                return reason
        return "**no reason known yet**"


def beaten(cell, admit=lambda who: True):
    """The best peer of those admitted where it is ahead of the best conex form, else None."""
    ours, peer = cell.ours(), cell.best_peer(admit)
    if ours is None or peer is None:
        return None
    a, b = cell.middle(peer), cell.middle(ours)
    return peer if (a > b if cell.better == "more" else a < b) else None


def contested(results):
    """The cells in which conex and a peer have figures."""
    return [c for f in FAMILIES for c in results.of(f) if c.ours() and c.best_peer()]


def losses(results, reasons, of_the_same_kind):
    """The cells where conex is behind a contestant for the same use; or behind others only."""
    rows = ["| cell | first | its figure | best conex | its figure | times conex | why |", "|:--|:--|--:|:--|--:|--:|:--|"]
    for cell in contested(results):
        alike = lambda who: results.same_kind(cell.family, who)
        rival = beaten(cell, alike)
        peer = rival if of_the_same_kind else None if rival else beaten(cell)
        if peer is None:
            continue
        ours = cell.ours()
        ratio = cell.ratio(peer, ours)
        note = " (within the spread)" if ratio and ratio[1] <= 1 <= ratio[2] else ""
        rows.append(f"| {cell.family}: {heading(cell)} | {peer} ({results.semantics(cell.family, peer)}) | "
                    f"{number(cell.middle(peer))} {cell.unit} | {ours} | {number(cell.middle(ours))} {cell.unit} | "
                    f"{times(ratio)}{note} | {reasons.of(cell, peer)} |")
    return "\n".join(rows) if len(rows) > 2 else "Nowhere in this run."


def standing(results):
    """In how many cells conex is first, against whom."""
    cells = contested(results)
    first = lambda admit: sum(beaten(c, lambda who, c=c: admit(c.family, who)) is None for c in cells)
    return (f"Of {len(cells)} cells, conex is first in {first(results.same_promise)} among the lock-free contestants for the same use "
            f"(the same order, no bound or fixed size), in {first(results.same_kind)} among all contestants for the same use, and in "
            f"{first(lambda family, who: True)} among all; where it is not, the cell is [listed with the reason](#where-conex-is-not-first).")


def summary(results, family):
    rows = ["| case | unit | best peer | | best conex | | conex, times the best peer |", "|:--|:--|:--|--:|:--|--:|--:|"]
    for cell in results.of(family):
        peer, ours = cell.best_peer(), cell.ours()
        left = [peer, number(cell.middle(peer))] if peer else ["–", ""]
        right = [ours, number(cell.middle(ours))] if ours else ["–", ""]
        ratio = times(cell.ratio(ours, peer)) if peer and ours else ""
        if peer and ours and beaten(cell) is None:
            ratio = f"**{ratio}**"
        rows.append(f"| {heading(cell)} | {cell.unit} | " + " | ".join(left + right) + f" | {ratio} |")
    return "\n".join(rows)


def compared(results, family):
    rows = ["| contestant | package | order | bound | progress | memory | how it is used |", "|:--|:--|:--|:--|:--|:--|:--|"]
    for c in sorted((c for c in results.run["contestants"] if c["family"] == family), key=lambda c: (c["peer"] != "conex", c["name"])):
        version = results.run.get("peers", {}).get(c["peer"], "")
        package = " ".join(x for x in (c["peer"], version) if x)
        rows.append("| " + " | ".join([c["name"], package, c["order"], c["bound"], c["progress"], c["memory"], c["how"]]) + " |")
    return "\n".join(rows)


def plot(results, cell, folder):
    """Writes the cell's chart: every conex form, and the best form of every peer."""
    seen, rows = set(), []
    for who in cell.ranking():
        peer = results.contestants[(cell.family, who)]["peer"]
        if not who.startswith(OURS):
            if peer in seen and peer != "libstdc++":
                continue
            seen.add(peer)
        rows.append((who, cell.middle(who), *cell.spread(who), who.startswith(OURS)))
    name = cell.key.replace("/", "-").replace(" ", "-").replace("+", "-") + ".svg"
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "w") as f:
        f.write(bars(f"{cell.family}: {heading(cell)}", f"{cell.unit}, {direction(cell)}; median and range, the best form of each peer", rows))
    return name


def limits(results):
    rows = ["| limit | median | range |", "|:--|--:|--:|"]
    for cell in results.of("limits"):
        low, high = cell.spread("machine")
        rows.append(f"| {cell.metric} | {number(cell.middle('machine'))} {cell.unit} | {number(low)}–{number(high)} |")
    return "\n".join(rows)


def machine(run):
    cpu, compilers = run["cpu"], run["compilers"]
    lines = [
        f"- {run['date']}, conex {run['conex']['version']} at commit {run['conex']['commit']}",
        f"- {cpu['model']}, {cpu['threads']} processors{', virtual (' + cpu['virtual'] + ')' if cpu['virtual'] else ''}; {cpu['caches']}; {run['memory_gib']} GiB",
        f"- {run['system']}, Linux {run['kernel']}, {run['libc']}",
        f"- C++: {compilers['C++']}, {run['flags']}" + (f"; form xlto: {compilers['C++ of xlto']}" if compilers.get("C++ of xlto") else ""),
        f"- {compilers['Rust']}, release profile",
        "- " + ", ".join(f"{k} {v}" for k, v in run["peers"].items()) if run["peers"] else "- no peers",
        f"- kept busy by others, looked at before each repetition: {', '.join(f'{100 * b:.0f} %' for b in run['busy'])}",
    ]
    return "\n".join(lines)


def moved(results):
    """What to say when the time of a cache line's way changed from one repetition to the next."""
    line = next((c for c in results.of("limits") if c.case == "limits/line"), None)
    low, high = line.spread("machine") if line else (1, 1)
    if high < 2 * low:
        return ""
    return (f"\nA cache line's way between the two processors took {number(low)} to {number(high)} ns from one repetition to the next: a virtual "
            "machine's processors are now two threads of one core, now two cores. So figures of two and more threads have "
            "a wide range, and only ratios within a repetition say much about them.\n")


METHOD = """\
Every run of a contestant is a process of its own: a fresh heap, no memory of another contestant, and a crash or a hang is its
own. Threads are pinned, one after the other to each processor. A timed run has a warm-up that does not count. In a repetition
every contestant of a case runs once, in an order that is shuffled anew, then comes the next case; so a machine that drifts
drifts for all. Tables give the median and the range over the repetitions; ratios are taken within a repetition, then their
median. Every run checks its own result: as many elements out as in, each of them once, whole, in the order that the contestant
promises; every value read belongs to its key; as many entries left as the successful inserts and erases leave; counters add up.
A contestant that fails a check in a case has no figure there and is named as failed.

- Latency and local work: local work is a countdown of between half and one and a half times its length. `fairness` is the
  operations of the thread that did least over those of the one that did most; throughput alone rewards the thread that keeps
  the cache line.
- Memory is resident memory, over the resident memory before the container was made, by element or entry; before the reading
  after a drain the allocator gives back what it can (`malloc_trim`), so that what is left is held by the container.
- Keys of maps are scattered 64-bit numbers, so an identity hash is as good as any other; every map uses its own default hash,
  the Rust peers foldhash. Strings are made in registers. In the mixes half of the key space is present; reads alone and reads
  with updates draw present keys only.
- Contestants with a session (guards, tokens, regions, quiescent states) renew it every 64 operations. A batch operation is used
  where there is one; elsewhere a batch is a loop.
- Each peer is used as its documentation says is fastest; how, stands in the tables of contestants. Rust peers are called through
  a static library, as a C or C++ program would call them."""


def document(results, reasons, folder, path):
    run = results.run
    link = lambda name: os.path.relpath(os.path.join(folder, name), os.path.dirname(path) or ".")
    kind = "A quick run: the same contestants, fewer cases, shorter runs. " if run["mode"] == "quick" else ""
    part = [f"""# Benchmarks

Generated by `make bench`, from the figures in [bench/results]({link('.')}). {kind}Medians of {run['repetitions']} repetitions.
{standing(results)}

Run it yourself: `make bench` (all of it), `make bench QUICK=1` (a subset in a few minutes), `make bench ONLY=queue/pairs` (one case).

## Machine and versions

{machine(run)}
"""]
    if max(run["busy"]) > 0.05:
        part.append("> The machine was not idle during this run. Do not draw conclusions from its figures.\n")
    if run["absent"]:
        part.append("Not in this run:\n\n" + "\n".join(f"- {who}: {why}" for who, why in run["absent"]) + "\n")
    part.append(f"## Method\n\n{METHOD}\n")
    part.append(f"## The machine's limits\n\nMeasured at the beginning of every repetition. What no container can beat.\n\n{limits(results)}\n{moved(results)}")
    part.append("## Where conex is not first\n")
    part.append("### Behind a contestant for the same use\n\n" + losses(results, reasons, True) + "\n")
    part.append("### Behind others only: a weaker order, a bound, or a fixed size\n\n" + losses(results, reasons, False) + "\n")
    if results.failures:
        part.append("## Failed\n\n| case | contestant | why |\n|:--|:--|:--|\n"
                    + "\n".join(f"| {case} | {who} | {why} |" for (case, who), why in sorted(results.failures.items())) + "\n")
    for family in FAMILIES:
        if not results.of(family):
            continue
        part.append(f"## {family.capitalize()}\n")
        for key in PLOTS[family]:
            cell = next((c for c in results.of(family) if c.key == key), None)
            if cell:
                name = plot(results, cell, os.path.join(folder, "plots"))
                part.append(f"![{family}: {heading(cell)}]({link('plots/' + name)})\n")
        part.append(f"All cells; bold where conex is first. Every table: [{family}.md]({link(family + '.md')}), every figure: "
                    f"[{family}.csv]({link(family + '.csv')}).\n\n{summary(results, family)}\n")
        part.append(f"<details><summary>What is compared</summary>\n\n{compared(results, family)}\n\n</details>\n")
        for key in MAIN[family]:
            cell = results.cells.get(key)
            if cell:
                part.append(f"<details><summary>{heading(cell)} ({cell.unit}, {direction(cell)})</summary>\n\n{table(results, cell)}\n\n</details>\n")
    with open(path, "w") as f:
        f.write("\n".join(part))


def family_files(results, folder):
    for family in FAMILIES:
        cells = results.of(family)
        if not cells:
            continue
        with open(os.path.join(folder, family + ".md"), "w") as f:
            f.write(f"# {family.capitalize()}: every table\n\nGenerated by `make bench`. Best first; the ratio is to the best form of conex.\n")
            for cell in cells:
                f.write(f"\n## {heading(cell)}\n\n`{cell.key}`: {cell.unit}, {direction(cell)}.\n\n{table(results, cell)}\n")


def plain(results):
    for family in FAMILIES:
        for cell in results.of(family):
            print(f"\n{cell.key} ({cell.unit}, {direction(cell)})")
            base = cell.ours() or cell.ranking()[0]
            for who in cell.ranking():
                low, high = cell.spread(who)
                fair = f"  fairness {cell.fairness[who]:.2f}" if who in cell.fairness else ""
                print(f"  {who:40} {number(cell.middle(who)):>9}  {number(low)}–{number(high)}  x{times(cell.ratio(who, base))}{fair}")
            for who, why in results.failed_in(cell):
                print(f"  {who:40}    failed  {why}")


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--results", required=True)
    a.add_argument("--reasons", required=True)
    a.add_argument("--document", required=True)
    a.add_argument("--print", action="store_true")
    o = a.parse_args()
    results = Results(o.results)
    words.mode = results.run["mode"]
    document(results, Reasons(o.reasons), o.results, o.document)
    family_files(results, o.results)
    if o.print:
        plain(results)
    ours = sorted({(case, who, why) for (case, who), why in results.failures.items() if who.startswith(OURS)})
    for case, who, why in ours:
        print(f"{case}: {who} failed: {why}", file=sys.stderr)
    return 1 if ours else 0


if __name__ == "__main__":
    sys.exit(main())
