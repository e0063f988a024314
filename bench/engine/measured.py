"""One command with its seconds, CPU seconds, peak memory, bytes written and exit code.

    bench ─> time (1 MiB, so that its own size never counts) ─> [sh in a cgroup] ─> the command

Promises: a command that fails or is killed is a result, not an exception; its last words are kept.
Never: a command that outlives its deadline: its whole process group is killed.
"""

import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

SECONDS_MAX = 3600
WORDS_MAX = 400
BLOCK_BYTES = 512


@dataclasses.dataclass
class Measured:
    seconds: float
    cpu_seconds: float
    peak_mib: float
    written_bytes: int
    exit_code: int
    words: str

    @property
    def ok(self):
        return self.exit_code == 0

    @property
    def killed(self):
        """By SIGKILL, which is what the kernel sends when a cgroup is out of memory."""
        return self.exit_code in (137, -9)


def measure(command, stdout=None, seconds_max=SECONDS_MAX):
    tool = shutil.which("time")
    if tool is None:
        raise RuntimeError("GNU time is needed (Debian: apt install time)")
    with tempfile.TemporaryDirectory() as folder:
        figures = pathlib.Path(folder) / "figures"
        begin = time.monotonic()
        process = subprocess.Popen(
            [tool, "-q", "-f", "%U %S %M %O %x", "-o", str(figures), *command],
            stdin=subprocess.DEVNULL,
            stdout=stdout or subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
        )
        errors, code = finished(process, seconds_max)
        seconds = time.monotonic() - begin
        text = figures.read_text().split() if figures.exists() else []
    user, system, peak, blocks = (float(part) for part in (text or [0, 0, 0, 0, 0])[:4])
    words = errors.decode(errors="replace").strip()[-WORDS_MAX:]
    written = int(blocks) * BLOCK_BYTES
    return Measured(seconds, user + system, peak / 1024, written, code, words)


def finished(process, seconds_max):
    """(stderr, exit code); the group is killed at the deadline and when the bench is stopped."""
    try:
        errors = process.communicate(timeout=seconds_max)[1]
        return errors, process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        errors = process.communicate()[1]
        return errors + f"\nstopped after {seconds_max} s".encode(), 124
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
