"""What was refused, from the newest facts: counts by reason, pages of rows, all of it as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from kequn.data.standard import TABLES
from kequn.web.accounts.masking import mask
from kequn.web.pages.quality.figures import facts_folders
from kequn.web.pages.sources.proposals import is_contact
from kequn.web.ui.spreadsheet import safe_cell

COLUMNS = ("table", "source", "file", "row", "column", "reason", "text", "scope")
BATCH = 5_000


def _scan(table: str, reason: str) -> tuple[str, list[Any]] | None:
    """FROM and WHERE of the refused rows with their values; None when nothing was refused."""
    files = [
        str(file)
        for name, folder in facts_folders().items()
        if not table or name == table
        for file in sorted((folder / "quarantine").glob("*.parquet"))
    ]
    if not files:
        return None
    where, values = ("WHERE reason = ?", [reason]) if reason else ("", [])
    return f"FROM read_parquet(?) {where}", [files, *values]


def _query(sql: str, values: list[Any]) -> Any:
    import duckdb

    con = duckdb.connect(config={"threads": 1, "memory_limit": "256MB"})
    return con.execute(sql, values)


def reasons(table: str) -> list[tuple[str, str, int]]:
    """(reason, column, rows) of a table (or all), most first."""
    found = _scan(table, "")
    if found is None:
        return []
    sql = f"SELECT reason, coalesce(\"column\", ''), count(*) {found[0]} GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 50"
    return [(str(r), str(c), int(n)) for r, c, n in _query(sql, found[1]).fetchall()]


def page(table: str, reason: str, number: int, size: int) -> tuple[list[dict[str, Any]], int]:
    """The rows of one page, and how many there are in all."""
    found = _scan(table, reason)
    if found is None:
        return [], 0
    total = int(_query(f"SELECT count(*) {found[0]}", found[1]).fetchone()[0])
    listed = ", ".join(f'"{name}"' for name in COLUMNS)
    sql = f'SELECT {listed} {found[0]} ORDER BY "table", source, file, "row", "column" LIMIT ? OFFSET ?'
    rows = _query(sql, [*found[1], size, size * (number - 1)]).fetchall()
    return [_masked(dict(zip(COLUMNS, row, strict=True))) for row in rows], total


def as_csv(table: str, reason: str) -> Iterator[bytes]:
    """All refused rows as CSV in UTF-8 with a byte order mark, without live formulas, a batch at a time."""
    yield b"\xef\xbb\xbf"
    yield _lines([COLUMNS])
    found = _scan(table, reason)
    if found is None:
        return
    listed = ", ".join(f'"{name}"' for name in COLUMNS)
    cursor = _query(f'SELECT {listed} {found[0]} ORDER BY "table", source, file, "row", "column"', found[1])
    while rows := cursor.fetchmany(BATCH):
        yield _lines([_masked(dict(zip(COLUMNS, row, strict=True))).values() for row in rows])


def _masked(row: dict[str, Any]) -> dict[str, Any]:
    """Contact data stay masked here too: they are told apart by file and row."""
    owner, name = TABLES.get(row["table"]), row["column"]
    known = owner.columns.get(name) if owner and name else None
    return {**row, "text": mask(name, row["text"])} if name and is_contact(known, name) else row


def _lines(rows: Any) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([[safe_cell("" if cell is None else cell) for cell in row] for row in rows])
    return out.getvalue().encode("utf-8", "replace")
