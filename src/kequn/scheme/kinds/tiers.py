"""tiers: customers ranked by value and cut at exact shares: tier k ends at round_half_up(n × cumulative share).

The order is total: value, then each of `then_by`, both descending with unknown last, then customer_id. A customer without
a value is not ranked and goes to `otherwise`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pydantic import Field
from sqlglot import exp

from kequn.language import Rule, column
from kequn.scheme.kind import Ask, Bound, Clause, Kind, Loading, Needs, Ranks, Where, number
from kequn.scheme.spec import Columns, Exact, SchemeSpec, SegmentSpec


class TierSegment(SegmentSpec):
    """A tier and its share of the ranked customers (0.01 is one in a hundred)."""

    share: Exact


class TiersSpec(SchemeSpec):
    """Tiers by rank; `rank_by` is the first column that the workspace has."""

    rank_by: Columns
    then_by: list[str] = Field(default_factory=list)
    segments: list[TierSegment] = Field(min_length=2)


class TiersKind(Kind[TiersSpec]):
    name = "tiers"
    model = TiersSpec

    def needs(self, spec: TiersSpec, loading: Loading) -> Needs:
        for index, name in enumerate(spec.then_by):
            if loading.catalog.find(name) is not None:  # a tie-break that isn't there is left out
                loading.column(name, ("then_by", index))
        return Needs(one_of=(loading.known(spec.rank_by, ("rank_by",)),))

    def check(self, spec: TiersSpec, loading: Loading, rules: Mapping[Where, Rule]) -> None:
        for index, segment in enumerate(spec.segments):
            if not 0 < segment.share < 1:
                raise loading.fail(
                    "scheme.share_range", ("segments", index, "share"), found=[str(segment.share)]
                )
        total = sum((segment.share for segment in spec.segments), Decimal(0))
        if total != 1:
            raise loading.fail("scheme.shares_sum", ("segments",), found=str(total))

    def asks(self, bound: Bound) -> Mapping[str, Ask]:
        spec: TiersSpec = bound.spec
        then = tuple(bound.column(name).name for name in spec.then_by if bound.has(name))
        total, ends = Fraction(0), []
        for segment in spec.segments[:-1]:
            total += Fraction(segment.share)
            ends.append(total)
        return {"tiers": Ranks((bound.first(spec.rank_by), *then), tuple(ends))}

    def clauses(self, bound: Bound) -> tuple[Clause, ...]:
        spec: TiersSpec = bound.spec
        found = bound.cuts["tiers"]
        names: list[str] = found["columns"]
        value = bound.measure(names[0])
        made = []
        for segment, boundary in zip(spec.segments, [*found["boundaries"], "everyone"], strict=True):
            if boundary == "everyone":
                condition: exp.Expr = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
            elif boundary is None:
                condition = exp.false()
            else:
                condition = _up_to(bound, names, boundary)
            made.append(Clause(segment.id, condition))
        return tuple(made)


def _up_to(bound: Bound, names: Sequence[str], boundary: Sequence[Any]) -> exp.Expr:
    """Standing at or before `boundary` in the order (values descending, unknown last, then id ascending)."""
    if len(boundary) == 1:  # everybody with this value is in: no need to look further
        return exp.GTE(this=bound.measure(names[0]), expression=number(boundary[0]))
    customer = exp.LTE(this=column("customer_id"), expression=exp.Literal.string(str(boundary[-1])))
    condition: exp.Expr = customer
    for name, value in reversed(list(zip(names, boundary[:-1], strict=True))):
        measure = bound.measure(name)
        if value is None:
            known = exp.Not(this=exp.Is(this=measure.copy(), expression=exp.Null()))
            condition = exp.Or(this=known, expression=exp.paren(condition))
        else:
            same = exp.And(
                this=exp.EQ(this=measure.copy(), expression=number(value)), expression=exp.paren(condition)
            )
            condition = exp.Or(
                this=exp.GT(this=measure.copy(), expression=number(value)), expression=exp.paren(same)
            )
    return condition


KIND = TiersKind()
