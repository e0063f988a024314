"""The peers: the sqlite3 shell, FastAPI, wrk.

Promises: a peer that is missing is said and its ratio left out, never guessed.
Never: a peer's figure from another run.
"""

import os
import pathlib
import re
import subprocess

from measure.process import Server

PACKAGES = ["fastapi", "uvicorn[standard]", "sqlalchemy", "orjson"]
# Money is an integer of 1/10000 and a time one of microseconds: the same text as the engine's.
MONEY = (
    "printf('%s%d', iif({0} < 0, '-', ''), abs({0}) / 10000) || iif({0} % 10000, "
    "rtrim(printf('.%04d', abs({0}) % 10000), '0'), '')"
)
TIME = (
    "strftime('%Y-%m-%dT%H:%M:%S', {0} / 1000000, 'unixepoch') || iif({0} % 1000000, "
    "rtrim(printf('.%06d', {0} % 1000000), '0'), '') || 'Z'"
)
COLUMNS = ["id", "sku", "name", "category", "price", "stock", "created_at", "updated_at", "version"]


def columns(raw, quoted):
    """(name, expression) of each column, as stored or as the engine writes it."""
    for name in COLUMNS:
        expression = name
        if not raw and name == "price":
            expression = f"json({MONEY.format(name)})" if quoted else MONEY.format(name)
        elif not raw and name.endswith("_at"):
            expression = TIME.format(name)
        yield name, expression


def ndjson_sql(raw=False):
    parts = ", ".join(f"'{name}', {expression}" for name, expression in columns(raw, True))
    return f"SELECT json_object({parts}) FROM products ORDER BY id"


def csv_sql(raw=False):
    parts = ", ".join(f"{expression} AS {name}" for name, expression in columns(raw, False))
    return f"SELECT {parts} FROM products ORDER BY id"


def python_of_peers(bench):
    """The interpreter of the peers' virtual environment, made when it is missing; or None."""
    venv = pathlib.Path(os.environ.get("PEERS_VENV", bench.work / "peers-venv"))
    python = venv / "bin" / "python"
    probe = [str(python), "-c", "import fastapi, uvicorn, sqlalchemy, orjson"]
    try:
        if not python.exists():
            subprocess.run(["python3", "-m", "venv", str(venv)], check=True, timeout=120)
        if subprocess.run(probe, capture_output=True).returncode != 0:
            install = [str(python), "-m", "pip", "install", "-q", *PACKAGES]
            subprocess.run(install, check=True, timeout=600)
        subprocess.run(probe, check=True, capture_output=True)
        return str(python)
    except (subprocess.SubprocessError, OSError) as error:
        bench.say(f"        FastAPI is missing and cannot be installed: {error}")
        return None


def fastapi(bench, source, core):
    """The FastAPI application on the same rows; None where it cannot run."""
    python = python_of_peers(bench)
    application = bench.shared / "bench" / "fastapi_app.py"
    if python is None or not application.exists():
        bench.say(f"        no FastAPI peer: {application} exists: {application.exists()}")
        return None
    shop = bench.work / "fastapi-shop.db"
    shop.unlink(missing_ok=True)
    script = f"""
        ATTACH '{source}' AS ours;
        CREATE TABLE products (id INTEGER PRIMARY KEY, sku, name, category, price_cents, stock,
                               updated_at);
        INSERT INTO products SELECT id, sku, name, category, price / 100, stock, updated_at
        FROM ours.products ORDER BY id;"""
    subprocess.run(["sqlite3", str(shop), script], check=True)
    command = [python, "-m", "uvicorn", "fastapi_app:app", "--app-dir", str(application.parent)]
    command += ["--port", "{port}", "--log-level", "warning"]
    environment = {"SHOP_DB": str(shop), "PYTHONDONTWRITEBYTECODE": "1"}
    return Server(command, "/products?limit=1", bench.log("fastapi"), core, environment)


def wrk(address, path, core, connections, seconds):
    """(requests per second, p99 in ms) of a closed loop on one core."""
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s"]
    command += ["--latency", f"http://{address}{path}"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate = float(re.search(r"Requests/sec:\s*([\d.]+)", text)[1])
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
    if "Non-2xx" in text:
        raise RuntimeError(f"wrk saw errors: {text}")
    return rate, float(value) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]
