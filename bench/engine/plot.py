"""`bench/run plot`: peak memory and bytes written of a sort against its rows, as an SVG.

    rows 10^5 .. 3 * 10^7 (10^8 with --huge)  x  threads 2, 16, 64  ─> one chart of two panels

Promises: the budget is a line of the chart, and every point above it is a missed promise.
Never: a point that was not measured in this run.
"""

import datetime
import json
import shutil

from engine import data, svg, tasks
from engine.measured import measure

ROWS = [100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000]
ROWS_QUICK = ROWS[:3]
ROWS_HUGE = 100_000_000
THREADS = [2, 16, 64]
BUDGET_MIB = 64


def told(words):
    """The JSON object that `--json` prints on stderr; empty where there is none."""
    for text in reversed(words.splitlines()):
        if text.startswith("{"):
            try:
                return json.loads(text)
            except ValueError:
                return {}
    return {}


def point(bench, peers, source, rows, threads):
    folder = bench.fresh("plot-run")
    spill, out = folder / "spill", folder / "out.csv"
    spill.mkdir()
    files = source, source, out, f"{BUDGET_MIB}M"
    seen = measure(tasks.plimsoll(bench.binary, "sort", *files, threads, spill))
    if not seen.ok:
        raise RuntimeError(f"{rows:,} rows, {threads} threads: {seen.exit_code}: {seen.words}")
    found = peers.digests("sort", out)[0]
    shutil.rmtree(folder)
    name = f"{rows:,} rows, {threads} threads"
    bench.judge(f"{name}: RSS", seen.peak_mib, "MiB", BUDGET_MIB, at_least=False)
    bench.judge(f"{name}: rows in the output", found.get("rows", 0), "", rows)
    bench.line(f"{name}: written", seen.written_bytes / 1e6, "MB")
    return {
        "rows": rows,
        "threads": threads,
        "seconds": round(seen.seconds, 3),
        "peak_mib": round(seen.peak_mib, 2),
        "written_bytes": seen.written_bytes,
        "digest": found.get("digest", found.get("error", "")),
        "told": told(seen.words),
    }


def run(bench):
    peers = bench.peers()
    sizes = bench.rows or bench.size(ROWS + ([ROWS_HUGE] if bench.huge else []), ROWS_QUICK)
    points = []
    for rows in sizes:
        source = data.table(bench, peers, "sales", rows)
        data.room(bench, source.stat().st_size * 3, f"a sort of {rows:,} rows")
        data.warm(source)
        here = [point(bench, peers, source, rows, threads) for threads in THREADS]
        answers = len({seen["digest"] for seen in here})
        name = f"{rows:,} rows: different answers for {len(THREADS)} thread counts"
        bench.judge(name, answers, "", 1, at_least=False)
        points += here
    quick = "-quick" if bench.quick else ""
    path = bench.root / "bench" / "results" / f"{datetime.date.today()}-plot{quick}"
    path.parent.mkdir(exist_ok=True)
    path.with_suffix(".svg").write_text(drawn(points, bench.machine()))
    kept = {"machine": bench.machine(), "budget_mib": BUDGET_MIB, "points": points}
    path.with_suffix(".json").write_text(json.dumps(kept, indent=1) + "\n")
    bench.say(f"        drawn in {path.relative_to(bench.root)}.svg")


def drawn(points, machine):
    memory, written = {}, {}
    for seen in points:
        name = f"{seen['threads']} threads"
        memory.setdefault(name, []).append((seen["rows"], seen["peak_mib"]))
        written.setdefault(name, []).append((seen["rows"], seen["written_bytes"] / 1e6))
    level = (BUDGET_MIB, f"--memory {BUDGET_MIB}M")
    panels = [
        svg.Panel("Peak resident memory of a sort", "MiB", memory, level),
        svg.Panel("Bytes written, output included", "MB", written),
    ]
    return svg.chart(panels, f"{datetime.date.today()}, {machine}; sort by price:desc,id")
