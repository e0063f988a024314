"""One stream of a million rows to one local client, against the sqlite3 shell."""

import hashlib
import statistics
import subprocess

from measure import peers

FORMATS = {
    "NDJSON": ("/products/stream", "application/x-ndjson", ["-list"], peers.ndjson_sql),
    "CSV": ("/products/stream", "text/csv", ["-csv", "-header"], peers.csv_sql),
}


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def run(bench):
    rows, rounds = bench.size(1_000_000, 20_000), bench.size(7, 2)
    data = bench.data(rows, bench.size(500_000, 5_000))
    database = bench.database(data)
    with bench.serve(data, name="stream") as server:
        for name, (path, accept, flags, sql) in FORMATS.items():
            ours_file, peer_file = bench.work / f"{name}-ours", bench.work / f"{name}-sqlite3"
            bench.load("fetch", server.address, path=path, accept=accept, out=ours_file)
            shell = ["sqlite3", "-readonly", *flags, str(database)]
            with open(peer_file, "wb") as out:
                subprocess.run([*shell, sql()], check=True, stdout=out)
            same = digest(ours_file) == digest(peer_file)
            bench.line(f"{name}: bytes", ours_file.stat().st_size)
            bench.line(f"{name}: the peer writes the same bytes", "yes" if same else "no")
            seen = {"ours": [], "same": [], "raw": []}
            for _ in range(rounds):  # alternating, so that both see the same machine
                got = bench.load("fetch", server.address, path=path, accept=accept)
                seen["ours"].append(got["seconds"])
                seen["same"].append(bench.timed(*shell, sql())[0])
                seen["raw"].append(bench.timed(*shell, sql(raw=True))[0])
            ours, peer, raw = (statistics.median(seen[key]) for key in ("ours", "same", "raw"))
            bench.line(f"{name}: plimsoll over HTTP", ours, "s")
            bench.line(f"{name}: sqlite3 shell to /dev/null, same text", peer, "s")
            bench.line(f"{name}: sqlite3 shell to /dev/null, columns as stored", raw, "s")
            bench.ratio(f"{name}: speed against sqlite3, same text", peer, ours, 1)
            bench.line(f"{name}: speed against sqlite3, columns as stored", raw / ours, "x")
        bench.judge("peak memory", server.peak_bytes() / 2**20, "MiB", 64, at_least=False)
