"""How many customers does a rule match? Over the published profile; new behaviour terms are counted over the facts."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from kequn.language import Rule, matches
from kequn.reading.rules import count_query, rows_for, rule_of, snapshot_columns

if TYPE_CHECKING:
    from kequn.snapshot import Snapshot
    from kequn.workspace import Workspace


def count_matches(workspace: Workspace, snapshot: Snapshot, text: str) -> dict[str, Any]:
    """{rule (normalised), customers, total, share}. Raises RuleError for a rule that can't be read."""
    manifest = snapshot.manifest.model_dump(mode="json")
    rule = rule_of(manifest, text)
    known = {item.name for item in snapshot_columns(manifest)}
    if set(rule.terms) <= known:
        with snapshot.connect() as con:
            row = con.execute(count_query(manifest, rule)).fetchone()
    else:
        row = _over_facts(workspace, snapshot, manifest, rule)
    assert row is not None
    share = row[0] / row[1] if row[1] else None
    return {"rule": rule.canonical, "customers": row[0], "total": row[1], "share": share}


def _over_facts(
    workspace: Workspace, snapshot: Snapshot, manifest: dict[str, Any], rule: Rule
) -> tuple[int, int]:
    """Count with behaviour terms worked out from the facts that the run used."""
    from kequn.engine import Parquet, open_engine
    from kequn.pipeline.views import register_stored_facts
    from kequn.profile import Registry

    engine = open_engine(workspace.engine_settings())
    try:
        delivered = register_stored_facts(engine, workspace.facts, manifest)
        as_of = date.fromisoformat(str(manifest["as_of"]))
        plan = Registry().terms_plan(delivered, as_of, rule.terms.values())
        engine.view("term_values", plan.query)
        for table in ("profile", "assignment", "prediction"):
            if snapshot.has(table):
                engine.view(table, Parquet(snapshot.files(table)))
        base = rows_for(manifest, [rule]).subquery("r")
        on = exp.EQ(
            this=exp.column(exp.to_identifier("customer_id", quoted=True), table="r"),
            expression=exp.column(exp.to_identifier("customer_id", quoted=True), table="v"),
        )
        terms = [exp.column(exp.to_identifier(name, quoted=True), table="v") for name in rule.terms]
        joined = exp.select(exp.Column(this=exp.Star(), table=exp.to_identifier("r")), *terms).from_(base)
        joined = joined.join("term_values AS v", on=on, join_type="left")
        inside = exp.Filter(
            this=exp.Count(this=exp.Star(), big_int=True), expression=exp.Where(this=matches(rule))
        )
        counts = exp.select(
            exp.alias_(inside, "inside"), exp.alias_(exp.Count(this=exp.Star(), big_int=True), "total")
        )
        row = engine.rows(counts.from_(joined.subquery("j")))[0]
        return int(row["inside"]), int(row["total"])
    finally:
        engine.close()


__all__ = ["count_matches"]
