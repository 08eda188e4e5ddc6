"""Rows of a DuckDB connection as dicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb


def rows(
    con: duckdb.DuckDBPyConnection, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()
) -> list[dict[str, Any]]:
    """All rows of a query; values by place or by name."""
    cursor = con.execute(sql, dict(values) if isinstance(values, Mapping) else list(values))
    names = [item[0] for item in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def table_names(con: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The tables and views that the snapshot's connection shows."""
    found = con.execute(
        "SELECT table_name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal"
    ).fetchall()
    return frozenset(row[0] for row in found)


def has_table(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether the snapshot's connection shows a table or view called `name`."""
    return name in table_names(con)


__all__ = ["has_table", "rows", "table_names"]
