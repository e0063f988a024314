"""kill -9 while 64 writers post: no acknowledged row is lost, no row is there twice."""

import random
import threading

from measure.writers import post


def run(bench):
    data = bench.copy(bench.data(1_000, 1_000), "kill")
    database = bench.database(data)
    cycles = bench.size(200, 5)
    chance = random.Random(42)
    acknowledged = lost = 0
    for cycle in range(cycles):
        file = bench.work / "acknowledged"
        file.unlink(missing_ok=True)
        server = bench.serve(data, name="kill")
        axe = threading.Timer(chance.uniform(0.1, 1.0), server.kill)
        axe.start()
        try:
            post(bench, server, f"kill{cycle}", 64, 5, acknowledged=file)
        finally:
            axe.join()
        marks = set(file.read_text().split())
        # The server itself recovers; only then is the file looked at.
        with bench.serve(data, name="kill"):
            query = f"SELECT sku FROM products WHERE sku GLOB 'kill{cycle}-*'"
            there = set(bench.sql(database, query).split())
        acknowledged += len(marks)
        lost += len(marks - there)
    whole = bench.sql(database, "PRAGMA integrity_check").strip()
    bench.line("cycles of kill -9", cycles)
    bench.judge("acknowledged writes", acknowledged, "", cycles)
    bench.judge("acknowledged writes lost", lost, "", 0, at_least=False)
    bench.judge("integrity check", 1 if whole == "ok" else 0, whole[:60], 1)
