"""All schemes as one query made of layers: the profile, then columns worked out from it, then segments, layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from sqlglot import exp

from kequn.engine import Engine
from kequn.language import Catalog, cast, column
from kequn.scheme.cuts import answer
from kequn.scheme.kind import Ask, Bound, Quantiles, Scheme, parameter_key
from kequn.scheme.loading import arrange, with_schemes
from kequn.scheme.spec import QuantileParameter, SegmentSpec


def scope_of(bound: Bound, within: exp.Expr | None = None) -> exp.Expr:
    """True for customers in scope, never NULL; `within` narrows it (members of the parent of a refinement)."""
    parts = [] if bound.spec.scope is None else [bound.passes(bound.rule(bound.spec.scope))]
    if within is not None:
        parts.append(within.copy())
    return exp.and_(*parts) if parts else exp.true()


def segment_expression(bound: Bound, within: exp.Expr | None = None) -> exp.Expr:
    """The segment that the rules alone give; NULL outside the scope."""
    scope = scope_of(bound, within)
    inner = bound.scheme.kind.expression(bound)
    if isinstance(scope, exp.Boolean):
        return inner
    return exp.Case(ifs=[exp.If(this=scope, true=inner)])


def held(scheme: Scheme) -> bool:
    """Whether the last run has a say in who is where (stay, minimum_days)."""
    return any(segment.stay or segment.minimum_days for segment in scheme.spec.ordered)


def overridden(scheme: Scheme) -> bool:
    """Whether the file names customers who enter a segment at once."""
    return any(segment.override for segment in scheme.spec.ordered)


def final_expression(bound: Bound, as_of: date, has_previous: bool) -> exp.Expr:
    """The segment after overrides, `stay` and `minimum_days`, over the column `rule_<scheme>`."""
    rule = column(f"rule_{bound.prefix}")
    ifs = [exp.If(this=exp.Is(this=rule.copy(), expression=exp.Null()), true=exp.Null())]  # out of scope
    for segment in bound.spec.ordered:
        if segment.override:
            named = [exp.Literal.string(customer) for customer in segment.override]
            ifs.append(_into(exp.In(this=column("customer_id"), expressions=named), segment))
    if has_previous:
        ifs += [
            _into(stays(bound, segment, as_of), segment)
            for segment in bound.spec.ordered
            if segment.stay or segment.minimum_days
        ]
    return exp.Case(ifs=ifs, default=rule)


def _into(condition: exp.Expr, segment: SegmentSpec) -> exp.If:
    return exp.If(this=condition, true=exp.Literal.string(segment.id))


def stays(bound: Bound, segment: SegmentSpec, as_of: date) -> exp.Expr:
    """Was in `segment` and has either not been there for `minimum_days` yet or still fulfils `stay`."""
    reasons: list[exp.Expr] = []
    if segment.stay:
        reasons.append(bound.rule(segment.stay))
    if segment.minimum_days:
        first = cast(exp.Literal.string((as_of - timedelta(days=segment.minimum_days)).isoformat()), "DATE")
        reasons.append(exp.GT(this=column(f"prev_since_{bound.prefix}"), expression=first))
    was = exp.EQ(this=column(f"prev_seg_{bound.prefix}"), expression=exp.Literal.string(segment.id))
    return exp.and_(was, exp.or_(*reasons))


@dataclass
class Layers:
    """The growing query. `source` has one row per customer; each layer adds columns to it."""

    engine: Engine
    catalog: Catalog
    as_of: date
    source: exp.Query
    previous: frozenset[str] = frozenset()
    bound: dict[str, Bound] = field(default_factory=dict)
    inside: dict[tuple[str, str], Bound] = field(default_factory=dict)

    def add(self, columns: Mapping[str, exp.Expr]) -> None:
        """One more layer: everything so far and `columns`."""
        if columns:
            made = [exp.alias_(tree, name, quoted=True) for name, tree in columns.items()]
            below = self.source.subquery("layer", copy=False)
            self.source = exp.select(exp.Star(), *made).from_(below, copy=False)

    def bind(self, jobs: Sequence[tuple[Scheme, str, exp.Expr | None]]) -> list[Bound]:
        """Schemes with their cut points, read off the query so far. A job is (scheme, prefix, within)."""
        asks: list[tuple[Bound, exp.Expr, str, Ask]] = []
        for scheme, prefix, within in jobs:
            bound = Bound(scheme, self.catalog, prefix)
            scope = scope_of(bound, within)
            for name, value in scheme.spec.parameters.items():
                if isinstance(value, QuantileParameter) and bound.has(value.of):
                    wanted = Quantiles(bound.column(value.of).name, (Fraction(value.quantile),))
                    asks.append((bound, scope, parameter_key(name), wanted))
            asks += [(bound, scope, key, ask) for key, ask in scheme.kind.asks(bound).items()]
        cuts: dict[str, dict[str, Any]] = {}
        answers = answer(self.engine, self.source, asks) if asks else []
        for (bound, _, key, _), found in zip(asks, answers, strict=True):
            cuts.setdefault(bound.prefix, {})[key] = found
        return [Bound(scheme, self.catalog, prefix, cuts.get(prefix, {})) for scheme, prefix, _ in jobs]

    def assign(self, schemes: Iterable[Scheme]) -> None:
        """Add `seg_<scheme>` for every scheme (and `rule_<scheme>` where it may differ), layer by layer."""
        for layer in arrange(schemes):
            bounds = self.bind([(scheme, scheme.name, None) for scheme in layer])
            self.bound.update({bound.prefix: bound for bound in bounds})
            self._steps(bounds)
            changing = [
                b for b in bounds if overridden(b.scheme) or (held(b.scheme) and b.prefix in self.previous)
            ]
            plain = [b for b in bounds if b not in changing]
            self.add(
                {f"rule_{b.prefix}": segment_expression(b) for b in changing}
                | {f"seg_{b.prefix}": segment_expression(b) for b in plain}
            )
            self.add(
                {
                    f"seg_{b.prefix}": final_expression(b, self.as_of, b.prefix in self.previous)
                    for b in changing
                }
            )
            self.catalog = with_schemes(self.catalog, layer)

    def refine(self, schemes: Mapping[str, Scheme]) -> None:
        """Add `sub_<scheme>` for schemes with `refine`; the child's cut points use the parent's members only."""
        jobs: list[tuple[Scheme, str, exp.Expr]] = []
        parts: dict[str, list[tuple[str, str]]] = {}
        for whole in self.bound.values():
            for parent, child in whole.spec.refine.items():
                if child in schemes and child in self.bound:
                    prefix = f"{whole.prefix}__{parent}__{child}"
                    member = exp.EQ(this=column(f"seg_{whole.prefix}"), expression=exp.Literal.string(parent))
                    jobs.append((schemes[child], prefix, member))
                    parts.setdefault(whole.prefix, []).append((parent, prefix))
        bounds = {bound.prefix: bound for bound in self.bind(jobs)} if jobs else {}
        self._steps(list(bounds.values()))
        within = {prefix: member for _, prefix, member in jobs}
        columns = {}
        for name, children in parts.items():
            ifs = [
                exp.If(this=within[prefix].copy(), true=segment_expression(bounds[prefix]))
                for _, prefix in children
            ]
            columns[f"sub_{name}"] = exp.Case(ifs=ifs)
            self.inside.update({(name, parent): bounds[prefix] for parent, prefix in children})
        self.add(columns)

    def _steps(self, bounds: Sequence[Bound]) -> None:
        worked_out = [bound.scheme.kind.steps(bound) for bound in bounds]
        for depth in range(max(map(len, worked_out), default=0)):
            self.add(
                {
                    name: tree
                    for steps in worked_out
                    if depth < len(steps)
                    for name, tree in steps[depth].items()
                }
            )


__all__ = ["Layers", "final_expression", "held", "scope_of", "segment_expression", "stays"]
