"""Members of a segment or audience as a file: CSV and Excel without live formulas, Parquet with types."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kequn.data.standard import TABLES
from kequn.i18n import say, title
from kequn.reading.members import members_query, parse_target
from kequn.reading.rows import has_table
from kequn.snapshot.contacts import COLUMNS

if TYPE_CHECKING:
    import duckdb

BATCH = 10_000
MEMBERSHIP = ("audience", "scheme", "segment", "sub_segment", "since")


def export_members(
    con: duckdb.DuckDBPyConnection,
    target: str,
    file: Path,
    manifest: Mapping[str, Any],
    lang: str,
    *,
    leave_out: Collection[str] = (),
    contact: bool = False,
    seen: Callable[[int], None] | None = None,
) -> int:
    """Write the members with their profile to `file` (`.csv`, `.xlsx` or `.parquet`); returns the rows.

    Columns in `leave_out` are not written; `contact` adds name, phone and e-mail where the run knows them; `seen(rows)` is
    called after every batch. Headings are titles in `lang` (Parquet keeps the names). Raises SnapshotError for an unknown target, ConfigError for
    another ending, DataError for more rows than Excel holds.
    """
    from kequn.act.export import write_rows

    sql, values = members_query(parse_target(con, target), contact_columns(con) if contact else ())
    cursor = con.execute(sql, values)
    names = [item[0] for item in cursor.description]
    shown = [name for name in names if not name.startswith(("_t_", "seg_")) and name not in leave_out]
    return write_rows(file, _dicts(cursor, names, seen), headings(shown, manifest, lang))


def contact_columns(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Which of name, phone and e-mail the run knows."""
    if not has_table(con, "contact"):
        return []
    there = {item[0] for item in con.execute("SELECT * FROM contact LIMIT 0").description}
    return [name for name in COLUMNS if name in there]


def headings(names: list[str], manifest: Mapping[str, Any], lang: str) -> dict[str, str]:
    """Column name to heading; a title that two columns share is followed by the name."""
    titles = {
        item["name"]: title(item["title"], lang) or item["name"] for item in manifest.get("columns", [])
    }
    known = TABLES["customers"].columns
    titles |= {name: title(dict(known[name].title), lang) for name in COLUMNS}
    titles |= {name: say(f"summary.{name}", lang) for name in MEMBERSHIP if name != "sub_segment"}
    titles["sub_segment"] = say("summary.sub_segment", lang)
    wanted = {name: titles.get(name, name) for name in names}
    twice = {text for text in wanted.values() if list(wanted.values()).count(text) > 1}
    return {name: f"{text} ({name})" if text in twice else text for name, text in wanted.items()}


def _dicts(
    cursor: duckdb.DuckDBPyConnection, names: list[str], seen: Callable[[int], None] | None = None
) -> Iterator[dict[str, Any]]:
    done = 0
    while batch := cursor.fetchmany(BATCH):
        done += len(batch)
        if seen is not None:
            seen(done)
        for row in batch:
            yield dict(zip(names, row, strict=True))


__all__ = ["export_members", "headings"]
