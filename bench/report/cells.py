"""Figures read back from the CSV files, as cells: one metric of one case, with every contestant's repetitions."""

import csv
import glob
import json
import os
from statistics import median

OURS = "conex"


class Cell:
    def __init__(self, family, case, metric, unit, better):
        self.family, self.case, self.metric, self.unit, self.better = family, case, metric, unit, better
        self.values = {}    # contestant -> {repetition: value}
        self.fairness = {}  # contestant -> median of least/most

    @property
    def key(self):
        return f"{self.case} {self.metric}"

    def middle(self, who):
        return median(self.values[who].values())

    def spread(self, who):
        v = self.values[who].values()
        return min(v), max(v)

    def ranking(self):
        return sorted(self.values, key=self.middle, reverse=self.better == "more")

    def ours(self):
        return next((w for w in self.ranking() if w.startswith(OURS)), None)

    def best_peer(self, admit=lambda who: True):
        return next((w for w in self.ranking() if not w.startswith(OURS) and admit(w)), None)

    def ratio(self, who, against):
        """How many times as good as `against`: (median, least, most) of the ratios per repetition."""
        a, b = self.values[who], self.values[against]
        both = sorted(set(a) & set(b))
        r = []
        for i in both:
            x, y = (a[i], b[i]) if self.better == "more" else (b[i], a[i])
            if y > 0:
                r.append(x / y)
            elif x == y:
                r.append(1.0)
        if not r:  # nothing to divide by: memory that went down to nothing
            return None
        return median(r), min(r), max(r)


class Results:
    def __init__(self, folder):
        with open(os.path.join(folder, "run.json")) as f:
            self.run = json.load(f)
        self.contestants = {(c["family"], c["name"]): c for c in self.run["contestants"]}
        self.cells, self.failures = {}, {}
        fair = {}
        ran = set(u.partition("/")[0] for u in self.run["units"])
        for path in sorted(glob.glob(os.path.join(folder, "*.csv"))):
            if os.path.basename(path)[: -len(".csv")] not in ran:
                continue  # of an earlier run
            with open(path, newline="") as f:
                for row in csv.DictReader(f):
                    self._take(row, fair)
        for (case, who), values in fair.items():
            for cell in self.cells.values():
                if cell.case == case and who in cell.values:
                    cell.fairness[who] = median(values)
        # A contestant that failed a check in a case, or in the run that the case is part of, has no figure there.
        for cell in self.cells.values():
            for who in list(cell.values):
                if self.failure(cell.case, who):
                    del cell.values[who]
        self.cells = {k: c for k, c in self.cells.items() if c.values}

    def _take(self, row, fair):
        case, who, repetition = row["case"], row["contestant"], int(row["repetition"])
        if row["status"] != "ok":
            self.failures.setdefault((case, who), row["note"])
        elif row["metric"] == "fairness":
            fair.setdefault((case, who), []).append(float(row["value"]))
        else:
            key = (case, row["metric"])
            cell = self.cells.setdefault(key, Cell(row["family"], case, row["metric"], row["unit"], row["better"]))
            cell.values.setdefault(who, {})[repetition] = float(row["value"])

    def failure(self, case, who):
        for (failed, name), why in self.failures.items():
            if name == who and (case == failed or case.startswith(failed + "/")):
                return why
        return None

    def failed_in(self, cell):
        return sorted((who, why) for (case, who), why in self.failures.items()
                      if cell.case == case or cell.case.startswith(case + "/"))

    def of(self, family):
        return [c for c in self.cells.values() if c.family == family]

    def semantics(self, family, who):
        c = self.contestants[(family, who)]
        return " · ".join(c[k] for k in ("order", "bound", "progress", "memory") if c[k])

    def same_kind(self, family, who):
        """Whether a contestant is for the same use: strict order over all producers, no bound, no size fixed in advance."""
        c = self.contestants[(family, who)]
        if family == "queue":
            return c["order"] == "FIFO" and c["bound"] == "unbounded"
        if family == "map":
            return c["bound"] == "grows" and c["memory"] != "no concurrent erase"
        return c["bound"] == "unbounded"

    def same_promise(self, family, who):
        """Whether it is also lock-free, as conex is."""
        return self.same_kind(family, who) and self.contestants[(family, who)]["progress"] in ("lock-free", "wait-free")
