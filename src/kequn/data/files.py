"""Open a file of customer data as a table: delimited text, Excel or Parquet, told apart by content, not by suffix."""

from __future__ import annotations

import glob
from pathlib import Path

from kequn.data.raw_table import ROW, BadRow, RawTable, ReadOptions
from kequn.errors import DataError

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "rar",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"(\xb5/\xfd": "zstd",
}
_NOT_TABLES = {
    b"%PDF": "PDF",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"SQLite format 3": "SQLite",
    b"\x7fELF": "ELF",
}


def open_table(path: Path, options: ReadOptions | None = None) -> RawTable:
    """Open a file; nothing but a sample is read until `batches()` is asked for.

    `path` is a CSV/TSV/TXT or Excel file, a Parquet file, a folder of Parquet files, or a glob of them.

    Raises: DataError `files.*`: missing, directory, empty, header_only, wrong_encoding, duplicate_column, password,
    too_large … each names the file and says what to do.

    >>> [batch.num_rows for batch in open_table(Path("orders.csv")).batches()]  # doctest: +SKIP
    [1200]
    """
    options = options or ReadOptions()
    kind = kind_of(path)
    if kind == "parquet":
        from kequn.data.parquet_files import open_parquet

        return open_parquet(path)
    if kind == "excel":
        from kequn.data.excel import open_sheet

        return open_sheet(path, options)
    from kequn.data.csv_files import open_csv

    return open_csv(path, options)


def sheets_of(path: Path) -> tuple[str | None, ...]:
    """The tables in a file: names of the visible sheets of a workbook, (None,) for any other file.

    Raises: DataError as `open_table`.
    """
    if kind_of(path) != "excel":
        return (None,)
    from kequn.data.excel import sheet_names

    return sheet_names(path)


def kind_of(path: Path) -> str:
    """`parquet`, `excel` or `csv`, by the first bytes of the file.

    Raises: DataError `files.missing`, `files.directory`, `files.unreadable`, `files.empty`, `files.packed`,
    `files.not_a_table`, `files.html`, `files.workbook_kind`, `files.password`.
    """
    if not path.exists():
        if glob.has_magic(str(path)):
            return "parquet"
        raise DataError("files.missing", file=str(path))
    if path.is_dir():
        if any(path.rglob("*.parquet")):
            return "parquet"
        raise DataError("files.directory", file=str(path))
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as problem:
        raise DataError(
            "files.unreadable", file=str(path), reason=problem.strerror or str(problem)
        ) from problem
    if not head:
        raise DataError("files.empty", file=str(path))
    return _kind_by_head(path, head)


def _kind_by_head(path: Path, head: bytes) -> str:
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(_OLE) or head.startswith(_ZIP):
        from kequn.data.excel import check_workbook

        check_workbook(path)
        return "excel"
    for magic, name in _PACKED.items():
        if head.startswith(magic):
            raise DataError("files.packed", file=str(path), kind=name)
    for magic, name in _NOT_TABLES.items():
        if head.startswith(magic):
            raise DataError("files.not_a_table", file=str(path), kind=name)
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<table", b"<meta", b"<?xml")):
        raise DataError("files.html", file=str(path))
    return "csv"


__all__ = ["ROW", "BadRow", "RawTable", "ReadOptions", "kind_of", "open_table", "sheets_of"]
