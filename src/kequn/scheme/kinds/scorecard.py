"""scorecard: points for each thing that speaks for a customer, gates that cap or decide, grades by the total.

The total is a percentage of the points that can be had. An item whose input is unknown makes the customer ungraded
(`missing: ungraded`, the default), counts as nothing (`zero`), or is left out of both sides of the percentage (`skip`), then at
least `minimum_known` of the points must be known. Ungraded customers go to `otherwise`, never to the lowest grade.
An item or gate marked `optional` is left out in a workspace that lacks its columns.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from pydantic import Field
from sqlglot import exp

from kequn.language import Column, Rule, cast, column, safe_divide
from kequn.scheme.kind import Ask, Bound, Clause, Kind, Loading, Needs, Quantiles, Where, number
from kequn.scheme.kinds.bands import check_money
from kequn.scheme.spec import ID, Exact, Part, SchemeSpec, SegmentSpec, Words

Missing = Literal["ungraded", "zero", "skip"]


class Choice(Part):
    """Points for customers for whom `when` is true; the first true choice of an item counts."""

    when: str
    points: int


class Item(Part):
    """One thing that is scored: by `choices`, or by the band of a `column`: one more of `points` than there are `edges`
    (as people wrote them, a value on an edge lies above) or `quantiles` (of the data, a value on a cut lies below)."""

    id: str = Field(pattern=ID)
    title: Words = Field(default_factory=dict)
    choices: list[Choice] = Field(default_factory=list)
    default: int = Field(default=0, alias="else")
    column: str | None = None
    edges: list[int | float] = Field(default_factory=list)
    quantiles: list[Exact] = Field(default_factory=list)
    points: list[int] = Field(default_factory=list)
    missing: Missing = "ungraded"
    optional: bool = False

    @property
    def cuts(self) -> list[Decimal]:
        """Edges or quantiles, whichever was given."""
        return list(self.quantiles) or [Decimal(str(edge)) for edge in self.edges]

    @property
    def most(self) -> int:
        """The most points this item can give."""
        return (
            max(self.points)
            if self.column
            else max([self.default, *(choice.points for choice in self.choices)])
        )


class Gate(Part):
    """A condition that outranks points: no grade above `at_most`, or exactly `grade`."""

    when: str
    title: Words = Field(default_factory=dict)
    at_most: str | None = None
    grade: str | None = None
    missing: Literal["ungraded", "ignore"] = "ungraded"
    optional: bool = False


class GradeSegment(SegmentSpec):
    """A grade and the percentage of points it takes; the last grade takes everybody who is left."""

    at_least: float | None = Field(default=None, ge=0, le=100)


class ScorecardSpec(SchemeSpec):
    """Items, gates, and grades from the best down."""

    items: list[Item] = Field(min_length=1)
    gates: list[Gate] = Field(default_factory=list)
    minimum_known: float = Field(default=0.5, ge=0, le=1)
    segments: list[GradeSegment] = Field(min_length=2)


class ScorecardKind(Kind[ScorecardSpec]):
    name = "scorecard"
    model = ScorecardSpec

    def rules(self, spec: ScorecardSpec) -> Iterable[tuple[Where, str]]:
        for index, item in enumerate(spec.items):
            for place, choice in enumerate(item.choices):
                yield ("items", index, "choices", place, "when"), choice.when
        for index, gate in enumerate(spec.gates):
            yield ("gates", index, "when"), gate.when

    def optional_rules(self, spec: ScorecardSpec) -> frozenset[Where]:
        optional = {("items", index) for index, item in enumerate(spec.items) if item.optional}
        optional |= {("gates", index) for index, gate in enumerate(spec.gates) if gate.optional}
        return frozenset(where for where, _ in self.rules(spec) if where[:2] in optional)

    def needs(self, spec: ScorecardSpec, loading: Loading) -> Needs:
        names = set()
        for index, item in enumerate(spec.items):
            if item.column is not None:
                name = loading.column(item.column, ("items", index, "column")).name
                if not item.optional:
                    names.add(name)
        return Needs(frozenset(names))

    def check(self, spec: ScorecardSpec, loading: Loading, rules: Mapping[Where, Rule]) -> None:
        ids = [item.id for item in spec.items]
        for index, item in enumerate(spec.items):
            where: Where = ("items", index)
            if ids.index(item.id) < index:
                raise loading.fail("scheme.item_twice", where, id=item.id)
            _check_item(item, loading, where)
        _check_grades(spec, loading)
        grades = [segment.id for segment in spec.segments]
        for index, gate in enumerate(spec.gates):
            if (gate.at_most is None) == (gate.grade is None):
                raise loading.fail("scheme.gate_needs_one", ("gates", index))
            target = gate.at_most or gate.grade
            if target not in grades:
                raise loading.fail("scheme.unknown_grade", ("gates", index), name=target, known=grades)

    def scores(self, spec: ScorecardSpec) -> tuple[Column, ...]:
        return (Column(score_name(spec.scheme), "number", spec.title),)

    def asks(self, bound: Bound) -> Mapping[str, Ask]:
        return {
            item_key(item): Quantiles(
                bound.column(item.column).name, tuple(Fraction(q) for q in item.quantiles)
            )
            for _, item in items_in_use(bound)
            if item.column is not None and item.quantiles
        }

    def steps(self, bound: Bound) -> tuple[Mapping[str, exp.Expr], ...]:
        items = {item_name(bound.prefix, item): _points(bound, item) for _, item in items_in_use(bound)}
        return items, {score_name(bound.prefix): _total(bound)}

    def clauses(self, bound: Bound) -> tuple[Clause, ...]:
        spec: ScorecardSpec = bound.spec
        score = column(score_name(bound.prefix))
        gates = [(gate, bound.rule(gate.when)) for gate in gates_in_use(bound)]
        made = [Clause(spec.otherwise.id, exp.Is(this=score.copy(), expression=exp.Null()))]
        for gate, rule in gates:
            if gate.missing == "ungraded":
                made.append(
                    Clause(
                        spec.otherwise.id,
                        exp.Is(this=exp.paren(rule.copy()), expression=exp.Null()),
                        gate.title,
                    )
                )
        made += [
            Clause(gate.grade, rule.copy(), gate.title) for gate, rule in gates if gate.grade is not None
        ]
        ranks = {segment.id: place for place, segment in enumerate(spec.segments)}
        for place, segment in enumerate(spec.segments):
            condition: exp.Expr = exp.true()
            if place < len(spec.segments) - 1:
                assert segment.at_least is not None
                condition = exp.GTE(this=score.copy(), expression=number(segment.at_least))
            for gate, rule in gates:
                if gate.at_most is not None and place < ranks[gate.at_most]:
                    condition = exp.And(this=condition, expression=exp.Not(this=bound.passes(rule.copy())))
            made.append(Clause(segment.id, condition))
        return tuple(made)


def score_name(prefix: str) -> str:
    """The column that holds the total, in percent of what can be had."""
    return f"score_{prefix}"


def item_name(prefix: str, item: Item) -> str:
    """The column that holds the points of one item; NULL where its input is unknown."""
    return f"points_{prefix}_{item.id}"


def item_key(item: Item) -> str:
    """Key of an item's cut points."""
    return f"item.{item.id}"


