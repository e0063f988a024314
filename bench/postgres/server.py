"""A private PostgreSQL with a table of orders, and what its clients do.

Promises: the server is started by .ci/servers on free ports and stopped at the end.
Never: a table that another measurement changes; what writes has one of its own.
"""

import pathlib
import shutil
import subprocess
import tempfile

TABLE = """
create table orders (
  id bigint primary key, ordered_at timestamptz not null, customer_id bigint not null,
  status text not null, channel varchar(16), total numeric(12,2) not null, note text
);
insert into orders
select n, timestamptz '2024-01-01Z' + n * interval '7 seconds', n * 7919 % 100003,
       (array['new', 'paid', 'sent', 'done'])[1 + (n % 4)::int],
       nullif('channel-' || n % 5, 'channel-0'),
       (n * 37 % 100000) / 100.0, 'order number ' || n || ', "quoted"'
from generate_series(1::bigint, {rows}) as n;
create index on orders (ordered_at, id);
vacuum (freeze, analyze) orders;
"""


class Postgres:
    """The server of one measurement."""

    def __init__(self, bench):
        self.script = bench.root / ".ci" / "servers"
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.folder.chmod(0o711)
        told = subprocess.run(
            [self.script, "start", self.folder / "run"], capture_output=True, text=True
        )
        if told.returncode != 0:
            raise RuntimeError(f"no PostgreSQL: {told.stderr or told.stdout}")
        lines = dict(line.split("=", 1) for line in told.stdout.splitlines() if "=" in line)
        self.address = lines["TESTED_POSTGRES"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run([self.script, "stop", self.folder / "run"], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def orders(self, rows):
        """The URL of a database with so many orders."""
        name = f"orders_{rows}"
        self.psql("postgres", f"create database {name}")
        for statement in TABLE.format(rows=rows).split(";\n"):
            if statement.strip():
                self.psql(name, statement)
        return f"{self.address}/{name}"

    def alone(self, shared_buffers):
        """Without its replica, with this much memory, and without checkpoints of its own."""
        part = lambda *words: subprocess.run([self.script, *words], check=True)  # noqa: E731
        run = self.folder / "run"
        part("kill", run, "replica")
        settings = {"shared_buffers": shared_buffers, "checkpoint_timeout": "1h"}
        for name, value in {**settings, "max_wal_size": "16GB"}.items():
            self.psql("postgres", f"alter system set {name} = '{value}'")
        part("kill", run, "primary")
        part("again", run, "primary")

    def psql(self, database, sql):
        command = ["psql", "-qXAt", f"{self.address}/{database}", "-c", sql]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def copy(self, url, query, out):
        """The command that writes a query's rows to a file."""
        return ["psql", "-qX", url, "-c", f"\\copy ({query}) to '{out}'"]


class Looks:
    """Looks at what Plimsoll holds on the server, through one psql that stays."""

    SQL = (
        "select count(*), count(*) filter (where state <> 'idle'), "
        "coalesce(max(extract(epoch from clock_timestamp() - xact_start)) "
        "filter (where backend_xmin is not null), 0) "
        "from pg_stat_activity where application_name = 'plimsoll';\n"
    )

    def __init__(self, url):
        command = ["psql", "-qXAt", "-F", " ", url]
        pipe = subprocess.PIPE
        self.psql = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.psql.stdin.close()
        self.psql.wait(30)

    def seen(self):
        """Connections, those in a transaction, and the age of the oldest snapshot in seconds."""
        self.psql.stdin.write(self.SQL)
        self.psql.stdin.flush()
        connections, busy, age = self.psql.stdout.readline().split()
        return int(connections), int(busy), float(age)
