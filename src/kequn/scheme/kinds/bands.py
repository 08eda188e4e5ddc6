"""bands: one numeric column, cut by edges that people wrote or by quantiles of the data.

Edges: a band runs from its lower edge (in it) to its upper edge (not in it): [18, 25). Quantiles: a cut point belongs to
the band below it: (c1, c2]. Equal values are never split; when many are equal, a band may stay empty.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from pydantic import Field
from sqlglot import exp

from kequn.language import Rule
from kequn.scheme.kind import Ask, Bound, Clause, Kind, Loading, Needs, Quantiles, Where, number
from kequn.scheme.spec import Columns, Exact, Part, SchemeSpec, SegmentSpec


class Cutting(Part):
    """How a numeric column is cut: exactly one of `edges`, `quantiles`, `bins`."""

    edges: list[int | float] | None = None
    quantiles: list[Exact] | None = None
    bins: int | None = Field(default=None, ge=2, le=10)

    @property
    def count(self) -> int:
        """Number of bands."""
        if self.bins is not None:
            return self.bins
        return len(self.edges or self.quantiles or ()) + 1

    @property
    def fractions(self) -> tuple[Fraction, ...]:
        """Where the quantile cuts lie, exactly."""
        if self.bins is not None:
            return tuple(Fraction(step, self.bins) for step in range(1, self.bins))
        return tuple(Fraction(value) for value in self.quantiles or ())


def check_cutting(cutting: Cutting, loading: Loading, where: Where, column_type: str) -> None:
    """Raise for no or two ways to cut, and for cuts that don't rise or don't fit the column."""
    ways = [name for name in ("edges", "quantiles", "bins") if getattr(cutting, name) is not None]
    if len(ways) != 1:
        raise loading.fail("scheme.one_way_to_cut", where, found=ways)
    if cutting.bins is not None:
        return
    values = [Decimal(str(value)) for value in (cutting.edges or cutting.quantiles or [])]
    place = (*where, ways[0])
    if not values or any(later <= earlier for earlier, later in itertools.pairwise(values)):
        raise loading.fail("scheme.cuts_rise", place, found=[str(value) for value in values])
    if cutting.quantiles is not None and not all(0 < value < 1 for value in values):
        raise loading.fail("scheme.share_range", place, found=[str(value) for value in values])
    if not all(value.is_finite() for value in values):
        raise loading.fail("scheme.cuts_rise", place, found=[str(value) for value in values])
    if cutting.edges is not None and column_type == "money":
        check_money(values, loading, place)


def check_money(values: list[Decimal], loading: Loading, where: Where) -> None:
    """Raise for an amount finer than the currency's smallest unit."""
    digits = loading.catalog.minor_unit_digits
    wrong = [
        str(value) for value in values if value.scaleb(digits) != value.scaleb(digits).to_integral_value()
    ]
    if wrong:
        raise loading.fail("scheme.money_digits", where, found=wrong, digits=digits)


def band_conditions(bound: Bound, cutting: Cutting, column: str, key: str) -> list[exp.Expr]:
    """One condition per band, lowest first."""
    below: type[exp.Binary] = exp.LT
    above: type[exp.Binary] = exp.GTE
    if cutting.edges is not None:
        points = [bound.threshold(column, edge) for edge in cutting.edges]
    else:
        points = [number(value) for value in bound.cuts[key]["values"]]
        below, above = exp.LTE, exp.GT
        if not points:  # nobody in scope has a value
            return [exp.false() for _ in range(cutting.count)]
    conditions: list[exp.Expr] = []
    for index in range(len(points) + 1):
        sides: list[exp.Expr] = []
        if index > 0:
            sides.append(above(this=bound.measure(column), expression=points[index - 1].copy()))
        if index < len(points):
            sides.append(below(this=bound.measure(column), expression=points[index].copy()))
        conditions.append(sides[0] if len(sides) == 1 else exp.And(this=sides[0], expression=sides[1]))
    return conditions


class BandsSpec(SchemeSpec, Cutting):
    """Bands of one column; `segments` from the lowest band up, or from the highest down (`order: descending`)."""

    column: Columns
    order: Literal["ascending", "descending"] = "ascending"
    segments: list[SegmentSpec] = Field(min_length=2)


class BandsKind(Kind[BandsSpec]):
    name = "bands"
    model = BandsSpec

    def needs(self, spec: BandsSpec, loading: Loading) -> Needs:
        return Needs(one_of=(loading.known(spec.column, ("column",)),))

    def check(self, spec: BandsSpec, loading: Loading, rules: Mapping[Where, Rule]) -> None:
        check_cutting(
            spec, loading, (), loading.column(loading.known(spec.column, ("column",))[0], ("column",)).type
        )
        if spec.count != len(spec.segments):
            raise loading.fail(
                "scheme.band_count", ("segments",), expected=spec.count, found=len(spec.segments)
            )

    def asks(self, bound: Bound) -> Mapping[str, Ask]:
        spec: BandsSpec = bound.spec
        if spec.edges is not None:
            return {}
        return {"bands": Quantiles(bound.first(spec.column), spec.fractions)}

    def clauses(self, bound: Bound) -> tuple[Clause, ...]:
        spec: BandsSpec = bound.spec
        conditions = band_conditions(bound, spec, bound.first(spec.column), "bands")
        if spec.order == "descending":
            conditions.reverse()
        return tuple(
            Clause(segment.id, condition)
            for segment, condition in zip(spec.segments, conditions, strict=True)
        )


KIND = BandsKind()
