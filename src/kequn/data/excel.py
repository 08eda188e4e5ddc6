"""Read the sheets of Excel workbooks as text, guarding against files made to exhaust memory."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from kequn.data.csv_dialect import Header, find_sheet_header
from kequn.data.raw_table import CELL_LIMIT, BadRow, RawTable, ReadOptions, TextRows, excerpt, name_columns
from kequn.errors import DataError

UNPACKED_LIMIT = 2 << 30
"""Most bytes that a workbook may unpack to."""
CELLS_LIMIT = 50_000_000
"""Most cells (rows × columns up to the last one in use) of a sheet: the reader holds them all."""
_HEAD_ROWS = 1_000
_EXACT = 2**53
_OLE = b"\xd0\xcf\x11\xe0"
_REFERENCE = re.compile(rb"""\br\s*=\s*["']([A-Z]{0,3})(\d{1,7})["']""")


class SheetTable(RawTable):
    """One sheet: numbers, dates and truth values as text, rows without any value left out."""

    typed = False

    def __init__(
        self, path: Path, sheet: Any, header: Header, columns: Sequence[str], detected: dict[str, Any]
    ) -> None:
        self.path = path
        self.columns = tuple(columns)
        self.detected = detected
        self.bad_rows: list[BadRow] = []
        self._sheet = sheet
        self._first = 0 if header.place is None else header.place + 1

    def batches(self) -> Iterator[pa.RecordBatch]:
        """See `RawTable.batches`."""
        self.bad_rows.clear()
        rows = TextRows(self.columns)
        for number, cells in enumerate(islice(_filled_rows(self._sheet), self._first, None), 1):
            fault = _fault(cells, len(self.columns))
            if fault:
                source = "\t".join(cells)
                self.bad_rows.append(BadRow(number, fault, excerpt(source, len(self.bad_rows))))
            elif batch := rows.add(number, cells[: len(self.columns)]):
                yield batch
        if last := rows.flush():
            yield last


def open_sheet(path: Path, options: ReadOptions) -> SheetTable:
    """Open a sheet of a workbook: `options.sheet` by name or number, else the first visible one with data.

    Raises: DataError `files.password`, `files.broken_workbook`, `files.too_large`, `files.sheet_too_large`,
    `files.no_sheet`, `files.empty`, `files.header_only`, `files.header_row`, `files.duplicate_column`.
    """
    workbook = _open_workbook(path)
    names = _visible(workbook)
    name, sheet = _choose(path, workbook, names, options.sheet)
    rows = list(islice(_filled_rows(sheet), _HEAD_ROWS))
    if not rows:
        raise DataError("files.empty", file=str(path), sheet=name)
    header = _header(path, rows, options.header_row)
    below = rows[header.place + 1 :] if header.place is not None else rows
    cells = rows[header.place] if header.place is not None else [""] * header.width
    # Columns that are formatted but hold nothing, neither name nor value, aren't columns.
    used = max((place + 1 for row in (cells, *below) for place, cell in enumerate(row) if cell), default=0)
    cells = cells[:used]
    if not below:
        raise DataError("files.header_only", file=str(path), columns=[cell.strip() for cell in cells])
    detected = {
        "kind": "excel",
        "sheet": name,
        "sheets": list(names),
        "header_row": 0 if header.place is None else header.place + 1,
    }
    columns = name_columns(cells, path)
    lossy = _long_numbers(sheet, columns)
    if lossy:
        detected["long_numbers"] = lossy
    return SheetTable(path, sheet, header, columns, detected)


def sheet_names(path: Path) -> tuple[str, ...]:
    """Names of the visible sheets that hold anything, in the order of the workbook.

    Raises: DataError as `open_sheet`.
    """
    workbook = _open_workbook(path)
    return tuple(name for name in _visible(workbook) if _sheet(path, workbook, name).height) or _visible(
        workbook
    )


def check_workbook(path: Path) -> None:
    """Refuse what isn't a workbook or can't be opened safely.

    Raises: DataError `files.password`, `files.workbook_kind`, `files.packed`, `files.broken_workbook`, `files.too_large`.
    """
    with path.open("rb") as file:
        if file.read(4) == _OLE:
            if "EncryptedPackage".encode("utf-16-le") in file.read():
                raise DataError("files.password", file=str(path))
            return
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError) as problem:
        raise DataError("files.broken_workbook", file=str(path), reason=str(problem)) from problem
    names = {part.filename for part in parts}
    if "xl/workbook.bin" in names or "mimetype" in names:
        raise DataError("files.workbook_kind", file=str(path))
    if not any(name.startswith("xl/") for name in names):
        raise DataError("files.packed", file=str(path), kind="zip")
    unpacked = sum(part.file_size for part in parts)
    if unpacked > UNPACKED_LIMIT:
        raise DataError(
            "files.too_large", file=str(path), megabytes=unpacked >> 20, limit=UNPACKED_LIMIT >> 20
        )


def _check_extent(path: Path) -> None:
    """A sheet is held as a full rectangle up to its last cell: one stray cell in the far corner would take all memory."""
    try:
        with zipfile.ZipFile(path) as archive:
            for part in archive.infolist():
                if part.filename.startswith("xl/worksheets/") and part.filename.endswith(".xml"):
                    with archive.open(part) as stream:
                        _check_sheet_extent(path, stream)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as problem:
        raise DataError("files.broken_workbook", file=str(path), reason=str(problem)) from problem


