"""Take one customer out of the lists of ids that audiences name."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kequn.audience.build import id_column
from kequn.audience.spec import AudienceSpec, Members
from kequn.definitions import load_yaml, validate, write_atomically
from kequn.errors import KequnError

if TYPE_CHECKING:
    from kequn.data.csv_files import CsvTable


@dataclass(frozen=True)
class ListsCleaned:
    """`rows` taken out of all lists; `left` are the lists (relative paths) that may still name the customer."""

    rows: int
    left: tuple[str, ...]


def forget_in_lists(folder: Path, customer_id: str) -> ListsCleaned:
    """Take `customer_id` out of every list that an audience in `folder` names; each file changes whole or not at all.

    Delimited text keeps its encoding and its other lines as they are, Parquet its columns. A workbook can't be rewritten
    without losing its looks, and a list that can't be read can't be searched: such files are named in `left`.
    """
    rows, left = 0, []
    for name, column in sorted(_lists(folder), key=str):
        try:
            rows += _clean(folder / name, column, customer_id)
        except (KequnError, OSError, ValueError):
            left.append(name)
    return ListsCleaned(rows, tuple(left))


def _lists(folder: Path) -> set[tuple[str, str | None]]:
    found: set[tuple[str, str | None]] = set()
    for file in folder.glob("*.yaml"):
        try:
            spec = validate(AudienceSpec, load_yaml(file), file.name)
        except KequnError:  # a broken audience names no list; `kequn check` tells of it
            continue
        parts: tuple[Members, ...] = (spec, spec.exclude)
        found |= {(part.ids, part.column) for part in parts if part.ids}
    return found


def _clean(file: Path, wanted: str | None, customer_id: str) -> int:
    """Rows taken out of one list. Raises KequnError for one that holds the customer and can't be rewritten."""
    from kequn.data.csv_files import CsvTable
    from kequn.data.files import kind_of, open_table

    table = open_table(file)
    column = id_column(table.columns, wanted)
    if column is None:
        raise KequnError("audience.id_column", file=str(file), audience="", known=list(table.columns))
    held = sum(
        sum(str(value) == customer_id for value in batch[column].to_pylist()) for batch in table.batches()
    )
    if not held:
        return 0
    if isinstance(table, CsvTable):
        _rewrite_text(table, table.columns.index(column), customer_id)
    elif kind_of(file) == "parquet" and file.is_file():
        _rewrite_parquet(file, column, customer_id)
    else:
        raise KequnError("audience.list_kept", file=str(file))
    return held


def _rewrite_text(table: CsvTable, place: int, customer_id: str) -> None:
    from kequn.data.csv_dialect import dialect, physical_lines

    how = table.detected
    lines = physical_lines(table.path.read_bytes().decode(how["encoding"], "surrogateescape"))
    reader = csv.reader(lines, **dialect(how["delimiter"], how["quote"]))
    kept, start = [], 0
    for cells in reader:
        if not (len(cells) > place and cells[place].strip() == customer_id):
            kept += lines[start : reader.line_num]
        start = reader.line_num
    write_atomically(table.path, "".join(kept).encode(how["encoding"], "surrogateescape"))


def _rewrite_parquet(file: Path, column: str, customer_id: str) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    same = pc.equal(pc.cast(table[column], pa.string()), customer_id)
    written = pa.BufferOutputStream()
    pq.write_table(table.filter(pc.invert(pc.fill_null(same, False))), written)
    write_atomically(file, written.getvalue().to_pybytes())


__all__ = ["ListsCleaned", "forget_in_lists"]
