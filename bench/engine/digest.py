"""Digests of an output: digest.py TASK FILE .. prints one line of JSON for each file.

    CSV ─> batches of 4 MiB ─> columns normalised ─┬─ ordered: one hash a column, over its values
                                                    ├─ set: a sum of the rows' hashes
                                                    └─ number: the last line of the file

Numbers are whole cents, times have a space between date and time, NULL is the empty text.

Promises: bounded memory, whatever the file; two orders of a set have the same digest.
Never: a digest of a file that lacks a column or holds a value of the wrong kind.
"""

import hashlib
import json
import pathlib
import sys

import numpy
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tasks import TASKS

BATCH_BYTES = 4 << 20
TEXT_BYTES_MAX = 1 << 16
KINDS = {"int": pa.int64(), "cents": pa.float64(), "time": pa.string(), "text": pa.string()}
WEIGHTS = numpy.random.default_rng(20261121).integers(1, 1 << 63, TEXT_BYTES_MAX, numpy.uint64) | 1


def batches(file, columns):
    # Without the set of names, a column that two tables share would stop the reader.
    reading = pa.csv.ReadOptions(block_size=BATCH_BYTES)
    kinds = {name: KINDS[kind] for name, kind in columns.items()}
    convert = pa.csv.ConvertOptions(
        column_types=kinds, include_columns=list(columns), strings_can_be_null=False
    )
    for batch in pa.csv.open_csv(file, reading, convert_options=convert):
        yield [normal(batch.column(at), kind) for at, kind in enumerate(columns.values())]


def normal(values, kind):
    """Numbers as integers (NULL is refused), texts as an array of text without NULL."""
    if kind in ("int", "cents"):
        if values.null_count:
            raise ValueError("a number is missing")
        numbers = values.to_numpy()
        return numpy.rint(numbers * 100).astype(numpy.int64) if kind == "cents" else numbers
    if kind == "time":
        return pc.replace_substring(pc.utf8_slice_codeunits(values, 0, 19), "T", " ")
    return values


def text_parts(values):
    """(offsets from 0, bytes) of an array of text."""
    offsets = numpy.frombuffer(values.buffers()[1], numpy.int32)
    offsets = offsets[values.offset : values.offset + len(values) + 1].astype(numpy.int64)
    data = values.buffers()[2]
    held = numpy.frombuffer(data, numpy.uint8) if data else numpy.zeros(0, numpy.uint8)
    return offsets - offsets[0], held[offsets[0] : offsets[-1]]


def ordered(file, columns):
    rows, hashes = 0, [(hashlib.blake2b(), hashlib.blake2b()) for _ in columns]
    for batch in batches(file, columns):
        rows += len(batch[0])
        for values, (of_lengths, of_bytes) in zip(batch, hashes):
            if isinstance(values, numpy.ndarray):
                of_bytes.update(values.tobytes())
            else:
                offsets, data = text_parts(values)
                of_lengths.update(numpy.diff(offsets).tobytes())
                of_bytes.update(data.tobytes())
    every = "".join(part.hexdigest() for pair in hashes for part in pair)
    return rows, hashlib.blake2b(every.encode()).hexdigest()[:32]


def mixed(values):
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014)."""
    values = (values ^ (values >> 30)) * numpy.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> 27)) * numpy.uint64(0x94D049BB133111EB)
    return values ^ (values >> 31)


def column_hash(values):
    if isinstance(values, numpy.ndarray):
        return values.astype(numpy.uint64)
    offsets, data = text_parts(values)
    lengths = numpy.diff(offsets)
    if len(lengths) and lengths.max() >= TEXT_BYTES_MAX:
        raise ValueError("a text is too long")
    places = numpy.arange(len(data)) - numpy.repeat(offsets[:-1], lengths)
    sums = numpy.zeros(len(data) + 1, numpy.uint64)
    numpy.cumsum((data.astype(numpy.uint64) + 1) * WEIGHTS[places], out=sums[1:])
    return sums[offsets[1:]] - sums[offsets[:-1]] + lengths.astype(numpy.uint64)


def as_set(file, columns):
    rows, low, high = 0, 0, 0
    for batch in batches(file, columns):
        rows += len(batch[0])
        row = numpy.zeros(len(batch[0]), numpy.uint64)
        for values in batch:
            row = mixed(row * numpy.uint64(0x9E3779B97F4A7C15) + mixed(column_hash(values)))
        low += int(row.sum(dtype=numpy.uint64))
        high += int(mixed(row + numpy.uint64(1)).sum(dtype=numpy.uint64))
    return rows, f"{low % 2**64:016x}{high % 2**64:016x}"


def digest(task, path):
    how, columns = TASKS[task]
    file = pathlib.Path(path)
    if file.is_dir():
        raise ValueError("a folder of files, not one file")
    if how == "number":
        value = int(file.read_text().split()[-1].strip('"'))
        return {"rows": value, "digest": str(value)}
    rows, text = (ordered if how == "ordered" else as_set)(path, columns)
    return {"rows": rows, "digest": text}


def main():
    for path in sys.argv[2:]:
        try:
            print(json.dumps(digest(sys.argv[1], path)), flush=True)
        except (ValueError, OSError, IndexError, KeyError, pa.ArrowException) as error:
            print(json.dumps({"error": f"{type(error).__name__}: {error}"[:300]}), flush=True)


if __name__ == "__main__":
    main()
