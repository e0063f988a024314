"""One run of the bench: binaries, prepared data, lines of the result.

    line(what, value, unit)                      something seen
    judge(what, value, unit, bound, at_least)    something promised: ok or MISSED
    ratio(what, ours, peer, at_least)            the same against a peer of this run

Promises: a line is printed when it is known and kept in the result file in the same words.
Never: a figure of another day in the same file.
"""

import datetime
import json
import os
import pathlib
import shutil
import subprocess
import time
import traceback

from engine.peers import Peers
from measure.process import IDLE, Server, timed

SEED = "42"


class Bench:
    def __init__(self, root, options, needs_xtask=True):
        self.root = root
        self.options, self.needs_xtask = options, needs_xtask
        # Peers and real data lie beside the project, or where SHARED says.
        self.shared = pathlib.Path(os.environ.get("SHARED", root.parent / "shared"))
        self.quick = options.quick
        self.work = pathlib.Path(options.work).resolve()
        self.target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", root / "target")).resolve()
        self.given_binary = options.binary
        self.rows, self.runs, self.huge = options.rows, options.runs, options.huge
        self.repeats = options.repeats or self.size(3, 1)
        self.lines = []
        self.missed = self.exit_code = 0

    def __enter__(self):
        self.work.mkdir(parents=True, exist_ok=True)
        packages = ["-p", "xtask"] if self.needs_xtask else []
        packages += [] if self.given_binary else ["-p", "plimsoll-cli"]
        begin = time.monotonic()
        if packages:
            build = ["cargo", "build", "--release", "--locked", *packages]
            subprocess.run(build, cwd=self.root, check=True)
        release = self.target / "release"
        self.binary = str(pathlib.Path(self.given_binary or release / "plimsoll").resolve())
        self.xtask = str(release / "xtask")
        self.say(f"# {datetime.datetime.now():%Y-%m-%d %H:%M}, {self.machine()}")
        self.say(f"# build: {time.monotonic() - begin:.0f} s; quick: {self.quick}")
        return self

    def __exit__(self, *_):
        pass

    def machine(self):
        models = [
            line.split(":")[1].strip()
            for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ]
        memory = pathlib.Path("/proc/meminfo").read_text().split()[1]
        model = models[0] if models else "unknown"
        return f"{os.cpu_count()} cores ({model}), {int(memory) >> 20} GiB"

    def say(self, text):
        print(text, flush=True)
        self.lines.append(text)

    def measure(self, name, run):
        self.say(f"\n== {name}")
        begin = time.monotonic()
        try:
            run(self)
        except Exception as error:  # one broken measurement must not hide the others
            self.missed += 1
            self.say(f"{'BROKEN':8}{type(error).__name__}: {error}")
            traceback.print_exc()
        self.say(f"        ({time.monotonic() - begin:.0f} s)")

    def line(self, what, value, unit=""):
        shown = f"{value:,.3f}" if isinstance(value, float) and abs(value) < 100 else value
        shown = f"{shown:,.0f}" if isinstance(shown, (int, float)) else shown
        self.say(f"        {what:<56} {shown:>14} {unit}")

    def judge(self, what, value, unit, bound, at_least=True):
        holds = value >= bound if at_least else value <= bound
        self.missed += not holds
        word = "at least" if at_least else "at most"
        verdict = "ok" if holds else "MISSED"
        self.say(f"{verdict:8}{what:<56} {value:>14,.2f} {unit} ({word} {bound:,g})")

    def ratio(self, what, ours, peer, at_least):
        self.judge(what, ours / max(peer, 1e-9), "x", at_least)

    def finish(self, names):
        self.say(f"\n{'all promises hold' if not self.missed else f'{self.missed} MISSED'}")
        folder = self.root / "bench" / "results"
        folder.mkdir(exist_ok=True)
        quick = "-quick" if self.quick else ""
        path = folder / f"{datetime.date.today()}-{names}{quick}.txt"
        path.write_text("\n".join(self.lines) + "\n")
        print(f"written to {path.relative_to(self.root)}")
        return self.exit_code or (1 if self.missed else 0)

    # ------------------------------------------------------------------ file tools

    def peers(self):
        return Peers(self, self.options.peers)

    def tasks(self, known):
        """Those of the tasks that were asked for; all of them by default."""
        return [task for task in known if task in (self.options.task or known)]

    def kernel(self):
        return os.uname().sysname, os.uname().release

    # ------------------------------------------------------------------ servers and data

    def size(self, full, quick):
        return quick if self.quick else full

    def log(self, name):
        path = self.work / f"{name}.log"
        path.unlink(missing_ok=True)
        return path

    def serve(
        self, data, *more, core=None, idle=False, name="serve", memory="64M", ready_seconds=120
    ):
        command = [*(IDLE if idle else []), self.binary, "serve", "--memory", memory]
        command += ["--data", str(data)]
        command += ["--port", "{port}", *more]
        return Server(command, "/readyz", self.log(name), core, ready_seconds=ready_seconds)

    def data(self, products, orders):
        """A data directory with the demo of this size, made once."""
        folder = self.work / f"demo-{products}-{orders}"
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            more = ["--demo", "--products", str(products), "--orders", str(orders)]
            more += ["--seed", SEED]
            with self.serve(folder, *more, name="fill", memory="256M", ready_seconds=3600):
                pass
            (folder / "complete").touch()
        return folder

    def copy(self, folder, name):
        """A copy that a measurement may write to."""
        copy = self.fresh(name)
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        return copy

    def fresh(self, name):
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def database(self, folder):
        """The database file in a data directory."""
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if path.is_file():
                with open(path, "rb") as file:
                    head = file.read(16)
                if head == b"SQLite format 3\0" and "products" in self.sql(path, ".tables"):
                    return path
        raise RuntimeError(f"no database below {folder}")

    def sql(self, path, *lines):
        command = ["sqlite3", "-readonly", str(path), *lines]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def load(self, what, address, core=None, **options):
        """One run of the load clients; their JSON."""
        pin = ["taskset", "-c", str(core)] if core is not None else []
        command = pin + [self.xtask, "load", what, "--address", address]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        seconds = float(options.get("seconds", 600)) * 6 + 60
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
        if done.returncode != 0:
            raise RuntimeError(f"load {what}: {done.stderr[-1500:]}")
        return json.loads(done.stdout)

    def timed(self, *arguments, **more):
        return timed([str(argument) for argument in arguments], **more)
