"""Behaviour terms of rules as one-off hidden features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlglot import exp

from kequn.errors import RuleError
from kequn.language import Term, Type
from kequn.profile.declaration import FeatureDeclaration

ORDER_FILTERS = ("channel", "store_id", "coupon_id", "occasion")
LINE_FILTERS = ("category", "subcategory", "brand", "product_id")
EVENT_FILTERS = ("type", "page", "product_id", "channel", "platform", "device", "os", "browser")


def behaviours(present: frozenset[str]) -> Mapping[str, Mapping[str, Type]]:
    """What rules may count, and by which columns, given the delivered `table.column`s."""
    found: dict[str, Mapping[str, Type]] = {}
    if "orders" in present:
        names = [name for name in ORDER_FILTERS if f"orders.{name}" in present]
        names += [name for name in LINE_FILTERS if f"order_lines.{name}" in present]
        found["orders"] = dict.fromkeys(names, "text")
    if "events" in present:
        found["events"] = {name: "text" for name in EVENT_FILTERS if f"events.{name}" in present}
    return found


def term_features(terms: Iterable[Term]) -> list[FeatureDeclaration]:
    """One hidden feature for each term. Raises RuleError for a filter that mixes order and line columns."""
    return [_feature(term) for term in {term.name: term for term in terms}.values()]


def _feature(term: Term) -> FeatureDeclaration:
    names = {name for name, _ in term.filters}
    on_lines = (bool(names & set(LINE_FILTERS)) and term.source == "orders") or term.function == "quantity"
    if on_lines and names & set(ORDER_FILTERS):
        raise RuleError("profile.term_mixed", word=", ".join(sorted(names)), position=0, text=term.function)
    grain = "event" if term.source == "events" else "line" if on_lines else "order_total"
    where = _condition(term, only_orders=grain == "order_total" and term.function != "revenue")
    return FeatureDeclaration.model_validate(
        {
            "name": term.name,
            "from": grain,
            "sql": _aggregate(term, grain, where),
            "empty": _empty(term),
            "type": None,
        }
    )


def _condition(term: Term, *, only_orders: bool) -> str:
    parts: list[exp.Expr] = [exp.column("is_order")] if only_orders else []
    for name, values in term.filters:
        literals = [exp.Literal.string(value) for value in values]
        parts.append(exp.In(this=exp.column(name), expressions=literals))
    if term.days is not None:
        parts.append(exp.LTE(this=exp.column("age_days"), expression=exp.Literal.number(term.days)))
    return exp.and_(*parts).sql(dialect="duckdb") if parts else "TRUE"


def _aggregate(term: Term, grain: str, where: str) -> str:
    if term.function in ("category_share", "brand_share"):
        return f"SUM(amount) FILTER (WHERE {where}) / SUM(amount)"
    if term.function in ("orders", "events"):
        counted = "DISTINCT order_id" if grain == "line" else "*"
        return f"COUNT({counted}) FILTER (WHERE {where})"
    if term.function == "days_since":
        return f"MIN(age_days) FILTER (WHERE {where})"
    return f"SUM({'quantity' if term.function == 'quantity' else 'amount'}) FILTER (WHERE {where})"


def _empty(term: Term) -> int | None:
    return None if term.function in ("days_since", "category_share", "brand_share") else 0


__all__ = ["behaviours", "term_features"]
