"""Jobs a second, their checkpoints, a deep queue, and the sales of five periods.

    jobs-sqlite   256 enqueuers and 8 runners on a file at FULL; each job's start, effect and end
                  durable, nothing acknowledged early; C is the machine's ungrouped commits a second
    jobs-pg       the same on a PostgreSQL that flushes its commits
    jobs-dead     jobs a second there, with and without a transaction that is older than a million
                  jobs that came and went: their rows and entries in indexes stay
    warm          seed 002: 20,425 orders with JSON items, five periods, and a hundred times that

apalis (on SQLite) and graphile_worker (on PostgreSQL) get the same load behind it: 256 enqueuers,
8 jobs at a time, each with a row as its effect, and every commit flushed (bench/peers/jobs).

Promises: the programs are built as users build them; what is compared ran in this run; a peer that
cannot be built is said, and its ratio left out.
Never: a figure without its C.
"""

import json
import re
import statistics
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


def load(bench, *arguments, queued=None, seconds=10):
    program = example(bench, "plimsoll-jobs", "load")
    seconds = bench.size(seconds, 1)
    queued = bench.size(1_000_000, 10_000) if queued is None else queued
    command = [program, "--seconds", str(seconds), "--queued", str(queued), *arguments]
    told = subprocess.run(command, capture_output=True, text=True)
    if told.returncode != 0:
        raise RuntimeError(f"load: exit code {told.returncode}: {told.stderr[-1500:]}")
    return json.loads(told.stdout.splitlines()[-1])


def peer(bench, name, database, place, ours):
    """The same load on another queue; the best of the ways it is run counts."""
    manifest = bench.root / "bench" / "peers" / "jobs" / "Cargo.toml"
    target = bench.work / "peers-jobs"
    build = ["cargo", "build", "-q", "--release", "--locked", "--manifest-path", str(manifest)]
    built = subprocess.run([*build, "--target-dir", str(target)], capture_output=True, text=True)
    if built.returncode != 0:
        bench.say(f"        {name} cannot be built: {built.stderr[-1500:]}")
        return
    program = str(target / "release" / "bench-jobs")
    command = [program, database, place, str(bench.size(10, 1))]
    told = subprocess.run(command, capture_output=True, text=True)
    if told.returncode != 0:
        raise RuntimeError(f"{name}: {told.stderr[-1500:]}")
    figures = json.loads(told.stdout.splitlines()[-1])
    for how, rate in figures["each"].items():
        bench.line(f"{name}, {how}", round(rate), "jobs/s")
    bench.ratio(f"jobs a second against {name}", ours["jobs_per_s"], figures["jobs_per_s"], 1)


def judge(bench, figures, jobs_min, checkpoints_part=None):
    commits = figures["commits_per_s"]
    bench.line("ungrouped commits a second (C)", commits)
    bench.judge("jobs a second", figures["jobs_per_s"], "", jobs_min(commits))
    what, checkpoints = "checkpoints of 8 jobs a second", figures["checkpoints_per_s"]
    if checkpoints_part is None:
        bench.line(what, checkpoints)
    else:
        bench.judge(what, checkpoints, "", checkpoints_part * 8 * commits)
    deep = figures["queued"]
    bench.line("jobs queued", deep["jobs"])
    bench.line("claim p50", deep["claim_p50_ms"], "ms")
    bench.judge("claim p99", deep["claim_p99_ms"], "ms", 10, at_least=False)
    bench.judge("a page of the queue", deep["page_ms"], "ms", 50, at_least=False)
    bench.judge("all queues counted", deep["queues_ms"], "ms", 50, at_least=False)


def run_sqlite(bench):
    folder = bench.fresh("jobs-sqlite")
    figures = load(bench, "--folder", str(folder))
    judge(bench, figures, lambda commits: min(5_000, 40 * commits), checkpoints_part=0.6)
    peer(bench, "apalis", "sqlite", str(bench.fresh("jobs-apalis")), figures)


def durable(postgres):
    postgres.alone("256MB")
    postgres.psql("postgres", "alter system set fsync = on")
    postgres.psql("postgres", "select pg_reload_conf()")


def run_postgres(bench):
    with Postgres(bench) as postgres:
        durable(postgres)
        postgres.psql("postgres", "create database jobs")
        folder = bench.fresh("jobs-pg")
        address = f"{postgres.address}/jobs"
        figures = load(bench, "--folder", str(folder), "--database", address)
        judge(bench, figures, lambda _: 5_000)
        postgres.psql("postgres", "create database peer")
        peer(bench, "graphile_worker", "postgres", f"{postgres.address}/peer", figures)


# So many jobs that came and went.
COME = """insert into plimsoll.jobs (kind, queue, priority, state, payload, place, tries_max,
exceptions_max, timeout_ms, memory_bytes, enqueued_at) select 'step', 'default', 5, 'ready', '{{}}',
(extract(epoch from now()) * 1e6)::bigint - {jobs} + n, 3, 3, 120000, 0, 0
from generate_series(1, {jobs}) as n"""
BEGIN = """update plimsoll.jobs set state = 'running', worker = 'load', token = token + 1
where state = 'ready'"""
END = """update plimsoll.jobs set state = 'completed', worker = null,
finished_at = (extract(epoch from now()) * 1e6)::bigint where state = 'running'"""


def run_dead(bench):
    dead = bench.size(1_000_000, 20_000)
    with Postgres(bench) as postgres:
        durable(postgres)
        rates = {}
        for name in ("fresh", "dead"):
            postgres.psql("postgres", f"create database {name}")
            url, folder = f"{postgres.address}/{name}", str(bench.fresh(name))
            load(bench, "--folder", folder, "--database", url, queued=0, seconds=5)
        old = subprocess.Popen(
            ["psql", "-qXAt", f"{postgres.address}/dead"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        old.stdin.write("begin isolation level repeatable read; select count(*) from effects;\n")
        old.stdin.flush()
        old.stdout.readline()
        for statement in (COME.format(jobs=dead), BEGIN, END):
            postgres.psql("dead", statement)
        for name in ("fresh", "dead", "fresh", "dead", "fresh", "dead"):
            url, folder = f"{postgres.address}/{name}", str(bench.fresh(name))
            figures = load(bench, "--folder", folder, "--database", url, queued=0, seconds=5)
            rates.setdefault(name, []).append(figures["jobs_per_s"])
        kept = "select n_dead_tup from pg_stat_user_tables where relname = 'jobs'"
        bench.line("dead rows of jobs that the server counts", int(postgres.psql("dead", kept)))
        old.kill()
    fresh, beside = (statistics.median(rates[name]) for name in ("fresh", "dead"))
    bench.line("jobs a second", fresh)
    bench.line("the same beside an old transaction and dead rows", beside)
    bench.ratio("of the speed without", beside, fresh, 0.8)


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
