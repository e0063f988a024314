"""How soon a job begins at 500 a second, beside an export of ten million rows.

Promises: one server does both at its defaults and 64 MiB; begun is when the claim was written.
Never: a job that the server does not do itself.
"""

import http.client
import json
import sqlite3
import subprocess
import threading
import time

from measure.process import RUNNING

RATE = 500
CLIENTS = 10


def enqueue(address, seconds, failed):
    there = http.client.HTTPConnection(address, timeout=30)
    every = CLIENTS / RATE
    begin = time.monotonic()
    body = json.dumps({"kind": "system.prune", "payload": {}})
    for number in range(int(seconds / every)):
        ahead = begin + number * every - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        there.request("POST", "/jobs", body, {"Content-Type": "application/json"})
        answer = there.getresponse()
        answer.read()
        if answer.status not in (200, 201, 202):
            failed.append(answer.status)


def run(bench):
    rows, seconds = bench.size(10_000_000, 100_000), bench.size(30, 3)
    data = bench.copy(bench.data(rows, 1_000), "beside")
    database = bench.database(data)
    with bench.serve(data, name="beside") as server:
        exporting = ["curl", "-s", "-o", "/dev/null", f"http://{server.address}/products/export/csv"]
        exports = 0
        failed = []
        clients = [
            threading.Thread(target=enqueue, args=(server.address, seconds, failed))
            for _ in range(CLIENTS)
        ]
        export = subprocess.Popen(exporting)
        RUNNING.append(export)
        for client in clients:
            client.start()
        while any(client.is_alive() for client in clients):
            if export.poll() is not None:
                exports += 1
                export = subprocess.Popen(exporting)
                RUNNING.append(export)
            time.sleep(0.05)
        export.kill()
        export.wait()
        peak = server.peak_bytes()
        time.sleep(1)
    there = sqlite3.connect(database)
    waited = [
        micros / 1000
        for (micros,) in there.execute(
            "select claimed_at - enqueued_at from plimsoll_jobs where kind = 'system.prune' "
            "and claimed_at is not null order by 1"
        )
    ]
    there.close()
    bench.line("jobs", len(waited))
    bench.line("exports of all rows that ended meanwhile", exports)
    bench.judge("requests that were refused", len(failed), "", 0, at_least=False)
    bench.line("from enqueued to begun, median", waited[len(waited) // 2], "ms")
    p99 = waited[len(waited) * 99 // 100]
    bench.judge("from enqueued to begun, p99", p99, "ms", 50, at_least=False)
    bench.judge("peak memory", peak / 2**20, "MiB", 64, at_least=False)
