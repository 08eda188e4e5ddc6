"""cross: two or three schemes laid over each other. Ids are `a+b`; a customer must be in the scope of all of them.

The segments need not be written out: titles are joined and the playbook is the first scheme's. Written ones override that.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

from pydantic import Field
from sqlglot import exp

from kequn.language import Rule, column
from kequn.scheme.kind import Bound, Clause, Kind, Loading, Where
from kequn.scheme.spec import SchemeSpec, SegmentSpec

MAX_SEGMENTS = 1_000


class CrossSegment(SegmentSpec):
    """One combination, where its words should differ from the joined ones."""


class CrossSpec(SchemeSpec):
    """Schemes to cross, the one that leads first."""

    of: list[str] = Field(min_length=2, max_length=3)
    segments: list[CrossSegment] = Field(default_factory=list)


class CrossKind(Kind[CrossSpec]):
    name = "cross"
    model = CrossSpec

    def depends(self, spec: CrossSpec) -> frozenset[str]:
        return frozenset(spec.of)

    def check(self, spec: CrossSpec, loading: Loading, rules: Mapping[Where, Rule]) -> None:
        known = loading.catalog.schemes
        for index, name in enumerate(spec.of):
            if name not in known:
                raise loading.fail("scheme.unknown_scheme", ("of", index), name=name, known=sorted(known))
            if name in spec.of[:index]:
                raise loading.fail("scheme.crossed_twice", ("of", index), name=name)
        count = 1
        for name in spec.of:
            count *= len(known[name])
        if count > MAX_SEGMENTS:
            raise loading.fail("scheme.too_many_cells", ("of",), found=count, most=MAX_SEGMENTS)
        possible = {"+".join(ids) for ids in itertools.product(*(known[name] for name in spec.of))}
        for index, segment in enumerate(spec.segments):
            if segment.id not in possible:
                raise loading.fail(
                    "scheme.unknown_combination", ("segments", index, "id"), id=segment.id, of=spec.of
                )

    def segments(self, spec: CrossSpec, others: Mapping[str, SchemeSpec]) -> tuple[SegmentSpec, ...]:
        from kequn.scheme.kinds import kinds

        if any(name not in others for name in spec.of):
            return tuple(spec.segments)
        sides = [kinds()[others[name].kind].segments(others[name], others) for name in spec.of]
        written = {segment.id: segment for segment in spec.segments}
        made = []
        for parts in itertools.product(*sides):
            joined = CrossSegment(
                id="+".join(part.id for part in parts),
                title=_joined(parts),
                playbook=parts[0].playbook,
                owner=parts[0].owner,
            )
            made.append(written.get(joined.id, joined))
        return tuple(made)

    def clauses(self, bound: Bound) -> tuple[Clause, ...]:
        return tuple(
            Clause(segment.id, _all_in(bound.spec.of, segment.id)) for segment in bound.scheme.segments
        )

    def expression(self, bound: Bound) -> exp.Expr:
        """The id itself, NULL outside any of the crossed scopes: no clause per combination is needed."""
        first, *rest = [column(f"seg_{name}") for name in bound.spec.of]
        joined: exp.Expr = first
        for other in rest:
            joined = exp.DPipe(this=joined, expression=exp.Literal.string("+"), safe=True)
            joined = exp.DPipe(this=joined, expression=other, safe=True)
        return joined


def _all_in(schemes: list[str], combination: str) -> exp.Expr:
    sides = [
        exp.EQ(this=column(f"seg_{name}"), expression=exp.Literal.string(part))
        for name, part in zip(schemes, combination.split("+"), strict=True)
    ]
    condition: exp.Expr = sides[0]
    for side in sides[1:]:
        condition = exp.And(this=condition, expression=side)
    return condition


def _joined(parts: Iterable[SegmentSpec]) -> dict[str, str]:
    listed = list(parts)
    return {lang: " × ".join(part.title.get(lang, part.id) for part in listed) for lang in ("zh", "en")}


KIND = CrossKind()
