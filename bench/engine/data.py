"""The tables, made once and kept in the work folder under a name that says what they are.

Promises: a table is complete or absent; room is looked at before anything is written.
Never: a full disk: what a run needs at most is known from the bytes of its input.
"""

import json
import os
import shutil

SEED = 20261121
# What a row takes at most, in bytes: the sales table is the widest.
ROW_BYTES_MAX = 90
# Input, output, and what a sort spills: once by us, up to twice by a peer.
ROOM_TIMES = 4
ROOM_SPARE_BYTES = 1 << 30
SHAPES = {
    "sorted": "sort-number",
    "reverse": "sort-number",
    "equal": "sort-number",
    "organ": "sort-number",
    "text8": "sort-text",
}


def room(bench, bytes_needed, what):
    free = shutil.disk_usage(bench.work).free
    if free < bytes_needed + ROOM_SPARE_BYTES:
        raise RuntimeError(
            f"{what} needs {bytes_needed >> 20} MiB and 1024 MiB to spare in {bench.work}, "
            f"{free >> 20} MiB are free; give another folder with --work"
        )


def table(bench, peers, kind, rows):
    """The path of a table, made when it is missing."""
    path = bench.work / f"{kind}-{rows}-{SEED}.csv"
    if not path.exists():
        room(bench, rows * ROW_BYTES_MAX * ROOM_TIMES, f"{kind} of {rows:,} rows")
        part = path.with_suffix(".part")
        peers.script("gen.py", kind, rows, SEED, part)
        part.rename(path)
    return path


def pair(bench, peers, rows):
    """The sales table and the small one that joins to a tenth of its rows."""
    return table(bench, peers, "sales", rows), table(bench, peers, "right", rows // 10)


def warm(path):
    """Reads the file once, so that nobody pays for the disk of another."""
    with open(path, "rb", buffering=0) as file:
        buffer = bytearray(1 << 20)
        while file.readinto(buffer):
            pass


def checked(bench, peers):
    """The digest must find what it is there to find: an order, a cent, a lost and a doubled row."""
    rows = [["note", "n", "revenue"], ["a", 1, "1.10"], ["", 2, 2.5], ["é, b", 3, 3]]
    told = {
        "same": rows,
        "other order": [rows[0], rows[3], rows[1], rows[2]],
        "numbers in another form": [rows[0], ["a", 1, "1.1"], ["", 2, "2.50"], rows[3]],
        "a cent": [rows[0], ["a", 1, "1.11"], *rows[2:]],
        "lost": rows[:3],
        "doubled": [*rows, rows[1]],
        "moved text": [rows[0], ["a,", 1, "1.10"], rows[2], ["é b", 3, 3]],
    }
    found = digests_of(bench, peers, "group-many", told)
    equal = {name for name, digest in found.items() if digest == found["same"]}
    if equal != {"same", "other order", "numbers in another form"}:
        raise RuntimeError(f"the digest of sets is blind: {sorted(equal)} are one to it")
    keyed = [["id", "key", "note"], [1, 7, "x"], [2, 7, "yz"], [3, 7, ""]]
    told = {"same": keyed, "order": [keyed[0], keyed[2], keyed[1], keyed[3]]}
    told["text"] = [keyed[0], [1, 7, "xy"], [2, 7, "z"], keyed[3]]
    found = digests_of(bench, peers, "sort-number", told)
    if len(set(found.values())) != len(told):
        raise RuntimeError("the digest of an order is blind")


def digests_of(bench, peers, task, tables):
    folder, files = bench.fresh("digest-check"), []
    for at, rows in enumerate(tables.values()):
        files.append(folder / f"{at}.csv")
        lines = (",".join(f'"{v}"' if isinstance(v, str) else str(v) for v in r) for r in rows)
        files[-1].write_text("\n".join(lines) + "\n")
    found = peers.digests(task, *files)
    shutil.rmtree(folder)
    return {name: json.dumps(digest) for name, digest in zip(tables, found)}


def load():
    """The load of the machine over the last minute; a result without it says too little."""
    return round(os.getloadavg()[0], 2)