def items_in_use(bound: Bound) -> Iterator[tuple[int, Item]]:
    """Items whose columns the workspace has."""
    spec: ScorecardSpec = bound.spec
    for index, item in enumerate(spec.items):
        usable = item.column is None or bound.has(item.column)
        if usable and all(
            bound.usable(("items", index, "choices", place, "when")) for place in range(len(item.choices))
        ):
            yield index, item


def gates_in_use(bound: Bound) -> Iterator[Gate]:
    """Gates whose columns the workspace has."""
    for index, gate in enumerate(bound.spec.gates):
        if bound.usable(("gates", index, "when")):
            yield gate


def _check_item(item: Item, loading: Loading, where: Where) -> None:
    if (item.column is None) == (not item.choices):
        raise loading.fail("scheme.item_needs_one", where, id=item.id)
    if item.column is not None:
        column_type = loading.column(item.column, (*where, "column")).type
        if bool(item.edges) == bool(item.quantiles):
            raise loading.fail(
                "scheme.one_way_to_cut",
                where,
                found=[name for name in ("edges", "quantiles") if getattr(item, name)],
            )
        values, place = item.cuts, (*where, "quantiles" if item.quantiles else "edges")
        if any(later <= earlier for earlier, later in itertools.pairwise(values)):
            raise loading.fail("scheme.cuts_rise", place, found=[str(value) for value in values])
        if item.quantiles and not all(0 < value < 1 for value in values):
            raise loading.fail("scheme.share_range", place, found=[str(value) for value in values])
        if len(item.points) != len(values) + 1:
            raise loading.fail(
                "scheme.band_count", (*where, "points"), expected=len(values) + 1, found=len(item.points)
            )
        if column_type == "money" and item.edges:
            check_money(values, loading, place)
    lowest = min([*item.points, *(choice.points for choice in item.choices), item.default])
    if lowest < 0 or item.most <= 0:
        raise loading.fail("scheme.points", where, id=item.id)


