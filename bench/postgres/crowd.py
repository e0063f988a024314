"""List pages for 64 clients, and 64 slow streams: neither holds a connection to the database.

Promises: connections are counted in the server's own list of clients.
Never: a snapshot older than the bound.
"""

import statistics

from measure import peers
from postgres.server import Postgres
from postgres.watch import Watch

PATH = "/api/v2/tables/orders?limit=20"
STREAM = "/api/v2/tables/orders/stream"
CONNECTIONS = 64
SERVER_CORE, CLIENT_CORE = 0, 1
SLOW_BYTES_PER_SECOND = 10_000
CONNECTIONS_MAX, SNAPSHOT_SECONDS_MAX = 2, 1.0


def run(bench):
    with Postgres(bench) as postgres:
        url = postgres.orders(bench.size(1_000_000, 20_000))
        data = bench.fresh("postgres-data")
        with bench.serve(data, "--database", url, name="postgres-crowd") as server:
            pages(bench, server)
            slow(bench, server, url)
            bench.judge("peak memory", server.peak_bytes() / 2**20, "MiB", 64, at_least=False)


def pages(bench, server):
    seconds = bench.size(10, 2)
    seen = [
        peers.wrk(server.address, PATH, CLIENT_CORE, CONNECTIONS, seconds)
        for _ in range(bench.size(3, 1))
    ]
    rate = statistics.median(rate for rate, _ in seen)
    bench.line("list pages, most requests/s at 64 connections", rate)
    bench.line("p99 at that rate", statistics.median(p for _, p in seen), "ms")
    paced = bench.load(
        "paced",
        server.address,
        path=PATH,
        rate=rate / 2,
        connections=CONNECTIONS,
        seconds=seconds * 2,
    )
    bench.judge("p99 at half of that", paced["ms_p99"], "ms", 10, at_least=False)
    bench.judge("faults", paced["faults"], "", 0, at_least=False)


def slow(bench, server, url):
    with Watch(url) as watch:
        seen = bench.load(
            "streams",
            server.address,
            seconds=bench.size(30, 5),
            slow=CONNECTIONS,
            rate=SLOW_BYTES_PER_SECOND,
            path=STREAM,
        )
    bench.line("64 slow streams: slowest", seen["slow_bytes_per_second_min"], "B/s")
    bench.judge("64 slow streams: faults", seen["faults"], "", 0, at_least=False)
    bench.line("looks at the server's list of clients", watch.looks)
    bench.judge("connections", watch.connections, "", CONNECTIONS_MAX, at_least=False)
    what = "oldest snapshot under slow clients"
    bench.judge(what, watch.age_seconds, "s", SNAPSHOT_SECONDS_MAX, at_least=False)
