"""A profile with enrichments over a few literal rows."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.factory import AS_OF, SomeFacts

from kequn.engine import Engine, EngineSettings, open_engine
from kequn.profile import Registry
from kequn.profile.enrich import ENRICHED, Enriched, EnrichSettings, enrich, foreseen

START = date(2020, 1, 1)
Rows = dict[str, dict[str, Any]]


def enriched_profile(
    engine: Engine, folder: Path, tables: dict[str, list[dict[str, Any]]], settings: EnrichSettings | None = None,
    start: date = START,
) -> tuple[Rows, Enriched]:  # fmt: skip
    """Customer id to profile row, and what the enrichments reported."""
    facts = SomeFacts(tables)
    facts.register(engine, folder / "facts")
    found = enrich(engine, facts.delivered, AS_OF, folder / "enriched", settings)
    expected = foreseen(facts.delivered, settings)
    for name, columns in found.delivered.items():  # `check` foresees what a run delivers
        declared = {column for column in columns if column in ENRICHED()[name]}
        assert declared <= set(expected[name]), name
    plan = Registry(found.features).plan({**facts.delivered, **found.delivered}, AS_OF, start)
    return {row["customer_id"]: row for row in engine.sql(plan.query).to_pylist()}, found


def on_duckdb(
    folder: Path,
    tables: dict[str, list[dict[str, Any]]],
    settings: EnrichSettings | None = None,
    start: date = START,
) -> tuple[Rows, Enriched]:
    """The same on a DuckDB of its own."""
    engine = open_engine(EngineSettings(memory_limit="1GB"))
    try:
        return enriched_profile(engine, folder, tables, settings, start)
    finally:
        engine.close()


def ago(days: int, hour: int = 0) -> datetime:
    """A time `days` before the run's date."""
    return datetime.combine(AS_OF - timedelta(days=days), datetime.min.time()) + timedelta(hours=hour)


__all__ = ["AS_OF", "START", "Rows", "ago", "enriched_profile", "on_duckdb"]