def _check_sheet_extent(path: Path, stream: Any) -> None:
    letters: set[bytes] = set()
    last_row, rest = 0, b""
    while chunk := stream.read(1 << 20):
        found = _REFERENCE.findall(rest + chunk)
        rest = chunk[-64:]
        letters.update(column for column, _ in found)
        last_row = max(last_row, max((int(row) for _, row in found), default=0))
    columns = max((_column_number(column) for column in letters), default=0)
    if last_row * columns > CELLS_LIMIT:
        raise DataError(
            "files.sheet_too_large", file=str(path), rows=last_row, columns=columns, limit=CELLS_LIMIT
        )


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _open_workbook(path: Path) -> Any:
    import python_calamine as calamine

    check_workbook(path)
    with path.open("rb") as file:
        zipped = file.read(4) != _OLE
    if zipped:
        _check_extent(path)
    try:
        return calamine.CalamineWorkbook.from_path(path)
    except calamine.PasswordError as problem:
        raise DataError("files.password", file=str(path)) from problem
    except BaseException as problem:
        raise _broken(path, problem) from problem


def _broken(path: Path, problem: BaseException) -> BaseException:
    # A panic of the Rust library arrives as a BaseException of its own.
    if isinstance(problem, Exception) or type(problem).__name__ == "PanicException":
        return DataError("files.broken_workbook", file=str(path), reason=str(problem))
    return problem


def _visible(workbook: Any) -> tuple[str, ...]:
    import python_calamine as calamine

    sheets = [sheet for sheet in workbook.sheets_metadata if sheet.typ == calamine.SheetTypeEnum.WorkSheet]
    shown = [sheet.name for sheet in sheets if sheet.visible == calamine.SheetVisibleEnum.Visible]
    return tuple(shown or (sheet.name for sheet in sheets))


def _sheet(path: Path, workbook: Any, name: str) -> Any:
    try:
        return workbook.get_sheet_by_name(name)
    except BaseException as problem:
        raise _broken(path, problem) from problem


def _choose(path: Path, workbook: Any, names: tuple[str, ...], wanted: str | int | None) -> tuple[str, Any]:
    if wanted is None:
        for name in names:
            sheet = _sheet(path, workbook, name)
            if sheet.height:
                return name, sheet
        raise DataError("files.empty", file=str(path))
    known = tuple(workbook.sheet_names)
    name = known[wanted - 1] if isinstance(wanted, int) and 1 <= wanted <= len(known) else str(wanted)
    if name not in known:
        raise DataError("files.no_sheet", file=str(path), sheet=wanted, sheets=list(known))
    return name, _sheet(path, workbook, name)


def _header(path: Path, rows: list[list[str]], wanted: int | None) -> Header:
    if wanted is None:
        return find_sheet_header(rows)
    if not 0 <= wanted <= len(rows):
        raise DataError("files.header_row", file=str(path), row=wanted, rows=len(rows))
    return Header(wanted - 1 if wanted else None, len(rows[0]))


def _filled_rows(sheet: Any) -> Iterator[list[str]]:
    """Rows that hold anything, as text; a vertically merged text or date stands in each of its rows."""
    merged = _merged_below(sheet)
    carried: dict[int, str] = {}
    top, left = sheet.start or (0, 0)
    for row, values in enumerate(sheet.iter_rows(), top):
        cells = [_text(value) for value in values]
        for column, last in merged.get(row, ()):
            place = column - left
            if row < last and not isinstance(values[place], (int, float)):
                carried.update({(r << 20) + column: cells[place] for r in range(row + 1, last + 1)})
        if carried:
            for place, cell in enumerate(cells):
                kept = carried.pop((row << 20) + place + left, "")
                cells[place] = cell or kept
        if any(cells):
            yield cells


def _merged_below(sheet: Any) -> dict[int, list[tuple[int, int]]]:
    """Row of the first cell of each vertical merge, to its column and last row."""
    found: dict[int, list[tuple[int, int]]] = {}
    width, height = sheet.width, sheet.height
    top, left = sheet.start or (0, 0)
    for (first, column), (last, _) in sheet.merged_cell_ranges or ():
        if last > first and left <= column < left + width and first >= top:
            found.setdefault(first, []).append((column, min(last, top + height - 1)))
    return found


def _fault(cells: Sequence[str], width: int) -> str:
    if any(cells[width:]):
        return "too_many_cells"
    if any("\0" in cell for cell in cells):
        return "nul"
    if any(len(cell) * 4 > CELL_LIMIT and len(cell.encode()) > CELL_LIMIT for cell in cells):
        return "cell_too_long"
    return ""


def _text(value: Any) -> str:
    """A cell as text: dates in ISO form, whole numbers without a fraction, others with Excel's fifteen digits."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e18:
            return str(int(value))
        short = f"{value:.15g}"
        return format(Decimal(short), "f") if "e" in short else short
    if isinstance(value, dt.datetime):
        return value.isoformat(" ", "milliseconds" if value.microsecond else "seconds")
    if isinstance(value, dt.timedelta):
        minutes, seconds = divmod(int(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
    return str(value)


def _long_numbers(sheet: Any, columns: Sequence[str]) -> list[str]:
    """Columns with whole numbers beyond 2^53: Excel has cut their last digits, ids among them aren't to be trusted."""
    found = {
        place
        for row in islice(sheet.iter_rows(), _HEAD_ROWS)
        for place, value in enumerate(row)
        if isinstance(value, float) and abs(value) >= _EXACT and value.is_integer()
    }
    return [columns[place] for place in sorted(found) if place < len(columns)]


__all__ = ["CELLS_LIMIT", "UNPACKED_LIMIT", "SheetTable", "check_workbook", "open_sheet", "sheet_names"]
