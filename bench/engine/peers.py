"""The peers' environment, their versions, and the command line of each.

Promises: a peer that is missing is said and left out, never guessed.
Never: a package installed anywhere but in the bench's own environment.
"""

import json
import pathlib
import shutil
import subprocess

from engine import tasks

HERE = pathlib.Path(__file__).resolve().parent
NEEDED = ["duckdb", "pyarrow", "numpy"]
PACKAGES = ["duckdb", "polars", "datafusion", "pyarrow", "numpy"]
OPTIONAL = ["chdb"]
VERSIONS = """
import importlib.metadata as found, json, sys
versions = {}
for name in sys.argv[1:]:
    try:
        versions[name] = found.version(name)
    except found.PackageNotFoundError:
        pass
print(json.dumps(versions))
"""


class Peers:
    """The interpreter with the peers; made when `--peers` names none."""

    def __init__(self, bench, given):
        self.bench = bench
        folder = bench.work / "engine-venv"
        self.python = given or str(folder / "bin" / "python")
        if not given and not (folder / "complete").exists():
            self.install(folder)
        self.versions = self.found()
        missing = [name for name in NEEDED if name not in self.versions]
        if missing:
            raise RuntimeError(f"{self.python} lacks {', '.join(missing)}")
        self.names = [name for name in tasks.PEERS if name in self.versions]
        for name in sorted(set(tasks.PEERS) - set(self.names)):
            bench.say(f"        no {name}: it is not installed here, and is left out")

    def install(self, folder):
        subprocess.run(["python3", "-m", "venv", str(folder)], check=True, timeout=120)
        pip = [self.python, "-m", "pip", "install", "-q"]
        subprocess.run([*pip, *PACKAGES], check=True, timeout=1800)
        for package in OPTIONAL:
            if subprocess.run([*pip, package], timeout=1800).returncode != 0:
                self.bench.say(f"        {package} does not install here")
        (folder / "complete").touch()

    def found(self):
        command = [self.python, "-c", VERSIONS, *PACKAGES, *OPTIONAL]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        versions = json.loads(text)
        if shutil.which("sort"):
            command = ["sort", "--version"]
            line = subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[0]
            if "GNU" in line:
                versions["gnusort"] = line.split()[-1]
        return versions

    def knows(self, name, task):
        return name != "gnusort" or task in tasks.GNU_KEYS

    def command(self, name, task, source, right, out, cap_mib, threads, spill):
        if name == "gnusort":
            return tasks.gnu_sort(task, source, out, cap_mib, threads, spill)
        parts = [name, task, source, right, out, cap_mib, threads, spill]
        return [self.python, str(HERE / "peer.py"), *(str(part) for part in parts)]

    def script(self, name, *arguments):
        """Runs one of the scripts of this folder; its output."""
        command = [self.python, "-B", str(HERE / name), *(str(part) for part in arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{name} {arguments[0]}: {done.stderr[-1000:]}")
        return done.stdout

    def digests(self, task, *files):
        return [json.loads(line) for line in self.script("digest.py", task, *files).splitlines()]
