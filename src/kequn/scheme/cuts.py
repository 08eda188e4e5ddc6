"""Cut points, read off the data once and exactly, then bound as literals and kept in the manifest.

Cut q is the smallest value v for which at least q × n of the n known values are ≤ v. Equal values are never split. The
engine counts and adds up; only the few values asked for come back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sqlglot import exp

from kequn.engine import Engine
from kequn.language import cast, column
from kequn.scheme.kind import Ask, Bound, Quantiles, Ranks, number

TOGETHER = 6
"""Columns looked at by one query: enough to save round trips on a cluster, few enough to stay small in memory."""


@dataclass(frozen=True)
class Measured:
    """A column of the customers in a scope, with all that is asked about it in one pass."""

    measure: exp.Expr
    scope: exp.Expr

    @property
    def key(self) -> tuple[str, str]:
        return self.measure.sql(dialect="duckdb"), self.scope.sql(dialect="duckdb")


@dataclass(frozen=True)
class Standing:
    """The value at one place of all known values, ascending; how many values are smaller, and how many are not larger."""

    value: int | float
    below: int
    up_to: int


@dataclass(frozen=True)
class Standings:
    """What was looked up in one column: by place (from 0), and the largest value but one, where values differ."""

    at: Mapping[int, Standing]
    runner_up: int | float | None


def answer(
    engine: Engine, source: exp.Query, asks: Sequence[tuple[Bound, exp.Expr, str, Ask]]
) -> list[dict[str, Any]]:
    """The cut points for each ask of `(bound, scope, key, ask)`; `source` has one row per customer.

    An answer to Quantiles is {column, type, customers, quantiles, values}, to Ranks {columns, customers, ends, boundaries};
    values are in inner units (money in minor units).
    """
    measured = [Measured(bound.measure(_first(ask)), scope) for bound, scope, _, ask in asks]
    distinct = {item.key: item for item in measured}
    totals = _totals(engine, source, distinct)
    wanted: dict[tuple[str, str], set[int]] = {key: set() for key in distinct}
    for item, (_, _, _, ask) in zip(measured, asks, strict=True):
        wanted[item.key].update(places(ask, totals[item.key]))
    standings = _standings(engine, source, distinct, totals, wanted)
    found = []
    for item, (bound, scope, _, ask) in zip(measured, asks, strict=True):
        total, here = totals[item.key], standings[item.key]
        if isinstance(ask, Quantiles):
            found.append(_quantiles(total, here, ask, bound))
        else:
            found.append(_ranks(engine, source, total, here, ask, bound, scope))
    return found


def _first(ask: Ask) -> str:
    return ask.column if isinstance(ask, Quantiles) else ask.columns[0]


def places(ask: Ask, total: int) -> list[int]:
    """Where in the ascending order of `total` values the answers stand; none for a rank that nobody reaches.

    >>> places(Quantiles("monetary", (Fraction(1, 2), Fraction(2, 3))), 5)
    [2, 3]
    """
    if not total:
        return []
    if isinstance(ask, Quantiles):
        return [_ceiling(total * fraction) - 1 for fraction in ask.fractions]
    return [total - end for end in _ends(ask, total) if end]


def _ends(ask: Ranks, total: int) -> list[int]:
    return [round_half_up(total * share) for share in ask.shares]


def _ceiling(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


def round_half_up(value: Fraction) -> int:
    """The nearest whole number, halves up.

    >>> round_half_up(Fraction(5, 2))
    3
    """
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


# what the engine is asked
def _totals(
    engine: Engine, source: exp.Query, measured: Mapping[tuple[str, str], Measured]
) -> dict[tuple[str, str], int]:
    """How many customers have a known value, for every column in one pass."""
    counts = [
        exp.alias_(
            _whole(exp.Count(this=exp.Case(ifs=[exp.If(this=item.scope.copy(), true=item.measure.copy())]))),
            f"n{place}",
        )
        for place, item in enumerate(measured.values())
    ]
    row = engine.rows(exp.select(*counts).from_(source.subquery("customers"), copy=False))[0]
    return {key: int(row[f"n{place}"]) for place, key in enumerate(measured)}


def _standings(
    engine: Engine,
    source: exp.Query,
    measured: Mapping[tuple[str, str], Measured],
    totals: Mapping[tuple[str, str], int],
    wanted: Mapping[tuple[str, str], Iterable[int]],
) -> dict[tuple[str, str], Standings]:
    found = {key: Standings({}, None) for key in measured}
    asked = [(key, sorted(wanted[key])) for key in measured if totals[key]]
    for start in range(0, len(asked), TOGETHER):
        part = list(enumerate(asked[start : start + TOGETHER]))
        query = exp.select("*")
        for place, (key, at) in part:
            one = _standing_query(source, measured[key], totals[key], at, f"a{place}")
            named = one.subquery(f"t{place}", copy=False)
            query = (
                query.join(named, join_type="cross", copy=False) if place else query.from_(named, copy=False)
            )
        row = engine.rows(query)[0]
        for place, (key, at) in part:
            name = f"a{place}"
            found[key] = Standings(
                {p: Standing(*(row[f"{name}_{what}_{p}"] for what in ("v", "below", "up_to"))) for p in at},
                row[f"{name}_runner_up"],
            )
    return found


def _standing_query(
    source: exp.Query, measured: Measured, total: int, at: Sequence[int], name: str
) -> exp.Select:
    """One row: value, smaller ones and not larger ones of each place. All three rise with the value, hence MAX."""
    value, below, up_to = (exp.column(word) for word in ("v", "below", "up_to"))
    last = exp.LT(this=up_to, expression=number(total))
    picks = [exp.alias_(_largest(value, last), f"{name}_runner_up")]
    for place in at:
        reached = exp.LTE(this=below, expression=number(place))
        picks += [
            exp.alias_(_largest(each, reached), f"{name}_{each.name}_{place}")
            for each in (value, below, up_to)
        ]
    counted = _counted(source, measured).subquery("counted", copy=False)
    running = exp.Window(
        this=exp.Sum(this=exp.column("customers")),
        order=exp.Order(expressions=[exp.Ordered(this=value.copy())]),
    )
    added = exp.select("v", "customers", exp.alias_(_whole(running), "up_to")).from_(counted, copy=False)
    smaller = exp.Sub(this=up_to.copy(), expression=exp.column("customers"))
    ranked = exp.select("v", "up_to", exp.alias_(smaller, "below")).from_(
        added.subquery("added", copy=False), copy=False
    )
    return exp.select(*picks).from_(ranked.subquery("ranked", copy=False), copy=False)


def _counted(source: exp.Query, measured: Measured) -> exp.Select:
    """Each known value and how many customers of the scope have it."""
    inner = exp.select(exp.alias_(measured.measure.copy(), "v")).from_(
        source.subquery("customers"), copy=False
    )
    inner.where(measured.scope.copy(), copy=False)
    known = exp.Not(this=exp.Is(this=exp.column("v"), expression=exp.Null()))
    return (
        exp.select("v", exp.alias_(_whole(exp.Count(this=exp.Star(), big_int=True)), "customers"))
        .from_(inner.subquery("measured", copy=False), copy=False)
        .where(known, copy=False)
        .group_by("v", copy=False)
    )


def _largest(value: exp.Expr, condition: exp.Expr) -> exp.Expr:
    return exp.Max(this=exp.Case(ifs=[exp.If(this=condition.copy(), true=value.copy())]))


def _whole(count: exp.Expr) -> exp.Expr:
    return cast(count, "BIGINT")


# what it means
def _quantiles(total: int, standings: Standings, ask: Quantiles, bound: Bound) -> dict[str, Any]:
    return {
        "column": ask.column,
        "type": bound.column(ask.column).type,
        "customers": total,
        "quantiles": [str(fraction) for fraction in ask.fractions],
        "values": quantile_cuts(standings, places(ask, total), top=ask.top),
    }


def quantile_cuts(standings: Standings, at: Sequence[int], *, top: bool = False) -> list[int | float]:
    """The cut points at these places.

    With `top`, a tie at the largest value that reaches over the last cut keeps the best band: the cut moves down to the
    largest value but one, so that the best customer always has the highest score when values differ at all.
    """
    values = [standings.at[place].value for place in at]
    highest = standings.runner_up if top else None
    return values if highest is None else [min(value, highest) for value in values]


def _ranks(
    engine: Engine,
    source: exp.Query,
    total: int,
    standings: Standings,
    ask: Ranks,
    bound: Bound,
    scope: exp.Expr,
) -> dict[str, Any]:
    """Who ends each share. Counted from the top, place p of `total` is the customer number total - p."""
    ends = _ends(ask, total)
    boundaries: list[list[Any] | None] = []
    for end in ends:
        if end == 0:
            boundaries.append(None)
            continue
        place = total - end
        here = standings.at[place]
        if here.below == place:
            boundaries.append([here.value])
        else:
            before = here.up_to - place - 1
            boundaries.append(_among_equals(engine, source, ask, bound, scope, here.value, before))
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


__all__ = ["Standing", "Standings", "answer", "places", "quantile_cuts", "round_half_up"]