def _check_grades(spec: ScorecardSpec, loading: Loading) -> None:
    levels = [
        Fraction(str(segment.at_least)) if segment.at_least is not None else None for segment in spec.segments
    ]
    for place, level in enumerate(levels[:-1]):
        if level is None or (place and levels[place - 1] is not None and level >= levels[place - 1]):  # type: ignore[operator]
            raise loading.fail("scheme.grades_fall", ("segments", place, "at_least"))
    if levels[-1] is not None:
        raise loading.fail(
            "scheme.last_grade", ("segments", len(levels) - 1, "at_least"), id=spec.segments[-1].id
        )


def _points(bound: Bound, item: Item) -> exp.Expr:
    """The points of one item, NULL when unknown."""
    if item.column is not None:
        measure = bound.measure(item.column)
        if item.quantiles:
            below: type[exp.Binary] = exp.LTE
            limits = [number(value) for value in bound.cuts[item_key(item)]["values"]]
        else:
            below, limits = exp.LT, [bound.threshold(item.column, edge) for edge in item.edges]
        ifs = [
            exp.If(this=below(this=measure.copy(), expression=limit), true=number(points))
            for limit, points in zip(limits, item.points, strict=False)
        ]
        known = exp.Not(this=exp.Is(this=measure.copy(), expression=exp.Null()))
        return exp.Case(ifs=[*ifs, exp.If(this=known, true=number(item.points[-1]))])
    rules = [(bound.rule(choice.when), choice.points) for choice in item.choices]
    unknown: exp.Expr | None = None
    ifs = []
    for rule, points in rules:
        ifs.append(exp.If(this=rule, true=number(points)))
        null = exp.Is(this=exp.paren(rule.copy()), expression=exp.Null())
        unknown = null if unknown is None else exp.Or(this=unknown, expression=null)
    assert unknown is not None
    return exp.Case(ifs=[*ifs, exp.If(this=unknown, true=exp.Null())], default=number(item.default))


def _total(bound: Bound) -> exp.Expr:
    """Percent of the points that can be had, NULL when the customer can't be graded."""
    spec: ScorecardSpec = bound.spec
    got: exp.Expr | None = None
    possible: exp.Expr | None = None
    graded: list[exp.Expr] = []
    everything = sum(item.most for _, item in items_in_use(bound))
    for _, item in items_in_use(bound):
        points = column(item_name(bound.prefix, item))
        known = exp.Not(this=exp.Is(this=points.copy(), expression=exp.Null()))
        value: exp.Expr = exp.Coalesce(this=points, expressions=[number(0)])
        most: exp.Expr = number(item.most)
        if item.missing == "ungraded":
            graded.append(known)
        elif item.missing == "skip":
            most = exp.Case(ifs=[exp.If(this=known, true=most)], default=number(0))
        got = value if got is None else exp.Add(this=got, expression=value)
        possible = most if possible is None else exp.Add(this=possible, expression=most)
    if got is None or possible is None:
        return cast(exp.Null(), "DOUBLE")
    share = exp.GTE(this=exp.paren(possible.copy()), expression=number(spec.minimum_known * everything))
    percent = safe_divide(exp.Mul(this=exp.paren(got), expression=number(100)), exp.paren(possible))
    condition: exp.Expr = share
    for part in graded:
        condition = exp.And(this=condition, expression=part)
    return exp.Case(ifs=[exp.If(this=condition, true=percent)])


KIND = ScorecardKind()
