"""The raw cells of a source inside DuckDB: text from CSV and Excel, typed columns straight from Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kequn.data.convert import identifier, literal
from kequn.data.expression import parse_expression
from kequn.data.raw_table import ROW, BadRow
from kequn.data.sources import Source, SqlColumn
from kequn.data.stage import Room
from kequn.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

    from kequn.data.raw_table import RawTable

PARQUET = (".parquet", ".pq", ".parq")


def wanted_headers(source: Source) -> tuple[str, ...]:
    """The headers that a mapping reads, each once."""
    found: dict[str, None] = {}
    for mapped in source.columns.values():
        if isinstance(mapped, SqlColumn):
            found.update(dict.fromkeys(parse_expression(mapped.sql).headers))
        elif isinstance(mapped, str):
            found[mapped] = None
    return tuple(found)


@dataclass
class Raw:
    query: str
    names: dict[str, str]
    bad_rows: list[tuple[int, BadRow]]
    decimal: str


def read_raw(room: Room, source: Source, files: tuple[Path, ...], headers: tuple[str, ...], name: str) -> Raw:
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
    return Raw(identifier("raw_" + name), names, bad, decimal or ".")


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


def _parquet(room: Room, source: Source, files: tuple[Path, ...], names: dict[str, str], name: str) -> Raw:
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
    return Raw(query, names, [], source.format.decimal or ".")


__all__ = ["Raw", "read_raw", "wanted_headers"]
