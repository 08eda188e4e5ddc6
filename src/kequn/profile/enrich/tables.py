"""What enrichments deliver: declared tables, their files, and the features and warnings that come with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from kequn.engine import Engine, Parquet
from kequn.errors import KequnError
from kequn.i18n import packaged_yaml
from kequn.language import SQL_TYPES, Type
from kequn.language.typer import cast, column

if TYPE_CHECKING:
    import pyarrow as pa

    from kequn.profile.declaration import FeatureFile

Facts = Mapping[str, Mapping[str, Type]]
"""Facts at hand: table to delivered columns; the engine has a view of each table of the standard."""


@dataclass(frozen=True)
class EnrichSettings:
    """What enrichments assume.

    `near_km`: radius of "places near"; `minor_unit_digits` of money; `questionnaires` and `calendar`: the user's own, by
    file name; `festivals`: whether China's festivals are looked at; `per_eur`, `per_cny`: units of the workspace's currency
    for one euro and one yuan (None: unknown, then companies aren't sized by bands in that currency).
    """

    near_km: float = 5.0
    minor_unit_digits: int = 2
    questionnaires: Mapping[str, str] = field(default_factory=dict)
    calendar: Mapping[str, str] = field(default_factory=dict)
    festivals: bool = True
    per_eur: float | None = None
    per_cny: float | None = 1.0


@dataclass(frozen=True)
class Job:
    """What every enrichment is handed. `folder` takes its files."""

    engine: Engine
    facts: Facts
    as_of: date
    folder: Path
    settings: EnrichSettings

    def has(self, *names: str) -> bool:
        """Whether all of these `table`s or `table.column`s were delivered."""
        return has(self.facts, *names)

    def write(self, table: str, content: pa.Table) -> EnrichedTable:
        """A small table as a file, named in the engine."""
        import pyarrow.parquet as pq

        (self.folder / table).mkdir(parents=True, exist_ok=True)
        file = self.folder / table / "part-00000.parquet"
        pq.write_table(content, file, compression="zstd")
        return self.deliver(table, content.column_names)

    def deliver(
        self, table: str, columns: Sequence[str], extra: Mapping[str, Type] | None = None
    ) -> EnrichedTable:
        """The table whose files already lie in its folder; `extra` types columns that aren't declared."""
        types = {**ENRICHED()[table], **(extra or {})}
        files = tuple(sorted((self.folder / table).glob("*.parquet")))
        return EnrichedTable(files, {name: types[name] for name in columns})


@dataclass(frozen=True)
class EnrichedTable:
    """A table that an enrichment wrote: files and the columns it delivers."""

    files: tuple[Path, ...]
    columns: Mapping[str, Type]


@dataclass(frozen=True)
class Enriched:
    """All enriched tables of a run, features that came with them (traits), reports in numbers, and warnings."""

    tables: Mapping[str, EnrichedTable] = field(default_factory=dict)
    features: tuple[FeatureFile, ...] = ()
    warnings: tuple[KequnError, ...] = ()
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def delivered(self) -> dict[str, dict[str, Type]]:
        """What the profile may read: table to columns."""
        return {name: dict(table.columns) for name, table in self.tables.items()}

    def with_(self, other: Enriched) -> Enriched:
        """Both together."""
        return Enriched(
            {**self.tables, **other.tables},
            (*self.features, *other.features),
            (*self.warnings, *other.warnings),
            {**self.report, **other.report},
        )


def has(facts: Facts, *names: str) -> bool:
    """Whether `facts` deliver all of these `table`s or `table.column`s."""
    return all(
        column in facts.get(table, {}) if column else table in facts
        for table, _, column in (name.partition(".") for name in names)
    )


@cache
def ENRICHED() -> dict[str, dict[str, Type]]:
    """Declared tables: name to column types."""
    tables: dict[str, dict[str, Type]] = packaged("tables.yaml")
    return tables


def packaged(name: str) -> Any:
    """A YAML file of this package."""
    return packaged_yaml(resources.files("kequn.profile.enrich").joinpath(name).read_text(encoding="utf-8"))


def register_enriched(engine: Engine, enriched: Enriched, wanted: Facts | None = None) -> None:
    """Name every enriched table in the engine, with all declared columns and those of `wanted`: NULL where not delivered."""
    for name, declared in ENRICHED().items():
        table = enriched.tables.get(name)
        columns = table.columns if table and table.files else {}
        if table and table.files:
            engine.view(f"raw_{name}", Parquet(table.files))
        types = {**declared, **(wanted or {}).get(name, {}), **columns}
        shown = [
            column(key) if key in columns else exp.alias_(cast(exp.Null(), SQL_TYPES[kind]), key, quoted=True)
            for key, kind in types.items()
        ]
        query = exp.select(*shown)
        engine.view(name, query.from_(f"raw_{name}") if columns else query.where(exp.false()))


def batches(files: Sequence[Path], rows: int = 100_000) -> Iterator[pa.RecordBatch]:
    """The files' rows, batch by batch."""
    import pyarrow.parquet as pq

    for file in files:
        yield from pq.ParquetFile(file).iter_batches(rows)


__all__ = [
    "ENRICHED",
    "EnrichSettings",
    "Enriched",
    "EnrichedTable",
    "Facts",
    "Job",
    "batches",
    "has",
    "packaged",
    "register_enriched",
]
