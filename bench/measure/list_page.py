"""A list page of 20: server on one core, generator on the other, access log on."""

import statistics

from measure import peers

PATH = "/products?limit=20"
CONNECTIONS = 64
SERVER_CORE, CLIENT_CORE = 0, 1


def run(bench):
    data = bench.data(bench.size(1_000_000, 20_000), bench.size(500_000, 5_000))
    seconds, rounds = bench.size(10, 2), bench.size(3, 1)
    peer = peers.fastapi(bench, bench.database(data), SERVER_CORE)
    ours, theirs = [], []
    with bench.serve(data, core=SERVER_CORE, name="list") as server:
        for _ in range(rounds):
            ours.append(peers.wrk(server.address, PATH, CLIENT_CORE, CONNECTIONS, seconds))
            if peer:
                theirs.append(peers.wrk(peer.address, PATH, CLIENT_CORE, CONNECTIONS, seconds))
        if peer:
            peer.stop()
        rate = statistics.median(rate for rate, _ in ours)
        bench.line("plimsoll, most requests/s", rate)
        bench.line("plimsoll, p99 at that rate", statistics.median(p for _, p in ours), "ms")
        if theirs:
            slow = statistics.median(rate for rate, _ in theirs)
            bench.line("FastAPI, most requests/s (its access log off)", slow)
            bench.ratio("requests/s against FastAPI", rate, slow, 8)
        paced = bench.load(
            "paced",
            server.address,
            core=CLIENT_CORE,
            path=PATH,
            rate=rate / 2,
            connections=CONNECTIONS,
            seconds=seconds * 2,
        )
        bench.line("at half of that: answered/s", paced["answered_per_second"])
        bench.line("at half of that: p50", paced["ms_p50"], "ms")
        bench.line("at half of that: p99.9", paced["ms_p999"], "ms")
        bench.judge("at half of that: p99", paced["ms_p99"], "ms", 10, at_least=False)
        bench.judge("at half of that: faults", paced["faults"], "", 0, at_least=False)
        bench.judge("peak memory", server.peak_bytes() / 2**20, "MiB", 64, at_least=False)
        log = server.log.stat().st_size
        bench.judge("access log, bytes a request", log / max(rate * seconds, 1), "B", 20)
