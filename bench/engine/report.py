"""The result of one run, as Markdown for readers and as JSON for the next run.

    lines of a task ─> fastest right peer ─> ratio, target, verdict ─> table and JSON

Promises: a ratio is taken only between right answers of the same run.
Never: a target missed in silence: each verdict is also a line of the bench.
"""

import dataclasses
import datetime
import json
import subprocess

from engine import data, tasks

HEAD = (
    "| engine | cap MiB | wall s | CPU s | RSS MiB | written MB | wall / fastest peer at 512 | "
    "state | target |\n|---|--:|--:|--:|--:|--:|--:|---|---|"
)
RATIO_CAP_MIB = 512


class Report:
    def __init__(self, bench, peers, name):
        self.bench, self.name = bench, name
        self.machine = {
            "date": f"{datetime.datetime.now():%Y-%m-%d %H:%M}",
            "machine": bench.machine(),
            "kernel": " ".join(bench.kernel()),
            "load_at_start": data.load(),
            "repeats": bench.repeats,
            "quick": bench.quick,
            "seed": data.SEED,
            "plimsoll": version(bench.binary),
            "peers": peers.versions,
        }
        self.lines, self.verdicts, self.parts = [], [], []

    def add(self, lines):
        """The lines of one task on one table: judged, shown and kept."""
        first = lines[0]
        self.parts += [f"\n## {first.table}: {first.task}\n", HEAD]
        for line in lines:
            ratio = quotient(line, fastest(lines, tasks.FASTEST, RATIO_CAP_MIB))
            verdict = self.judge(line, lines) if line.engine == "plimsoll" else over(line)
            self.parts.append(row(line, ratio, verdict))
            kept = dataclasses.asdict(line)
            kept.update(state=line.state, ratio_to_fastest=ratio, verdict=verdict)
            self.lines.append(kept)
            what = f"{line.table} {line.task}: {line.engine} at {line.cap_mib}"
            text = f"{line.seconds:8.2f} s {line.cpu_seconds:8.2f} CPU s {line.peak_mib:7.0f} MiB"
            self.bench.say(f"        {what:<48} {text}  {line.state} {over(line)}")

    def judge(self, line, lines):
        """The verdicts of one line of Plimsoll's, in words; empty for a budget without a target."""
        budget_mib, bounds = tasks.TARGETS[line.task]
        if line.cap_mib != budget_mib:
            return over(line)
        name = f"{line.table} {line.task}"
        self.bench.judge(f"{name}: right answer", float(line.good), "", 1)
        if not line.good:
            return "MISSED: no right answer"
        self.bench.judge(f"{name}: RSS", line.peak_mib, "MiB", budget_mib, at_least=False)
        words = [f"RSS <= {budget_mib}: {word(line.peak_mib <= budget_mib)}"]
        for part, whom, cap_mib in bounds:
            peer = fastest(lines, whom, cap_mib)
            if peer is None:
                words.append(f"no {whom} at {cap_mib}: not judged")
                continue
            ratio = line.seconds / peer.seconds
            what = f"{name}: wall / {whom} at {cap_mib} ({peer.engine})"
            self.bench.judge(what, ratio, "x", part, at_least=False)
            against = f"<= {part:g} of {peer.engine} at {cap_mib}"
            words.append(f"{ratio:.2f} {against}: {word(ratio <= part)}")
        return "; ".join(words)

    def write(self):
        quick = "-quick" if self.bench.quick else ""
        folder = self.bench.root / "bench" / "results"
        folder.mkdir(exist_ok=True)
        path = folder / f"{datetime.date.today()}-{self.name}{quick}"
        facts = "\n".join(f"- {name}: {shown(value)}" for name, value in self.machine.items())
        body = "\n".join(self.parts)
        path.with_suffix(".md").write_text(f"# {self.name}\n\n{facts}\n{body}\n")
        kept = {**self.machine, "lines": self.lines}
        path.with_suffix(".json").write_text(json.dumps(kept, indent=1) + "\n")
        self.bench.say(f"        written to {path.relative_to(self.bench.root)}.md and .json")


def fastest(lines, whom, cap_mib):
    """The fastest right peer at a cap, or the one that is named; None where there is none."""
    peers = [line for line in lines if line.engine != "plimsoll" and line.good]
    peers = [line for line in peers if line.cap_mib == cap_mib]
    if whom != tasks.FASTEST:
        peers = [line for line in peers if line.engine == whom]
    return min(peers, key=lambda line: line.seconds, default=None)


def quotient(line, peer):
    return round(line.seconds / peer.seconds, 3) if peer and line.good else None


def over(line):
    return "over its cap" if line.peak_mib > line.cap_mib else ""


def row(line, ratio, verdict):
    cells = [
        line.engine,
        line.cap_mib,
        f"{line.seconds:.2f}",
        f"{line.cpu_seconds:.2f}",
        f"{line.peak_mib:.0f}",
        f"{line.written_bytes / 1e6:.0f}",
        "" if ratio is None else f"{ratio:.2f}",
        line.state,
        verdict,
    ]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def word(holds):
    return "pass" if holds else "MISS"


def shown(value):
    if isinstance(value, dict):
        return ", ".join(f"{name} {found}" for name, found in sorted(value.items()))
    return value


def version(binary):
    try:
        done = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10)
        return done.stdout.strip() or "unknown"
    except (OSError, subprocess.SubprocessError):
        return "unknown"
