"""Read Parquet: a file, a folder or a glob of files, as one typed table with the union of their columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kequn.data.raw_table import BATCH_ROWS, ROW, BadRow, RawTable, name_columns
from kequn.errors import DataError


class ParquetTable(RawTable):
    """One or more Parquet files, in the order of their names; a column that a file lacks is NULL there."""

    typed = True

    def __init__(self, path: Path, files: tuple[Path, ...], schema: pa.Schema) -> None:
        self.path = path
        self.files = files
        self.columns = name_columns(schema.names, path)
        self.detected: dict[str, Any] = {"kind": "parquet", "files": [str(file) for file in files]}
        self.bad_rows: list[BadRow] = []
        self._fields = [pa.field(name, field.type) for name, field in zip(self.columns, schema, strict=True)]
        self._stored = schema.names

    def batches(self) -> Iterator[pa.RecordBatch]:
        """See `RawTable.batches`. Raises: DataError `files.broken_parquet`, `files.parquet_schemas`."""
        schema = pa.schema([*self._fields, pa.field(ROW, pa.int64())])
        start = 1
        for file in self.files:
            try:
                for batch in pq.ParquetFile(file).iter_batches(BATCH_ROWS):
                    numbers = pa.array(range(start, start + batch.num_rows), pa.int64())
                    yield pa.record_batch([*self._columns_of(batch), numbers], schema=schema)
                    start += batch.num_rows
            except (pa.ArrowException, OSError) as problem:
                raise DataError("files.broken_parquet", file=str(file), reason=str(problem)) from problem

    def _columns_of(self, batch: pa.RecordBatch) -> Iterator[pa.Array]:
        for stored, field in zip(self._stored, self._fields, strict=True):
            place = batch.schema.get_field_index(stored)
            yield pa.nulls(batch.num_rows, field.type) if place < 0 else batch.column(place).cast(field.type)


def open_parquet(path: Path) -> ParquetTable:
    """Open a Parquet file, a folder (with its subfolders) or a glob.

    Raises: DataError `files.missing`, `files.broken_parquet`, `files.parquet_schemas`, `files.duplicate_column`.
    """
    if path.is_dir():
        files = tuple(sorted(path.rglob("*.parquet")))
    elif path.exists():
        files = (path,)
    else:
        root = Path(path.anchor)
        files = tuple(sorted(root.glob(str(path.relative_to(root)))))
    if not files:
        raise DataError("files.missing", file=str(path))
    schemas = [_schema(file) for file in files]
    try:
        return ParquetTable(path, files, pa.unify_schemas(schemas, promote_options="permissive"))
    except (pa.ArrowInvalid, pa.ArrowTypeError) as problem:
        raise DataError("files.parquet_schemas", file=str(path), reason=str(problem)) from problem


def _schema(file: Path) -> pa.Schema:
    with file.open("rb") as opened:
        if opened.read(4) != b"PAR1":
            raise DataError("files.not_parquet", file=str(file))
    try:
        schema = pq.read_schema(file)
    except (pa.ArrowException, OSError) as problem:
        raise DataError("files.broken_parquet", file=str(file), reason=str(problem)) from problem
    name_columns(schema.names, file)
    # Dictionaries are a matter of storage; different files may hold the same column with and without.
    plain = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in schema
    ]
    return pa.schema(plain)


__all__ = ["ParquetTable", "open_parquet"]
