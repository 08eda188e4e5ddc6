"""Facts and profile as the views that steps read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlglot import exp

from kequn.data.standard import TABLES
from kequn.engine import Engine, Parquet
from kequn.errors import DataError
from kequn.language import Type
from kequn.profile import (
    Delivered,
    ProfileColumn,
    ProfilePlan,
    customer_ranges,
    inward,
    published,
    table_view,
)


class FactFiles(Protocol):
    """The part of a fact table that the engine needs."""

    @property
    def files(self) -> tuple[Path, ...]: ...


@dataclass(frozen=True)
class StoredFacts:
    """A fact table as files on disk."""

    files: tuple[Path, ...]


def register_facts(engine: Engine, tables: Mapping[str, FactFiles], delivered: Delivered) -> None:
    """Name every canonical table in the engine, with all columns of the standard."""
    for name in TABLES:
        present = name in tables and bool(tables[name].files)
        if present:
            engine.view(f"raw_{name}", Parquet(tables[name].files))
        engine.view(name, table_view(name, delivered if present else {}, f"raw_{name}"))


def register_stored_facts(engine: Engine, folder: Path, manifest: Mapping[str, Any]) -> Delivered:
    """Name the facts that a published run used, as far as they are still kept; what they deliver.

    Raises DataError when a table of the run is gone.
    """
    tables: dict[str, StoredFacts] = {}
    delivered: dict[str, dict[str, Type]] = {}
    for name, used in manifest.get("facts", {}).items():
        files = tuple(sorted((folder / str(used["fingerprint"])).glob("*.parquet")))
        if not files:
            raise DataError("pipeline.facts_gone", table=name)
        tables[name] = StoredFacts(files)
        delivered[name] = dict(used.get("columns", {}))
    register_facts(engine, tables, delivered)
    return delivered


def write_profile(engine: Engine, plan: ProfilePlan, folder: Path, minor_unit_digits: int) -> int:
    """Build the profile and write it as it is published, sorted by customer; returns the customers."""
    ranges = customer_ranges(engine, plan.tables)
    rows = 0
    for number, customers in enumerate(ranges):
        built = plan.within(customers).subquery("built", copy=False)
        query = published(plan.columns, built, minor_unit_digits)
        prefix = f"part-{number:05}" if len(ranges) > 1 else "part"
        rows += engine.write_parquet(query, folder, prefix=prefix, sort=("customer_id",))
    return rows


def view_profile(
    engine: Engine,
    name: str,
    columns: Sequence[ProfileColumn],
    files: tuple[Path, ...],
    minor_unit_digits: int,
) -> None:
    """Name a written profile in the engine, with money in minor units."""
    engine.view(f"{name}_published", Parquet(files))
    engine.view(name, inward(columns, f"{name}_published", minor_unit_digits))


def join_predictions(
    engine: Engine, name: str, profile: str, prediction: str, columns: Sequence[str]
) -> None:
    """The profile with prediction columns beside it."""
    left = exp.column(exp.to_identifier("customer_id", quoted=True), table="p")
    right = exp.column(exp.to_identifier("customer_id", quoted=True), table="m")
    chosen = [exp.column(exp.to_identifier(item, quoted=True), table="m") for item in columns]
    query = (
        exp.select(exp.Column(this=exp.Star(), table=exp.to_identifier("p")), *chosen)
        .from_(f"{profile} AS p")
        .join(f"{prediction} AS m", on=exp.EQ(this=left, expression=right), join_type="left")
    )
    engine.view(name, query)


__all__ = [
    "StoredFacts",
    "join_predictions",
    "register_facts",
    "register_stored_facts",
    "view_profile",
    "write_profile",
]
