"""Servers and commands as child processes, with their memory and time.

Promises: whatever was started is stopped when the bench ends, whichever way it ends.
Never: a port or address that is not loopback.
"""

import atexit
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

RUNNING = []
# In front of a command: it runs in what all others leave of the processor.
IDLE = ["chrt", "--idle", "0"]


@atexit.register
def stop_all():
    for process in RUNNING:
        if process.poll() is None:
            process.kill()
            process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def peak_bytes(pid):
    """VmHWM: the most memory the process ever had resident."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no VmHWM for process {pid}")


class Server:
    """A server on a free port, started and ready; use it in a `with`."""

    def __init__(self, command, ready_path, log, core=None, env=None, ready_seconds=120):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        pin = ["taskset", "-c", str(core)] if core is not None else []
        command = [part.replace("{port}", str(self.port)) for part in command]
        self.log = pathlib.Path(log)
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                pin + command,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(env or {})},
            )
        RUNNING.append(self.process)
        self.wait_ready(ready_path, ready_seconds)

    def wait_ready(self, path, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended: {self.tail()}")
            try:
                with urllib.request.urlopen(f"http://{self.address}{path}", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.05)
        self.kill()
        raise RuntimeError(f"the server is not ready after {seconds} s: {self.tail()}")

    def tail(self):
        return self.log.read_text(errors="replace")[-1500:]

    def get(self, path, accept="application/json"):
        request = urllib.request.Request(f"http://{self.address}{path}", headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.read()

    def peak_bytes(self):
        return peak_bytes(self.process.pid)

    def kill(self):
        """As power loss does it: no warning."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def timed(command, seconds_max=3600, stdin=None, stdout=subprocess.DEVNULL, env=None):
    """Runs a command; returns (seconds, peak bytes). Fails when the command does."""
    begin = time.monotonic()
    process = subprocess.Popen(
        command,
        stdin=stdin or subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, **(env or {})},
    )
    RUNNING.append(process)
    peak = 0
    errors = bytearray()
    os.set_blocking(process.stderr.fileno(), False)
    while process.poll() is None:
        if time.monotonic() - begin > seconds_max:
            process.kill()
            raise RuntimeError(f"{command[0]} ran for more than {seconds_max} s")
        try:
            peak = max(peak, peak_bytes(process.pid))
        except (OSError, RuntimeError):
            pass
        errors += process.stderr.read() or b""
        time.sleep(0.002)
    seconds = time.monotonic() - begin
    os.set_blocking(process.stderr.fileno(), True)
    errors += process.stderr.read() or b""
    if process.returncode != 0:
        text = errors.decode(errors="replace")[-1500:]
        raise RuntimeError(f"{' '.join(command[:4])}: exit code {process.returncode}: {text}")
    return seconds, peak
