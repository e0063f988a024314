"""One peer, one task, one memory cap: peer.py ENGINE TASK IN RIGHT OUT CAP_MIB THREADS SPILL_DIR

Promises: the cap is given to the engine in the engine's own way, with its spill in SPILL_DIR.
Never: a cap where an engine has none: Polars takes what it wants, and the table says so.
"""

import os
import sys

from tasks import ROWS_TOP, SQL, SQL_OWN


def duckdb(task, source, right, out, cap_mib, threads, spill):
    import duckdb

    config = {"memory_limit": f"{cap_mib}MiB", "temp_directory": spill, "threads": threads}
    connection = duckdb.connect(config={**config, "preserve_insertion_order": "false"})
    # A quoted empty text is a text here, as it is for the other peers.
    for name, file in [("t", source), ("r", right)]:
        reading = f"read_csv('{file}', header = true, allow_quoted_nulls = false)"
        connection.sql(f"CREATE VIEW {name} AS SELECT * FROM {reading}")
    connection.sql(f"COPY ({SQL[task]}) TO '{out}' (HEADER)")


def datafusion(task, source, right, out, cap_mib, threads, spill):
    from datafusion import RuntimeEnvBuilder, SessionConfig, SessionContext

    runtime = RuntimeEnvBuilder().with_fair_spill_pool(cap_mib << 20).with_temp_file_path(spill)
    context = SessionContext(SessionConfig().with_target_partitions(threads), runtime)
    context.register_csv("t", source)
    context.register_csv("r", right)
    context.sql({**SQL, **SQL_OWN["datafusion"]}[task]).write_csv(out, with_header=True)


def polars(task, source, right, out, cap_mib, threads, spill):
    os.environ["POLARS_MAX_THREADS"], os.environ["POLARS_TEMP_DIR"] = str(threads), spill
    import polars as pl

    table = pl.scan_csv(source)
    revenue = (pl.col("qty") * pl.col("price")).sum().alias("revenue")
    sums = [pl.len().alias("n"), revenue]
    by_price = table.sort(["price", "id"], descending=[True, False])
    query = {
        "sort": lambda: by_price,
        "topk": lambda: by_price.head(ROWS_TOP),
        "group": lambda: table.group_by("product").agg(*sums, pl.col("ts").max().alias("last")),
        "group-many": lambda: table.group_by("note").agg(*sums),
        "distinct": lambda: table.select(pl.col("note").n_unique().alias("n")),
        "join": lambda: table.join(pl.scan_csv(right), on="id", how="inner"),
        "sort-number": lambda: table.sort(["key", "id"]),
        "sort-text": lambda: table.sort(["key", "id"]),
    }[task]()
    query.sink_csv(out)


def chdb(task, source, right, out, cap_mib, threads, spill):
    from chdb import session

    settings = {
        "max_threads": threads,
        "max_memory_usage": cap_mib << 20,
        # A quarter: parsing and merging take their part of the cap too.
        "max_bytes_before_external_sort": cap_mib << 18,
        "max_bytes_before_external_group_by": cap_mib << 18,
        "max_block_size": 16384,
        "join_algorithm": "'grace_hash,hash'",
    }
    if task.startswith("sort"):
        # Its sort reaches the disk under this cap only with small blocks from one parser.
        settings |= {
            "max_bytes_ratio_before_external_sort": 0,
            "min_external_sort_block_bytes": 0,
            "prefer_external_sort_block_bytes": 1 << 20,
            "input_format_parallel_parsing": 0,
            "output_format_parallel_formatting": 0,
            "max_block_size": 8192,
        }
    files = f"t AS (SELECT * FROM file('{source}', 'CSVWithNames'))"
    files += f", r AS (SELECT * FROM file('{right}', 'CSVWithNames'))"
    question = {**SQL, **SQL_OWN["chdb"]}[task]
    query = f"WITH {files} {question} INTO OUTFILE '{out}' TRUNCATE FORMAT CSVWithNames"
    query += " SETTINGS " + ", ".join(f"{name} = {value}" for name, value in settings.items())
    session.Session(os.path.join(spill, "chdb")).query(query)


def main():
    engine, task, source, right, out, cap_mib, threads, spill = sys.argv[1:]
    engines = {"duckdb": duckdb, "datafusion": datafusion, "polars": polars, "chdb": chdb}
    engines[engine](task, source, right, out, int(cap_mib), int(threads), spill)


if __name__ == "__main__":
    main()
