"""Find out how a text file is written: encoding, delimiter, and which line is the header."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from kequn.errors import DataError

SAMPLE_BYTES = 1 << 20
SAMPLE_ROWS = 500
HEADER_ROWS = 60
DELIMITERS = (",", "\t", ";", "|")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FOLLOWING = ("big5", "cp949", "shift_jis", "cp1251", "cp1252")
_VALUE = re.compile(
    r"[-+(]?\s*[¥￥$€£]?\s*[-+]?\d[\d,.  ]*\s*(%|元|万|亿)?\)?"
    r"|\d{4}[-/.年]\d{1,2}([-/.月]\d{1,2}日?)?([ T].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}( .*)?"
)


def read_sample(path: Path, size: int = SAMPLE_BYTES) -> bytes:
    """The first `size` bytes of a file."""
    with path.open("rb") as file:
        return file.read(size)


def detect_encoding(path: Path) -> str:
    """The codec of a text file, from its first MB and, when that is plain ASCII, from the first MB that isn't.

    UTF-8 is believed when its multi-byte letters hold; GB18030 when what it gives is mostly common Chinese; only then others.
    """
    sample = read_sample(path)
    for bom, codec in _BOMS:
        if sample.startswith(bom):
            return codec
    wide = _utf16_without_bom(sample)
    if wide:
        return wide
    if sample.isascii():
        sample = _first_beyond_ascii(path)
        if sample.isascii():
            return "utf-8"
    if _share_broken(sample, "utf-8") <= 0.02:
        return "utf-8"
    if _share_broken(sample, "gb18030") <= 0.02 and _is_common_chinese(sample):
        return "gb18030"
    return _by_library(sample)


def decode_sample(sample: bytes, encoding: str, errors: str = "strict") -> str:
    """The text of a sample that may end within a letter.

    Raises: UnicodeDecodeError where `errors` is strict; LookupError for an unknown codec.
    """
    return codecs.getincrementaldecoder(encoding)(errors).decode(sample, False)


def looks_binary(text: str) -> bool:
    """Whether a decoded sample holds more control characters than a text file with a few faults would."""
    control = Counter(letter for letter in text if letter < " " and letter not in "\t\n\r\0")
    return (control.total() > 0.05 * len(text) and len(control) > 9) or text.count("\0") > 0.3 * len(text)


def check_encoding(path: Path, encoding: str) -> None:
    """Refuse an encoding given by the user that the file plainly contradicts.

    Raises: DataError `files.unknown_encoding`, `files.wrong_encoding`.
    """
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise DataError("files.unknown_encoding", file=str(path), encoding=encoding) from None
    found = detect_encoding(path)
    sample = read_sample(path)
    if sample.isascii():
        sample = _first_beyond_ascii(path)
    wide = found.startswith(("utf-16", "utf-32"))
    if wide and not encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32")):
        raise DataError("files.wrong_encoding", file=str(path), encoding=encoding, found=found)
    if _share_broken(sample, encoding) > 0.05:
        raise DataError("files.wrong_encoding", file=str(path), encoding=encoding, found=found)
    letters = len(decode_sample(sample, "utf-8", "ignore")) if found.startswith("utf-8") else 0
    many = letters and sum(byte >= 0xC0 for byte in sample) >= 8
    same = codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii")
    if many and not same and _share_broken(sample, "utf-8") == 0:
        raise DataError("files.wrong_encoding", file=str(path), encoding=encoding, found=found)


def detect_delimiter(text: str, quote: str, decimal: str | None = None, prefer: str | None = None) -> str:
    """The character that splits most lines, header included, into the same number of cells; `,` when none does."""
    best, best_score = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        if delimiter == decimal:
            continue
        widths = [len(row) for row in sample_rows(text, delimiter, quote)]
        common = [width for width in widths if width > 1]
        if not common:
            continue
        width, times = Counter(common).most_common(1)[0]
        first = next(place for place, cells in enumerate(widths) if cells > 1)
        share = times / len(widths)
        if widths[first] != width:
            share *= 0.6
        if delimiter == prefer:
            share += 0.2
        score = (round(share, 2), width)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def sample_rows(text: str, delimiter: str, quote: str, limit: int = SAMPLE_ROWS) -> list[list[str]]:
    """The first rows of a text that aren't blank; a row that the end of the sample cuts is left out."""
    rows: list[list[str]] = []
    csv.field_size_limit(max(csv.field_size_limit(), 1 << 28))
    for row in csv.reader(physical_lines(text), **dialect(delimiter, quote)):
        if row:
            rows.append(row)
        if len(rows) > limit:
            return rows[:limit]
    return rows[:-1] if len(rows) > 1 and len(text) >= SAMPLE_BYTES // 4 else rows


def dialect(delimiter: str, quote: str) -> dict[str, Any]:
    """Arguments of `csv.reader` for a delimiter and a quote ("" = none)."""
    if not quote:
        return {"delimiter": delimiter, "quoting": csv.QUOTE_NONE, "quotechar": None}
    return {"delimiter": delimiter, "quotechar": quote}


