"""pgbench at a fixed rate, with and without an export of ten million rows beside it.

    round:  alone ─ beside an export │ beside an export ─ alone │ ..     one server, one run

    PostgreSQL, pgbench          the machine of the database
    plimsoll, curl, the proxy    another machine, 5 ms away: here they have what those leave of
                                 the processor (SCHED_IDLE)

The export goes through a proxy that delays everything by 5 ms, as a network would. The p99 is that
of all transactions of all rounds of a kind. What every second round without an export differs by
from the others is the noise that is allowed for.

Promises: both kinds of rounds in turn, in one run; the server has the memory of a small production
one (1 GiB of shared buffers); no checkpoint falls into a round of either kind.
Never: a comparison with another day.
"""

import pathlib
import subprocess
import threading
import urllib.parse

from measure.process import IDLE
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
        postgres.alone("1GB")
        url = postgres.orders(rows)
        target = f"{postgres.address}/postgres"
        pgbench = postgres_program("pgbench")
        subprocess.run([pgbench, "-i", "-q", "-s", "10", target], check=True, capture_output=True)
        postgres.psql("postgres", "checkpoint")  # of what was filled in; no other while it runs
        place = urllib.parse.urlsplit(url)
        with Delay(place.hostname, place.port, DELAY_SECONDS, idle=True) as delay:
            far = url.replace(f":{place.port}/", f":{delay.here}/")
            data = bench.fresh("guest-data")
            with bench.serve(data, "--database", far, idle=True, name="guest") as server:
                judge(bench, rounds(bench, server, url, pgbench, target, seconds))
                bench.judge("peak memory", server.peak_bytes() / 2**20, "MiB", 64, at_least=False)


def rounds(bench, server, url, pgbench, target, seconds):
    seen = {"alone": [], "beside": [], "watched": []}

    def alone():
        with Watch(url):  # as beside the export: whoever looks is a guest too
            seen["alone"].append(load(bench, pgbench, target, seconds))

    def beside():
        over = threading.Event()
        export = threading.Thread(target=exports, args=(bench, server, over), daemon=True)
        export.start()
        with Watch(url) as watch:
            seen["beside"].append(load(bench, pgbench, target, seconds))
        over.set()
        export.join(3600)
        seen["watched"].append(watch)

    for _ in range(bench.size(3, 1)):  # warms the server's buffers
        load(bench, pgbench, target, seconds)
    for _ in range(bench.size(4, 1)):
        for part in (alone, beside, beside, alone):
            part()
    return seen


def exports(bench, server, over):
    """One export after another until the round is over; the last one is cut off."""
    while not over.is_set():
        fetching = subprocess.Popen(
            [*IDLE, "curl", "-sN", "-o", "/dev/null", f"http://{server.address}{STREAM}"]
        )
        while fetching.poll() is None:
            if over.wait(0.05):
                fetching.terminate()
                fetching.wait()


def load(bench, pgbench, target, seconds):
    """The microseconds of pgbench's transactions, from its own log."""
    folder = bench.fresh("pgbench")
    command = [pgbench, "-n", "-R", str(TPS), "-c", "4", "-j", "1", "-T", str(seconds), "-l"]
    subprocess.run([*command, target], check=True, capture_output=True, cwd=folder)
    micros = []
    for log in pathlib.Path(folder).glob("pgbench_log.*"):
        micros += [int(line.split()[2]) for line in log.read_text().splitlines()]
    return micros


def p99_ms(rounds):
    micros = sorted(micros for one in rounds for micros in one)
    return micros[len(micros) * 99 // 100] / 1000


def judge(bench, seen):
    alone, beside = p99_ms(seen["alone"]), p99_ms(seen["beside"])
    odd, even = p99_ms(seen["alone"][::2]), p99_ms(seen["alone"][1::2])
    noise = abs(odd - even) / alone
    bench.line(f"pgbench at {TPS} tps alone: p99", alone, "ms")
    bench.line("beside an export: p99", beside, "ms")
    each = ", ".join(f"{p99_ms([one]):.1f}" for one in seen["alone"])
    bench.line(f"rounds alone, ms: {each}", "")
    each = ", ".join(f"{p99_ms([one]):.1f}" for one in seen["beside"])
    bench.line(f"rounds beside, ms: {each}", "")
    what = "noise: p99 of every second round alone against the others"
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
