"""One source into a staged table: raw cells read, converted and checked row by row, inside DuckDB.

A staged table has the canonical columns that the source delivers and, for every row of the source, `__file` (index into
`Stage.files`), `__row` (row number as the reader counts), `__problem` (index into `Stage.problems`, NULL = good) and
`__text` (what stood in the offending cell). Money columns also have `__rest_<column>`: what rounding took off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kequn.data.convert import (
    ABSURD_MINOR_UNITS,
    Conversion,
    Money,
    Writing,
    as_text,
    conversion,
    identifier,
    literal,
    stacked,
)
from kequn.data.expression import compile_expression, parse_expression
from kequn.data.raw_table import ROW, BadRow
from kequn.data.sources import Source, SqlColumn
from kequn.data.standard import Column, Table, fold
from kequn.errors import DataError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from kequn.data.raw_table import RawTable

TEXT_LIMIT = 200
"""Longest piece of an offending cell that is kept, in characters."""
PARQUET = (".parquet", ".pq", ".parq")


@dataclass(frozen=True)
class Problem:
    """A kind of row that can't be kept: reason code and the column at fault."""

    reason: str
    column: str | None
    condition: str = ""
    text: str = "NULL"


@dataclass(frozen=True)
class Notice:
    """Something the user should know that isn't an error: a code worded in `locale/data.yaml`, and its fields."""

    code: str
    fields: dict[str, object] = field(default_factory=dict)


@dataclass
class Stage:
    """A staged source. `table` is its name in DuckDB; `columns` are the canonical columns it delivers."""

    owner: Table
    source: Source
    table: str
    columns: dict[str, Column]
    files: tuple[Path, ...]
    problems: tuple[Problem, ...]
    bad_rows: list[tuple[int, BadRow]]
    cells: list[tuple[object, ...]]
    notices: list[Notice]
    rests: tuple[str, ...]


@dataclass(frozen=True)
class Room:
    """What staging needs to know of the workspace."""

    con: duckdb.DuckDBPyConnection
    money: Money
    zone: str
    clock: datetime


def stage_source(room: Room, owner: Table, source: Source, files: tuple[Path, ...], name: str) -> Stage:
    """Read `files` as `source` says into the temporary table `name`.

    Raises: DataError when a mapped header is missing, a file can't be read or an expression doesn't fit the data.
    """
    import duckdb

    headers = wanted_headers(source)
    raw = _raw(room, source, files, headers, name)
    try:
        return _convert(room, owner, source, files, raw, name)
    except (duckdb.ConversionException, duckdb.BinderException, duckdb.OutOfRangeException) as error:
        raise DataError(
            "data.expression_failed", table=owner.name, source=source.name, detail=str(error).splitlines()[0]
        ) from error
    finally:
        room.con.execute(f"DROP TABLE IF EXISTS {identifier('raw_' + name)}")


def wanted_headers(source: Source) -> tuple[str, ...]:
    """The headers that a mapping reads, each once."""
    found: dict[str, None] = {}
    for mapped in source.columns.values():
        for header in parse_expression(mapped.sql).headers if isinstance(mapped, SqlColumn) else (mapped,):
            found[header] = None
    return tuple(found)


@dataclass
class _Raw:
    query: str
    names: dict[str, str]
    bad_rows: list[tuple[int, BadRow]]
    decimal: str


def _raw(room: Room, source: Source, files: tuple[Path, ...], headers: tuple[str, ...], name: str) -> _Raw:
    names = {header: f'"h_{place}"' for place, header in enumerate(headers)}
    if all(file.suffix.lower() in PARQUET for file in files):
        return _parquet(room, source, files, names, name)
    from kequn.data.files import open_table

    bad: list[tuple[int, BadRow]] = []
    decimal = source.format.decimal
    columns = ", ".join(f"{alias} VARCHAR" for alias in names.values())
    room.con.execute(
        f"CREATE TEMP TABLE {identifier('raw_' + name)} (__file INTEGER, __row BIGINT{', ' if columns else ''}{columns})"
    )
    for place, file in enumerate(files):
        table = open_table(file, source.format.read_options())
        _check_headers(source, file, headers, table.columns)
        _insert(room, table, headers, place, name)
        bad.extend((place, row) for row in table.bad_rows)
        decimal = decimal or table.detected.get("decimal")
    return _Raw(identifier("raw_" + name), names, bad, decimal or ".")


