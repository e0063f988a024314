"""Deterministic tables, written by DuckDB: gen.py KIND ROWS SEED OUT.csv

    sales      id,ts,store,product,qty,price,note: 84 B a row, skewed keys, quoted text, UTF-8
    right      id,region,weight,label: ROWS distinct ids, one in each ten of `sales`' ids
    sorted  reverse  equal  organ  text8      id,key,note: the shapes that a sort may stumble over

Promises: the same KIND, ROWS and SEED give the same bytes, also on another machine.
Never: more memory than DuckDB's own default; rows are streamed to the file.
"""

import sys

SALES = """SELECT i AS id,
  strftime(TIMESTAMP '2023-01-01' + INTERVAL (hash(i, {seed}) % 63072000) SECOND,
           '%Y-%m-%d %H:%M:%S') AS ts,
  (sqrt((hash(i, {seed} + 1) % 100000000)))::INT AS store,
  'P' || lpad(((hash(i, {seed} + 2) % 1000) * (hash(i, {seed} + 3) % 1000))::VARCHAR, 7, '0')
    AS product,
  1 + (hash(i, {seed} + 4) % 40) AS qty,
  round((hash(i, {seed} + 5) % 1000000) / 100.0, 2) AS price,
  CASE hash(i, {seed} + 6) % 50 WHEN 0 THEN 'said "hi", left' WHEN 1 THEN ''
    WHEN 2 THEN 'naïve café – über' ELSE md5((i + {seed})::VARCHAR) END AS note
  FROM range({rows}) t(i) ORDER BY hash(i, {seed} + 7)"""
RIGHT = """SELECT i * 10 + hash(i, {seed} + 8) % 10 AS id,
  'R' || (hash(i, {seed} + 9) % 50) AS region,
  round((hash(i, {seed} + 10) % 100000) / 100.0, 2) AS weight,
  left(md5((i + {seed} + 11)::VARCHAR), 16) AS label
  FROM range({rows}) t(i) ORDER BY hash(i, {seed} + 12)"""
KEYED = """SELECT i AS id, {key} AS key, md5((i + {seed})::VARCHAR) AS note
  FROM range({rows}) t(i) ORDER BY i"""
# Letters only: no text of the column may look like a number.
TEXT8 = "translate(left(md5(({seed} - i)::VARCHAR), 8), '0123456789', 'ghijklmnop')"
KEYS = {
    "sorted": "i",
    "reverse": "{rows} - i",
    "equal": "7",
    "organ": "least(i, {rows} - i)",
    "text8": TEXT8,
}


def query(kind, rows, seed):
    if kind in KEYS:
        return KEYED.format(key=KEYS[kind].format(rows=rows, seed=seed), rows=rows, seed=seed)
    return {"sales": SALES, "right": RIGHT}[kind].format(rows=rows, seed=seed)


def main():
    import duckdb

    kind, rows, seed, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    text = query(kind, rows, seed)
    duckdb.connect().sql(f"COPY ({text}) TO '{out}' (HEADER, DELIMITER ',')")


if __name__ == "__main__":
    main()
