"""Figures about the facts of the last check or run: counts by table and how full each column is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings

from kequn.data.standard import SHAPES, TABLES
from kequn.i18n import title

Row = dict[str, Any]


def table_title(name: str, lang: str) -> str:
    """The words for a canonical table."""
    known = TABLES.get(name) or SHAPES.get(name)
    return title(dict(known.title), lang) if known else name


def column_title(table: str, column: str, lang: str) -> str:
    """The words for a column; its name when the standard doesn't know it."""
    owner = TABLES.get(table) or SHAPES.get(table)
    known = owner.columns.get(column) if owner else None
    return title(dict(known.title), lang) if known else column


def facts_folders() -> dict[str, Path]:
    """The newest folder of each canonical table in `facts/`."""
    found: dict[str, tuple[float, Path]] = {}
    for meta in (settings.WORKSPACE / "facts").glob("*/meta.json"):
        try:
            name = json.loads(meta.read_text(encoding="utf-8"))["table"]
            age = meta.stat().st_mtime
        except (OSError, ValueError, KeyError):
            continue
        if name not in found or age > found[name][0]:
            found[name] = (age, meta.parent)
    return {name: folder for name, (_, folder) in found.items()}


def completeness(folder: Path) -> Iterator[tuple[str, int, int]]:
    """(column, filled, rows) of a table, from the statistics that its Parquet files carry: nothing is scanned."""
    import pyarrow.parquet as pq

    empty: dict[str, int] = {}
    rows = 0
    for file in sorted(folder.glob("*.parquet")):
        meta = pq.read_metadata(file)
        rows += meta.num_rows
        for group in range(meta.num_row_groups):
            for place in range(meta.num_columns):
                column = meta.row_group(group).column(place)
                stats = column.statistics
                known = stats is not None and stats.has_null_count
                empty[column.path_in_schema] = empty.get(column.path_in_schema, 0) + (
                    stats.null_count if known else 0
                )
    for name, missing in empty.items():
        yield name, rows - missing, rows


def filled_columns(lang: str) -> list[Row]:
    """Per table its columns with the share that is filled, the emptiest first; tables in the order of the standard."""
    folders = facts_folders()
    found = []
    for name in TABLES:
        if name not in folders:
            continue
        columns = [
            {
                "name": column,
                "title": column_title(name, column, lang),
                "share": filled / rows if rows else None,
            }
            for column, filled, rows in completeness(folders[name])
        ]
        columns.sort(key=lambda column: (column["share"] is None, column["share"] or 0, column["name"]))
        rows = max((rows for _, _, rows in completeness(folders[name])), default=0)
        found.append({"name": name, "title": table_title(name, lang), "rows": rows, "columns": columns})
    return found
