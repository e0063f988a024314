"""68 streams at once inside 64 MiB: 32 fast, 32 at 10 KB/s, 4 exports, and the ranking in a loop.

Then, separately, five times as many, where refusals are right as long as they are typed.
"""

import hashlib
import os
import pathlib
import threading

STREAM, EXPORT, RANKING = "/products/stream", "/orders/export/csv", "/analytics/top-products"
SLOW_BYTES_PER_SECOND, SLOW_BYTES_PER_SECOND_MIN = 10_000, 9_000


def references(bench, server):
    """Both streams as a lone client sees them, on disk."""
    found = {}
    for name, path, accept in [
        ("reference", STREAM, "application/x-ndjson"),
        ("export_reference", EXPORT, "text/csv"),
    ]:
        file = bench.work / name
        got = bench.load("fetch", server.address, path=path, accept=accept, out=file)
        if got["status"] != 200:
            raise RuntimeError(f"{path}: status {got['status']}")
        with open(file, "rb") as body:
            digest = hashlib.file_digest(body, "sha256").hexdigest()
        bench.line(f"{path}: bytes (sha256 {digest[:16]}..)", got["bytes"])
        found[name] = file
    return found


def crowd(bench, server, times, seconds, **references):
    """The 68 clients, or a multiple of them."""
    return bench.load(
        "streams",
        server.address,
        seconds=seconds,
        fast=32 * times,
        slow=32 * times,
        export=4 * times,
        rate=SLOW_BYTES_PER_SECOND,
        path=STREAM,
        export_path=EXPORT,
        ranking_path=RANKING,
        **references,
    )


def show(bench, seen):
    for name, unit in [
        ("seconds", "s"),
        ("bytes_per_second", "B/s"),
        ("refusals", ""),
        ("fast_completions", ""),
        ("ranking_answers", ""),
        ("ranking_ms_p50", "ms"),
        ("ranking_ms_max", "ms"),
    ]:
        bench.line(name.replace("_", " "), seen[name], unit)
    for fault in seen["first_faults"]:
        bench.say(f"        fault: {fault}")


def kernel_bytes():
    """What the kernel holds for all TCP sockets of this machine, both ends, in bytes."""
    for line in pathlib.Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            return int(line.split()[-1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


class KernelPeak:
    """The largest `kernel_bytes` seen inside a `with`, four looks a second."""

    def __enter__(self):
        self.bytes, self.over = kernel_bytes(), threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()
        return self

    def look(self):
        while not self.over.wait(0.25):
            self.bytes = max(self.bytes, kernel_bytes())

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def run(bench):
    data = bench.data(bench.size(1_000_000, 20_000), bench.size(500_000, 5_000))
    seconds = bench.size(60, 5)
    with bench.serve(data, name="slow") as server:
        found = references(bench, server)
        lone = bench.load(
            "streams", server.address, seconds=bench.size(15, 2), fast=1, path=STREAM
        )["bytes_per_second"]
        bench.line("a lone stream", lone, "B/s")
        with KernelPeak() as kernel:
            seen = crowd(bench, server, 1, seconds, **found)
        peak = server.peak_bytes()
        show(bench, seen)
        bench.line("TCP memory of the kernel at its peak, both ends", kernel.bytes, "B")
    bench.judge("seconds under load", seen["seconds"], "s", seconds)
    bench.judge("clients never admitted", seen["never_admitted"], "", 0, at_least=False)
    bench.judge("refusals", seen["refusals"], "", 0, at_least=False)
    bench.judge("wrong, short or failed downloads", seen["faults"], "", 0, at_least=False)
    rate = seen["slow_bytes_per_second_min"]
    bench.judge("slowest slow client", rate, "B/s", SLOW_BYTES_PER_SECOND_MIN)
    bench.judge("completions of each fast client", seen["fast_completions_min"], "", 1)
    bench.judge("answers of the ranking", seen["ranking_answers"], "", 1)
    bench.ratio("all streams against a lone one", seen["bytes_per_second"], lone, 0.5)
    bench.judge("peak memory", peak / 2**20, "MiB", 64, at_least=False)


def run_refusals(bench):
    data = bench.data(bench.size(1_000_000, 20_000), bench.size(500_000, 5_000))
    with bench.serve(data, name="refusals") as server:
        found = references(bench, server)
        seen = crowd(bench, server, 5, bench.size(60, 5), **found)
        peak = server.peak_bytes()
        show(bench, seen)
    bench.line("clients never admitted", seen["never_admitted"])
    bench.judge("untyped refusals and broken streams", seen["faults"], "", 0, at_least=False)
    bench.judge("peak memory", peak / 2**20, "MiB", 64, at_least=False)
