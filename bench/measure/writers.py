"""Commits a second at FULL: 64 writers at once against one."""

BODY = '{"sku":"MARK","name":"A new thing","category":"new","price":12.5,"stock":3}'


def post(bench, server, mark, connections, seconds, **more):
    return bench.load(
        "writers",
        server.address,
        path="/products",
        body=BODY,
        mark=mark,
        connections=connections,
        seconds=seconds,
        **more,
    )


def run(bench):
    data = bench.copy(bench.data(1_000, 1_000), "writers")
    seconds = bench.size(10, 2)
    with bench.serve(data, name="writers") as server:
        one, many = [], []
        for turn in range(3):
            one.append(post(bench, server, f"one{turn}", 1, seconds))
            many.append(post(bench, server, f"many{turn}", 64, seconds))
        faults = [fault for run in one + many for fault in run["first_faults"]]
        rates = [sorted(r["acknowledged_per_second"] for r in runs)[1] for runs in (one, many)]
        bench.line("one writer, commits/s", rates[0])
        bench.line("one writer, p99", sorted(r["ms_p99"] for r in one)[1], "ms")
        bench.line("64 writers, commits/s", rates[1])
        bench.line("64 writers, p99", sorted(r["ms_p99"] for r in many)[1], "ms")
        bench.ratio("commits/s of 64 writers against one", rates[1], rates[0], 8)
        bench.judge("faults", len(faults), str(faults[:2] or ""), 0, at_least=False)
        bench.judge("peak memory", server.peak_bytes() / 2**20, "MiB", 64, at_least=False)
