"""What enrichments deliver: declared tables, their files, and the features and warnings that come with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kequn.engine import Engine, Parquet
from kequn.errors import KequnError
from kequn.i18n import packaged_yaml
from kequn.language import Type

if TYPE_CHECKING:
    import pyarrow as pa

    from kequn.profile.declaration import FeatureFile

Facts = Mapping[str, Mapping[str, Type]]
"""Facts at hand: table to delivered columns; the engine has a view of each table of the standard."""


@dataclass(frozen=True)
class EnrichSettings:
    """`near_km`: radius of "places near"; `minor_unit_digits` of money; `questionnaires`: the user's own, by file name."""

    near_km: float = 5.0
    minor_unit_digits: int = 2
    questionnaires: Mapping[str, str] = field(default_factory=dict)


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
        return all(
            column in self.facts.get(table, {}) if column else table in self.facts
            for table, _, column in (name.partition(".") for name in names)
        )

    def write(self, table: str, content: pa.Table) -> EnrichedTable:
        """A small table as a file, named in the engine."""
        import pyarrow.parquet as pq

        (self.folder / table).mkdir(parents=True, exist_ok=True)
        file = self.folder / table / "part-00000.parquet"
        pq.write_table(content, file, compression="zstd")
        return self.deliver(table, content.column_names)

    def deliver(self, table: str, columns: Sequence[str], extra: Mapping[str, Type] | None = None) -> EnrichedTable:
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


@cache
def ENRICHED() -> dict[str, dict[str, Type]]:  # noqa: N802  (reads like the constant TABLES; lazy like it)
    """Declared tables: name to column types."""
    return packaged("tables.yaml")


def packaged(name: str) -> Any:
    """A YAML file of this package."""
    return packaged_yaml(resources.files("kequn.profile.enrich").joinpath(name).read_text(encoding="utf-8"))


def register_enriched(engine: Engine, enriched: Enriched, delivered: Facts) -> None:
    """Name every enriched table in the engine, with all declared columns (NULL where not delivered)."""
    from kequn.profile.registry import table_view

    for name in ENRICHED():
        table = enriched.tables.get(name)
        if table is not None and table.files:
            engine.view(f"raw_{name}", Parquet(table.files))
        engine.view(name, table_view(name, delivered if table else {}, f"raw_{name}"))


def batches(files: Sequence[Path], rows: int = 100_000) -> Iterator[pa.RecordBatch]:
    """The files' rows, batch by batch."""
    import pyarrow.parquet as pq

    for file in files:
        yield from pq.ParquetFile(file).iter_batches(rows)


__all__ = ["ENRICHED", "EnrichSettings", "Enriched", "EnrichedTable", "Facts", "Job", "batches", "packaged", "register_enriched"]
