"""Imports at 64M, against the sqlite3 shell's .import into the same schema with all indexes."""

import gzip
import pathlib
import shutil
import statistics
import subprocess

FIGURES = {
    "lines": ("SELECT count(*) FROM order_items", "541909"),
    "invoices": ("SELECT count(*) FROM orders", "25900"),
    "stock codes": ("SELECT count(*) FROM products", "4070"),
    "customers": ("SELECT count(*) FROM customers", "4372"),
    "revenue in 1/10000": ("SELECT sum(line_amount) FROM order_items", "97477479340"),
}
STAGING = """
CREATE TABLE raw (invoice_no, stock_code, description, quantity, invoice_date, unit_price,
                  customer_id, country);
.import --csv --skip 1 '{file}' raw
CREATE TABLE staging_online_retail (line INTEGER PRIMARY KEY, invoice_no TEXT, stock_code TEXT,
    description TEXT, quantity INTEGER, invoice_date INTEGER, unit_price INTEGER,
    customer_id TEXT, country TEXT);
INSERT INTO staging_online_retail
SELECT rowid, invoice_no, stock_code, nullif(description, ''), CAST(quantity AS INTEGER),
       unixepoch(invoice_date) * 1000000, CAST(round(unit_price * 10000) AS INTEGER),
       nullif(customer_id, ''), country FROM raw ORDER BY rowid;
DROP TABLE raw;
"""


def shell(path, script):
    """Runs a script in the sqlite3 shell as one measured command."""
    file = path.with_suffix(".script")
    file.write_text(f".bail on\n{script}\n")
    return ["sqlite3", str(path), f".read '{file}'"]


def online_retail(bench):
    packed = bench.shared / "data" / "online-retail.csv.gz"
    if not packed.exists():
        bench.say(f"        SKIPPED: {packed} is missing")
        return
    plain = bench.work / "online-retail.csv"
    with gzip.open(packed) as source, open(plain, "wb") as out:
        shutil.copyfileobj(source, out)
    pack = bench.root / "packs" / "shop" / "sqlite"
    schema = "".join((pack / f"{name}.sql").read_text() for name in ("0001-schema", "0002-search"))
    steps = sorted((pack / "recipes" / "online-retail").glob("*.sql"))
    parameters = ".parameter set :after 0\n.parameter set :upto 1000000000\n"
    tail = "".join(f"{step.read_text().rstrip().rstrip(';')};\n" for step in steps)
    tail += "DROP TABLE staging_online_retail;"
    ours, peer, peaks = [], [], []
    for _ in range(bench.size(3, 1)):
        data = bench.fresh("import-retail")
        command = [bench.binary, "import", "online-retail", plain, "--data", data]
        seconds, peak = bench.timed(*command, "--memory", "64M")
        ours.append(seconds)
        peaks.append(peak)
        rival = bench.fresh("import-retail-sqlite3") / "shop.db"
        script = f"{schema}\n{STAGING.format(file=plain)}{parameters}{tail}"
        peer.append(bench.timed(*shell(rival, script))[0])
    database = bench.database(data)
    for name, (query, expected) in FIGURES.items():
        got = bench.sql(database, query).strip()
        holds = f"{name}: {got}, the sqlite3 shell {bench.sql(rival, query).strip()}"
        bench.judge(holds, float(got == expected), "exact", 1)
    bench.line("online retail: plimsoll", statistics.median(ours), "s")
    bench.line("online retail: sqlite3, .import and the same steps", statistics.median(peer), "s")
    faster = statistics.median(peer), statistics.median(ours)
    bench.ratio("online retail: speed against sqlite3", *faster, 1)
    bench.judge("online retail: peak memory", max(peaks) / 2**20, "MiB", 64, at_least=False)


def products(bench):
    rows = bench.size(1_000_000, 20_000)
    source = bench.database(bench.data(rows, bench.size(500_000, 5_000)))
    ours_file, peer_file = bench.work / "products.csv", bench.work / "products-as-stored.csv"
    written = "sku, name, category, price / 10000.0 AS price, stock"
    for file, columns, header in [(ours_file, written, ["-header"]), (peer_file, "*", [])]:
        query = f"SELECT {columns} FROM products ORDER BY id"
        with open(file, "wb") as out:
            command = ["sqlite3", "-readonly", "-csv", *header, str(source), query]
            subprocess.run(command, check=True, stdout=out)
    schema = bench.sql(source, ".schema products").split("CREATE TRIGGER")[0]
    tables, indexes = [], []
    for statement in schema.strip().split(";\n"):
        (indexes if "INDEX" in statement.split("(")[0] else tables).append(statement.rstrip(";"))
    # The index of words, its triggers, and the filling of it with what is there.
    search = (bench.root / "packs" / "shop" / "sqlite" / "0002-search.sql").read_text()
    load = f".import --csv '{peer_file}' products\n"
    scripts = {
        "indexes first": "".join(f"{s};\n" for s in tables + indexes) + search + load,
        "indexes last": ";\n".join(tables)
        + f";\n{load}"
        + "".join(f"{s};\n" for s in indexes)
        + search,
    }
    ours, peaks, peer = [], [], {name: [] for name in scripts}
    for _ in range(bench.size(3, 1)):
        data = bench.fresh("import-products")
        command = [bench.binary, "import", "products", ours_file, "--data", data]
        seconds, peak = bench.timed(*command, "--memory", "64M")
        ours.append(seconds)
        peaks.append(peak)
        for name, script in scripts.items():
            rival: pathlib.Path = bench.fresh("import-products-sqlite3") / "shop.db"
            peer[name].append(bench.timed(*shell(rival, script))[0])
    got = bench.sql(bench.database(data), "SELECT count(*) FROM products").strip()
    bench.judge(f"products: {got} rows of {rows}", float(got == str(rows)), "exact", 1)
    bench.line("products: plimsoll", statistics.median(ours), "s")
    for name, seconds in peer.items():
        bench.line(f"products: sqlite3 .import, {name}", statistics.median(seconds), "s")
    best = min(statistics.median(seconds) for seconds in peer.values())
    bench.ratio("products: speed against the faster one", best, statistics.median(ours), 1)
    bench.judge("products: peak memory", max(peaks) / 2**20, "MiB", 64, at_least=False)


def run(bench):
    online_retail(bench)
    products(bench)
