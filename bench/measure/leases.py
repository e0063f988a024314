"""Leases: how soon the jobs of a killed worker are rescued, and that no live one ever is.

    jobs-rescue   a worker with 8 jobs is killed, again and again, beside a server that rescues;
                  from the kill to each job's rescue, at defaults
    jobs-soak     30 minutes of jobs that compute without a pause, on a disk whose flushes take a
                  second, beside a server that would rescue them

Promises: real processes, the defaults of the product; a job counts as rescued when the database
says so.
Never: a mock of a clock.
"""

import json
import os
import sqlite3
import subprocess
import sys
import time

from measure.process import RUNNING, free_port

HOLDS = "import sys, time\nfor line in sys.stdin:\n    time.sleep(3600)\n"
# Computes for so many seconds, and says so.
COMPUTES = """
import json, sys, time
for line in sys.stdin:
    message = json.loads(line)
    if "job" not in message:
        continue
    until = time.monotonic() + message["job"]["payload"]["seconds"]
    while time.monotonic() < until:
        sum(range(10_000))
    print(json.dumps({"id": message["job"]["id"], "done": {}}), flush=True)
"""


class Place:
    """A folder with a server over it, and workers."""

    def __init__(self, bench, name, env=None):
        self.bench, self.env = bench, {**os.environ, **(env or {})}
        self.folder = bench.fresh(name)
        self.log = open(bench.log(name), "ab")
        self.server = self.start("serve", "--port", str(free_port()), "--memory", "64M")
        deadline = time.monotonic() + 120
        self.file = None
        while self.file is None:
            found = [path for path in self.folder.glob("*.db")]
            if found and self.has_jobs(found[0]):
                self.file = found[0]
            if time.monotonic() > deadline or self.server.poll() is not None:
                raise RuntimeError("the server made no database")
            time.sleep(0.1)

    def has_jobs(self, file):
        try:
            with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as there:
                return there.execute("select count(*) from plimsoll_jobs").fetchone() is not None
        except sqlite3.OperationalError:
            return False

    def start(self, *words):
        command = [self.bench.binary, words[0], "--data", str(self.folder), *words[1:]]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=self.env
        )
        RUNNING.append(process)
        return process

    def worker(self, concurrency, program):
        # What computes gives way to whoever else uses the machine; the worker itself does not.
        run = ["--", "nice", "-n", "19", sys.executable, "-c", program]
        return self.start("worker", "--memory", "256M", "--concurrency", str(concurrency), *run)

    def add(self, kind, payload):
        command = [self.bench.binary, "jobs", "add", kind, "--data", str(self.folder)]
        command += ["--payload", json.dumps(payload), "--timeout", "2h"]
        return subprocess.run(command, stdout=self.log, stderr=self.log, env=self.env).returncode

    def rows(self, sql):
        there = sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=60)
        try:
            return there.execute(sql).fetchall()
        finally:
            there.close()

    def until(self, sql, holds, seconds):
        deadline = time.monotonic() + seconds
        while True:
            rows = self.rows(sql)
            if holds(rows):
                return rows
            if time.monotonic() > deadline:
                raise RuntimeError(f"{sql}: {rows} after {seconds} s")
            time.sleep(0.02)

    def stop(self):
        for process in reversed(RUNNING):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.log.close()


def rescue(bench):
    place = Place(bench, "jobs-rescue")
    took = []
    for number in range(bench.size(6, 1)):
        queue = f"round{number}"
        for _ in range(8):
            if place.add(queue, {}) != 0:
                raise RuntimeError("a job was not enqueued")
        worker = place.worker(8, HOLDS)
        running = f"select id from plimsoll_jobs where kind = '{queue}' and state = 'running'"
        place.until(running, lambda rows: len(rows) == 8, 60)
        worker.kill()
        killed = time.monotonic()
        seen = 0
        while seen < 8:
            crashed = f"select id from plimsoll_jobs where kind = '{queue}' and crashes > 0"
            rows = place.until(crashed, lambda rows, seen=seen: len(rows) > seen, 60)
            took += [time.monotonic() - killed] * (len(rows) - seen)
            seen = len(rows)
        worker.wait()
        for (job,) in place.rows(f"select id from plimsoll_jobs where kind = '{queue}'"):
            command = [bench.binary, "jobs", "cancel", str(job), "--data", str(place.folder)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    place.stop()
    took.sort()
    bench.line("jobs of killed workers", len(took))
    bench.line("rescued after, median", took[len(took) // 2], "s")
    p99 = took[min(len(took) - 1, len(took) * 99 // 100)]
    bench.judge("rescued after, p99", p99, "s", 15, at_least=False)


def soak(bench):
    library = bench.work / "slow_fsync.so"
    source = bench.root / "bench" / "measure" / "slow_fsync.c"
    build = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    subprocess.run(build, check=True)
    place = Place(bench, "jobs-soak", {"LD_PRELOAD": str(library)})
    seconds = bench.size(1_800, 60)
    worker = place.worker(4, COMPUTES)
    until = time.monotonic() + seconds
    added = busy = 0
    while time.monotonic() < until:
        waiting = "select count(*) from plimsoll_jobs where state = 'ready'"
        if place.rows(waiting)[0][0] < 4:
            # Told that the database is busy, whoever enqueues tries again.
            if place.add("compute", {"seconds": 5 + 7 * (added % 8)}) == 0:
                added += 1
            else:
                busy += 1
        if worker.poll() is not None:
            raise RuntimeError("the worker ended")
        time.sleep(0.5)
    done, crashed, again, longest = place.rows(
        "select sum(state = 'completed'), coalesce(sum(crashes), 0), "
        "coalesce(sum(deliveries > 1), 0), max(finished_at - claimed_at) / 1e6 from plimsoll_jobs "
        "where kind = 'compute'"
    )[0]
    place.stop()
    bench.line("a flush to the disk takes at least", 1.0, "s")
    bench.line("soaked", seconds, "s")
    bench.line("jobs enqueued", added)
    bench.line("of the requests to enqueue, told to try again", busy)
    bench.line("longest job", float(longest or 0), "s")
    bench.judge("jobs done that computed without a pause", done or 0, "", 1)
    bench.judge("live jobs rescued", crashed, "", 0, at_least=False)
    bench.judge("jobs begun twice", again, "", 0, at_least=False)
