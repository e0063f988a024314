"""`bench/run engine`: every task by Plimsoll and by every peer, in one run.

    table ─> warm ─> for each repeat, for each engine and cap: run ─> digest ─> median

Promises: an answer that differs from that of the others is marked and is never a fast one.
Never: a peer's figure from another run.
"""

import dataclasses
import shutil
import statistics

from engine import data, report, tasks
from engine.measured import measure

CAPS_MIB = [256, 512]
BUDGETS_MIB = [64, 256, 512]
THREADS = 2
MAIN = ["sort", "group", "group-many", "distinct", "topk", "join"]
RIGHT = "right"


@dataclasses.dataclass
class Line:
    """One engine at one cap on one task, over all repeats."""

    table: str
    task: str
    engine: str
    cap_mib: int
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mib: float = 0.0
    written_bytes: int = 0
    exit_code: int = 0
    rows: int = 0
    digest: str = ""
    words: str = ""
    equal: bool = False

    @property
    def good(self):
        return self.exit_code == 0 and self.equal

    @property
    def state(self):
        if self.exit_code != 0:
            return f"failed ({self.exit_code})"
        return "ok" if self.equal else "WRONG ANSWER"


def once(bench, peers, line, source, right, repeat):
    """One run of a line; its digest is taken each time and must not change."""
    folder = bench.fresh("engine-run")
    spill, out = folder / "spill", folder / "out.csv"
    spill.mkdir()
    stdout = None
    if line.engine == "plimsoll":
        memory = f"{line.cap_mib}M"
        files = source, right, out, memory
        command = tasks.plimsoll(bench.binary, line.task, *files, THREADS, spill)
        stdout = open(out, "wb") if line.task == "distinct" else None
    else:
        files = source, right, out, line.cap_mib
        command = peers.command(line.engine, line.task, *files, THREADS, spill)
    seen = measure(command, stdout)
    if stdout:
        stdout.close()
    line.words = seen.words if not seen.ok else ""
    line.exit_code = line.exit_code or seen.exit_code
    if seen.ok:
        found = peers.digests(line.task, out)[0]
        digest = found.get("digest", found.get("error", ""))
        line.rows = found.get("rows", 0)
        line.digest = digest if repeat == 0 or digest == line.digest else "changes"
    shutil.rmtree(folder)
    return seen


def compare(bench, peers, name, task, source, right, budgets, caps):
    """The lines of one task on one table."""
    lines = [Line(name, task, "plimsoll", mib) for mib in budgets]
    for peer in peers.names:
        if peers.knows(peer, task):
            lines += [Line(name, task, peer, mib) for mib in caps]
    seen = {id(line): [] for line in lines}
    data.warm(source)
    for repeat in range(bench.repeats):
        for line in lines:
            if line.exit_code == 0:
                seen[id(line)].append(once(bench, peers, line, source, right, repeat))
    for line in lines:
        runs = [run for run in seen[id(line)] if run.ok] or seen[id(line)]
        line.seconds = statistics.median(run.seconds for run in runs)
        line.cpu_seconds = statistics.median(run.cpu_seconds for run in runs)
        line.peak_mib = max(run.peak_mib for run in runs)
        line.written_bytes = max(run.written_bytes for run in runs)
    agree(bench, name, task, lines)
    return lines


def agree(bench, name, task, lines):
    """The right answer is the one that most peers give; Plimsoll has no vote."""
    votes = {}
    for line in lines:
        if line.engine != "plimsoll" and line.exit_code == 0:
            votes.setdefault(line.digest, set()).add(line.engine)
    ranked = sorted(votes, key=lambda digest: (len(votes[digest]), "duckdb" in votes[digest]))
    right = ranked[-1] if ranked else None
    for line in lines:
        line.equal = right is not None and line.digest == right
        if not line.good:
            why = line.words or f"{line.rows:,} rows, digest {line.digest}"
            text = f"{line.engine} at {line.cap_mib}: {line.state}: {why}"
            bench.say(f"        {name} {task}: {' '.join(text.split())[:240]}")
    if right is not None and len(votes[right]) < 2:
        bench.say(f"        {name} {task}: only {', '.join(votes[right])} vouches for the answer")


def sized(bench, full, quick=1_000_000):
    return bench.rows or bench.size(full, [quick])


def run(bench):
    peers = bench.peers()
    data.checked(bench, peers)
    result = report.Report(bench, peers, "engine")
    for rows in sized(bench, [10_000_000, 30_000_000]):
        source, right = data.pair(bench, peers, rows)
        for task in bench.tasks(MAIN):
            name = f"sales {rows:,}"
            files = source, right, BUDGETS_MIB, CAPS_MIB
            result.add(compare(bench, peers, name, task, *files))
    shapes = bench.size(5_000_000, 1_000_000)
    for shape, task in data.SHAPES.items() if "sort" in bench.tasks(MAIN) else []:
        source = data.table(bench, peers, shape, shapes)
        right = data.table(bench, peers, RIGHT, 1000)
        name = f"{shape} {shapes:,}"
        result.add(compare(bench, peers, name, task, source, right, BUDGETS_MIB[:1], CAPS_MIB[1:]))
    result.write()
