"""The tasks: what is asked, in the words of Plimsoll, of SQL and of GNU sort, and the targets.

    task ── columns (kind of digest) ── SQL (t: the table, r: the small one) ── Plimsoll's arguments

Promises: every engine is asked for the same answer, and this is the only place that says how.
Never: an import of the harness: peer.py reads this file inside the peers' environment.
"""

ROWS_TOP = 100
SALES = {
    "id": "int",
    "ts": "time",
    "store": "int",
    "product": "text",
    "qty": "int",
    "price": "cents",
    "note": "text",
}
KEYED = {"id": "int", "key": "int", "note": "text"}
JOINED = {"region": "text", "weight": "cents", "label": "text"}

# ordered: the digest depends on the order of the rows. number: the output is one number.
TASKS = {
    "sort": ("ordered", SALES),
    "group": ("set", {"product": "text", "n": "int", "revenue": "cents", "last": "time"}),
    "group-many": ("set", {"note": "text", "n": "int", "revenue": "cents"}),
    "distinct": ("number", {}),
    "topk": ("ordered", SALES),
    "join": ("set", {**SALES, **JOINED}),
    "sort-number": ("ordered", KEYED),
    "sort-text": ("ordered", {**KEYED, "key": "text"}),
}
SQL = {
    "sort": "SELECT * FROM t ORDER BY price DESC, id",
    "group": "SELECT product, count(*) AS n, sum(qty * price) AS revenue, max(ts) AS last "
    "FROM t GROUP BY product",
    "group-many": "SELECT note, count(*) AS n, sum(qty * price) AS revenue FROM t GROUP BY note",
    "distinct": "SELECT count(DISTINCT note) AS n FROM t",
    "topk": f"SELECT * FROM t ORDER BY price DESC, id LIMIT {ROWS_TOP}",
    "join": "SELECT t.*, r.region, r.weight, r.label FROM t JOIN r ON t.id = r.id",
    "sort-number": "SELECT * FROM t ORDER BY key, id",
    "sort-text": "SELECT * FROM t ORDER BY key, id",
}
# The same question, put as the peer answers it best. DataFusion reads the quoted empty text as
# NULL, which count(DISTINCT) leaves out, and builds its hash table from the left side of a join;
# ClickHouse spills a GROUP BY, but no uniqExact.
SQL_OWN = {
    "datafusion": {
        "distinct": "SELECT count(DISTINCT note) + max(CASE WHEN note IS NULL THEN 1 ELSE 0 END) "
        "AS n FROM t",
        "join": "SELECT t.*, r.region, r.weight, r.label FROM r JOIN t ON t.id = r.id",
    },
    "chdb": {"distinct": "SELECT count() AS n FROM (SELECT note FROM t GROUP BY note)"},
}
GNU_KEYS = {
    "sort": ["-k6,6nr", "-k1,1n"],
    "sort-number": ["-k2,2n", "-k1,1n"],
    "sort-text": ["-k2,2", "-k1,1n"],
}
PEERS = ["duckdb", "datafusion", "polars", "chdb", "gnusort"]

# task: (plimsoll's budget in MiB, [(wall at most this part of .., .. of whom, at which cap)]).
# A peer's wall is the bound's measure: 0.6 means that Plimsoll takes at most 0.6 of its seconds.
FASTEST = "fastest"
TARGETS = {
    "sort": (64, [(0.6, FASTEST, 512), (0.5, FASTEST, 256)]),
    "group": (64, [(0.8, FASTEST, 512)]),
    "group-many": (64, [(0.7, FASTEST, 512)]),
    "distinct": (64, [(0.8, FASTEST, 512)]),
    "topk": (64, [(0.8, FASTEST, 512)]),
    "join": (64, [(1.0, "duckdb", 512)]),
    "sort-number": (64, []),
    "sort-text": (64, []),
}


def plimsoll(binary, task, source, right, out, memory, threads=2, spill=None):
    """The command line of one task; `distinct` prints its answer, the others write `out`."""
    by = {"sort": "price:desc,id", "topk": "price:desc,id"}.get(task, "key,id")
    revenue = "count(*) as n, sum(qty*price) as revenue"
    last = "max(ts) as last"
    file = ["-o", out]
    command = {
        "sort": ["sort", source, *file, "--by", by],
        "sort-number": ["sort", source, *file, "--by", by],
        "sort-text": ["sort", source, *file, "--by", by],
        "topk": ["top", ROWS_TOP, source, *file, "--by", by],
        "group": ["group", source, *file, "--key", "product", "--agg", f"{revenue}, {last}"],
        "group-many": ["group", source, *file, "--key", "note", "--agg", revenue],
        "distinct": ["distinct", source, "--columns", "note", "--count"],
        "join": ["join", source, right, *file, "--on", "id=id"],
    }[task]
    command += ["--memory", memory, "--threads", threads, "--json"]
    command += ["--spill-dir", spill] if spill else []
    return [str(part) for part in [binary, *command]]


def gnu_sort(task, source, out, cap_mib, threads, spill):
    """The header by the shell, the rest by sort; 16 MiB of the cap are left to the process."""
    keys = " ".join(GNU_KEYS[task])
    # One open file, read by both: sort begins where the shell's `read` ended.
    script = (
        'exec < "$1"; IFS= read -r header; printf "%s\\n" "$header" > "$2"; '
        f"exec env LC_ALL=C sort -t, {keys} -S {cap_mib - 16}M --parallel={threads} "
        '-T "$3" >> "$2"'
    )
    return ["sh", "-c", script, "sh", str(source), str(out), str(spill)]
