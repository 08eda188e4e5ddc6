"""Rules over a published snapshot: the catalog they are checked against and the rows they are counted over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sqlglot import exp

from kequn.language import Catalog, Column, Rule, compile_rule, matches
from kequn.language.typer import column
from kequn.profile.plan import ProfileColumn
from kequn.profile.published import inward


def snapshot_columns(manifest: Mapping[str, Any]) -> list[ProfileColumn]:
    """The columns of the run's profile, hidden ones too."""
    return [
        ProfileColumn(
            item["name"], item["type"], item["title"], item.get("unit"), item.get("model"), item.get("basis"),
            item.get("privacy", "none"), None, bool(item.get("hidden")), item.get("null_reason"),
        )
        for item in manifest.get("columns", [])
    ]  # fmt: skip


def prediction_columns(manifest: Mapping[str, Any]) -> list[ProfileColumn]:
    """The columns of the run's predictions."""
    return [
        ProfileColumn(item["name"], item["type"], item["title"])
        for item in manifest.get("prediction_columns", [])
    ]


def snapshot_catalog(manifest: Mapping[str, Any]) -> Catalog:
    """What a rule may name in this run: profile and prediction columns, segments, and the behaviours of its facts."""
    named = [item for item in snapshot_columns(manifest) if not item.hidden] + prediction_columns(manifest)
    return Catalog(
        {item.name: Column(item.name, item.type, item.title) for item in named},
        {name: tuple(scheme["segments"]) for name, scheme in manifest.get("schemes", {}).items()},
        manifest.get("behaviours", {}),
        date.fromisoformat(str(manifest["as_of"])),
        int(manifest.get("minor_unit_digits", 2)),
    )


def rule_of(manifest: Mapping[str, Any], text: str) -> Rule:
    """Compile a rule against a run. Raises RuleError."""
    return compile_rule(text, snapshot_catalog(manifest))


def rows_for(manifest: Mapping[str, Any], rules: Iterable[Rule], *, table: str = "profile") -> exp.Select:
    """The rows that `rules` can be evaluated over: only the columns they use, money in minor units, segments beside.

    Grain: one row per customer of `table` (`profile`, or `profile_sample` for an estimate).
    """
    listed = list(rules)
    used = {"customer_id"}.union(*(rule.columns for rule in listed), *(rule.terms for rule in listed))
    schemes = sorted(frozenset[str]().union(*(rule.schemes for rule in listed)))
    digits = int(manifest.get("minor_unit_digits", 2))
    chosen = [item for item in snapshot_columns(manifest) if item.name in used]
    query = exp.select(exp.Column(this=exp.Star(), table=exp.to_identifier("p"))).from_(
        inward(chosen, table, digits).subquery("p")
    )
    predicted = [item for item in prediction_columns(manifest) if item.name in used]
    if predicted:
        key = ProfileColumn("customer_id", "text")
        query = _beside(
            query, inward([key, *predicted], "prediction", digits), "m", {i.name: i.name for i in predicted}
        )
    for number, name in enumerate(schemes):
        one = exp.select(column("customer_id"), column("segment")).from_("assignment")
        one = one.where(exp.EQ(this=column("scheme"), expression=exp.Literal.string(name)))
        query = _beside(query, one, f"s{number}", {"segment": f"seg_{name}"})
    return query


def _beside(query: exp.Select, other: exp.Select, alias: str, names: Mapping[str, str]) -> exp.Select:
    on = exp.EQ(
        this=exp.column(exp.to_identifier("customer_id", quoted=True), table="p"),
        expression=exp.column(exp.to_identifier("customer_id", quoted=True), table=alias),
    )
    shown = [
        exp.alias_(exp.column(exp.to_identifier(name, quoted=True), table=alias), shown_as, quoted=True)
        for name, shown_as in names.items()
    ]
    return query.select(*shown).join(other.subquery(alias), on=on, join_type="left")


def count_query(manifest: Mapping[str, Any], rule: Rule, *, table: str = "profile") -> str:
    """SQL of one row: customers that match, customers in all."""
    inside = exp.Count(this=exp.Star(), big_int=True)
    matched = exp.Filter(this=inside, expression=exp.Where(this=matches(rule)))
    whole = exp.Count(this=exp.Star(), big_int=True)
    query = exp.select(matched, whole).from_(rows_for(manifest, [rule], table=table).subquery("r"))
    return query.sql(dialect="duckdb")


__all__ = ["count_query", "prediction_columns", "rows_for", "rule_of", "snapshot_catalog", "snapshot_columns"]
