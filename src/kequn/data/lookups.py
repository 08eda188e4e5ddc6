"""What the cells of a source mean as a whole: normalised values of enumerations, and the order of day and month."""

from __future__ import annotations

from collections.abc import Sequence

from kequn.data.convert import as_text, identifier
from kequn.data.sources import Source
from kequn.data.stage import Notice, Room
from kequn.data.standard import Column, Table, fold


def look_up(
    room: Room,
    owner: Table,
    source: Source,
    columns: dict[str, Column],
    query: str,
    types: dict[str, str],
    notices: list[Notice],
    name: str,
) -> str:
    """Replace the cells of enumerations and of columns with a value mapping; each distinct spelling is looked at once."""
    for place, (column, declared) in enumerate(columns.items()):
        given = source.values.get(column, {})
        synonyms = declared.synonyms
        if not given and not synonyms:
            continue
        text = as_text(f'"r_{column}"', types[f"r_{column}"])
        found = room.con.execute(
            f"SELECT {text} AS raw, COUNT(*) FROM {query} WHERE {text} IS NOT NULL GROUP BY 1"
        ).fetchall()
        by_fold = {fold(word): value for word, value in given.items()}
        pairs, unknown = [], {}
        for raw, count in found:
            value, known = _value(str(raw), given, by_fold, synonyms)
            pairs.append((raw, value))
            if not known and str(raw).strip():
                unknown[str(raw).strip()] = int(count)
        lookup = identifier(f"look_{name}_{place}")
        room.con.execute(f"CREATE TEMP TABLE {lookup} (raw VARCHAR, value VARCHAR)")
        _fill(room, lookup, pairs)
        others = ", ".join(f"{alias}" for alias in ("__file", "__row")) + "".join(
            f', q."{alias}"' for alias in types if alias not in ("__file", "__row", f"r_{column}")
        )
        query = f'(SELECT {others}, look.value AS "r_{column}" FROM {query} AS q LEFT JOIN {lookup} AS look ON look.raw = {text})'
        types[f"r_{column}"] = "VARCHAR"
        if unknown and synonyms:
            shown = sorted(unknown, key=lambda word: (-unknown[word], word))[:5]
            notices.append(
                Notice(
                    "data.unknown_status" if column == "status" else "data.unknown_values",
                    {
                        "table": owner.name,
                        "source": source.name,
                        "column": column,
                        "values": [s[:40] for s in shown],
                        "rows": sum(unknown.values()),
                    },
                )
            )
    return query


def _value(
    raw: str, given: dict[str, str | None], by_fold: dict[str, str | None], synonyms: dict[str, str]
) -> tuple[str | None, bool]:
    """The normalised value of a spelling and whether it is known; an unknown one stays as it is."""
    if raw in given:
        return given[raw], True
    folded = fold(raw)
    if folded in by_fold:
        return by_fold[folded], True
    if folded in synonyms:
        return synonyms[folded], True
    return raw, not synonyms


def _fill(room: Room, table: str, pairs: Sequence[tuple[object, object]]) -> None:
    import pyarrow as pa

    if pairs:
        arrow = pa.table(
            {
                "raw": pa.array([p[0] for p in pairs], pa.string()),
                "value": pa.array([p[1] for p in pairs], pa.string()),
            }
        )
        room.con.register("pairs", arrow)
        room.con.execute(f"INSERT INTO {table} SELECT raw, value FROM pairs")
        room.con.unregister("pairs")


def find_date_order(
    room: Room,
    source: Source,
    columns: dict[str, Column],
    query: str,
    types: dict[str, str],
    notices: list[Notice],
) -> str:
    """Which of 1/2/2026 is the month: as declared, else as the data show, else the month first (with a notice)."""
    if source.format.date_order:
        return source.format.date_order
    pattern = r"'^\s*(\d{1,2})[-/.](\d{1,2})[-/.]\d{4}\b'"
    for column, declared in columns.items():
        text = f'"r_{column}"'
        if declared.type not in ("date", "timestamp") or types[f"r_{column}"] != "VARCHAR":
            continue
        row = room.con.execute(
            f"SELECT max(TRY_CAST(regexp_extract({text}, {pattern}, 1) AS INTEGER)), max(TRY_CAST(regexp_extract({text}, {pattern}, 2) AS INTEGER))"
            f" FROM {query} WHERE regexp_matches({text}, {pattern})"
        ).fetchone()
        if row is None or row[0] is None:
            continue
        if row[0] > 12 >= row[1]:
            return "dmy"
        if row[0] <= 12 and row[1] <= 12:
            notices.append(Notice("data.ambiguous_dates", {"source": source.name, "column": column}))
    return "mdy"


__all__ = ["find_date_order", "look_up"]
