"""The smaller tables of a snapshot, and what serves the workbench: all read what the engine has written, with DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from kequn.pipeline.run import Running
    from kequn.profile import ProfilePlan
    from kequn.scheme import Assignment

SERVED_FACTS = ("orders", "order_lines", "products", "customers")
SERVING_SHARE = 0.6
"""Of a run's memory, for the DuckDB that writes `serving.duckdb`: the run itself holds 0.6 GB by then at 5 M customers."""


def write_tables(running: Running, plan: ProfilePlan, assignment: Assignment) -> None:
    """segment, cell, migration, quarantine, portrait and typical, then `serving.duckdb` and the card files."""
    write_table(assignment.segments, running.draft.folder("segment"))
    if assignment.cells.num_rows:
        write_table(assignment.cells, running.draft.folder("cell"))
    _migration(running, assignment)
    _quarantine(running)
    with running.clock.step("portrait"):
        _portraits(running, plan, assignment)
    with running.clock.step("serving"):
        _serving(running, assignment)


def write_table(table: pa.Table, folder: Path) -> None:
    """One small table as `folder/part-00000.parquet`."""
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "part-00000.parquet", compression="zstd")


def _migration(running: Running, assignment: Assignment) -> None:
    """Who moved since the run before (the manifest's `previous`), for each scheme that both have."""
    from kequn.snapshot import migration_table

    before = running.previous
    shared = sorted(set(assignment.results) & set(before.manifest.digests)) if before else []
    if before is None or not shared or not before.has("assignment"):
        return
    engine = running.workspace.settings.engine
    moves = migration_table(
        before.files("assignment"), running.draft.files("assignment"), shared,
        memory_limit=engine.duckdb_limit(), threads=engine.threads or 2,
    )  # fmt: skip
    write_table(moves, running.draft.folder("migration"))


def _quarantine(running: Running) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = [pq.read_table(file) for file in running.facts.quarantine]
    if tables:
        write_table(pa.concat_tables(tables, promote_options="default"), running.draft.folder("quarantine"))


def _portraits(running: Running, plan: ProfilePlan, assignment: Assignment) -> None:
    from kequn.language import Catalog
    from kequn.scheme.portrait import portrait

    columns = {item.name: item.as_column() for item in plan.columns if not item.hidden}
    catalog = Catalog(columns, as_of=running.as_of, minor_unit_digits=running.digits)
    drawn = portrait(running.draft.files("profile"), assignment, catalog)
    write_table(drawn.table, running.draft.folder("portrait"))
    write_table(drawn.typical, running.draft.folder("typical"))


def _serving(running: Running, assignment: Assignment) -> None:
    from kequn.snapshot import ServingSettings, build_cards, build_serving

    facts: dict[str, Sequence[Path]] = {
        name: running.facts.tables[name].files for name in SERVED_FACTS if name in running.facts.tables
    }
    settings = ServingSettings(
        as_of=running.as_of,
        minor_unit_digits=running.digits,
        memory_limit=running.workspace.settings.engine.duckdb_limit(SERVING_SHARE),
        threads=running.workspace.settings.engine.threads,
        sides=assignment.sides,
    )
    build_serving(running.draft.path, facts, running.draft.serving, settings)
    build_cards(running.draft.serving, running.draft.path, settings.memory_limit)


__all__ = ["write_table", "write_tables"]