def _insert(room: Room, table: RawTable, headers: Sequence[str], place: int, name: str) -> None:
    import pyarrow as pa

    schema = pa.schema([*((header, pa.string()) for header in headers), (ROW, pa.int64())])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in table.batches():
            yield pa.record_batch(
                [batch.column(field.name).cast(field.type) for field in schema], schema=schema
            )

    picked = "".join(f", {identifier(header)}" for header in headers)
    reader = pa.RecordBatchReader.from_batches(schema, batches())
    room.con.register("incoming", reader)
    try:
        room.con.execute(
            f"INSERT INTO {identifier('raw_' + name)} SELECT {place}, __row{picked} FROM incoming"
        )
    finally:
        room.con.unregister("incoming")


def _check_headers(source: Source, file: Path, headers: Sequence[str], found: Sequence[str]) -> None:
    from kequn.definitions import nearest

    for header in headers:
        if header not in found:
            near = nearest(header, list(found))
            raise DataError(
                "data.no_header",
                file=str(file),
                source=source.name,
                header=header,
                nearest=near or ", ".join(found),
            )


def _parquet(room: Room, source: Source, files: tuple[Path, ...], names: dict[str, str], name: str) -> _Raw:
    import duckdb

    listed = ", ".join(literal(file) for file in files)
    scan = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false, filename = true, file_row_number = true)"
    try:
        found = [str(row[0]) for row in room.con.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()]
    except duckdb.Error as error:
        raise DataError(
            "data.bad_parquet", file=str(files[0]), source=source.name, detail=str(error).splitlines()[0]
        ) from error
    _check_headers(source, files[0], list(names), found)
    picked = "".join(f", {identifier(header)} AS {alias}" for header, alias in names.items())
    places = f"list_position([{listed}], filename) - 1" if len(files) > 1 else "0"
    query = f"(SELECT CAST({places} AS INTEGER) AS __file, file_row_number + 1 AS __row{picked} FROM {scan})"
    return _Raw(query, names, [], source.format.decimal or ".")


def _convert(
    room: Room, owner: Table, source: Source, files: tuple[Path, ...], raw: _Raw, name: str
) -> Stage:
    columns = {column: source.column(owner, column) for column in source.mapped()}
    writing = Writing(decimal=raw.decimal, zone=source.time_zone or room.zone, to_zone=room.zone)
    picked, failures = _picked(room, source, raw, writing, columns)
    query = f"(SELECT __file, __row, {picked} FROM {raw.query})"
    types = {
        str(row[0]): str(row[1]) for row in room.con.execute(f"DESCRIBE SELECT * FROM {query}").fetchall()
    }
    notices: list[Notice] = []
    query = _looked_up(room, owner, source, columns, query, types, notices, name)
    writing = replace(writing, date_order=_date_order(room, source, columns, query, types, notices))
    conversions = [
        conversion(
            column,
            columns[column].type,
            f'"r_{column}"',
            types[f"r_{column}"],
            writing,
            exact_text=_is_id(columns[column]),
        )
        for column in columns
    ]
    query = _completed(owner, columns, stacked(query, conversions))
    problems = tuple(_problems(room, owner, source, columns, types, failures))
    soft = {
        column: _unread(column, types[f"r_{column}"], failures)
        for column in columns
        if not _is_hard(owner, columns[column]) and columns[column].type != "text"
    }
    stored = {column: kind for column, kind in columns.items() if kind.role != "checked"}
    table = identifier(name)
    room.con.execute(
        f"CREATE TEMP TABLE {table} AS {_stage_query(query, stored, conversions, problems, soft)}"
    )
    cells = _cells(room, owner, columns, query, soft, table)
    room.con.execute(f"ALTER TABLE {table} DROP COLUMN __cell")
    rests = tuple(one.name for one in conversions if one.rest)
    return Stage(owner, source, name, stored, files, problems, raw.bad_rows, cells, notices, rests)


def _picked(
    room: Room, source: Source, raw: _Raw, writing: Writing, columns: dict[str, Column]
) -> tuple[str, dict[str, list[str]]]:
    """The select list of raw columns `r_<name>`, and for computed ones what makes them unreadable."""
    described = room.con.execute(f"DESCRIBE SELECT * FROM {raw.query}").fetchall()
    kinds = {str(row[0]): str(row[1]) for row in described}
    types = {header: kinds[alias.strip('"')] for header, alias in raw.names.items()}
    way = "comma" if writing.decimal == "," else "point"
    parts: list[str] = []
    failures: dict[str, list[str]] = {}

    def number(alias: str) -> str:
        return (
            f"TRY_CAST(COALESCE(kq_fast_{way}({alias}), kq_slow_{way}(kq_parts({alias}))) AS DECIMAL(18,6))"
        )

    for column in columns:
        mapped = source.columns.get(column)
        if isinstance(mapped, SqlColumn):
            sql, read = compile_expression(parse_expression(mapped.sql), raw.names, types, number)
            if read:
                bad = " OR ".join(f"(NOT kq_missing({alias}) AND {number(alias)} IS NULL)" for alias in read)
                parts.append(f'({bad}) AS "f_{column}"')
                failures[column] = list(read)
        else:
            sql = raw.names[mapped] if mapped is not None else literal(source.constants[column])
        parts.append(f'{sql} AS "r_{column}"')
    return ", ".join(parts), failures


