"""`bench/run degradation`: the same sort with less and less memory, against its own best.

Promises: every budget gives the same, right answer; the peers at 512 MiB stand beside it.
Never: a ratio to a run of another day.
"""

from engine import data, report, runs

BUDGETS_MIB = [4096, 1024, 512, 256, 128, 64]
ROWS = 10_000_000


def run(bench):
    peers = bench.peers()
    data.checked(bench, peers)
    rows = runs.sized(bench, [ROWS])[0]
    source, right = data.pair(bench, peers, rows)
    files = source, right, BUDGETS_MIB, [report.RATIO_CAP_MIB]
    lines = runs.compare(bench, peers, f"sales {rows:,}", "sort", *files)
    result = report.Report(bench, peers, "degradation")
    result.add(lines)
    ours = [line for line in lines if line.engine == "plimsoll" and line.good]
    if not ours:
        raise RuntimeError("no budget gave a right answer")
    best = min(line.seconds for line in ours)
    result.parts += ["\n## Against its own best\n", "| budget MiB | wall / best |", "|--:|--:|"]
    for line in ours:
        ratio = line.seconds / best
        result.parts.append(f"| {line.cap_mib} | {ratio:.2f} |")
        bench.line(f"sort at {line.cap_mib} MiB against its best", ratio, "x")
    result.write()
