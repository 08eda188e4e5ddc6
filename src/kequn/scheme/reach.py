"""Which clauses can never be reached: intervals of single columns, set against the clauses before.

Every comparison of a column with literals is a set of intervals. A clause that holds only inside what earlier clauses on
that column have already taken, or whose own bounds contradict each other, can't match anybody.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from sqlglot import exp

from kequn.language import Catalog, Rule
from kequn.scheme.kind import Loading
from kequn.scheme.spec import QuantileParameter, SchemeSpec

Cut = tuple[Any, ...]
"""A place between values: (0, value, 0) just before it, (0, value, 1) just after it."""
LOWEST: Cut = (-1,)
HIGHEST: Cut = (1,)
Region = tuple[tuple[Cut, Cut], ...]
EVERYTHING: Region = ((LOWEST, HIGHEST),)


def union(left: Region, right: Region) -> Region:
    merged: list[tuple[Cut, Cut]] = []
    for low, high in sorted((*left, *right)):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


def intersection(left: Region, right: Region) -> Region:
    found = [(max(a, c), min(b, d)) for a, b in left for c, d in right]
    return union(tuple((low, high) for low, high in found if low < high), ())


def complement(region: Region) -> Region:
    edges = [LOWEST, *(cut for interval in region for cut in interval), HIGHEST]
    return tuple((low, high) for low, high in zip(edges[::2], edges[1::2], strict=True) if low < high)


def within(inner: Region, outer: Region) -> bool:
    return intersection(inner, complement(outer)) == ()


def check_reachable(spec: SchemeSpec, loading: Loading, rules: Sequence[Rule]) -> None:
    """Raise ConfigError for the first clause that can't be reached, naming the clauses that stand before it."""
    data_made = [
        f":{name}" for name, value in spec.parameters.items() if isinstance(value, QuantileParameter)
    ]
    covered: dict[str, Region] = {}
    names: dict[str, list[str]] = {}
    for index, rule in enumerate(rules):
        where = ("segments", index, "when")
        segment = spec.named[index].id
        if any(parameter in rule.source for parameter in data_made):
            continue
        needed, exact = _needed(rule.tree, loading.catalog)
        for name, region in needed.items():
            if region == ():
                raise loading.fail(
                    "scheme.contradiction", where, segment=segment, name=name, rule=rule.canonical
                )
            if name in covered and within(region, covered[name]):
                raise loading.fail(
                    "scheme.unreachable",
                    where,
                    segment=segment,
                    name=name,
                    rule=rule.canonical,
                    earlier=names[name],
                )
        if exact and len(needed) == 1:
            ((name, region),) = needed.items()
            covered[name] = union(covered.get(name, ()), region)
            names.setdefault(name, []).append(segment)


def _needed(tree: exp.Expr, catalog: Catalog) -> tuple[dict[str, Region], bool]:
    """What must hold on each column for the clause to match, and whether that is all it says."""
    needed: dict[str, Region] = {}
    exact = True
    for part in _conjuncts(tree):
        found = region_of(part, catalog)
        if found is None:
            exact = False
        else:
            name, region = found
            needed[name] = intersection(needed.get(name, EVERYTHING), region)
    return needed, exact


def _conjuncts(tree: exp.Expr) -> list[exp.Expr]:
    tree = _bare(tree)
    if isinstance(tree, exp.And):
        return _conjuncts(tree.this) + _conjuncts(tree.expression)
    return [tree]


def _bare(tree: exp.Expr) -> exp.Expr:
    while isinstance(tree, exp.Paren):
        tree = tree.this
    return tree


def region_of(tree: exp.Expr, catalog: Catalog) -> tuple[str, Region] | None:
    """The column and the values for which `tree` is true, when it is about one column and literals only."""
    tree = _bare(tree)
    if isinstance(tree, (exp.And, exp.Or)):
        left, right = region_of(tree.this, catalog), region_of(tree.expression, catalog)
        if left is None or right is None or left[0] != right[0]:
            return None
        join = intersection if isinstance(tree, exp.And) else union
        return left[0], join(left[1], right[1])
    if isinstance(tree, exp.Not):
        if isinstance(_bare(tree.this), exp.Is):
            name = _column(_bare(tree.this).this)
            return (name, EVERYTHING) if name else None
        inner = region_of(tree.this, catalog)
        return (inner[0], complement(inner[1])) if inner else None
    return _comparison(tree, catalog)


