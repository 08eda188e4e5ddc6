"""The business rules of offers in kequn.yaml: checked like every rule, and turned into ids for the recommender."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from kequn.errors import ConfigError, KequnError, RuleError
from kequn.language import Catalog, Rule, Term, column, compile_rule, matches

if TYPE_CHECKING:
    from kequn.pipeline.run import Running
    from kequn.predict import OfferRules
    from kequn.profile import ProfilePlan
    from kequn.workspace import OfferChoice


def offer_rules(chosen: OfferChoice, catalog: Catalog) -> dict[str, Rule]:
    """The rules of `offers` by their place in kequn.yaml. `catalog`: what the profile may know.

    Raises ConfigError with file, place, position, word and nearest name.
    """
    from kequn.predict import PREDICTION_COLUMNS

    known = {name: item for name, item in catalog.columns.items() if name not in PREDICTION_COLUMNS}
    sight = replace(catalog, columns=known, schemes={})
    texts = {"offers.not_for": chosen.not_for} if chosen.not_for else {}
    texts |= {f"offers.eligible.{key}": text for key, text in chosen.eligible.items()}
    found = {}
    for place, text in texts.items():
        try:
            found[place] = compile_rule(text, sight)
        except RuleError as error:
            raise ConfigError(error.code, **{**error.fields, "file": "kequn.yaml", "where": place}) from error
    return found


def offer_terms(chosen: OfferChoice, catalog: Catalog) -> list[Term]:
    """The behaviour terms that the rules use. Raises ConfigError like `offer_rules`."""
    return [term for rule in offer_rules(chosen, catalog).values() for term in rule.terms.values()]


def resolved(running: Running, plan: ProfilePlan) -> OfferRules:
    """The rules as ids of products and customers.

    A key that names no product and no category, and a rule whose columns the data lack, are warnings of the run; for a
    product whose rule can't be answered nobody is eligible.
    """
    from kequn.pipeline.run import everything
    from kequn.predict import OfferRules

    chosen = running.workspace.settings.offers
    rules: dict[str, Rule] = {}
    if chosen.not_for or chosen.eligible:
        whole = everything(running.registry, running.delivered, running.as_of, running.digits)
        rules = offer_rules(chosen, whole)
    goods = _products(running, {*chosen.only, *chosen.never, *chosen.eligible})
    barred = _matching(running, plan, "offers.not_for", rules)
    eligible: dict[str, frozenset[str]] = {}
    for key in chosen.eligible:
        who = _matching(running, plan, f"offers.eligible.{key}", rules)
        for product in goods.get(key, ()):
            eligible[product] = eligible[product] & who if product in eligible else who
    return OfferRules(
        products=frozenset(_all(goods, chosen.only)) if chosen.only else None,
        excluded_products=frozenset(_all(goods, chosen.never)),
        excluded_customers=barred,
        eligible=eligible,
        fatigue_days=chosen.fatigue_days,
    )


def _all(goods: Mapping[str, frozenset[str]], keys: Iterable[str]) -> set[str]:
    return {product for key in keys for product in goods.get(key, ())}


def _matching(running: Running, plan: ProfilePlan, place: str, rules: Mapping[str, Rule]) -> frozenset[str]:
    """Ids of the customers whom a rule matches."""
    rule = rules.get(place)
    if rule is None:
        return frozenset()
    there = {item.name for item in plan.columns}
    missing = sorted(name for name in rule.columns if name not in there)
    if missing:
        running.warnings.append(KequnError("pipeline.offer_rule_unavailable", where=place, missing=missing))
        return frozenset()
    query = exp.select(column("customer_id")).from_("profile").where(matches(rule))
    return frozenset(map(str, running.engine.sql(query).column(0).to_pylist()))


def _products(running: Running, keys: set[str]) -> dict[str, frozenset[str]]:
    """The products that each key names: by id, category or subcategory."""
    from kequn.predict.labels import arrow, columns_of, connect, paths

    if not keys:
        return {}
    found: dict[str, set[str]] = {}
    with connect() as connection:
        for table in ("products", "order_lines"):
            files = running.facts.tables[table].files if table in running.facts.tables else ()
            there = columns_of(connection, files) if files else set()
            for name in ("product_id", "category", "subcategory"):
                if {"product_id", name} <= there:
                    rows = arrow(
                        connection,
                        f"SELECT DISTINCT {name} AS key, product_id FROM read_parquet($files, union_by_name = true) "
                        f"WHERE list_contains($keys, {name}) AND product_id IS NOT NULL",
                        {"files": paths(files), "keys": sorted(keys)},
                    )
                    for row in rows.to_pylist():
                        found.setdefault(row["key"], set()).add(row["product_id"])
    for key in sorted(keys - found.keys()):
        running.warnings.append(KequnError("pipeline.offer_unknown", name=key))
    return {key: frozenset(products) for key, products in found.items()}


__all__ = ["offer_rules", "offer_terms", "resolved"]
