"""What staging a source gives: a table in DuckDB, the problems of its rows, and what to tell the user."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kequn.data.convert import Money
from kequn.data.sources import Source
from kequn.data.standard import Column, Table

if TYPE_CHECKING:
    import duckdb

    from kequn.data.raw_table import BadRow

TEXT_LIMIT = 200
"""Longest piece of an offending cell that is kept, in characters."""


@dataclass(frozen=True)
class Problem:
    """A kind of row that can't be kept: reason code and the column at fault."""

    reason: str
    column: str | None
    condition: str = ""
    text: str = "NULL"


@dataclass(frozen=True)
class Notice:
    """Something the user should know that isn't an error: a code worded in `locale/data.yaml`, and its fields."""

    code: str
    fields: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """An optional cell of a kept row that can't be read; it counts as missing."""

    key: str
    reason: str
    file: int
    row: int
    column: str
    text: str


@dataclass
class Stage:
    """A staged source. `table` is its name in DuckDB; `columns` are the canonical columns it delivers."""

    owner: Table
    source: Source
    table: str
    columns: dict[str, Column]
    files: tuple[Path, ...]
    problems: tuple[Problem, ...]
    bad_rows: list[tuple[int, BadRow]]
    cells: list[Cell]
    notices: list[Notice]
    rests: tuple[str, ...]


@dataclass(frozen=True)
class Room:
    """What staging needs to know of the workspace."""

    con: duckdb.DuckDBPyConnection
    money: Money
    zone: str
    clock: datetime


__all__ = ["TEXT_LIMIT", "Cell", "Notice", "Problem", "Room", "Stage"]
