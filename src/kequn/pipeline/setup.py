"""Setting a workspace up: the library's schemes, and parameters proposed from the data instead of fixed numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kequn.definitions import parse_yaml, save_text
from kequn.workspace import Workspace

if TYPE_CHECKING:
    from kequn.data.facts import Facts

GAPS = """
WITH days AS (
  SELECT DISTINCT customer_id, CAST(ordered_at AS DATE) AS day FROM read_parquet(?)
  WHERE customer_id IS NOT NULL AND amount >= 0
), gaps AS (
  SELECT day - LAG(day) OVER (PARTITION BY customer_id ORDER BY day) AS gap FROM days
)
SELECT count(gap), quantile_disc(gap, [0.5, 0.75, 0.9, 0.95, 0.99]) FROM gaps
"""
MINIMUM_GAPS = 30
"""Fewer gaps than this say nothing about when a customer counts as lapsed."""


def library_texts() -> dict[str, str]:
    """The built-in schemes by file name, without the alternatives for workspaces with other data."""
    from kequn.scheme.library import texts

    return {name: text for name, text in texts().items() if name.count(".") == 1}


def fitting_texts(workspace: Workspace, facts: Facts) -> dict[str, str]:
    """The built-in schemes for the data at hand: of a scheme's alternatives the one that works."""
    from kequn.pipeline.definitions import enrich_settings, read_definitions
    from kequn.pipeline.run import everything
    from kequn.profile import Registry, catalog_of
    from kequn.profile.enrich import foreseen
    from kequn.scheme.library import offer

    digits = workspace.settings.minor_unit_digits
    delivered = {name: dict(table.columns) for name, table in facts.tables.items()}
    settings = enrich_settings(workspace.settings, read_definitions(workspace.folder))
    delivered |= foreseen(delivered, settings)
    registry = Registry(read_definitions(workspace.folder).features)
    as_of = (facts.last_order_at or datetime.now()).date()
    plan = registry.plan(delivered, as_of, facts.history_start.date() if facts.history_start else None)
    here = catalog_of(plan.columns, delivered, as_of, minor_unit_digits=digits)
    chosen = {
        f"{file.split('.')[0]}.yaml": text
        for file, text in offer(everything(registry, delivered, as_of, digits), here).texts.items()
    }
    return {**library_texts(), **chosen}


def copy_library(workspace: Workspace, texts: Mapping[str, str] | None = None) -> list[str]:
    """Copy the library's schemes into the workspace, leaving files that are there already; the names written.

    Schemes that the workspace's `leave_out` names aren't copied.
    """
    written = []
    unwanted = {f"{name}.yaml" for name in workspace.settings.leave_out}
    for name, text in (texts if texts is not None else library_texts()).items():
        if name not in unwanted and not (workspace.schemes / name).exists():
            save_text(workspace.schemes / name, text)
            written.append(name)
    return written


def gap_statistics(facts: Facts, memory_limit: str = "2GB") -> dict[str, int]:
    """Quantiles of the days between purchase days over all customers: gap_p50 … gap_p99. Empty below 30 gaps."""
    import duckdb

    orders = facts.tables.get("orders")
    if orders is None or not orders.rows:
        return {}
    with duckdb.connect(config={"memory_limit": memory_limit}) as connection:
        row = connection.execute(GAPS, [[str(file) for file in orders.files]]).fetchone()
    if row is None or row[0] < MINIMUM_GAPS:
        return {}
    return {f"gap_p{share}": int(value) for share, value in zip((50, 75, 90, 95, 99), row[1], strict=True)}


def propose_parameters(workspace: Workspace, facts: Facts) -> dict[str, dict[str, int]]:
    """Write the parameters that schemes ask to have proposed (`propose:`) from the data; {scheme: {name: value}}."""
    from kequn.scheme.editing import with_parameters

    statistics = gap_statistics(facts, workspace.settings.engine.duckdb_limit())
    proposed: dict[str, dict[str, int]] = {}
    for file in sorted(workspace.schemes.glob("*.yaml")):
        text = file.read_text(encoding="utf-8")
        content = parse_yaml(text, str(file))
        values = {
            name: _fitted(statistics[hint["from"]], hint)
            for name, hint in (content.get("propose") or {}).items()
            if hint.get("from") in statistics
        }
        if values:
            save_text(file, with_parameters(text, values))
            proposed[str(content["scheme"])] = values
    return proposed


def _fitted(value: float, hint: Mapping[str, Any]) -> int:
    bounded = min(max(value, hint.get("minimum", value)), hint.get("maximum", value))
    step = hint.get("step") or 1
    return int(math.ceil(bounded / step) * step)


def prepare(workspace: Workspace, now: datetime | None = None) -> dict[str, dict[str, int]]:
    """Read the facts once, copy the library and propose its parameters. Returns what was proposed."""
    from kequn.pipeline.definitions import read_definitions
    from kequn.pipeline.run import read_facts

    facts = read_facts(
        workspace, read_definitions(workspace.folder), now or datetime.now(workspace.settings.zone)
    )
    copy_library(workspace, fitting_texts(workspace, facts))
    return propose_parameters(workspace, facts)


__all__ = ["copy_library", "gap_statistics", "library_texts", "prepare", "propose_parameters"]
