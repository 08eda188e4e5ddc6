"""Read delimited text files: quickly where they are sound, with care where they aren't, never losing a row."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from kequn.data.csv_careful import ESCAPE, careful_batches
from kequn.data.csv_dialect import (
    SAMPLE_BYTES,
    Header,
    check_encoding,
    decode_sample,
    detect_delimiter,
    detect_encoding,
    dialect,
    find_header,
    looks_binary,
    physical_lines,
    read_sample,
    sample_rows,
)
from kequn.data.csv_fast import NeedsCareError, fast_batches
from kequn.data.raw_table import ROW, BadRow, RawTable, ReadOptions, name_columns
from kequn.errors import DataError


@dataclass(frozen=True)
class Layout:
    """How a delimited file is written. `body_at` is the number of characters before the first row below the header."""

    encoding: str
    delimiter: str
    quote: str
    columns: tuple[str, ...]
    body_at: int


class CsvTable(RawTable):
    """A CSV, TSV or other delimited text file."""

    typed = False

    def __init__(self, path: Path, layout: Layout, detected: dict[str, Any], excel_text: bool) -> None:
        self.path = path
        self.columns = layout.columns
        self.detected = detected
        self.bad_rows: list[BadRow] = []
        self._layout = layout
        self._excel_text = excel_text

    def batches(self) -> Iterator[pa.RecordBatch]:
        """See `RawTable.batches`."""
        self.bad_rows.clear()
        for batch in self._batches():
            yield unwrap(batch) if self._excel_text else batch

    def _batches(self) -> Iterator[pa.RecordBatch]:
        given = 0
        try:
            for batch in fast_batches(self.path, self._layout):
                given += batch.num_rows
                yield batch
        except NeedsCareError:
            yield from careful_batches(self.path, self._layout, self.bad_rows, skip=given)


def open_csv(path: Path, options: ReadOptions) -> CsvTable:
    """Open a delimited text file.

    Raises: DataError `files.empty`, `files.header_only`, `files.wrong_encoding`, `files.unknown_encoding`,
    `files.undecodable_header`, `files.delimiter`, `files.duplicate_column`, `files.header_row`, `files.header_too_long`.
    """
    if options.encoding:
        check_encoding(path, options.encoding)
    encoding = options.encoding or detect_encoding(path)
    raw = read_sample(path)
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8") and raw.startswith(b"\xef\xbb\xbf"):
        encoding = "utf-8-sig"
    text = decode_sample(raw, encoding, ESCAPE)
    if not text.strip("\ufeff\0 \t\r\n"):
        raise DataError("files.empty", file=str(path))
    if options.encoding is None and looks_binary(text):
        raise DataError("files.not_a_table", file=str(path), kind="binary")
    quote = '"' if options.quote is None else options.quote
    prefer = "\t" if path.suffix.lower() in (".tsv", ".tab", ".xls") else None
    delimiter = options.delimiter or detect_delimiter(text, quote, options.decimal, prefer)
    for character in (delimiter, quote or '"'):
        if len(character) != 1 or ord(character) > 127 or character in "\r\n\0" or delimiter == quote:
            raise DataError("files.delimiter", file=str(path), delimiter=delimiter, quote=quote)
    rows = sample_rows(text, delimiter, quote)
    header = _header(path, rows, options.header_row)
    cells, body_at = _split(path, text, delimiter, quote, header)
    if any("\udc80" <= letter <= "\udcff" for cell in cells for letter in cell):
        raise DataError("files.undecodable_header", file=str(path), encoding=encoding)
    if header.place is not None and not text[body_at:].strip() and len(raw) < SAMPLE_BYTES:
        raise DataError("files.header_only", file=str(path), columns=[cell.strip() for cell in cells])
    layout = Layout(encoding, delimiter, quote, name_columns(cells, path), body_at)
    detected = {
        "kind": "csv",
        "encoding": encoding,
        "delimiter": delimiter,
        "quote": quote,
        "header_row": 0 if header.place is None else header.place + 1,
    }
    if options.decimal or _decimal_comma(rows, header):
        detected["decimal"] = options.decimal or ","
    return CsvTable(path, layout, detected, options.excel_text)


def _decimal_comma(rows: list[list[str]], header: Header) -> bool:
    """Whether the first rows prove a decimal comma (and none a decimal point)."""
    from kequn.data.column_content import look_at

    below = [row for row in rows[(header.place or 0) + 1 :] if len(row) == header.width]
    columns = [[cell for cell in cells if cell.isascii()] for cells in zip(*below, strict=True)]
    proved = frozenset[str]().union(*(look_at(pa.array(cells, pa.string())).decimals for cells in columns))
    return "," in proved and "." not in proved


def _header(path: Path, rows: list[list[str]], wanted: int | None) -> Header:
    if wanted is None:
        return find_header(rows)
    if wanted > len(rows) or wanted < 0:
        raise DataError("files.header_row", file=str(path), row=wanted, rows=len(rows))
    if wanted == 0:
        return Header(None, find_header(rows).width)
    return Header(wanted - 1, max(len(rows[wanted - 1]), find_header(rows[wanted - 1 :]).width))


def _split(path: Path, text: str, delimiter: str, quote: str, header: Header) -> tuple[list[str], int]:
    """The cells of the header, filled or cut to the width of the rows, and the number of characters up to its end."""
    if header.place is None:
        return [""] * header.width, 0
    consumed = 0

    def lines() -> Iterator[str]:
        nonlocal consumed
        for line in physical_lines(text):
            consumed += len(line)
            yield line

    found = -1
    for row in csv.reader(lines(), **dialect(delimiter, quote)):
        found += bool(row)
        if found == header.place and row:
            if consumed >= len(text) and len(text) >= SAMPLE_BYTES // 4:
                raise DataError("files.header_too_long", file=str(path), limit=SAMPLE_BYTES)
            cells = row[:-1] if len(row) == header.width + 1 and not row[-1].strip() else row
            return [*cells, *[""] * (header.width - len(cells))], consumed
    raise DataError("files.header_row", file=str(path), row=header.place + 1, rows=found + 1)


def unwrap(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Take off what export tools put around a number so that Excel keeps it as text: `="…"`, a leading `'`, a trailing tab."""
    import pyarrow.compute as pc

    columns = [
        batch.column(name)
        if name == ROW
        else pc.replace_substring_regex(batch.column(name), r"^(?s:=\"(.*)\"|'(\d.*?)|(.*?))\t*$", r"\1\2\3")
        for name in batch.schema.names
    ]
    return pa.record_batch(columns, schema=batch.schema)


__all__ = ["CsvTable", "Layout", "open_csv", "unwrap"]
