"""The careful way through a delimited file with faults: every row comes out, either whole or as a bad row with its reason.

A quote that is opened and never closed would swallow the rows below it: such a record is given up after its first line, and
the rows below are read on their own.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kequn.data.csv_dialect import dialect
from kequn.data.raw_table import CELL_LIMIT, BadRow, TextRows, excerpt

if TYPE_CHECKING:
    from kequn.data.csv_files import Layout

ESCAPE = "kequn.escape"
RECORD_LIMIT = 64 << 20
LINE_LIMIT = 32 << 20
_ESCAPED = re.compile("[\ud800-\udfff]")


def careful_batches(
    path: Path, layout: Layout, bad_rows: list[BadRow], skip: int = 0
) -> Iterator[pa.RecordBatch]:
    """Batches of a file that may have faults; `bad_rows` is filled. The first `skip` rows were already given."""
    rows = TextRows(layout.columns)
    with _open_text(path, layout) as text:
        for number, (cells, reason, source) in enumerate(_records(text, layout), 1):
            if reason:
                bad_rows.append(BadRow(number, reason, excerpt(source, len(bad_rows))))
            elif number > skip and (batch := rows.add(number, cells)):
                yield batch
    if last := rows.flush():
        yield last


def _open_text(path: Path, layout: Layout) -> io.TextIOWrapper:
    text = io.TextIOWrapper(path.open("rb"), encoding=layout.encoding, errors=ESCAPE, newline="")
    text.read(layout.body_at)
    return text


def _records(text: io.TextIOWrapper, layout: Layout) -> Iterator[tuple[list[str], str, str]]:
    """(cells, reason or "", source text) of each record."""
    csv.field_size_limit(max(csv.field_size_limit(), 2 * RECORD_LIMIT))
    settings = dialect(layout.delimiter, layout.quote)
    lines = _Lines(text)
    reader = csv.reader(lines, **settings)
    width = len(layout.columns)
    while True:
        lines.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        if not cells:
            continue
        taken, wrong = lines.taken, len(cells) != width or lines.unclosed
        if wrong and len(taken) > 1 and any(_stands_alone(line, width, settings) for line in taken[1:]):
            lines.give_back(1)
            yield cells, "unclosed_quote", taken[0]
            continue
        source = "".join(taken)
        yield cells, _fault(cells, source, width, lines), source


def _stands_alone(line: str, width: int, settings: dict[str, Any]) -> bool:
    return len(next(csv.reader([line], **settings), [])) == width


def _fault(cells: list[str], source: str, width: int, lines: _Lines) -> str:
    if lines.oversize:
        return "cell_too_long"
    if "\0" in source:
        return "nul"
    if not source.isascii() and _ESCAPED.search(source):
        return "undecodable"
    if lines.unclosed:
        return "unclosed_quote"
    if len(cells) != width:
        return "too_few_cells" if len(cells) < width else "too_many_cells"
    if len(source) * 4 > CELL_LIMIT and any(len(cell.encode()) > CELL_LIMIT for cell in cells):
        return "cell_too_long"
    return ""


class _Lines:
    """Physical lines for `csv.reader`, remembering those of the record at hand so that they can be given back."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._waiting: list[str] = []
        self.begin()

    def begin(self) -> None:
        """Forget the lines of the record before."""
        self.taken: list[str] = []
        self.unclosed = False
        self.oversize = False
        self._size = 0

    def give_back(self, keep: int) -> None:
        """Return all lines of the record but the first `keep`."""
        self._waiting.extend(reversed(self.taken[keep:]))

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._size > RECORD_LIMIT:
            self.unclosed = True
            raise StopIteration
        line = self._waiting.pop() if self._waiting else self._text.readline(LINE_LIMIT)
        if not line:
            # csv.reader asks for another line only within quotes, so the end of the file here means an open quote.
            self.unclosed = bool(self.taken)
            raise StopIteration
        if len(line) >= LINE_LIMIT and line[-1] not in "\r\n":
            self.oversize = True
            while (more := self._text.readline(LINE_LIMIT)) and more[-1] not in "\r\n":
                pass
            line = line.replace('"', " ")
        self.taken.append(line)
        self._size += len(line)
        return line


def _escape(error: UnicodeError) -> tuple[str, int]:
    """Stand-in letters U+DC80… for bytes that can't be decoded; one byte at a time, so that no line end is swallowed."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    byte = error.object[error.start]
    wide = error.encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32"))
    return chr(0xDC00 + (byte if byte >= 0x80 else 0x80)), error.end if wide else error.start + 1


codecs.register_error(ESCAPE, _escape)

__all__ = ["ESCAPE", "careful_batches"]
