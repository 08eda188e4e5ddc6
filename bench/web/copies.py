"""A larger workspace to serve without a larger run: each customer of the published run several times, under ids of their own.

A card reads its own rows wherever they lie, and a count all of them, so the size of the file is what is measured.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb

from kequn.snapshot.cards import build_cards, is_card
from kequn.snapshot.serving import LAYOUT

FILE = "serving.duckdb"


def copied(folder: Path, copies: int) -> Path:
    """A workspace beside `folder` whose published run serves `copies` (at most 10) times as many customers."""
    target = folder.with_name(f"{folder.name}-{copies}-times")
    if (target / "done").exists():
        return target
    shutil.rmtree(target, ignore_errors=True)
    run = (folder / "snapshots/CURRENT").read_text(encoding="utf-8").strip()
    place = target / "snapshots" / run
    place.mkdir(parents=True)
    for name in ("kequn.yaml", "sources.yaml", "snapshots/CURRENT"):
        shutil.copy(folder / name, target / name)
    for part in (folder / "snapshots" / run).iterdir():
        if part.name != FILE and not is_card(part.name):
            (place / part.name).symlink_to(part.resolve())
    _multiply(folder / "snapshots" / run / FILE, place / FILE, copies)
    build_cards(place / FILE, place)
    (target / "done").touch()
    return target


def ids(customers: int, copies: int, step: int, count: int) -> list[str]:
    """Ids of customers that lie far apart in the file."""
    return [
        f"C{number % copies if copies > 1 else ''}{number * step % customers:07d}" for number in range(count)
    ]


def _multiply(source: Path, target: Path, copies: int) -> None:
    """Copy after copy, so that rows stay in the order of the ids; tables that name no customer are copied once."""
    con = duckdb.connect()
    con.execute("SET memory_limit = '2GB'")
    con.execute(f"ATTACH '{source}' AS old (READ_ONLY)")
    con.execute(f"ATTACH '{target}' AS new ({LAYOUT})")
    tables = con.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'old'").fetchall()
    for (table,) in tables:
        columns = {row[0] for row in con.execute(f"DESCRIBE old.{table}").fetchall()}
        con.execute(f"CREATE TABLE new.{table} AS SELECT * FROM old.{table} LIMIT 0")
        for number in range(copies if "customer_id" in columns else 1):
            other = f" REPLACE ('C' || {number} || substr(customer_id, 2) AS customer_id)"
            shown = other if "customer_id" in columns else ""
            con.execute(f"INSERT INTO new.{table} SELECT *{shown} FROM old.{table}")
    con.execute("USE new")
    views = "SELECT sql FROM duckdb_views() WHERE database_name = 'old' AND NOT internal"
    for (view,) in con.execute(views).fetchall():
        con.execute(view)
    con.close()


__all__ = ["copied", "ids"]
