"""Why a customer is in a segment, clause by clause, and the smallest change that would move them into another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from sqlglot import exp

from kequn.scheme.atoms import around, bare, comparison, flattened, thresholds
from kequn.scheme.evaluation import Function, function_of
from kequn.scheme.kind import Bound
from kequn.scheme.kinds.scorecard import Item, ScorecardKind, item_name, items_in_use
from kequn.scheme.layers import scope_of, segment_expression, stays

FIXED = frozenset(
    {
        "age",
        "tenure_days",
        "registered_days",
        "children",
        "household_size",
        "income",
        "employees",
        "annual_revenue",
    }
)
"""Numeric columns that no offer and no sales call can change."""
Value = int | float | Decimal | str | bool | date | datetime | None
HeldBy = Literal["override", "stay"]
Shape = Literal["and", "or", "not", "atom"]


@dataclass(frozen=True)
class Part:
    """A piece of a clause: `and`, `or`, `not` of further parts, or an `atom`. `passed` is None when unknown.

    An atom that compares a column shows the customer's `value` and the `threshold`, money in major units.
    """

    shape: Shape
    text: str
    passed: bool | None
    parts: tuple[Part, ...] = ()
    column: str | None = None
    title: Mapping[str, str] = field(default_factory=dict)
    value: Value = None
    sign: str | None = None
    threshold: Value = None


@dataclass(frozen=True)
class ClauseExplained:
    """One way into `segment`. `decisive` marks the clause that put the customer where they are."""

    segment: str
    passed: bool | None
    decisive: bool
    condition: Part
    label: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """The nearest change into `segment`: `column` from `value` to `needed` (money in major units), nothing else."""

    segment: str
    column: str
    title: Mapping[str, str]
    value: Value
    needed: Value
    direction: Literal["up", "down"]


@dataclass(frozen=True)
class Contribution:
    """Points of one item of a scorecard; None where its input is unknown."""

    item: str
    title: Mapping[str, str]
    points: int | None
    most: int


@dataclass(frozen=True)
class Explanation:
    """Everything about one customer in one scheme.

    `segment` is where they are, `rule_segment` where the rules alone would put them, `held_by` what keeps them otherwise.
    `changes` has an entry for every other segment: the nearest single change, or None when no single change does it.
    """

    scheme: str
    customer_id: str | None
    in_scope: bool
    segment: str | None
    rule_segment: str | None
    held_by: HeldBy | None
    clauses: tuple[ClauseExplained, ...]
    scores: Mapping[str, Value]
    contributions: tuple[Contribution, ...]
    changes: Mapping[str, Change | None]
    scope: Part | None = None


@dataclass(frozen=True)
class _Piece:
    """A part of a condition, ready to be asked."""

    shape: Shape
    text: str
    holds: Function
    parts: tuple[_Piece, ...] = ()
    compared: tuple[str, str, Any] | None = None


def explain(bound: Bound, row: Mapping[str, Any], as_of: date | None = None) -> Explanation:
    """Explain a scheme for one customer; `Explainer` does it for many."""
    return Explainer(bound).explain(row, as_of)


class Explainer:
    """Explains one scheme of one run; building it takes milliseconds, each customer well under one.

    `bound` comes from `bind` with the cut points of that run's manifest, so that nothing is worked out anew.
    """

    def __init__(self, bound: Bound) -> None:
        self.bound = bound
        kind = bound.scheme.kind
        steps = kind.steps(bound)
        clauses = kind.clauses(bound)
        self._steps = [[(name, function_of(tree)) for name, tree in step.items()] for step in steps]
        self._clauses = [(clause, _piece(clause.condition)) for clause in clauses]
        self._in_scope = function_of(scope_of(bound))
        self._segment = function_of(segment_expression(bound))
        self._scope = None if bound.spec.scope is None else _piece(bound.rule(bound.spec.scope))
        self._scores = [column.name for column in kind.scores(bound.spec)]
        self._items: list[Item] = (
            [item for _, item in items_in_use(bound)] if isinstance(kind, ScorecardKind) else []
        )
        trees = [clause.condition for clause in clauses] + [tree for step in steps for tree in step.values()]
        self._tries = sorted(set(self._worth_trying(trees)), key=lambda each: (each[0], float(each[1])))

    def _worth_trying(self, trees: list[exp.Expr]) -> Iterator[tuple[str, Any]]:
        """Values around each threshold of each changeable numeric column."""
        for tree in trees:
            for name, threshold in thresholds(tree):
                column = self.bound.catalog.columns.get(name)
                if column is not None and name not in FIXED:
                    yield from ((name, value) for value in around(threshold, column.type))

    def explain(self, row: Mapping[str, Any], as_of: date | None = None) -> Explanation:
        """One customer's explanation.

        `row` is their profile row: money as Decimal in major units (as published) or as int in minor units, with
        `seg_<scheme>` for schemes that rules refer to, and `prev_seg_…`, `prev_since_…` where the scheme looks back.
        """
        inner = self._worked_out({name: self._inner(name, value) for name, value in row.items()})
        in_scope = bool(self._in_scope(inner))
        rule_segment = self._segment(inner) if in_scope else None
        segment, held_by = self._final(inner, rule_segment, as_of) if in_scope else (None, None)
        return Explanation(
            self.bound.scheme.name, row.get("customer_id"), in_scope, segment, rule_segment, held_by,
            self._explained(inner, rule_segment, in_scope), {name: inner.get(name) for name in self._scores},
            tuple(Contribution(i.id, i.title, inner.get(item_name(self.bound.prefix, i)), i.most) for i in self._items),
            self._changes(inner, rule_segment) if in_scope else {},
            self._part(self._scope, inner) if self._scope else None,
        )  # fmt: skip

    def _worked_out(self, row: dict[str, Any]) -> dict[str, Any]:
        for step in self._steps:
            row.update({name: value(row) for name, value in step})
        return row

    def _inner(self, name: str, value: Any) -> Any:
        column = self.bound.catalog.columns.get(name)
        if column is not None and column.type == "money" and isinstance(value, Decimal):
            return int(value.scaleb(self.bound.catalog.minor_unit_digits))
        return value

    def _shown(self, name: str, value: Any) -> Value:
        """A value of a column as people read it: money in major units, whole numbers as such."""
        column = self.bound.catalog.columns.get(name)
        if isinstance(value, Fraction):
            value = int(value) if value.denominator == 1 else float(value)
        if column is not None and column.type == "money" and isinstance(value, (int, float)):
            return Decimal(str(value)).scaleb(-self.bound.catalog.minor_unit_digits)
        return value  # type: ignore[no-any-return]

    def _explained(
        self, row: Mapping[str, Any], segment: str | None, in_scope: bool
    ) -> tuple[ClauseExplained, ...]:
        made, decided = [], not in_scope
        for clause, piece in self._clauses:
            part = self._part(piece, row)
            decisive = not decided and part.passed is True and clause.segment == segment
            decided = decided or decisive
            made.append(ClauseExplained(clause.segment, part.passed, decisive, part, clause.label))
        return tuple(made)

    def _part(self, piece: _Piece, row: Mapping[str, Any]) -> Part:
        parts = tuple(self._part(inner, row) for inner in piece.parts)
        if piece.compared is None:
            return Part(piece.shape, piece.text, piece.holds(row), parts)
        name, sign, threshold = piece.compared
        column = self.bound.catalog.columns.get(name)
        return Part(
            piece.shape, piece.text, piece.holds(row), parts, name, column.title if column else {},
            self._shown(name, row.get(name)), sign, self._shown(name, threshold),
        )  # fmt: skip

    def _final(
        self, row: Mapping[str, Any], rule_segment: str | None, as_of: date | None
    ) -> tuple[str | None, HeldBy | None]:
        segments = self.bound.spec.ordered
        for segment in segments:
            if row.get("customer_id") in segment.override:
                return segment.id, "override"
        if as_of is not None and row.get(f"prev_seg_{self.bound.prefix}") is not None:
            for segment in segments:
                if (segment.stay or segment.minimum_days) and function_of(stays(self.bound, segment, as_of))(
                    row
                ):
                    return segment.id, ("stay" if segment.id != rule_segment else None)
        return rule_segment, None

    def _changes(self, row: Mapping[str, Any], current: str | None) -> dict[str, Change | None]:
        """For every other segment the nearest change of one number that the rules would answer with that segment."""
        best: dict[str, tuple[float, str, Any]] = {}
        for name, value in self._tries:
            old = row.get(name)
            if old is None or isinstance(old, (str, bool)) or value == old or value < 0 <= old:
                continue
            changed = self._worked_out({**row, name: value})
            segment = self._segment(changed)
            if segment is None or segment == current:
                continue
            distance = abs(float(value) - float(old)) / max(abs(float(old)), abs(float(value)), 1e-9)
            if segment not in best or distance < best[segment][0]:
                best[segment] = (distance, name, value)
        others = [segment.id for segment in self.bound.scheme.segments if segment.id != current]
        return {
            segment: self._change(segment, row, *best[segment][1:]) if segment in best else None
            for segment in others
        }

    def _change(self, segment: str, row: Mapping[str, Any], name: str, value: Any) -> Change:
        old, title = row[name], self.bound.catalog.columns[name].title
        return Change(
            segment,
            name,
            title,
            self._shown(name, old),
            self._shown(name, value),
            "up" if value > old else "down",
        )


def _piece(tree: exp.Expr) -> _Piece:
    tree = bare(tree)
    text, holds = tree.sql(dialect="duckdb"), function_of(tree)
    if isinstance(tree, (exp.And, exp.Or)):
        shape: Shape = "and" if isinstance(tree, exp.And) else "or"
        return _Piece(shape, text, holds, tuple(_piece(part) for part in flattened(tree, type(tree))))
    if isinstance(tree, exp.Not) and isinstance(bare(tree.this), (exp.And, exp.Or, exp.Not)):
        return _Piece("not", text, holds, (_piece(tree.this),))
    return _Piece("atom", text, holds, (), comparison(tree))


__all__ = ["Change", "ClauseExplained", "Contribution", "Explainer", "Explanation", "Part", "explain"]
