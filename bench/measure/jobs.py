"""Jobs a second, their checkpoints, a deep queue, and the sales of five periods.

    jobs-sqlite   256 enqueuers and 8 runners on a file at FULL; each job's start, effect and end
                  durable, nothing acknowledged early; C is the machine's ungrouped commits a second
    jobs-pg       the same on a PostgreSQL that flushes its commits
    warm          seed 002: 20,425 orders with JSON items, five periods, and a hundred times that

Promises: the programs are built as users build them; what is compared ran in this run.
Never: a figure without its C.
"""

import json
import re
import subprocess

from postgres.server import Postgres


def example(bench, package, name):
    command = ["cargo", "build", "-q", "--release", "-p", package, "--example", name]
    subprocess.run(command, check=True, cwd=bench.root)
    told = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps"],
        check=True, capture_output=True, text=True, cwd=bench.root,
    )
    return f"{json.loads(told.stdout)['target_directory']}/release/examples/{name}"


def load(bench, *arguments):
    program = example(bench, "plimsoll-jobs", "load")
    seconds, queued = bench.size(10, 1), bench.size(1_000_000, 10_000)
    command = [program, "--seconds", str(seconds), "--queued", str(queued), *arguments]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(told.splitlines()[-1])


def judge(bench, figures, jobs_min):
    commits = figures["commits_per_s"]
    bench.line("ungrouped commits a second (C)", commits)
    bench.judge("jobs a second", figures["jobs_per_s"], "", jobs_min(commits))
    bench.judge("checkpoints of 8 jobs a second", figures["checkpoints_per_s"], "", 4.8 * commits)
    deep = figures["queued"]
    bench.line("jobs queued", deep["jobs"])
    bench.line("claim p50", deep["claim_p50_ms"], "ms")
    bench.judge("claim p99", deep["claim_p99_ms"], "ms", 10, at_least=False)
    bench.judge("a page of the queue", deep["page_ms"], "ms", 50, at_least=False)
    bench.judge("all queues counted", deep["queues_ms"], "ms", 50, at_least=False)


def run_sqlite(bench):
    folder = bench.fresh("jobs-sqlite")
    figures = load(bench, "--folder", str(folder))
    judge(bench, figures, lambda commits: min(5_000, 40 * commits))


def run_postgres(bench):
    with Postgres(bench) as postgres:
        postgres.alone("256MB")
        postgres.psql("postgres", "alter system set fsync = on")
        postgres.psql("postgres", "select pg_reload_conf()")
        postgres.psql("postgres", "create database jobs")
        folder = bench.fresh("jobs-pg")
        address = f"{postgres.address}/jobs"
        figures = load(bench, "--folder", str(folder), "--database", address)
        judge(bench, figures, lambda _: 5_000)


def run_warm(bench):
    program = example(bench, "plimsoll-store", "warm")
    for times, seconds_max in ((1, 1.0), (bench.size(100, 2), 60.0)):
        orders = 20_425 * times
        told = subprocess.run(
            [program, str(orders)], check=True, capture_output=True, text=True
        ).stdout.splitlines()[-1]
        took = re.search(r"pages, ([0-9.]+)(ms|s),", told)
        seconds = float(took[1]) / (1000 if took[2] == "ms" else 1)
        peak = int(re.search(r"peak RSS (\d+) KiB", told)[1]) / 1024
        bench.judge(f"{orders} orders, five periods", seconds, "s", seconds_max, at_least=False)
        bench.judge("peak memory", peak, "MiB", 64, at_least=False)
