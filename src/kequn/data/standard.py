"""The customer data standard: which tables and columns Kequn understands (DESIGN §2).

One declaration (`standard.yaml`), read once and lazily. Validation, import mapping, data dictionary, labels and the
rule language derive from it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal, cast

Type = Literal["money", "integer", "number", "decimal", "text", "date", "timestamp", "boolean"]
Model = Literal[
    "demographic",
    "behavioural",
    "geographic",
    "psychographic",
    "technographic",
    "firmographic",
    "transactional",
]
Basis = Literal["external", "internal", "behaviour"]
Privacy = Literal["none", "personal", "sensitive"]
Role = Literal["given", "derived", "checked"]

TYPES: tuple[Type, ...] = ("money", "integer", "number", "decimal", "text", "date", "timestamp", "boolean")
MODELS: tuple[Model, ...] = (
    "demographic", "behavioural", "geographic", "psychographic", "technographic", "firmographic", "transactional",
)  # fmt: skip
CUSTOM_PREFIX = "x_"


@dataclass(frozen=True)
class Value:
    """One normalised value of a vocabulary, its titles and its other spellings."""

    name: str
    title: Mapping[str, str]
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """One column of a canonical table.

    `role`: `given` may be mapped, `derived` is computed by Kequn and never mapped, `checked` is read and checked but not
    stored. `of` (shapes only) is the `table.column` that it fills. `privacy` is none, personal or sensitive.
    """

    name: str
    type: Type
    title: Mapping[str, str]
    unit: str | None = None
    model: Model | None = None
    basis: Basis | None = None
    required: bool = False
    privacy: Privacy = "none"
    values: tuple[Value, ...] = ()
    role: Role = "given"
    of: str | None = None

    @property
    def synonyms(self) -> dict[str, str]:
        """Spelling (folded by `fold`) to normalised value; empty when the column isn't an enumeration."""
        return {
            fold(word): value.name
            for value in self.values
            for word in (value.name, value.title["zh"], value.title["en"], *value.also)
        }


@dataclass(frozen=True)
class Table:
    """One canonical table, or the shape of a file that feeds several tables (`flat_orders`)."""

    name: str
    title: Mapping[str, str]
    grain: Mapping[str, str]
    key: tuple[str, ...]
    columns: Mapping[str, Column] = field(repr=False)
    time_column: str | None = None

    @property
    def required(self) -> tuple[str, ...]:
        """Columns without which a source can't feed this table."""
        return tuple(name for name, column in self.columns.items() if column.required)

    @property
    def mappable(self) -> dict[str, Column]:
        """Columns that a source may deliver (not the derived ones)."""
        return {name: column for name, column in self.columns.items() if column.role != "derived"}


def fold(text: str) -> str:
    """The form in which spellings are compared: NFKC, lower case, outer blanks gone.

    >>> fold("  Ｍale ")
    'male'
    """
    return unicodedata.normalize("NFKC", text).strip().lower()


@cache
def _raw() -> Mapping[str, Any]:
    from kequn.i18n import packaged_yaml

    raw: Mapping[str, Any] = packaged_yaml(
        resources.files("kequn.data").joinpath("standard.yaml").read_text(encoding="utf-8")
    )
    return raw


@cache
def vocabularies() -> Mapping[str, tuple[Value, ...]]:
    """The vocabularies of the standard (gender, education, intent …): name to its values, in order."""
    return MappingProxyType({name: _vocabulary(values) for name, values in _raw()["vocabularies"].items()})


@cache
def _declaration() -> tuple[Mapping[str, Table], Mapping[str, Table]]:
    raw = _raw()

    def build(declared: Mapping[str, Any]) -> Mapping[str, Table]:
        return MappingProxyType(
            {name: _table(name, entry, vocabularies()) for name, entry in declared.items()}
        )

    return build(raw["tables"]), build(raw["shapes"])


def _vocabulary(values: Mapping[str, Any]) -> tuple[Value, ...]:
    return tuple(
        Value(name, {"zh": entry["zh"], "en": entry["en"]}, tuple(str(word) for word in entry["also"]))
        for name, entry in values.items()
    )


def _table(name: str, entry: Mapping[str, Any], known: Mapping[str, tuple[Value, ...]]) -> Table:
    defaults = {key: entry[key] for key in ("model", "basis", "privacy") if key in entry}
    columns: dict[str, Column] = {}
    for column, (kind, zh, en, extra) in entry["columns"].items():
        settings = {**defaults, **extra}
        if "values" in settings:
            settings["values"] = known[settings["values"]]
        columns[column] = Column(column, kind, {"zh": zh, "en": en}, **settings)
    return Table(
        name,
        entry["title"],
        entry["grain"],
        tuple(entry["key"]),
        MappingProxyType(columns),
        entry.get("time"),
    )


class _Lazy(Mapping[str, Table]):
    """A mapping that reads the declaration on first use, so that importing Kequn stays quick."""

    def __init__(self, part: int) -> None:
        self._part = part

    def __getitem__(self, name: str) -> Table:
        return _declaration()[self._part][name]

    def __iter__(self) -> Iterator[str]:
        return iter(_declaration()[self._part])

    def __len__(self) -> int:
        return len(_declaration()[self._part])


TABLES: Mapping[str, Table] = _Lazy(0)
"""The canonical tables, by name."""
SHAPES: Mapping[str, Table] = _Lazy(1)
"""Shapes of files that feed several canonical tables: `flat_orders`."""


def table(name: str) -> Table:
    """The canonical table or shape called `name`.

    Raises: KeyError when there is none.
    """
    return TABLES[name] if name in TABLES else SHAPES[name]


def custom_column(name: str, kind: str = "text") -> Column:
    """A column that the standard doesn't know: `x_…`, personal until the user declares otherwise."""
    plain = name.removeprefix(CUSTOM_PREFIX).replace("_", " ")
    return Column(name, cast(Type, kind), {"zh": plain, "en": plain}, privacy="personal")


__all__ = [
    "CUSTOM_PREFIX",
    "MODELS",
    "SHAPES",
    "TABLES",
    "TYPES",
    "Basis",
    "Column",
    "Model",
    "Privacy",
    "Role",
    "Table",
    "Type",
    "Value",
    "custom_column",
    "fold",
    "table",
    "vocabularies",
]