def _looked_up(
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
                    "data.unknown_values",
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


def _fill(room: Room, table: str, pairs: list[tuple[object, object]]) -> None:
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


def _date_order(
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
            f"SELECT max(CAST(regexp_extract({text}, {pattern}, 1) AS INTEGER)), max(CAST(regexp_extract({text}, {pattern}, 2) AS INTEGER))"
            f" FROM {query} WHERE regexp_matches({text}, {pattern})"
        ).fetchone()
        if row is None or row[0] is None:
            continue
        if row[0] > 12 >= row[1]:
            return "dmy"
        if row[0] <= 12 and row[1] <= 12:
            notices.append(Notice("data.ambiguous_dates", {"source": source.name, "column": column}))
    return "mdy"


def _is_id(column: Column) -> bool:
    return column.name.endswith("_id") or column.name in ("source_key", "code", "referred_by")


def _is_hard(owner: Table, column: Column) -> bool:
    """A cell that can't be read costs the row when the row is worthless or misleading without it; else it becomes missing."""
    if column.required or column.name in owner.key or column.name == owner.time_column:
        return True
    return owner.time_column is not None and (column.type == "money" or column.name == "quantity")


def _present(column: str, raw_type: str) -> str:
    raw = f'"r_{column}"'
    if raw_type == "VARCHAR":
        return f"NOT kq_missing({raw})"
    return (
        f"({raw} IS NOT NULL AND NOT isnan({raw}))"
        if raw_type in ("DOUBLE", "FLOAT")
        else f"{raw} IS NOT NULL"
    )


def _unread(column: str, raw_type: str, failures: dict[str, list[str]]) -> str:
    """A cell that isn't blank and can't be read, or a computed one with an operand that can't."""
    unread = f"({identifier(column)} IS NULL AND {_present(column, raw_type)})"
    return f'({unread} OR "f_{column}")' if column in failures else unread


def _completed(owner: Table, columns: dict[str, Column], query: str) -> str:
    """Columns of a flat file that follow from others: the order's id where none is mapped."""
    if owner.name == "flat_orders" and "order_id" not in columns:
        customer = "customer_id" if "customer_id" in columns else "CAST(NULL AS VARCHAR)"
        derived = f"COALESCE({customer} || '@' || strftime(ordered_at, '%Y%m%dT%H%M%S'), 'row@' || __file || '.' || __row)"
        return f"(SELECT *, {derived} AS order_id FROM {query})"
    return query


def _problems(
    room: Room,
    owner: Table,
    source: Source,
    columns: dict[str, Column],
    types: dict[str, str],
    failures: dict[str, list[str]],
) -> Iterator[Problem]:
    def text(column: str) -> str:
        return as_text(f'"r_{column}"', types[f"r_{column}"])

    for name, column in columns.items():
        if not _is_hard(owner, column):
            continue
        quoted = identifier(name)
        if column.required or (
            name in owner.key and owner.name not in ("events", "order_lines", "responses", "deals")
        ):
            yield Problem(
                "data.missing", name, f"{quoted} IS NULL AND NOT ({_present(name, types[f'r_{name}'])})"
            )
        unread = _unread(name, types[f"r_{name}"], failures)
        if column.type == "money":
            if types[f"r_{name}"] == "VARCHAR":
                yield Problem(
                    "data.other_currency", name, f'{unread} AND kq_other_currency("r_{name}")', text(name)
                )
            yield Problem("data.absurd_amount", name, f"abs({quoted}) > {ABSURD_MINOR_UNITS}", text(name))
        if column.type != "text":
            yield Problem(f"data.not_{column.type}", name, unread, text(name))
    yield from _time_problems(room, owner, columns, text)
    if "currency" in columns:
        names = ", ".join(literal(word) for word in room.money.names())
        yield Problem(
            "data.other_currency", "currency", f"lower(trim(currency)) NOT IN ({names})", text("currency")
        )
    yield from _sign_problems(owner, source, columns, text)


def _time_problems(room: Room, owner: Table, columns: dict[str, Column], text: object) -> Iterator[Problem]:
    assert callable(text)
    time = owner.time_column
    if time is None or time not in columns:
        return
    limit = "DATE" if columns[time].type == "date" else "TIMESTAMP"
    yield Problem(
        "data.after_clock",
        time,
        f"{identifier(time)} > CAST({literal(room.clock.isoformat(sep=' '))} AS {limit})",
        text(time),
    )
    if columns[time].type == "timestamp":
        yield Problem("data.before_1970", time, f"{identifier(time)} < TIMESTAMP '1970-01-01'", text(time))


def _sign_problems(
    owner: Table, source: Source, columns: dict[str, Column], text: object
) -> Iterator[Problem]:
    """Marks of a cancellation that contradict the amount, and negative orders without any mark."""
    assert callable(text)
    if owner.name not in ("orders", "order_lines", "flat_orders") or "amount" not in columns:
        return
    if "quantity" in columns:
        yield Problem("data.sign_mismatch", "amount", "quantity < 0 AND amount > 0", text("amount"))
    marked = cancelled_mark(source, columns)
    if source.cancelled_prefix:
        yield Problem("data.sign_mismatch", "amount", f"{marked} AND amount > 0", text("amount"))
    if owner.name == "orders":
        status = (
            "COALESCE(status, '') IN ('returned', 'refunded', 'cancelled')"
            if "status" in columns
            else "FALSE"
        )
        yield Problem(
            "data.negative_amount",
            "amount",
            f"amount < 0 AND NOT ({status}) AND NOT ({marked})",
            text("amount"),
        )


def cancelled_mark(source: Source, columns: dict[str, Column]) -> str:
    """The condition "this order number is marked as a cancellation"."""
    if source.cancelled_prefix is None or "order_id" not in columns:
        return "FALSE"
    pattern = "^" + re.escape(source.cancelled_prefix) + r"[-_ ]?\d"
    return f"COALESCE(regexp_matches(order_id, {literal(pattern)}), FALSE)"


def _stage_query(
    query: str,
    columns: dict[str, Column],
    conversions: Sequence[Conversion],
    problems: Sequence[Problem],
    soft: dict[str, str],
) -> str:
    picked = [
        f"CASE WHEN abs({identifier(name)}) <= {ABSURD_MINOR_UNITS} THEN {identifier(name)} END AS {identifier(name)}"
        if columns[name].type == "money"
        else identifier(name)
        for name in columns
    ]
    if "order_id" not in columns and any(name == "ordered_at" for name in columns):
        picked.append("order_id")
    rests = [
        f"{one.rest} AS {identifier('__rest_' + one.name)}"
        for one in conversions
        if one.rest and one.name in columns
    ]
    number = " ".join(f"WHEN {problem.condition} THEN {place}" for place, problem in enumerate(problems))
    texts = " ".join(f"WHEN {place} THEN {problem.text}" for place, problem in enumerate(problems))
    cell = " OR ".join(soft.values()) or "FALSE"
    checked = f"SELECT *, {f'CASE {number} END' if number else 'NULL::INTEGER'} AS __number FROM {query}"
    text = f"left(CASE __number {texts} END, {TEXT_LIMIT})" if texts else "NULL::VARCHAR"
    listed = ", ".join(["__file", "__row", *picked, *rests])
    return f"SELECT {listed}, CAST(__number AS SMALLINT) AS __problem, {text} AS __text, ({cell}) AS __cell FROM ({checked})"


def _cells(
    room: Room, owner: Table, columns: dict[str, Column], query: str, soft: dict[str, str], table: str
) -> list[tuple[object, ...]]:
    """Unreadable optional cells of rows that stay: (key, reason, file, row, column, text)."""
    row = room.con.execute(f"SELECT COUNT(*) FROM {table} WHERE __cell AND __problem IS NULL").fetchone()
    if not row or not row[0]:
        return []
    key = ", ".join(identifier(name) for name in owner.key if name in columns) or "NULL"
    found: list[tuple[object, ...]] = []
    for column, condition in soft.items():
        sql = (
            f"SELECT concat_ws('|', {key}), 'data.not_{columns[column].type}', q.__file, q.__row, {literal(column)}, left(CAST(\"r_{column}\" AS VARCHAR), {TEXT_LIMIT})"
            f" FROM {query} AS q SEMI JOIN (SELECT __file, __row FROM {table} WHERE __problem IS NULL AND __cell) AS s"
            f" ON s.__file = q.__file AND s.__row = q.__row WHERE {condition}"
        )
        found.extend(room.con.execute(sql).fetchall())
    return found


__all__ = [
    "TEXT_LIMIT",
    "Notice",
    "Problem",
    "Room",
    "Stage",
    "cancelled_mark",
    "stage_source",
    "wanted_headers",
]
