"""Files for people: CSV, Excel or Parquet that open right in Chinese offices and carry no formula of a stranger's making.

A cell that begins like a formula is run by the spreadsheet program of whoever opens the file (CWE-1236), so text from
customers must never be written as it came.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from kequn.errors import ConfigError, DataError

DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "＝", "＋", "－", "＠")
EXCEL_ROWS = 1_048_576
EXCEL_TEXT = 32_767
FORMATS = (".csv", ".xlsx", ".parquet")
BATCH_ROWS = 20_000


def safe_cell(value: Any) -> Any:
    """Text that begins like a formula gets an apostrophe before it; numbers and the rest stay as they are.

    Leading spaces do not hide the sign; a plain number written as text is no formula.

    >>> safe_cell("=1+1"), safe_cell(" @SUM(A1)"), safe_cell("-5"), safe_cell(-5), safe_cell("林")
    ("'=1+1", "' @SUM(A1)", '-5', -5, '林')
    """
    if not isinstance(value, str):
        return value
    if not (value.startswith(DANGEROUS) or value.lstrip(" \u3000\ufeff").startswith(DANGEROUS)):
        return value
    return value if _is_number(value) else f"'{value}"


def _is_number(text: str) -> bool:
    digits = text[1:] if text[:1] in "+-" else text
    whole, _, part = digits.partition(".")
    return digits.isascii() and whole.isdigit() and (part.isdigit() or not part) and len(digits) <= 15


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], titles: Mapping[str, str]) -> int:
    """Write rows as `.csv`, `.xlsx` or `.parquet` (by the ending), columns and headings as in `titles` {key: heading}.

    The file appears whole or not at all. Returns the rows written.

    Raises ConfigError `act.export_format` for another ending, DataError `act.export_too_long` for more rows than Excel
    holds.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigError("act.export_format", file=str(path), known=list(FORMATS))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as aside:
        draft = Path(aside) / f"draft{path.suffix.lower()}"
        writers = {".csv": _write_csv, ".xlsx": _write_excel, ".parquet": _write_parquet}
        count = writers[path.suffix.lower()](draft, rows, titles)
        draft.replace(path)
    return count


def _write_csv(path: Path, rows: Iterable[Mapping[str, Any]], titles: Mapping[str, str]) -> int:
    """UTF-8 with a byte-order mark, which Excel needs to show Chinese."""
    count = 0
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([safe_cell(title) for title in titles.values()])
        for row in rows:
            writer.writerow([_plain(safe_cell(row.get(key))) for key in titles])
            count += 1
    return count


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return "" if value is None else value


def _write_excel(path: Path, rows: Iterable[Mapping[str, Any]], titles: Mapping[str, str]) -> int:
    """Text stays text: no formula, no link, and an id keeps its leading zeros."""
    import xlsxwriter

    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    count = 0
    with xlsxwriter.Workbook(str(path), options) as book:
        sheet, head = book.add_worksheet(), book.add_format({"bold": True})
        formats = {
            "date": book.add_format({"num_format": "yyyy-mm-dd"}),
            "time": book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        }
        sheet.freeze_panes(1, 0)
        for column, title in enumerate(titles.values()):
            sheet.write_string(0, column, title, head)
        for count, row in enumerate(rows, start=1):
            if count >= EXCEL_ROWS:
                raise DataError("act.export_too_long", most=EXCEL_ROWS - 1)
            for column, key in enumerate(titles):
                _excel_cell(sheet, count, column, row.get(key), formats)
    return count


def _excel_cell(sheet: Any, row: int, column: int, value: Any, formats: Mapping[str, Any]) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, (int, float, Decimal)) and abs(float(value)) < 1e15:
        sheet.write_number(row, column, value)
    elif isinstance(value, datetime):
        sheet.write_datetime(row, column, value.replace(tzinfo=None), formats["time"])
    elif isinstance(value, date):
        sheet.write_datetime(row, column, value, formats["date"])
    else:
        sheet.write_string(row, column, str(value)[:EXCEL_TEXT])


def _write_parquet(path: Path, rows: Iterable[Mapping[str, Any]], titles: Mapping[str, str]) -> int:
    """Columns keep their keys: Parquet is for programs, which neither run formulas nor read headings.

    Rows are turned into columns a batch at a time, for a row as Python objects takes ten times its columns; what type a
    column has is known only after the last batch.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names, left = list(titles), iter(rows)
    tables = []
    while batch := list(islice(left, BATCH_ROWS)):
        tables.append(pa.table({name: pa.array([row.get(name) for row in batch]) for name in names}))
    table = (
        pa.concat_tables(tables, promote_options="permissive")
        if tables
        else pa.table({name: pa.nulls(0) for name in names})
    )
    pq.write_table(table, path, compression="zstd")
    return int(table.num_rows)


__all__ = ["DANGEROUS", "FORMATS", "safe_cell", "write_rows"]