def physical_lines(text: str) -> list[str]:
    """The lines of a text with their ends: LF, CR LF or CR."""
    # str.splitlines also splits at U+2028, form feeds and the like, which are ordinary letters in a CSV file.
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$", text)


@dataclass(frozen=True)
class Header:
    """Where the header stands among the rows that aren't blank (from 0; None = there is none) and the number of columns."""

    place: int | None
    width: int


def find_header(rows: Sequence[Sequence[str]]) -> Header:
    """The header of delimited rows: the first as wide as most rows are.

    Title lines above it have fewer cells, or only one that is filled. A delimiter too many at the end of the header, or of
    every row below, is forgiven.
    """
    head = rows[:HEADER_ROWS]
    usual = Counter(len(row) for row in head).most_common(1)[0][0] if head else 0
    open_ended = all(not row[-1].strip() for row in head if len(row) == usual)
    for place, row in enumerate(head):
        fits = (
            len(row) == usual
            or (len(row) == usual - 1 and open_ended)
            or (len(row) == usual + 1 and not row[-1].strip())
        )
        if fits and _filled(row) > (1 if usual > 2 else 0):
            return Header(None if _is_data(row) else place, usual)
        if len(row) == _filled(row) >= max(2, 0.6 * usual) and not any(map(_is_value, row)):
            # Too full for a title: a header that most rows don't fit. They become bad rows instead of being misread.
            return Header(place, len(row))
    return Header(0, len(head[0]) if head else 0)


def find_sheet_header(rows: Sequence[Sequence[str]]) -> Header:
    """The header of a sheet, whose rows are all of one length: the first row that is filled about as well as most."""
    head = rows[:HEADER_ROWS]
    filled = [_filled(row) for row in head]
    enough = max(1.0, 0.6 * median(filled[len(filled) // 2 :])) if filled else 0
    for place, row in enumerate(head):
        if filled[place] >= enough:
            return Header(None if _is_data(row) else place, len(row))
    return Header(None, 0)


def _filled(row: Sequence[str]) -> int:
    return sum(1 for cell in row if cell.strip())


def _is_data(row: Sequence[str]) -> bool:
    return sum(map(_is_value, row)) * 2 > _filled(row)


def _is_value(cell: str) -> bool:
    """Whether a cell is a number, an amount or a date: what a header hardly holds."""
    return _VALUE.fullmatch(cell.strip()) is not None


def _utf16_without_bom(sample: bytes) -> str | None:
    """UTF-16 betrays itself by the zero bytes of its ASCII letters, all on even or all on odd places."""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    codec = "utf-16-le" if odd > 20 * even else "utf-16-be" if even > 20 * odd else None
    if codec is None or _share_broken(sample, codec) > 0:
        return None
    # Stray zero bytes in other text are rarer; all of it is still good ASCII or UTF-8.
    least = 0.4 if _share_broken(sample, "utf-8") == 0 else 0.05
    return codec if even + odd >= least * len(sample) else None


def _first_beyond_ascii(path: Path) -> bytes:
    with path.open("rb") as file:
        while chunk := file.read(SAMPLE_BYTES):
            if not chunk.isascii():
                start = next(place for place, byte in enumerate(chunk) if byte >= 0x80)
                return chunk[start:] + file.read(SAMPLE_BYTES)
    return b""


def _share_broken(sample: bytes, encoding: str) -> float:
    """Undecodable places as a share of the letters beyond ASCII."""
    text = decode_sample(sample, encoding, "replace")
    broken = text.count("\ufffd")
    return broken / max(1, sum(1 for letter in text if letter >= "\x80")) if broken else 0.0


def _is_common_chinese(sample: bytes) -> bool:
    """GB18030 takes nearly any bytes; only Chinese gives common characters (GB 2312, symbols and level 1)."""
    letters = [letter for letter in decode_sample(sample, "gb18030", "ignore") if letter >= "\x80"][:20_000]
    common = sum(1 for letter in letters if b"\xa1" <= letter.encode("gb2312", "ignore")[:1] <= b"\xd7")
    return bool(letters) and common >= 0.6 * len(letters)


def _by_library(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    lines = [line for line in sample.splitlines() if not line.isascii()]
    best = from_bytes(b"\n".join(lines)[:100_000], cp_isolation=list(_FOLLOWING)).best()
    if best is not None and _share_broken(sample, best.encoding) == 0:
        return best.encoding
    return "cp1252" if _share_broken(sample, "cp1252") == 0 else "latin-1"


__all__ = [
    "DELIMITERS",
    "SAMPLE_BYTES",
    "Header",
    "check_encoding",
    "decode_sample",
    "detect_delimiter",
    "detect_encoding",
    "dialect",
    "find_header",
    "find_sheet_header",
    "looks_binary",
    "physical_lines",
    "read_sample",
    "sample_rows",
]
