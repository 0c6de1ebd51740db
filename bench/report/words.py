"""What the cases are called in the report."""

import re

SIZES = {"10k": "10 thousand keys", "1M": "1 million keys", "10M": "10 million keys"}
KINDS = {"u64": "u64 to u64", "text": "strings of 16 to 32 bytes to u64", "wide": "u64 to 64-byte values"}


def number(value):
    if value == 0:
        return "0"
    if abs(value) >= 10000:
        return f"{value:,.0f}".replace(",", " ")
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def pool(case, noun):
    text, size = case, ""
    m = re.search(r"-(\d+)B$", text)
    if m:
        text, size = text[: m.start()], f", elements of {m.group(1)} bytes"
    m = re.search(r"-work(\d+)$", text)
    work = ""
    if m:
        text, work = text[: m.start()], f", {m.group(1)} ns of local work between operations"
    if text == "pairs-1":
        what = "1 thread, push then pop"
    elif m := re.fullmatch(r"pairs-(\d+)", text):
        what = f"{m.group(1)} threads, each push then pop"
    elif m := re.fullmatch(r"flow-(\d+)\+(\d+)", text):
        p, c = m.groups()
        what = f"{p} producer{'s' if p != '1' else ''}, {c} consumer{'s' if c != '1' else ''}"
    elif m := re.fullmatch(r"batch-(\d+)-1\+1", text):
        what = f"batches of {m.group(1)}, 1 producer, 1 consumer"
    elif m := re.fullmatch(r"batch-(\d+)", text):
        what = f"batches of {m.group(1)}, 1 thread"
    elif text == "burst":
        what = "a million in, then a million out, 1 thread"
    elif text == "latency":
        what = f"round trip over two {noun}s, 2 threads"
    else:
        what = text
    return what + work + size


# Sizes of the runs that are bound by size; a quick run has smaller ones.
SINGLE = {"full": {"u64": "2^20", "text": "2^19", "wide": "2^19"}, "quick": {"u64": "2^18", "text": "2^18", "wide": "2^18"}}
GROWN = {"full": "2 million", "quick": "500 thousand"}
mode = "full"


def map_case(case):
    unit, _, cell = case.partition("/")
    if m := re.fullmatch(r"single-(\w+)", unit):
        return f"1 thread, {SINGLE[mode].get(m.group(1), '?')} entries, {KINDS.get(m.group(1), m.group(1))}"
    if m := re.fullmatch(r"mixed-(\w+)-(\w+)", unit):
        text = f"{KINDS.get(m.group(1), m.group(1))}, {SIZES.get(m.group(2), m.group(2))}"
        if c := re.fullmatch(r"([\d-]+)-(uniform|zipf)-(\d+)t", cell):
            mix = {"100-0": "reads only", "95-5": "95 % reads, 5 % updates", "80-10-10": "80 % reads, 10 % inserts, 10 % erases",
                   "50-25-25": "50 % reads, 25 % inserts, 25 % erases"}.get(c.group(1), c.group(1))
            law = "Zipf 0.99" if c.group(2) == "zipf" else "uniform"
            return f"{c.group(3)} threads, {mix}, {law}; {text}"
        if c := re.fullmatch(r"batch-(\d+)-uniform-(\d+)t", cell):
            return f"{c.group(2)} threads, reads only in batches of {c.group(1)}, uniform; {text}"
        return text
    if m := re.fullmatch(r"grow-u64-(\d+)t", unit):
        return f"{m.group(1)} threads insert {GROWN[mode]} new keys into an empty map"
    if m := re.fullmatch(r"pause-u64-(\d+)t", unit):
        t = m.group(1)
        return f"time of one insert while the map grows to {GROWN[mode]} entries, {t} thread{'s' if t != '1' else ''}"
    if m := re.fullmatch(r"hot-(\w+)", unit):
        text = f"; {KINDS['text']}" if m.group(1) == "text" else ""
        if m := re.fullmatch(r"key-50-50-(\d+)t", cell):
            return f"{m.group(1)} threads on one key, half reads, half updates"
        if m := re.fullmatch(r"count-(\d+)keys?-(\d+)t", cell):
            k = m.group(1)
            return f"{m.group(2)} threads count, {'one counter' if k == '1' else k + ' counters, Zipf 0.99'}{text}"
    return case


def title(cell_or_case):
    family, _, case = cell_or_case.partition("/")
    return map_case(case) if family == "map" else pool(case, family)
