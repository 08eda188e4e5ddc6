"""`kequn check`: is everything in order, and what do the data allow?"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from kequn.pipeline.covariates import covariate_columns
from kequn.pipeline.definitions import enrich_settings, read_definitions
from kequn.pipeline.offers import offer_rules
from kequn.pipeline.readiness import readiness
from kequn.pipeline.run import everything, read_facts
from kequn.profile import Registry, catalog_of
from kequn.profile.enrich import foreseen
from kequn.workspace import Workspace

if TYPE_CHECKING:
    from kequn.data.facts import Facts

REASONS = 20


def check_workspace(workspace: Workspace, now: datetime | None = None) -> dict[str, Any]:
    """Check settings, sources, features, schemes and audiences without running; what the data allow by model.

    Returns plain JSON: `tables` (counts), `models` (features available and not, possible schemes, what each missing
    table or column would unlock), `warnings`. Raises KequnError for the first thing that is wrong.
    """
    from kequn.audience import audience_terms
    from kequn.scheme import load_schemes, possible, with_schemes

    now = now or datetime.now(workspace.settings.zone)
    definitions = read_definitions(workspace.folder)
    facts = read_facts(workspace, definitions, now)
    digits = workspace.settings.minor_unit_digits
    as_of = workspace.as_of(facts.last_order_at, now)
    delivered = {name: dict(table.columns) for name, table in facts.tables.items()}
    delivered |= foreseen(delivered, enrich_settings(workspace.settings, definitions))
    registry = Registry(definitions.features)
    catalog = everything(registry, delivered, as_of, digits)
    schemes = load_schemes(definitions.under("schemes"), catalog)
    offer_rules(workspace.settings.offers, catalog)
    columns = {item.name: item for item in registry.everything(as_of, delivered).columns}
    covariate_columns(workspace.settings.predictions, columns, schemes)
    audience_terms(definitions.under("audiences"), with_schemes(catalog, schemes.values()))
    start = facts.history_start.date() if facts.history_start else None
    plan = registry.plan(delivered, as_of, start, minor_unit_digits=digits)
    usable, _ = possible(schemes, catalog_of(plan.columns, delivered, as_of, minor_unit_digits=digits))
    tables = [
        {"table": name, "rows": t.rows, "read": t.counts.read, "kept": t.counts.kept, "quarantined": t.counts.quarantined,
         "duplicates": t.counts.duplicates}
        for name, t in facts.tables.items()
    ]  # fmt: skip
    return {
        "as_of": as_of.isoformat(),
        "tables": tables,
        "quarantined": quarantined(facts),
        "models": readiness(
            [item.model for item in plan.columns],
            [{"title": u.title, "model": u.model, "missing": u.missing} for u in plan.unavailable],
            {name: scheme.spec.model for name, scheme in usable.items()},
        ),
        "features": {item.name: item.null_reason or "ok" for item in plan.columns},
        "warnings": [{"code": notice.code, **notice.fields} for notice in facts.warnings],
    }


def quarantined(facts: Facts) -> list[dict[str, Any]]:
    """Why rows were refused: rows by table, reason and column with one example (file, row, what stood there)."""
    import duckdb

    files = [str(file) for file in facts.quarantine]
    if not files:
        return []
    names = ("table", "reason", "column", "rows", "file", "row", "text")
    with duckdb.connect() as con:
        found = con.execute(
            'SELECT "table", reason, "column", COUNT(*) AS rows, arg_min(file, "row"), MIN("row"), arg_min(left(text, 60), "row")'
            " FROM read_parquet(?) GROUP BY ALL ORDER BY rows DESC, 1, 2, 3 LIMIT ?",
            [files, REASONS],
        ).fetchall()
    return [dict(zip(names, row, strict=True)) for row in found]


__all__ = ["check_workspace"]
