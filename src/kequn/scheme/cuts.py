"""Cut points, read off the data once and exactly, then bound as literals and kept in the manifest.

Cut q is the smallest value v for which at least q × n of the n known values are ≤ v. Equal values are never split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from kequn.engine import Engine
from kequn.language import cast, column
from kequn.scheme.kind import Ask, Bound, Quantiles, Ranks, number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOGETHER = 6
"""Value counts fetched by one query: enough to save round trips on a cluster, few enough to stay small in memory."""


@dataclass(frozen=True)
class Counts:
    """Distinct known values, ascending, and how many customers have each."""

    values: NDArray[Any]
    customers: NDArray[np.int64]

    @property
    def total(self) -> int:
        return int(self.customers.sum())


def answer(
    engine: Engine, source: exp.Query, asks: Sequence[tuple[Bound, exp.Expr, str, Ask]]
) -> list[dict[str, Any]]:
    """The cut points for each ask of `(bound, scope, key, ask)`; `source` has one row per customer.

    An answer to Quantiles is {column, type, customers, quantiles, values}, to Ranks {columns, customers, ends, boundaries};
    values are in inner units (money in minor units).
    """
    wanted: dict[tuple[str, str], tuple[exp.Expr, exp.Expr]] = {}
    keys = []
    for bound, scope, _, ask in asks:
        name = ask.column if isinstance(ask, Quantiles) else ask.columns[0]
        measure = bound.measure(name)
        key = (measure.sql(dialect="duckdb"), scope.sql(dialect="duckdb"))
        wanted.setdefault(key, (measure, scope))
        keys.append(key)
    whole = {_is_whole(bound, ask): None for bound, _, _, ask in asks}
    counts: dict[tuple[str, str], Counts] = {}
    for kind in whole:  # BIGINT and DOUBLE can't share a UNION
        group = [
            key for key, (bound, _, _, ask) in zip(keys, asks, strict=True) if _is_whole(bound, ask) is kind
        ]
        group = list(dict.fromkeys(group))
        for start in range(0, len(group), TOGETHER):
            part = group[start : start + TOGETHER]
            counts.update(zip(part, _count(engine, source, [wanted[key] for key in part]), strict=True))
    found = []
    for key, (bound, scope, _, ask) in zip(keys, asks, strict=True):
        if isinstance(ask, Quantiles):
            found.append(_quantiles(counts[key], ask, bound))
        else:
            found.append(_ranks(engine, source, counts[key], ask, bound, scope))
    return found


def _is_whole(bound: Bound, ask: Ask) -> bool:
    name = ask.column if isinstance(ask, Quantiles) else ask.columns[0]
    return bound.column(name).type in {"integer", "money"}


def _count(engine: Engine, source: exp.Query, wanted: Sequence[tuple[exp.Expr, exp.Expr]]) -> list[Counts]:
    import numpy as np

    queries = [_count_query(source, place, measure, scope) for place, (measure, scope) in enumerate(wanted)]
    query: exp.Query = queries[0]
    for other in queries[1:]:
        query = exp.union(query, other, distinct=False, copy=False)
    table = engine.numbers(query)
    place, value, customers = (table[name] for name in ("ask", "v", "customers"))
    found = []
    for index in range(len(wanted)):
        here = place == index
        order = np.argsort(value[here])  # distinct values: the fastest order is the only one
        found.append(Counts(value[here][order], customers[here][order]))
    return found


def _count_query(source: exp.Query, place: int, measure: exp.Expr, scope: exp.Expr) -> exp.Select:
    inner = exp.select(exp.alias_(measure.copy(), "v")).from_(source.subquery("customers"), copy=False)
    inner.where(scope.copy(), copy=False)
    known = exp.Not(this=exp.Is(this=exp.column("v"), expression=exp.Null()))
    return (
        exp.select(
            exp.alias_(cast(number(place), "BIGINT"), "ask"),
            exp.column("v"),
            exp.alias_(_count_star(), "customers"),
        )
        .from_(inner.subquery("measured", copy=False), copy=False)
        .where(known, copy=False)
        .group_by(exp.column("v"), copy=False)
    )


def _count_star() -> exp.Expr:
    return cast(exp.Count(this=exp.Star(), big_int=True), "BIGINT")


def quantile_cuts(counts: Counts, fractions: Sequence[Fraction], *, top: bool = False) -> list[int | float]:
    """The cut points; empty when nobody has a value.

    With `top`, a tie at the largest value that reaches over the last cut keeps the best band: the last cut moves down to
    the largest value but one, so that the best customer always has the highest score when values differ at all.
    """
    import numpy as np

    total = counts.total
    if not total:
        return []
    below = np.cumsum(counts.customers)
    needed = [
        -(-fraction.numerator * total // fraction.denominator) for fraction in fractions
    ]  # exact ceiling
    places = [min(int(np.searchsorted(below, count, side="left")), len(below) - 1) for count in needed]
    if top and len(counts.values) > 1:
        places = [min(place, len(counts.values) - 2) for place in places]
    return [counts.values[place].item() for place in places]


def _quantiles(counts: Counts, ask: Quantiles, bound: Bound) -> dict[str, Any]:
    return {
        "column": ask.column,
        "type": bound.column(ask.column).type,
        "customers": counts.total,
        "quantiles": [str(fraction) for fraction in ask.fractions],
        "values": quantile_cuts(counts, ask.fractions, top=ask.top),
    }


def round_half_up(value: Fraction) -> int:
    """The nearest whole number, halves up.

    >>> round_half_up(Fraction(5, 2))
    3
    """
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def _ranks(
    engine: Engine, source: exp.Query, counts: Counts, ask: Ranks, bound: Bound, scope: exp.Expr
) -> dict[str, Any]:
    import numpy as np

    total = counts.total
    ends = [round_half_up(total * share) for share in ask.shares]
    above = np.cumsum(counts.customers[::-1])  # customers with this value or a larger one, largest first
    boundaries: list[list[Any] | None] = []
    for end in ends:
        if end == 0:
            boundaries.append(None)
            continue
        place = int(np.searchsorted(above, end, side="left"))
        value = counts.values[::-1][place].item()
        if int(above[place]) == end:
            boundaries.append([value])
        else:
            before = int(above[place - 1]) if place else 0
            boundaries.append(_among_equals(engine, source, ask, bound, scope, value, end - before - 1))
    return {
        "columns": list(ask.columns),
        "types": [bound.column(name).type for name in ask.columns],
        "customers": total,
        "ends": ends,
        "boundaries": boundaries,
    }


def _among_equals(
    engine: Engine,
    source: exp.Query,
    ask: Ranks,
    bound: Bound,
    scope: exp.Expr,
    value: int | float,
    offset: int,
) -> list[Any]:
    """The full ranking key of the customer at `offset` among those who share `value`."""
    names = [exp.alias_(bound.measure(name), f"k{place}") for place, name in enumerate(ask.columns)]
    same = exp.EQ(this=bound.measure(ask.columns[0]), expression=number(value))
    inner = (
        exp.select(*names, exp.alias_(column("customer_id"), "customer_id"))
        .from_(source.subquery("customers"), copy=False)
        .where(exp.and_(scope.copy(), same), copy=False)
    )
    order = [
        exp.Ordered(this=exp.column(f"k{place}"), desc=True, nulls_first=False)
        for place in range(1, len(names))
    ]
    ordered = exp.select("*").from_(inner.subquery("equals", copy=False), copy=False)
    ordered.order_by(*order, exp.column("customer_id"), copy=False)
    row = engine.rows(ordered.limit(1, copy=False).offset(offset, copy=False))[0]
    return [row[f"k{place}"] for place in range(len(names))] + [row["customer_id"]]


__all__ = ["Counts", "answer", "quantile_cuts", "round_half_up"]
