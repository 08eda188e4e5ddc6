"""Hand-written DuckDB SQL: what a careful analyst would run, with the same limits as Kequn's engine."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from bench.stages import Stages

HERE = Path(__file__).parent
MEMORY = "2GB"
SCAN = """SELECT SUM(STRLEN(order_id)), SUM(STRLEN(customer_id)), SUM(EPOCH(order_ts)), SUM(STRLEN(category)), SUM(amount)
FROM order_lines"""


def connect(data: Path, out: Path) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute(f"SET memory_limit = '{MEMORY}'")
    con.execute(f"SET temp_directory = '{out / 'spill'}'")
    con.execute("SET preserve_insertion_order = false")
    for name in ("order_lines", "customers"):
        con.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{data / 'flat' / name}/*.parquet')")
    return con


def write(con: duckdb.DuckDBPyConnection, sql: str, file: Path) -> None:
    con.execute(
        f"COPY ({sql}) TO '{file}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
    ).fetchall()


def sql(name: str) -> str:
    return (HERE / f"{name}.sql").read_text(encoding="utf-8")


def cut_points(con: duckdb.DuckDBPyConnection, source: str) -> dict[str, int]:
    """The 12 exact quintile cuts, of customers who bought."""
    columns = {"r": "recency_days", "f": "frequency", "m": "monetary"}
    asked = ", ".join(f"quantile_disc({column}, [0.2, 0.4, 0.6, 0.8])" for column in columns.values())
    row = con.execute(f"SELECT {asked} FROM {source} WHERE frequency > 0").fetchall()[0]
    return {
        f"{name}{place}": cut
        for name, cuts in zip(columns, row, strict=True)
        for place, cut in enumerate(cuts, 1)
    }


def scan(con: duckdb.DuckDBPyConnection, out: Path, stages: Stages) -> None:
    """Reading the columns used and next to nothing else (MIN and MAX would be answered by the footers alone)."""
    with stages.stage("scan"):
        con.execute(SCAN).fetchall()


def profile19(con: duckdb.DuckDBPyConnection, out: Path, stages: Stages) -> None:
    profile, scored = out / "profile19.parquet", out / "scored19.parquet"
    with stages.stage("profile"):
        write(con, sql("profile19"), profile)
    with stages.stage("scores"):
        source = f"read_parquet('{profile}')"
        write(con, sql("scores").format(source=source, **cut_points(con, source)), scored)


def rfm(con: duckdb.DuckDBPyConnection, out: Path, stages: Stages) -> None:
    with stages.stage("rfm"):
        con.execute(f"CREATE TEMP TABLE measured AS {sql('rfm')}").fetchall()
    with stages.stage("scores"):
        scored = sql("scores").format(source="measured", **cut_points(con, "measured"))
        write(con, sql("names").format(scored=scored), out / "rfm.parquet")


TASKS = {"scan": scan, "profile19": profile19, "rfm": rfm}

if __name__ == "__main__":
    task, data, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    stages = Stages()
    TASKS[task](connect(data, out), out, stages)
    stages.report()
