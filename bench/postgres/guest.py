"""pgbench at a fixed rate, with and without an export of ten million rows beside it.

    round:  alone ─ beside an export ─ alone ─ beside an export ..     one server, one run

The export goes through a proxy that delays everything by 5 ms, as a network would.

Promises: what two runs without an export differ by is the noise that is allowed for.
Never: a comparison with another day.
"""

import pathlib
import statistics
import subprocess
import threading
import urllib.parse

from postgres.delay import Delay
from postgres.server import Postgres
from postgres.watch import Watch

TPS = 500
DELAY_SECONDS = 0.005
STREAM = "/api/v2/tables/orders/stream"
P99_MORE = 0.05
# Beyond this nothing is shown, whatever the ratio is.
NOISE_MAX = 0.25
CONNECTIONS_MAX, SNAPSHOT_SECONDS_MAX = 2, 1.0


def run(bench):
    rows, seconds = bench.size(10_000_000, 100_000), bench.size(20, 3)
    with Postgres(bench) as postgres:
        url = postgres.orders(rows)
        target = f"{postgres.address}/postgres"
        pgbench = postgres_program("pgbench")
        subprocess.run([pgbench, "-i", "-q", "-s", "10", target], check=True, capture_output=True)
        place = urllib.parse.urlsplit(url)
        with Delay(place.hostname, place.port, DELAY_SECONDS) as delay:
            far = url.replace(f":{place.port}/", f":{delay.here}/")
            data = bench.fresh("guest-data")
            with bench.serve(data, "--database", far, name="guest") as server:
                judge(bench, rounds(bench, server, url, pgbench, target, seconds))
                bench.judge("peak memory", server.peak_bytes() / 2**20, "MiB", 64, at_least=False)


def rounds(bench, server, url, pgbench, target, seconds):
    seen = {"alone": [], "beside": [], "watched": []}
    load(bench, pgbench, target, seconds)  # warms the server's buffers
    for _ in range(bench.size(4, 1)):
        seen["alone"].append(load(bench, pgbench, target, seconds))
        over = threading.Event()
        export = threading.Thread(target=exports, args=(bench, server, over), daemon=True)
        export.start()
        with Watch(url) as watch:
            seen["beside"].append(load(bench, pgbench, target, seconds))
        over.set()
        export.join(3600)
        seen["watched"].append(watch)
    return seen


def exports(bench, server, over):
    """One export after another until the round is over; the last one is cut off."""
    while not over.is_set():
        fetching = subprocess.Popen(
            ["curl", "-sN", "-o", "/dev/null", f"http://{server.address}{STREAM}"]
        )
        while fetching.poll() is None:
            if over.wait(0.05):
                fetching.terminate()
                fetching.wait()


def load(bench, pgbench, target, seconds):
    """The p99 of pgbench's transactions in milliseconds, from its own log."""
    folder = bench.fresh("pgbench")
    command = [pgbench, "-n", "-R", str(TPS), "-c", "4", "-j", "1", "-T", str(seconds), "-l"]
    subprocess.run([*command, target], check=True, capture_output=True, cwd=folder)
    micros = []
    for log in pathlib.Path(folder).glob("pgbench_log.*"):
        micros += [int(line.split()[2]) for line in log.read_text().splitlines()]
    micros.sort()
    return micros[len(micros) * 99 // 100] / 1000


def judge(bench, seen):
    alone, beside = (statistics.median(seen[key]) for key in ("alone", "beside"))
    noise = (max(seen["alone"]) - min(seen["alone"])) / alone
    bench.line(f"pgbench at {TPS} tps alone: p99", alone, "ms")
    bench.line("beside an export: p99", beside, "ms")
    what = "noise: largest and smallest p99 alone differ by"
    bench.judge(what, noise * 100, "%", NOISE_MAX * 100, at_least=False)
    most = 1 + P99_MORE + min(noise, NOISE_MAX)
    bench.judge("p99 beside an export against alone", beside / alone, "x", most, at_least=False)
    watched = seen["watched"]
    most = max(watch.connections for watch in watched)
    bench.judge("connections of the export", most, "", CONNECTIONS_MAX, at_least=False)
    age = max(watch.age_seconds for watch in watched)
    bench.judge("oldest snapshot", age, "s", SNAPSHOT_SECONDS_MAX, at_least=False)


def postgres_program(name):
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else name