def _comparison(tree: exp.Expr, catalog: Catalog) -> tuple[str, Region] | None:
    if isinstance(tree, exp.Between):
        return _made(
            tree.this,
            [tree.args["low"], tree.args["high"]],
            lambda v: (((0, v[0], 0), (0, v[1], 1)),),
            catalog,
        )
    if isinstance(tree, exp.In):
        return _made(tree.this, tree.expressions, _points, catalog)
    shape = _SHAPES.get(type(tree))
    if shape is None:
        return None
    if _column(tree.this):
        return _made(tree.this, [tree.expression], shape, catalog)
    mirrored = _SHAPES[_MIRROR.get(type(tree), type(tree))]
    return _made(tree.expression, [tree.this], mirrored, catalog)


def _points(values: list[Any]) -> Region:
    return union(tuple(((0, value, 0), (0, value, 1)) for value in values), ())


_SHAPES: dict[type[exp.Expr], Callable[[list[Any]], Region]] = {
    exp.LT: lambda v: ((LOWEST, (0, v[0], 0)),),
    exp.LTE: lambda v: ((LOWEST, (0, v[0], 1)),),
    exp.GT: lambda v: (((0, v[0], 1), HIGHEST),),
    exp.GTE: lambda v: (((0, v[0], 0), HIGHEST),),
    exp.EQ: _points,
    exp.NEQ: lambda v: complement(_points(v)),
}
_MIRROR: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.LT: exp.GT,
    exp.GT: exp.LT,
    exp.LTE: exp.GTE,
    exp.GTE: exp.LTE,
}


def _made(
    side: exp.Expr, literals: Sequence[exp.Expr], shape: Callable[[list[Any]], Region], catalog: Catalog
) -> tuple[str, Region] | None:
    name = _column(side)
    values = [literal_value(literal) for literal in literals]
    if (
        name is None
        or any(value is None for value in values)
        or len({isinstance(v, str) for v in values}) > 1
    ):
        return None
    region = shape(values)
    known = catalog.columns.get(name)
    if known is not None and known.type in {"integer", "money"} and not isinstance(values[0], str):
        region = _whole(region)
    return name, tuple((low, high) for low, high in region if low < high)


def _whole(region: Region) -> Region:
    """Between whole numbers there is nothing: `> 5` is `>= 6`."""

    def snapped(cut: Cut) -> Cut:
        if len(cut) == 1:
            return cut
        _, value, after = cut
        return (0, Fraction(math.floor(value) + 1 if after else math.ceil(value)), 0)

    return union(tuple((snapped(low), snapped(high)) for low, high in region), ())


def _column(tree: exp.Expr) -> str | None:
    tree = _bare(tree)
    if isinstance(tree, exp.Cast) and tree.to.this.name == "DOUBLE":
        tree = _bare(tree.this)
    return tree.name if isinstance(tree, exp.Column) else None


def literal_value(tree: exp.Expr) -> Fraction | str | None:
    """The value of a literal as the language and the kinds write it, or None."""
    tree = _bare(tree)
    if isinstance(tree, exp.Cast):
        inner = _bare(tree.this)
        if tree.to.this.name == "DOUBLE":
            if isinstance(inner, exp.Literal) and inner.is_string:
                return Fraction(inner.name)
            return literal_value(inner)
        if tree.to.this.name == "DATE" and isinstance(inner, exp.Literal):
            return str(inner.name)
        return None
    if isinstance(tree, exp.Neg):
        value = literal_value(tree.this)
        return -value if isinstance(value, Fraction) else None
    if isinstance(tree, exp.Literal):
        return str(tree.name) if tree.is_string else Fraction(tree.name)
    return None


__all__ = [
    "Region",
    "check_reachable",
    "complement",
    "intersection",
    "literal_value",
    "region_of",
    "union",
    "within",
]
