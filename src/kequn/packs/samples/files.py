"""Writing generated tables so that the same rows give the same bytes."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

FIXED = datetime(2026, 1, 1)
"""Stands as the time of writing in workbooks, so that they don't differ from day to day."""


def write_csv(file: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """UTF-8 with a byte order mark, as Excel in China writes and reads it."""
    with file.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_excel(file: Path, sheet: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """One sheet of an .xlsx workbook."""
    import xlsxwriter

    with xlsxwriter.Workbook(str(file)) as book:
        book.set_properties({"created": FIXED})
        page = book.add_worksheet(sheet)
        for place, row in enumerate([header, *rows]):
            page.write_row(place, 0, list(row))


__all__ = ["write_csv", "write_excel"]
