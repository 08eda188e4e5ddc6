"""Why a customer is in a segment, clause by clause, and the smallest change that would move them into another.

The clauses are evaluated for the one customer by DuckDB, so that an explanation can't disagree with the assignment: the
same trees, the same cut points, the same arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from sqlglot import exp

from kequn.language import SQL_TYPES, Column
from kequn.scheme.kind import Bound, Clause, Where
from kequn.scheme.layers import scope_of, segment_expression, stays
from kequn.scheme.reach import literal_value

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
SIGNS: dict[type[exp.Expr], str] = {
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.EQ: "=",
    exp.NEQ: "<>",
}
MIRROR = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "=": "=", "<>": "<>"}
Value = int | float | Decimal | str | bool | date | datetime | None


@dataclass(frozen=True)
class Part:
    """A piece of a clause: `and`, `or`, `not` of further parts, or an `atom`. `passed` is None when unknown.

    An atom that compares a column shows the customer's `value` and the `threshold`, money in major units.
    """

    shape: Literal["and", "or", "not", "atom"]
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
    held_by: Literal["override", "stay"] | None
    clauses: tuple[ClauseExplained, ...]
    scores: Mapping[str, Value]
    contributions: tuple[Contribution, ...]
    changes: Mapping[str, Change | None]
    scope: Part | None = None


def explain(bound: Bound, row: Mapping[str, Any], as_of: date | None = None) -> Explanation:
    """Explain a scheme for one customer.

    `row` is the customer's profile row: money as Decimal in major units (as published) or as int in minor units, with
    `seg_<scheme>` for the schemes that rules refer to and `prev_seg_…`, `prev_since_…` where the scheme looks back.
    `bound` comes from the run (`bind_from_manifest`), so the cut points are those that were used.
    """
    customer = _Customer(bound, row)
    condition = scope_of(bound)
    clauses = bound.scheme.kind.clauses(bound)
    pieces = [_piece(clause.condition) for clause in clauses]
    scope_piece = None if bound.spec.scope is None else _piece(bound.rule(bound.spec.scope))
    wanted = [condition, segment_expression(bound)]
    for piece in [*pieces, *([scope_piece] if scope_piece else [])]:
        wanted += list(piece.all_trees())
    scores = [column.name for column in bound.scheme.kind.scores(bound.spec)]
    steps = [name for step in bound.scheme.kind.steps(bound) for name in step]
    wanted += [exp.column(name, quoted=True) for name in steps]
    answers = customer.evaluate(wanted)
    in_scope, rule_segment = bool(answers[0]), answers[1]
    found = iter(answers[2:])
    parts = [piece.filled(found, customer) for piece in pieces]
    scope_part = scope_piece.filled(found, customer) if scope_piece else None
    worked_out = dict(zip(steps, found, strict=True))
    segment, held_by = _final(customer, rule_segment, as_of) if in_scope else (None, None)
    return Explanation(
        bound.scheme.name, row.get("customer_id"), in_scope, segment, rule_segment, held_by,
        _clauses(clauses, parts, rule_segment, in_scope), {name: worked_out.get(name) for name in scores},
        _contributions(bound, worked_out), _changes(customer, clauses, rule_segment) if in_scope else {}, scope_part,
    )  # fmt: skip


def _clauses(
    clauses: Sequence[Clause], parts: Sequence[Part], segment: str | None, in_scope: bool
) -> tuple[ClauseExplained, ...]:
    made, decided = [], not in_scope
    for clause, part in zip(clauses, parts, strict=True):
        decisive = not decided and part.passed is True and clause.segment == segment
        decided = decided or decisive
        made.append(ClauseExplained(clause.segment, part.passed, decisive, part, clause.label))
    return tuple(made)


class _Customer:
    """One row, in inner units, and DuckDB to evaluate expressions for it."""

    def __init__(self, bound: Bound, row: Mapping[str, Any]) -> None:
        self.bound = bound
        self.digits = bound.catalog.minor_unit_digits
        self.row = {name: self._inner(name, value) for name, value in row.items()}

    def _inner(self, name: str, value: Any) -> Any:
        column = self.bound.catalog.columns.get(name)
        if column is not None and column.type == "money" and isinstance(value, Decimal):
            return int(value.scaleb(self.digits))
        return value

    def shown(self, name: str, value: Any) -> Value:
        """A value of a column as people read it: money in major units, whole numbers as such."""
        column = self.bound.catalog.columns.get(name)
        if isinstance(value, Fraction):
            value = int(value) if value.denominator == 1 else float(value)
        if column is not None and column.type == "money" and isinstance(value, (int, float)):
            return Decimal(str(value)).scaleb(-self.digits)
        return value  # type: ignore[no-any-return]

    def evaluate(self, trees: Sequence[exp.Expr]) -> list[Any]:
        return self.evaluate_rows(trees, [{}])[0]

    def evaluate_rows(
        self, trees: Sequence[exp.Expr], changed: Sequence[Mapping[str, Any]]
    ) -> list[list[Any]]:
        """Each expression for the customer as they would be after each of the `changed` sets of values."""
        steps = self.bound.scheme.kind.steps(self.bound)
        made = {name for step in steps for name in step}
        used = {
            node.name
            for tree in [*trees, *(t for step in steps for t in step.values())]
            for node in tree.find_all(exp.Column)
        }
        names = sorted(used - made) or ["customer_id"]
        query: exp.Query = exp.select(exp.Star()).from_("customer")
        for step in steps:
            columns = [exp.alias_(tree, name, quoted=True) for name, tree in step.items()]
            query = exp.select(exp.Star(), *columns).from_(query.subquery("customer"))
        answers = [exp.alias_(tree.copy(), f"a{place}") for place, tree in enumerate(trees)]
        query = exp.select(*answers).from_(query.subquery("customer")).order_by(exp.column("_row"))
        return _run(query.sql(dialect="duckdb"), self._table(names, changed))

    def _table(self, names: Sequence[str], changed: Sequence[Mapping[str, Any]]) -> Any:
        import pyarrow as pa

        columns: dict[str, Any] = {"_row": pa.array(range(len(changed)), pa.int64())}
        for name in names:
            known = self.bound.catalog.columns.get(name)
            values = [change.get(name, self.row.get(name)) for change in changed]
            columns[name] = pa.array(values, _arrow(known, name))
        return pa.table(columns)


def _arrow(column: Column | None, name: str) -> Any:
    import pyarrow as pa

    if name.startswith("prev_since_"):
        return pa.date32()
    kinds = {
        "BIGINT": pa.int64(), "DOUBLE": pa.float64(), "DECIMAL(18,3)": pa.decimal128(18, 3), "VARCHAR": pa.string(),
        "DATE": pa.date32(), "TIMESTAMP": pa.timestamp("us"), "BOOLEAN": pa.bool_(),
    }  # fmt: skip
    if column is None:
        return pa.string() if not name.startswith("_t_") else pa.int64()
    return kinds[SQL_TYPES[column.type]]


def _run(sql: str, table: Any) -> list[list[Any]]:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        connection.register("customer", table)
        return [list(row) for row in connection.execute(sql).fetchall()]


@dataclass(frozen=True)
class _Piece:
    """A condition taken apart, before its truth is known."""

    shape: Literal["and", "or", "not", "atom"]
    tree: exp.Expr
    parts: tuple[_Piece, ...] = ()

    def all_trees(self) -> Iterator[exp.Expr]:
        yield self.tree
        for part in self.parts:
            yield from part.all_trees()

    def filled(self, answers: Iterator[Any], customer: _Customer) -> Part:
        passed = next(answers)
        parts = tuple(part.filled(answers, customer) for part in self.parts)
        text = self.tree.sql(dialect="duckdb")
        if self.shape != "atom":
            return Part(self.shape, text, passed, parts)
        atom = atom_of(self.tree)
        if atom is None:
            return Part("atom", text, passed)
        name, sign, threshold = atom
        column = customer.bound.catalog.columns.get(name)
        return Part(
            "atom", text, passed, (), name, column.title if column else {},
            customer.shown(name, customer.row.get(name)), sign, customer.shown(name, threshold),
        )  # fmt: skip


def _piece(tree: exp.Expr) -> _Piece:
    while isinstance(tree, exp.Paren):
        tree = tree.this
    if isinstance(tree, (exp.And, exp.Or)):
        shape: Literal["and", "or"] = "and" if isinstance(tree, exp.And) else "or"
        return _Piece(shape, tree, tuple(_piece(part) for part in _same(tree, type(tree))))
    if isinstance(tree, exp.Not) and isinstance(_bare(tree.this), (exp.And, exp.Or, exp.Not)):
        return _Piece("not", tree, (_piece(tree.this),))
    return _Piece("atom", tree)


def _bare(tree: exp.Expr) -> exp.Expr:
    while isinstance(tree, exp.Paren):
        tree = tree.this
    return tree


def _same(tree: exp.Expr, kind: type[exp.Expr]) -> Iterator[exp.Expr]:
    for side in (tree.this, tree.expression):
        bare = _bare(side)
        if isinstance(bare, kind):
            yield from _same(bare, kind)
        else:
            yield bare


def atom_of(tree: exp.Expr) -> tuple[str, str, Any] | None:
    """`(column, sign, threshold)` of a comparison between a column and a literal, or None."""
    tree = _bare(tree)
    sign = SIGNS.get(type(tree))
    if sign is None:
        return None
    for left, right, read in ((tree.this, tree.expression, sign), (tree.expression, tree.this, MIRROR[sign])):
        name, value = _name(left), literal_value(right)
        if name and value is not None:
            return name, read, value
    return None


def _name(tree: exp.Expr) -> str | None:
    tree = _bare(tree)
    if isinstance(tree, exp.Cast):
        tree = _bare(tree.this)
    return tree.name if isinstance(tree, exp.Column) else None


def _final(
    customer: _Customer, rule_segment: str | None, as_of: date | None
) -> tuple[str | None, Literal["override", "stay"] | None]:
    bound = customer.bound
    for segment in bound.spec.ordered:
        if customer.row.get("customer_id") in segment.override:
            return segment.id, "override"
    if as_of is not None and customer.row.get(f"prev_seg_{bound.prefix}") is not None:
        looking = [segment for segment in bound.spec.ordered if segment.stay or segment.minimum_days]
        if looking:
            answers = customer.evaluate([stays(bound, segment, as_of) for segment in looking])
            for segment, answer in zip(looking, answers, strict=True):
                if answer:
                    return segment.id, ("stay" if segment.id != rule_segment else None)
    return rule_segment, None


def _contributions(bound: Bound, worked_out: Mapping[str, Any]) -> tuple[Contribution, ...]:
    from kequn.scheme.kinds.scorecard import ScorecardKind, item_name, items_in_use

    if not isinstance(bound.scheme.kind, ScorecardKind):
        return ()
    return tuple(
        Contribution(item.id, item.title, worked_out.get(item_name(bound.prefix, item)), item.most)
        for _, item in items_in_use(bound)
    )


def _changes(customer: _Customer, clauses: Sequence[Clause], current: str | None) -> dict[str, Change | None]:
    """For every other segment the nearest change of one number that the rules would answer with that segment."""
    bound = customer.bound
    tries = _tries(customer, clauses)
    others = [segment.id for segment in bound.scheme.segments if segment.id != current]
    best: dict[str, tuple[float, Change]] = {}
    if tries:
        tree = segment_expression(bound)
        answers = customer.evaluate_rows([tree], [{name: value} for name, value in tries])
        for (name, value), (segment,) in zip(tries, answers, strict=True):
            if segment is None or segment == current:
                continue
            old = customer.row[name]
            distance = abs(float(value) - float(old)) / max(abs(float(old)), abs(float(value)), 1e-9)
            if segment not in best or distance < best[segment][0]:
                column = bound.catalog.columns[name]
                direction: Literal["up", "down"] = "up" if value > old else "down"
                best[segment] = (
                    distance,
                    Change(
                        segment,
                        name,
                        column.title,
                        customer.shown(name, old),
                        customer.shown(name, value),
                        direction,
                    ),
                )
    return {segment: best[segment][1] if segment in best else None for segment in others}


def _tries(customer: _Customer, clauses: Sequence[Clause]) -> list[tuple[str, Any]]:
    """Values worth trying: each threshold of each changeable numeric column, and the next value on either side."""
    bound = customer.bound
    trees = [clause.condition for clause in clauses]
    trees += [tree for step in bound.scheme.kind.steps(bound) for tree in step.values()]
    found: set[tuple[str, Any]] = set()
    for tree in trees:
        for name, threshold in _thresholds(tree):
            column = bound.catalog.columns.get(name)
            old = customer.row.get(name)
            if column is None or name in FIXED or old is None or isinstance(old, (str, bool)):
                continue
            for value in _around(threshold, column.type):
                if value != old and not (value < 0 <= old):
                    found.add((name, value))
    return sorted(found, key=lambda each: (each[0], float(each[1])))


def _thresholds(tree: exp.Expr) -> Iterator[tuple[str, Fraction]]:
    for node in tree.walk():
        if isinstance(node, exp.Between):
            name = _name(node.this)
            literals = [node.args["low"], node.args["high"]]
        elif isinstance(node, exp.In):
            name, literals = _name(node.this), node.expressions
        else:
            atom = atom_of(node)
            if atom and isinstance(atom[2], Fraction):
                yield atom[0], atom[2]
            continue
        for literal in literals:
            value = literal_value(literal)
            if name and isinstance(value, Fraction):
                yield name, value


def _around(threshold: Fraction, kind: str) -> list[Any]:
    if kind in {"integer", "money"}:
        low = threshold.numerator // threshold.denominator
        return [low - 1, low, low + 1]
    if kind == "decimal":
        exact = Decimal(threshold.numerator) / Decimal(threshold.denominator)
        near = exact.quantize(Decimal("0.001"))
        return [near - Decimal("0.001"), near, near + Decimal("0.001")]
    if kind == "number":
        value = float(threshold)
        step = max(abs(value), 1.0) * 1e-6
        return [value - step, value, value + step]
    return []


__all__ = ["Change", "ClauseExplained", "Contribution", "Explanation", "Part", "Where", "explain"]
