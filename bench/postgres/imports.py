"""A million rows of a CSV into a table of Plimsoll's own, against psql's \\copy of the same file
into the same table; then through a merge.

Promises: the table is empty before each run and has every row after it, with all its indexes.
Never: a peer's figure from another run.
"""

import os
import statistics

from postgres.server import Postgres

COLUMNS = "number,channel,status,country,ordered_at"
EMPTY = "truncate products, customers, orders, order_items restart identity; checkpoint"
BOUND, BOUND_MERGED = 0.8, 0.45


def run(bench):
    rows = bench.size(1_000_000, 20_000)
    file = bench.work / f"pg-import-{rows}.csv"
    write(file, rows)
    data = bench.fresh("pg-import")
    with Postgres(bench) as postgres:
        postgres.psql("postgres", "create database own")
        url = f"{postgres.address}/own"
        bench.timed(bench.binary, "migrate", "--database", url, "--data", data)
        ways = {
            "\\copy": copy(url, file),
            "import": load(bench, url, data, file, "error"),
            "import --on-conflict skip": load(bench, url, data, file, "skip"),
            "import --on-conflict update": load(bench, url, data, file, "update"),
        }
        seen, peaks = {name: [] for name in ways}, []
        for _ in range(bench.size(3, 1)):  # alternating, so that all see the same machine
            for name, command in ways.items():
                postgres.psql("own", EMPTY)
                seconds, peak = bench.timed(*command)
                seen[name].append(seconds)
                peaks += [peak] if name.startswith("import") else []
                count = int(postgres.psql("own", "select count(*) from orders"))
                if count != rows:
                    raise RuntimeError(f"{name}: {count} rows of {rows}")
        seconds, _ = bench.timed(*ways["import --on-conflict update"])
        report(bench, {name: statistics.median(times) for name, times in seen.items()}, rows)
        bench.line("import --on-conflict update, every row there already", seconds, "s")
        bench.judge("peak memory", max(peaks) / 2**20, "MiB", 64, at_least=False)


def report(bench, seconds, rows):
    for name, time in seconds.items():
        bench.line(f"{rows:,} rows, {name}", time, "s")
    for name, time in seconds.items():
        if name.startswith("import"):
            bound = BOUND if name == "import" else BOUND_MERGED
            bench.ratio(f"{name}: speed against \\copy", seconds["\\copy"], time, bound)


def copy(url, file):
    return ["psql", "-qX", url, "-c", f"\\copy orders ({COLUMNS}) from '{file}' csv header"]


def load(bench, url, data, file, on_conflict):
    command = [bench.binary, "import", "orders", file, "--database", url, "--data", data]
    return [*command, "--memory", "64M", "--on-conflict", on_conflict, "--again"]


def write(file, rows):
    """The file of so many orders, made once."""
    if file.exists():
        return
    partial = file.with_suffix(".partial")
    with open(partial, "w") as out:
        out.write(f"{COLUMNS}\n")
        for n in range(rows):
            day, second = n % 28 + 1, n * 7919 % 86_400
            time = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
            status = ("completed", "completed", "cancelled", "adjustment")[n % 4]
            out.write(f"N{n * 7919 % 10_000_019:08},channel-{n % 5},{status},")
            out.write(f"country {n % 40},2024-{n % 12 + 1:02}-{day:02}T{time}Z\n")
    os.replace(partial, file)
