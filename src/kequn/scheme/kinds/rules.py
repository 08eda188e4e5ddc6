"""rules: ordered predicates, first match wins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import Field

from kequn.language import Rule
from kequn.scheme.kind import Bound, Clause, Kind, Loading, Where
from kequn.scheme.reach import check_reachable
from kequn.scheme.spec import SchemeSpec, SegmentSpec


class RuleSegment(SegmentSpec):
    """A segment with the rule that lets a customer in."""

    when: str


class RulesSpec(SchemeSpec):
    """A scheme of ordered rules."""

    segments: list[RuleSegment] = Field(min_length=1)


class RulesKind(Kind[RulesSpec]):
    name = "rules"
    model = RulesSpec

    def rules(self, spec: RulesSpec) -> Iterable[tuple[Where, str]]:
        for index, segment in enumerate(spec.segments):
            yield ("segments", index, "when"), segment.when

    def check(self, spec: RulesSpec, loading: Loading, rules: Mapping[Where, Rule]) -> None:
        check_reachable(
            spec, loading, [rules["segments", index, "when"] for index in range(len(spec.segments))]
        )

    def clauses(self, bound: Bound) -> tuple[Clause, ...]:
        return tuple(Clause(segment.id, bound.rule(segment.when)) for segment in bound.spec.segments)


KIND = RulesKind()
