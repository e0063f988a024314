"""A memory cgroup with a limit and no swap, version 1 or 2, for one command.

    make ─> sh writes its own number into cgroup.procs ─> exec command ─> read kills ─> remove

Promises: a group is removed when its `with` ends, whichever way it ends.
Never: a limit on anything but the command: the bench and its digests stay outside.
"""

import errno
import os
import pathlib
import time

from engine.measured import measure

ROOT = pathlib.Path("/sys/fs/cgroup")
REMOVAL_TRIES = 50
ENTER = 'echo $$ > "$0" && exec "$@"'


class Unavailable(Exception):
    """Memory cgroups cannot be made here."""


def of_this_machine():
    """(version, folder in which groups are made)."""
    if (ROOT / "memory" / "memory.limit_in_bytes").exists():
        return 1, ROOT / "memory"
    if "memory" in text(ROOT / "cgroup.controllers").split():
        if "memory" not in text(ROOT / "cgroup.subtree_control").split():
            write(ROOT / "cgroup.subtree_control", "+memory")
        return 2, ROOT
    raise Unavailable(f"no memory controller in {ROOT}")


def text(path):
    try:
        return path.read_text()
    except OSError:
        return ""


def write(path, value):
    try:
        path.write_text(str(value))
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}") from error


class Group:
    def __init__(self, limit_bytes):
        self.version, parent = of_this_machine()
        self.folder = parent / f"plimsoll-bench-{os.getpid()}"
        self.limit_bytes = limit_bytes

    def __enter__(self):
        try:
            self.folder.mkdir()
        except OSError as error:
            raise Unavailable(f"{self.folder}: {error.strerror}") from error
        try:
            self.limit()
        except Unavailable:
            self.remove()
            raise
        return self

    def limit(self):
        """Where swap is not accounted, these files are absent and the machine must have none."""
        one, two = self.version == 1, self.version == 2
        write(self.folder / ("memory.limit_in_bytes" if one else "memory.max"), self.limit_bytes)
        swap = self.folder / ("memory.memsw.limit_in_bytes" if one else "memory.swap.max")
        if swap.exists():
            write(swap, 0 if two else self.limit_bytes)
        elif len(text(pathlib.Path("/proc/swaps")).splitlines()) > 1:
            raise Unavailable("this machine swaps and its cgroups do not limit swap")

    def measure(self, command, stdout=None):
        enter = ["sh", "-c", ENTER, str(self.folder / "cgroup.procs")]
        return measure([*enter, *command], stdout)

    def kills(self):
        file = "memory.oom_control" if self.version == 1 else "memory.events"
        counts = dict(line.split() for line in text(self.folder / file).splitlines())
        return int(counts.get("oom_kill", 0))

    def peak_mib(self):
        """Page cache included: it counts towards the limit, and is dropped when it must be."""
        file = "memory.max_usage_in_bytes" if self.version == 1 else "memory.peak"
        return int(text(self.folder / file) or 0) / 2**20

    def remove(self):
        for _ in range(REMOVAL_TRIES):
            try:
                return self.folder.rmdir()
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                time.sleep(0.02)

    def __exit__(self, *_):
        self.remove()
