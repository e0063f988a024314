"""A million rows to one local client, against psql's \\copy of the same rows; then ten million.

Promises: what came is compared with what \\copy wrote, row for row.
Never: a peer's figure from another run.
"""

import json
import os
import statistics

from postgres.server import Postgres
from postgres.watch import Watch

STREAM = "/api/v2/tables/orders/stream"
NOTHING = f"{STREAM}?filter=note%20%3D%20%27nothing%20like%20it%27"
JSON = "select row_to_json(t) from (select * from orders order by id) as t"
CSV = "select * from orders order by id"
PEAK_MORE_MIB = 4


def run(bench):
    rows, many = bench.size(1_000_000, 20_000), bench.size(10_000_000, 60_000)
    with Postgres(bench) as postgres:
        url = postgres.orders(rows)
        data = bench.fresh("postgres-data")
        with bench.serve(data, "--database", url, name="postgres") as server:
            compare(bench, postgres, server, url, rows)
            small = server.peak_bytes()
        bench.judge("peak memory", small / 2**20, "MiB", 64, at_least=False)
        far = postgres.orders(many)
        with bench.serve(data, "--database", far, name="many") as server:
            got = bench.load("fetch", server.address, path=STREAM)
            bench.line(f"{many:,} rows over HTTP", got["seconds"], "s")
            with Watch(far) as watch:
                none = bench.load("fetch", server.address, path=NOTHING)
            bench.line(f"{many:,} rows of which none is wanted", none["seconds"], "s")
            bench.judge("bytes that came", none["bytes"], "", 0, at_least=False)
            age = watch.age_seconds
            bench.judge("oldest snapshot meanwhile", age, "s", 1, at_least=False)
            more = (server.peak_bytes() - small) / 2**20
        what = f"peak memory of {many:,} rows beyond that of {rows:,}"
        bench.judge(what, more, "MiB", PEAK_MORE_MIB, at_least=False)


def compare(bench, postgres, server, url, rows):
    ours, theirs = bench.work / "pg-ours", bench.work / "pg-copy"
    accepts = {"NDJSON": "application/x-ndjson", "CSV": "text/csv"}
    queries = {"NDJSON": JSON, "CSV": CSV}
    bounds = {"NDJSON": 1.0, "CSV": 0.6}
    for name, accept in accepts.items():
        bench.load("fetch", server.address, path=STREAM, accept=accept, out=ours)
        bench.timed(*postgres.copy(url, queries[name], theirs))
        bench.judge(f"{name}: rows", lines(ours) - (name == "CSV"), "", rows)
        if name == "NDJSON":
            bench.line("NDJSON: every row is that of row_to_json", agree(ours, theirs))
        seen = {"ours": [], "copy": []}
        for _ in range(bench.size(7, 2)):  # alternating, so that both see the same machine
            got = bench.load("fetch", server.address, path=STREAM, accept=accept)
            seen["ours"].append(got["seconds"])
            seen["copy"].append(bench.timed(*postgres.copy(url, queries[name], os.devnull))[0])
        ours_s, copy_s = (statistics.median(seen[key]) for key in ("ours", "copy"))
        bench.line(f"{name}: plimsoll over HTTP", ours_s, "s")
        bench.line(f"{name}: \\copy to /dev/null", copy_s, "s")
        bench.ratio(f"{name}: speed against \\copy", copy_s, ours_s, bounds[name])


def lines(path):
    with open(path, "rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(1 << 20), b""))


def agree(ours, theirs):
    """Whether both say the same rows; an instant is written in another form."""
    with open(ours) as left, open(theirs) as right:
        for mine, peer in zip(left, right, strict=True):
            # \copy's text format doubles backslashes.
            one, other = json.loads(mine), json.loads(peer.replace("\\\\", "\\"))
            one["ordered_at"] = other["ordered_at"] = None
            if one != other:
                return f"no: {one} is not {other}"
    return "yes"
