"""given: labels that a source already brings (kind of customer, channel, province); `values` says which mean which segment."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, StrictBool, StrictInt
from sqlglot import exp

from kequn.language import Rule, column
from kequn.scheme.kind import Bound, Clause, Kind, Loading, Needs, Where
from kequn.scheme.spec import Columns, SchemeSpec, SegmentSpec

LABELS = frozenset({"text", "integer", "boolean"})
Value = StrictInt | StrictBool | str


class GivenSegment(SegmentSpec):
    """The values that mean this segment; without any, its id is the value."""

    values: list[Value] = Field(default_factory=list)


class GivenSpec(SchemeSpec):
    """A column of labels."""

    column: Columns
    segments: list[GivenSegment] = Field(min_length=1)


class GivenKind(Kind[GivenSpec]):
    name = "given"
    model = GivenSpec

    def needs(self, spec: GivenSpec, loading: Loading) -> Needs:
        return Needs(one_of=(loading.known(spec.column, ("column",), LABELS),))

    def check(self, spec: GivenSpec, loading: Loading, rules: Mapping[Where, Rule]) -> None:
        whole = (
            loading.column(loading.known(spec.column, ("column",), LABELS)[0], ("column",), LABELS).type
            == "integer"
        )
        owners: dict[str, str] = {}
        for index, segment in enumerate(spec.segments):
            for place, value in enumerate(segment.values or [segment.id]):
                where: Where = ("segments", index, "values", place)
                if whole and type(value) is not int:
                    raise loading.fail("scheme.value_type", where, value=value, expected="integer")
                if str(value) in owners:
                    raise loading.fail("scheme.value_twice", where, value=value, other=owners[str(value)])
                owners[str(value)] = segment.id

    def clauses(self, bound: Bound) -> tuple[Clause, ...]:
        spec: GivenSpec = bound.spec
        label = bound.column(bound.first(spec.column))
        return tuple(
            Clause(
                segment.id,
                exp.In(
                    this=column(label.name),
                    expressions=[_literal(value, label.type) for value in segment.values or [segment.id]],
                ),
            )
            for segment in spec.segments
        )


def _literal(value: int | bool | str, label_type: str) -> exp.Expr:
    if label_type == "boolean":
        return exp.true() if str(value).lower() == "true" else exp.false()
    if label_type == "integer":
        return exp.Literal.number(str(value))
    return exp.Literal.string(str(value))


KIND = GivenKind()
