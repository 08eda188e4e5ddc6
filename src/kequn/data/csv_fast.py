"""The quick way through a delimited file: pyarrow's parser, given up at the first sign of trouble.

Whatever it gives up on, `csv_careful` reads again from the start; both count rows alike, so that nothing is read twice.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from kequn.data.raw_table import CELL_LIMIT, ROW

if TYPE_CHECKING:
    from kequn.data.csv_files import Layout

BLOCK_BYTES = 4 << 20
_TAIL = 1 << 16


class NeedsCareError(Exception):
    """The file has something in it that the quick parser can't be trusted with."""


def fast_batches(path: Path, layout: Layout) -> Iterator[pa.RecordBatch]:
    """Batches of a sound file.

    Raises: NeedsCareError at a row with too few or too many cells, NUL, bytes that can't be decoded, a huge cell, or a quote
    that isn't closed. All batches given before hold rows 1, 2, 3 … without a gap.
    """
    import pyarrow.csv as arrow_csv

    stream = _Utf8Stream(path, layout)
    names = list(layout.columns)
    try:
        reader = arrow_csv.open_csv(
            pa.PythonFile(stream, mode="r"),
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=BLOCK_BYTES),
            parse_options=arrow_csv.ParseOptions(
                delimiter=layout.delimiter,
                quote_char=layout.quote or False,
                newlines_in_values=bool(layout.quote),
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in names}, null_values=[], strings_can_be_null=False
            ),
        )
        yield from _checked(reader, stream)
    except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeError) as problem:
        raise NeedsCareError from problem
    finally:
        stream.close()


def _checked(reader: pa.csv.CSVStreamingReader, stream: _Utf8Stream) -> Iterator[pa.RecordBatch]:
    """Number the rows; hold each batch back until it is known whether it is the last, whose end needs a look."""
    held: pa.RecordBatch | None = None
    start = 1
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            break
        if stream.trouble or _has_huge_cell(batch):
            raise NeedsCareError
        if batch.num_rows == 0:
            continue
        if held is not None:
            yield held
        held = _numbered(batch, start)
        start += batch.num_rows
    if stream.trouble or (
        held is not None and stream.ends_inside_quotes(held.column(held.num_columns - 2)[-1].as_py())
    ):
        raise NeedsCareError
    if held is not None:
        yield held


def _numbered(batch: pa.RecordBatch, start: int) -> pa.RecordBatch:
    numbers = pa.array(np.arange(start, start + batch.num_rows, dtype=np.int64))
    schema = pa.schema([*((name, pa.string()) for name in batch.schema.names), (ROW, pa.int64())])
    return pa.record_batch([*batch.columns, numbers], schema=schema)


def _has_huge_cell(batch: pa.RecordBatch) -> bool:
    import pyarrow.compute as pc

    if batch.nbytes <= CELL_LIMIT:
        return False
    return any((pc.max(pc.binary_length(column)).as_py() or 0) > CELL_LIMIT for column in batch.columns)


class _Utf8Stream:
    """The body of a text file as UTF-8 bytes, without BOM and header; notes trouble instead of raising in pyarrow's threads."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self._file = path.open("rb")
        self._quote = layout.quote
        codec = codecs.lookup(layout.encoding).name
        self._decoder = None
        if codec in ("utf-8", "utf-8-sig"):
            # These bytes are UTF-8 already; pyarrow checks them itself.
            head = self._file.read(3) if codec == "utf-8-sig" else b""
            start = 3 if head == codecs.BOM_UTF8 else 0
            self._file.seek(start)
            self._drop_utf8(layout.body_at)
        else:
            self._decoder = codecs.getincrementaldecoder(layout.encoding)("strict")
            self._drop = layout.body_at
        self._rest = b""
        self._tail = b""
        self.trouble = False
        self.closed = False

    def _drop_utf8(self, characters: int) -> None:
        start = self._file.tell()
        piece = self._file.read(4 * characters)
        text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(piece, False)
        self._file.seek(start + len(text[:characters].encode("utf-8", "surrogateescape")))

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; b"" at the end."""
        while len(self._rest) < max(size, 1):
            piece = self._next_piece()
            if not piece:
                break
            self._rest = self._rest + piece if self._rest else piece
        given, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        if b"\0" in given:
            self.trouble = True
        self._tail = given[-_TAIL:] if len(given) >= _TAIL else (self._tail + given)[-_TAIL:]
        return given

    def _next_piece(self) -> bytes:
        raw = self._file.read(1 << 20)
        if self._decoder is None:
            return raw
        try:
            text = self._decoder.decode(raw, final=not raw)
            while raw and not text:
                raw = self._file.read(1 << 20)
                text = self._decoder.decode(raw, final=not raw)
            if self._drop:
                dropped = min(self._drop, len(text))
                self._drop -= dropped
                text = text[dropped:]
                if not text and raw:
                    return self._next_piece()
            return text.encode("utf-8")
        except UnicodeError:
            self.trouble = True
            return b""

    def ends_inside_quotes(self, last_cell: str) -> bool:
        """Whether the file may end within a quoted cell, given the last cell read; wrong only on the side of caution."""
        if not self._quote:
            return False
        opened = (self._quote + last_cell.replace(self._quote, self._quote * 2)).encode()
        return len(opened) > len(self._tail) or self._tail.endswith(opened)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self.closed = True

    def readable(self) -> bool:
        """Asked by pyarrow."""
        return True

    def seekable(self) -> bool:
        """Asked by pyarrow."""
        return False


__all__ = ["NeedsCareError", "fast_batches"]
