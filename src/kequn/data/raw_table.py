"""What every reader of a file gives: the table as it stands in the file, with what can't be read told apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from kequn.errors import DataError

ROW = "__row"
BATCH_ROWS = 50_000
CELL_LIMIT = 1_000_000
"""Longest cell, in bytes of UTF-8; a longer one makes a bad row."""
EXCERPT = 2_000
MANY_BAD_ROWS = 10_000


@dataclass(frozen=True)
class ReadOptions:
    """How to read a file; None means: find out.

    `encoding` is a Python codec name; `delimiter` one character; `quote` one character or "" for no quoting; `sheet` a
    name, or a number counted from 1; `header_row` is counted from 1 over the lines that aren't blank, 0 = the file has
    no header; `decimal` is `.` or `,`; `excel_text` takes the wrapping off cells such as `="00123"` or `'00123`.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    sheet: str | int | None = None
    header_row: int | None = None
    decimal: str | None = None
    excel_text: bool = False


@dataclass(frozen=True)
class BadRow:
    """A row that can't be read. `row` counts as `__row` does; `reason` is worded as `files.bad.<reason>`."""

    row: int
    reason: str
    text: str


class RawTable(Protocol):
    """A file as a table.

    `columns` are the names of the header, without BOM and outer blanks. `typed` says that the values have types (Parquet);
    otherwise every cell is text exactly as in the file, and an empty cell is "". `detected` tells what was found out.
    """

    path: Path
    columns: tuple[str, ...]
    typed: bool
    detected: dict[str, Any]
    bad_rows: list[BadRow]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The good rows, with `__row`: the number of the row counted from 1 below the header, blank lines not counted.

        `bad_rows` is complete once the iteration has ended: rows in the file = rows given + bad rows. Each call
        reads anew.
        """
        ...


class TextRows:
    """Gathers rows of text into record batches; used by the readers that go row by row."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = tuple(columns)
        self._schema = pa.schema([*((name, pa.string()) for name in columns), (ROW, pa.int64())])
        self._rows: list[Sequence[str]] = []
        self._numbers: list[int] = []

    def add(self, number: int, cells: Sequence[str]) -> pa.RecordBatch | None:
        """Take a row; a full batch when there is one."""
        self._rows.append(cells)
        self._numbers.append(number)
        return self.flush() if len(self._rows) >= BATCH_ROWS else None

    def flush(self) -> pa.RecordBatch | None:
        """The rows gathered so far, or None."""
        if not self._rows:
            return None
        arrays = [pa.array(cells, pa.string()) for cells in zip(*self._rows, strict=True)]
        arrays.append(pa.array(self._numbers, pa.int64()))
        self._rows, self._numbers = [], []
        return pa.record_batch(arrays, schema=self._schema)


def excerpt(text: str, so_far: int = 0) -> str:
    """A piece of a bad row that is short enough to keep and can be written as UTF-8 without NUL.

    `so_far` is the number of bad rows already kept: beyond many, pieces get shorter.
    """
    limit = EXCERPT if so_far < MANY_BAD_ROWS else EXCERPT // 10
    shown = text[:limit].rstrip("\r\n")
    if len(text) > limit:
        shown += f"… ({len(text)})"
    shown = "".join(f"\\x{ord(c) - 0xDC00:02x}" if "\udc80" <= c <= "\udcff" else c for c in shown)
    return shown.encode("utf-8", "replace").decode().replace("\0", "\\x00")


def name_columns(header: Iterable[str], path: Path) -> tuple[str, ...]:
    """Column names from the cells of a header: without BOM and outer blanks; an empty one becomes `column_<n>`.

    Raises: DataError `files.duplicate_column` when a name stands twice, `files.reserved_column` for `__row`.
    """
    names: list[str] = []
    places: dict[str, int] = {}
    for place, cell in enumerate(header, 1):
        name = cell.replace("\ufeff", "").strip().replace("\r\n", "\n") or f"column_{place}"
        if name in places:
            raise DataError(
                "files.duplicate_column", file=str(path), column=name, first=places[name], second=place
            )
        if name == ROW:
            raise DataError("files.reserved_column", file=str(path), column=name)
        places[name] = place
        names.append(name)
    return tuple(names)


__all__ = [
    "BATCH_ROWS",
    "CELL_LIMIT",
    "ROW",
    "BadRow",
    "RawTable",
    "ReadOptions",
    "TextRows",
    "excerpt",
    "name_columns",
]
