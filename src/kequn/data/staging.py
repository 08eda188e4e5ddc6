"""One source into a staged table: raw cells read, converted and checked row by row, inside DuckDB.

A staged table has the canonical columns that the source delivers and, for every row of the source, `__file` (index into
`Stage.files`), `__row` (row number as the reader counts), `__problem` (index into `Stage.problems`, NULL = good) and
`__text` (what stood in the offending cell). Money columns also have `__rest_<column>`: what rounding took off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kequn.data.convert import (
    ABSURD_MINOR_UNITS,
    Conversion,
    Writing,
    conversion,
    identifier,
    literal,
    stacked,
)
from kequn.data.expression import compile_expression, parse_expression
from kequn.data.lookups import find_date_order, look_up
from kequn.data.raw_cells import Raw, read_raw, wanted_headers
from kequn.data.row_checks import is_hard, row_problems, unread_cell
from kequn.data.sources import RowNumber, Source, SqlColumn
from kequn.data.stage import TEXT_LIMIT, Cell, Notice, Problem, Room, Stage
from kequn.data.standard import Column, Table
from kequn.errors import DataError


def stage_source(room: Room, owner: Table, source: Source, files: tuple[Path, ...], name: str) -> Stage:
    """Read `files` as `source` says into the temporary table `name`.

    Raises: DataError when a mapped header is missing, a file can't be read or an expression doesn't fit the data.
    """
    import duckdb

    source = _with_amount(owner, source)
    headers = wanted_headers(source)
    raw = read_raw(room, source, files, headers, name)
    try:
        return _convert(room, owner, source, files, raw, name)
    except (duckdb.ConversionException, duckdb.BinderException, duckdb.OutOfRangeException) as error:
        raise DataError(
            "data.expression_failed", table=owner.name, source=source.name, detail=str(error).splitlines()[0]
        ) from error
    finally:
        room.con.execute(f"DROP TABLE IF EXISTS {identifier('raw_' + name)}")


def _convert(room: Room, owner: Table, source: Source, files: tuple[Path, ...], raw: Raw, name: str) -> Stage:
    columns = {column: source.column(owner, column) for column in source.mapped()}
    writing = Writing(decimal=raw.decimal, zone=source.time_zone or room.zone, to_zone=room.zone)
    picked, failures = _picked(room, source, files, raw, writing, columns)
    query = f"(SELECT __file, __row, {picked} FROM {raw.query})"
    types = {
        str(row[0]): str(row[1]) for row in room.con.execute(f"DESCRIBE SELECT * FROM {query}").fetchall()
    }
    notices: list[Notice] = []
    query = look_up(room, owner, source, columns, query, types, notices, name)
    writing = replace(writing, date_order=find_date_order(room, source, columns, query, types, notices))
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
    problems = tuple(row_problems(room, owner, source, columns, types, failures))
    soft = {
        column: unread_cell(column, types[f"r_{column}"], failures)
        for column in columns
        if not is_hard(owner, columns[column]) and columns[column].type != "text"
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
    room: Room,
    source: Source,
    files: tuple[Path, ...],
    raw: Raw,
    writing: Writing,
    columns: dict[str, Column],
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
        elif isinstance(mapped, RowNumber):
            place = "__row" if len(files) == 1 else "(__file + 1) || '.' || __row"
            sql = f"{literal(mapped.row_number)} || {place}"
        else:
            sql = raw.names[mapped] if mapped is not None else literal(source.constants[column])
        parts.append(f'{sql} AS "r_{column}"')
    return ", ".join(parts), failures


def _with_amount(owner: Table, source: Source) -> Source:
    """Where a line's amount isn't mapped it is price × quantity, rounded once."""
    mapped = source.mapped()
    if (
        owner.name not in ("flat_orders", "order_lines")
        or "amount" in mapped
        or not {"price", "quantity"} <= set(mapped)
    ):
        return source

    def sql(name: str) -> str:
        column = source.columns.get(name)
        if column is None:
            return literal(source.constants[name])
        return column.sql if isinstance(column, SqlColumn) else identifier(str(column))

    product = SqlColumn(sql=f"({sql('price')}) * ({sql('quantity')})")
    return source.model_copy(update={"columns": {**source.columns, "amount": product}})


def _is_id(column: Column) -> bool:
    return column.name.endswith("_id") or column.name in ("source_key", "code", "referred_by")


def _completed(owner: Table, columns: dict[str, Column], query: str) -> str:
    """Columns of a flat file that follow from others: the order's id where none is mapped."""
    if owner.name == "flat_orders" and "order_id" not in columns:
        customer = "customer_id" if "customer_id" in columns else "CAST(NULL AS VARCHAR)"
        derived = f"COALESCE({customer} || '@' || strftime(ordered_at, '%Y%m%dT%H%M%S'), 'row@' || __file || '.' || __row)"
        return f"(SELECT *, {derived} AS order_id FROM {query})"
    return query


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
) -> list[Cell]:
    """Unreadable optional cells of rows that stay: (key, reason, file, row, column, text)."""
    row = room.con.execute(f"SELECT COUNT(*) FROM {table} WHERE __cell AND __problem IS NULL").fetchone()
    if not row or not row[0]:
        return []
    key = ", ".join(identifier(name) for name in owner.key if name in columns) or "NULL"
    found: list[Cell] = []
    for column, condition in soft.items():
        sql = (
            f"SELECT concat_ws('|', {key}), 'data.not_{columns[column].type}', q.__file, q.__row, {literal(column)}, left(CAST(\"r_{column}\" AS VARCHAR), {TEXT_LIMIT})"
            f" FROM {query} AS q SEMI JOIN (SELECT __file, __row FROM {table} WHERE __problem IS NULL AND __cell) AS s"
            f" ON s.__file = q.__file AND s.__row = q.__row WHERE {condition}"
        )
        found.extend(Cell(*row) for row in room.con.execute(sql).fetchall())
    return found


__all__ = ["stage_source"]
