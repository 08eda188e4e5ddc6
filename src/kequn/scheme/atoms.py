"""Conditions taken apart: which column is compared with what, and where a value would tip the scale."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlglot import exp

from kequn.scheme.reach import literal_value

SIGNS: dict[type[exp.Expr], str] = {
    exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=", exp.EQ: "=", exp.NEQ: "<>",
}  # fmt: skip
MIRROR = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "=": "=", "<>": "<>"}


def bare(tree: exp.Expr) -> exp.Expr:
    """`tree` without parentheses around it."""
    while isinstance(tree, exp.Paren):
        tree = tree.this
    return tree


def flattened(tree: exp.Expr, kind: type[exp.Expr]) -> Iterator[exp.Expr]:
    """The members of a chain of AND (or OR)."""
    for side in (tree.this, tree.expression):
        inner = bare(side)
        if isinstance(inner, kind):
            yield from flattened(inner, kind)
        else:
            yield inner


def column_of(tree: exp.Expr) -> str | None:
    """The column that `tree` is, also inside a cast."""
    tree = bare(tree)
    if isinstance(tree, exp.Cast):
        tree = bare(tree.this)
    return tree.name if isinstance(tree, exp.Column) else None


def comparison(tree: exp.Expr) -> tuple[str, str, Any] | None:
    """`(column, sign, threshold)` of a comparison between a column and a literal, or None."""
    tree = bare(tree)
    sign = SIGNS.get(type(tree))
    if sign is None:
        return None
    for left, right, read in ((tree.this, tree.expression, sign), (tree.expression, tree.this, MIRROR[sign])):
        name, value = column_of(left), literal_value(right)
        if name and value is not None:
            return name, read, value
    return None


def thresholds(tree: exp.Expr) -> Iterator[tuple[str, Fraction]]:
    """Every number that a column is compared with anywhere in `tree`."""
    for node in tree.walk():
        if isinstance(node, exp.Between):
            name, literals = column_of(node.this), [node.args["low"], node.args["high"]]
        elif isinstance(node, exp.In):
            name, literals = column_of(node.this), node.expressions
        else:
            found = comparison(node)
            if found and isinstance(found[2], Fraction):
                yield found[0], found[2]
            continue
        for literal in literals:
            value = literal_value(literal)
            if name and isinstance(value, Fraction):
                yield name, value


def around(threshold: Fraction, kind: str) -> list[Any]:
    """The values of a column of type `kind` at, just below and just above `threshold`."""
    if kind in {"integer", "money"}:
        low = threshold.numerator // threshold.denominator
        return [low - 1, low, low + 1]
    if kind == "decimal":
        near = (Decimal(threshold.numerator) / Decimal(threshold.denominator)).quantize(Decimal("0.001"))
        return [near - Decimal("0.001"), near, near + Decimal("0.001")]
    if kind == "number":
        value = float(threshold)
        step = max(abs(value), 1.0) * 1e-6
        return [value - step, value, value + step]
    return []


__all__ = ["around", "bare", "column_of", "comparison", "flattened", "thresholds"]
