"""`bench/run container`: each tool inside a cgroup of its budget and 8 MiB, without swap.

    for each tool and budget: a run without cgroup (seconds, digest), then its share of --runs

Promises: a kill counts when the kernel counts it or the exit code tells it; before the first run
the check itself is shown to see a kill. Where cgroups cannot be made, the exit code is 3.
Never: a run that counts as good with another answer than the one outside.
"""

import contextlib
import datetime
import json
import shutil
import statistics

from engine import data, runs, tasks
from engine.cgroup import Group, Unavailable
from engine.measured import measure

BUDGETS_MIB = [64, 128, 256, 512]
# Below the sizes that are promised: shown, and judged by kills alone.
SMALL_MIB = [32, 16]
SPARE_MIB = 8
ROWS = 10_000_000
CHECK_MIB = 32
UNAVAILABLE_CODE = 3


class Seen:
    """All runs of one tool at one budget."""

    def __init__(self, task, mib):
        self.task, self.mib = task, mib
        self.runs = self.kills = self.errors = self.different = 0
        self.seconds, self.peaks, self.words = [], [], ""
        self.alone_seconds = 0.0

    def ratio(self):
        return statistics.median(self.seconds) / self.alone_seconds if self.seconds else None

    def add(self, seen, kills, peak_mib, digest, right):
        self.runs += 1
        killed = max(kills, int(seen.killed))
        self.kills += killed
        self.errors += not seen.ok and not killed
        self.words = self.words if seen.ok else seen.words or f"exit code {seen.exit_code}"
        if seen.ok:
            self.different += digest != right
            self.seconds.append(seen.seconds)
            self.peaks.append(peak_mib)


def check_of_the_check():
    """A command that needs more than its group has must be seen as killed."""
    greedy = ["python3", "-c", f"print(len(b'x' * ({CHECK_MIB * 4} << 20)))"]
    with Group(CHECK_MIB << 20) as group:
        seen = group.measure(greedy)
        if group.kills() < 1 or not seen.killed:
            raise RuntimeError(f"a kill was not seen: exit code {seen.exit_code}, {seen.words}")
    with Group(CHECK_MIB << 20) as group:
        if not group.measure(["true"]).ok or group.kills():
            raise RuntimeError("a command that needs nothing was killed")


def one(bench, peers, task, mib, files, group=None):
    """(measured, digest) of one run, inside a group or outside."""
    folder = bench.fresh("container-run")
    spill, out = folder / "spill", folder / "out.csv"
    spill.mkdir()
    command = tasks.plimsoll(bench.binary, task, *files, out, f"{mib}M", runs.THREADS, spill)
    with contextlib.ExitStack() as stack:
        stdout = stack.enter_context(open(out, "wb")) if task == "distinct" else None
        seen = (group.measure if group else measure)(command, stdout)
    found = peers.digests(task, out)[0] if seen.ok else {}
    shutil.rmtree(folder)
    return seen, found.get("digest", found.get("error", ""))


def rounds(bench, peers, cells, files):
    """The runs, spread evenly: one of each cell, again and again, until all are done."""
    right = {}
    for at in range(bench.runs):
        cell = cells[at % len(cells)]
        if cell.runs == 0:
            alone, digest = one(bench, peers, cell.task, cell.mib, files)
            cell.alone_seconds = alone.seconds
            if alone.ok:
                right.setdefault(cell.task, digest)
        with Group((cell.mib + SPARE_MIB) << 20) as group:
            seen, digest = one(bench, peers, cell.task, cell.mib, files, group)
            cell.add(seen, group.kills(), group.peak_mib(), digest, right.get(cell.task))


def run(bench):
    try:
        check_of_the_check()
    except Unavailable as error:
        bench.say(f"        memory cgroups cannot be made here: {error}")
        bench.exit_code = UNAVAILABLE_CODE
        return
    peers = bench.peers()
    rows = runs.sized(bench, [ROWS])[0]
    files = data.pair(bench, peers, rows)
    data.warm(files[0])
    budgets = bench.options.budget or BUDGETS_MIB + SMALL_MIB
    cells = [Seen(task, mib) for mib in budgets for task in bench.tasks(runs.MAIN)]
    bench.say(f"        {rows:,} rows, {bench.runs} runs, limit = budget + {SPARE_MIB} MiB")
    rounds(bench, peers, cells, files)
    tell(bench, [cell for cell in cells if cell.runs])


def tell(bench, cells):
    for cell in cells:
        ratio = cell.ratio()
        pace = f"{ratio:5.2f} x of outside" if ratio else "no good run"
        peak = f"{max(cell.peaks):4.0f}" if cell.peaks else "   -"
        bench.say(
            f"        {cell.task:<11} {cell.mib:>4} MiB: {cell.runs:>3} runs, {cell.kills} killed, "
            f"{cell.errors} errors, {cell.different} different, peak {peak} MiB, {pace}"
        )
        if cell.words:
            bench.say(f"          {' '.join(cell.words.split())[:200]}")
    promised = [cell for cell in cells if cell.mib in BUDGETS_MIB]
    small = [cell for cell in cells if cell.mib in SMALL_MIB]
    for name, part in [("64 to 512 MiB", promised), ("32 and 16 MiB", small)]:
        bench.line(f"{name}: runs", sum(cell.runs for cell in part))
        if not part:
            bench.say(f"        {name}: NOT RUN, nothing is judged; more --runs reach it")
            continue
        for what in ["kills", "different"] + (["errors"] if part is promised else []):
            count = sum(getattr(cell, what) for cell in part)
            bench.judge(f"{name}: {what}", count, "", 0, at_least=False)
    keep(bench, cells)


def keep(bench, cells):
    quick = "-quick" if bench.quick else ""
    path = bench.root / "bench" / "results" / f"{datetime.date.today()}-container{quick}.json"
    path.parent.mkdir(exist_ok=True)
    kept = {"machine": bench.machine(), "spare_mib": SPARE_MIB, "cells": [vars(c) for c in cells]}
    path.write_text(json.dumps(kept, indent=1) + "\n")
