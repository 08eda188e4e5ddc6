"""Samples of files to be recognised: files with the same columns together, each sheet of a workbook apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from kequn.data.column_content import Content, look_at_all
from kequn.data.csv_files import unwrap
from kequn.data.files import ROW, RawTable, ReadOptions, open_table, sheets_of
from kequn.errors import DataError

SAMPLED_FILES = 3
"""Of many files with the same columns, so many are looked into."""


@dataclass(frozen=True)
class Sample:
    """The first rows of one or more files (a sheet of one workbook) with the same columns."""

    files: tuple[Path, ...]
    sheet: str | None
    columns: tuple[str, ...]
    batch: pa.RecordBatch = field(repr=False)
    contents: Mapping[str, Content] = field(repr=False)
    detected: Mapping[str, Any]
    wrapped: bool = False

    @property
    def name(self) -> str:
        """The file's name without suffix, and the sheet's."""
        stem = self.files[0].stem.strip("*.-_ ") or self.files[0].parent.name
        return f"{stem}-{self.sheet}" if self.sheet else stem


def read_samples(files: Sequence[Path]) -> list[Sample]:
    """Read the start of each file; files with the same columns come together.

    Raises: DataError for a file that can't be read; a sheet that is empty or has only a header is passed over when its
    workbook has others.
    """
    groups: dict[tuple[Any, ...], list[RawTable]] = {}
    for file in dict.fromkeys(files):
        sheets = sheets_of(file)
        for sheet in sheets:
            try:
                opened = open_table(file, ReadOptions(sheet=sheet))
            except DataError as problem:
                if len(sheets) > 1 and problem.code in (
                    "files.empty",
                    "files.header_only",
                    "files.duplicate_column",
                ):
                    continue
                raise
            kind = opened.detected["kind"]
            key = (kind, opened.columns, sheet if kind == "excel" and len(sheets) > 1 else None)
            groups.setdefault(key, []).append(opened)
    return [sample for (_, _, sheet), tables in groups.items() if (sample := _sample(tables, sheet))]


def _sample(tables: Sequence[RawTable], sheet: str | None) -> Sample | None:
    pieces = [
        batch for opened in tables[:SAMPLED_FILES] if (batch := next(opened.batches(), None)) is not None
    ]
    if not pieces:
        return None
    whole = pa.Table.from_batches(pieces).drop_columns([ROW])
    batch = whole.combine_chunks().to_batches()[0] if whole.num_rows else pieces[0].drop_columns([ROW])
    first = tables[0]
    files = tuple(opened.path for opened in tables)
    sample = Sample(files, sheet, first.columns, batch, look_at_all(batch), first.detected)
    if not first.typed and any(content.wrapped >= 0.5 for content in sample.contents.values()):
        bare = unwrap(batch)
        return replace(sample, batch=bare, contents=look_at_all(bare), wrapped=True)
    return sample


__all__ = ["Sample", "read_samples"]
