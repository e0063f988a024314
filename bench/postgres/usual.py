"""The usual ways to send a large table to a client, beside a stream of the same rows.

    plimsoll      curl <── NDJSON ── plimsoll ── windows of the key ──> PostgreSQL
    a cursor      python, psycopg2: a named cursor of 2,000 rows at a time, json.dumps per row
    everything    python, psycopg2: fetchall(), as an ORM's all() does
    PostgREST     curl <── one JSON array ── postgrest; where its binary is on PATH

Promises: the same rows of the same table, one after another in the same run; the peak is that of
the process that makes the bytes.
Never: a figure of a peer that was not run.
"""

import shutil
import statistics
import subprocess
import sys
import time

from measure.process import Server
from postgres.server import Postgres

STREAM = "/api/v2/tables/orders/stream"
PYTHONS = (sys.executable, "/usr/bin/python3")

# Says the peak of its own memory in KiB when it is done.
CURSOR = """
import datetime, decimal, json, resource, sys
import psycopg2
url, size = sys.argv[1], int(sys.argv[2])
def default(value):
    return value.isoformat() if isinstance(value, datetime.datetime) else float(value)
connection = psycopg2.connect(url)
cursor = connection.cursor("rows") if size else connection.cursor()
if size:
    cursor.itersize = size
cursor.execute("select * from orders order by id")
rows = cursor if size else cursor.fetchall()
names, out = None, open("/dev/null", "w")
for row in rows:
    names = names or [column[0] for column in cursor.description]
    out.write(json.dumps(dict(zip(names, row)), default=default) + "\\n")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def run(bench):
    rows = bench.size(1_000_000, 20_000)
    with Postgres(bench) as postgres:
        url = postgres.orders(rows)
        data = bench.fresh("usual-data")
        with bench.serve(data, "--database", url, name="usual") as server:
            seconds = []
            for _ in range(bench.size(3, 1)):
                seconds.append(bench.load("fetch", server.address, path=STREAM)["seconds"])
            ours = statistics.median(seconds)
            show(bench, "plimsoll, NDJSON", rows, ours, server.peak_bytes())
        for name, size in (("a named cursor of psycopg2", 2_000), ("fetchall() of psycopg2", 0)):
            peer = python(url, size)
            if peer is None:
                bench.line(f"{name}: psycopg2 is not installed", "not run")
                continue
            show(bench, name, rows, *peer)
            bench.ratio(f"speed against {name}", peer[0], ours, 1.0)
        postgrest(bench, url, rows)


def show(bench, name, rows, seconds, peak_bytes):
    bench.line(f"{name}", rows / seconds, "rows/s")
    bench.line(f"{name}: peak memory", peak_bytes / 2**20, "MiB")


def python(url, size):
    """Seconds and peak bytes, or nothing where no python here has psycopg2."""
    for name in PYTHONS:
        began = time.monotonic()
        done = subprocess.run([name, "-c", CURSOR, url, str(size)], capture_output=True, text=True)
        if done.returncode == 0:
            return time.monotonic() - began, int(done.stdout) * 1024
        if "No module named" not in done.stderr:
            raise RuntimeError(done.stderr)
    return None


def postgrest(bench, url, rows):
    binary = shutil.which("postgrest")
    if binary is None:
        bench.line("PostgREST: no postgrest on PATH", "not run")
        return
    settings = [f"PGRST_DB_URI={url}", "PGRST_DB_SCHEMAS=public", "PGRST_DB_ANON_ROLE=plimsoll"]
    command = ["env", *settings, "PGRST_SERVER_PORT={port}", binary]
    with Server(command, "/", bench.log("postgrest")) as server:
        began = time.monotonic()
        asked = f"http://{server.address}/orders?order=id"
        subprocess.run(["curl", "-sf", "-o", "/dev/null", asked], check=True)
        show(bench, "PostgREST, one array", rows, time.monotonic() - began, server.peak_bytes())
