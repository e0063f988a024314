"""Ten times the rows take the same memory: the same 68 clients over 10 M and over 1 M products."""

from measure import slow


def run(bench):
    seconds = bench.size(60, 5)
    peaks = []
    for products in (bench.size(1_000_000, 20_000), bench.size(10_000_000, 200_000)):
        data = bench.data(products, bench.size(500_000, 5_000))
        with bench.serve(data, name="footprint") as server:
            seen = slow.crowd(bench, server, 1, seconds)
            peaks.append(server.peak_bytes() / 2**20)
            bench.line(f"{products:,} products: peak memory", peaks[-1], "MiB")
            bench.line(f"{products:,} products: all streams", seen["bytes_per_second"], "B/s")
            bench.judge(f"{products:,} products: refusals", seen["refusals"], "", 0, False)
    bench.judge("peak memory at ten times the rows", peaks[1], "MiB", 64, at_least=False)
    bench.judge("growth for ten times the rows", peaks[1] - peaks[0], "MiB", 4, at_least=False)
