"""Types of the language, and the catalog of names that an expression may use."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

Type = Literal["integer", "number", "money", "decimal", "text", "date", "timestamp", "boolean"]
NUMERIC: frozenset[str] = frozenset({"integer", "number", "decimal"})

SQL_TYPES: Mapping[str, str] = {
    "integer": "BIGINT",
    "number": "DOUBLE",
    "money": "BIGINT",
    "decimal": "DECIMAL(18,3)",
    "text": "VARCHAR",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "boolean": "BOOLEAN",
}


@dataclass(frozen=True)
class Column:
    """A name that rules may use. `values` are the known values of an enumeration, for the builder and for hints."""

    name: str
    type: Type
    title: Mapping[str, str] = field(default_factory=dict)
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Catalog:
    """What is in sight: columns, schemes with their segment ids, and behaviours with the columns they filter by.

    A column may also be written by its zh title. `minor_unit_digits` is 2 for 元 and 分: literals beside money are
    written in major units and scaled. `as_of` is the run's date.
    """

    columns: Mapping[str, Column]
    schemes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    behaviours: Mapping[str, Mapping[str, Type]] = field(default_factory=dict)
    as_of: date | None = None
    minor_unit_digits: int = 2

    def find(self, name: str) -> Column | None:
        """The column called `name`, or whose zh title it is."""
        if name in self.columns:
            return self.columns[name]
        lowered = self.columns.get(name.lower())
        if lowered is not None:
            return lowered
        titled = [column for column in self.columns.values() if column.title.get("zh") == name]
        return titled[0] if len(titled) == 1 else None


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name closest to `word`, or "" when none is close."""
    matches = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.5)
    return matches[0] if matches else ""


__all__ = ["NUMERIC", "SQL_TYPES", "Catalog", "Column", "Type", "nearest"]
