"""grid: two to four numeric columns, each scored 1 … n, crossed; every cell belongs to exactly one named group (RFM).

A group names its cells by patterns such as `R in 4-5, F in 4-5` or `R = 1`; an axis that a pattern leaves out may have
any score. The best band has the highest score: with `better: low` small values are good (days since the last order).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from sqlglot import exp

from kequn.language import Column, Rule, column
from kequn.scheme.kind import Ask, Bound, Clause, Kind, Loading, Needs, Quantiles, Where, number
from kequn.scheme.kinds.bands import Cutting, band_conditions, check_cutting
from kequn.scheme.spec import Columns, SchemeSpec, SegmentSpec, Words

MAX_CELLS = 10_000
SHOWN = 12
_PATTERN = re.compile(r"^\s*(\w+)\s*(?:(?:in|IN)\s*(\d+)\s*-\s*(\d+)|(=|>=|<=)\s*(\d+))\s*$")
Box = dict[str, tuple[int, int]]


class Axis(Cutting):
    """One axis: a column and how it is cut into scores."""

    id: str = Field(pattern=r"^[A-Z][A-Za-z0-9]{0,11}$")
    column: Columns
    title: Words = Field(default_factory=dict)
    better: Literal["high", "low"] = "high"


class GridSegment(SegmentSpec):
    """A named group of cells."""

    cells: Annotated[
        list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
    ] = Field(min_length=1)


class GridSpec(SchemeSpec):
    """Axes crossed, every cell named."""

    axes: list[Axis] = Field(min_length=2, max_length=4)
    segments: list[GridSegment] = Field(min_length=2)


class GridKind(Kind[GridSpec]):
    name = "grid"
    model = GridSpec

    def needs(self, spec: GridSpec, loading: Loading) -> Needs:
        groups = [
            loading.known(axis.column, ("axes", index, "column")) for index, axis in enumerate(spec.axes)
        ]
        return Needs(one_of=tuple(groups))

    def check(self, spec: GridSpec, loading: Loading, rules: Mapping[Where, Rule]) -> None:
        names = [axis.id for axis in spec.axes]
        if len(set(names)) < len(names):
            raise loading.fail("scheme.axis_twice", ("axes",), found=names)
        for index, axis in enumerate(spec.axes):
            where: Where = ("axes", index)
            check_cutting(
                axis, loading, where, loading.column(loading.known(axis.column, where)[0], where).type
            )
        _check_partition(spec, loading)

    def scores(self, spec: GridSpec) -> tuple[Column, ...]:
        return tuple(
            Column(
                score_name(spec.scheme, axis),
                "integer",
                {lang: f"{words} {axis.id}" for lang, words in spec.title.items()},
            )
            for axis in spec.axes
        )

    def asks(self, bound: Bound) -> Mapping[str, Ask]:
        return {
            axis.id: Quantiles(bound.first(axis.column), axis.fractions, top=True)
            for axis in bound.spec.axes
            if axis.edges is None
        }

    def steps(self, bound: Bound) -> tuple[Mapping[str, exp.Expr], ...]:
        return ({score_name(bound.prefix, axis): _score(bound, axis) for axis in bound.spec.axes},)

    def clauses(self, bound: Bound) -> tuple[Clause, ...]:
        spec: GridSpec = bound.spec
        axes = {axis.id: axis for axis in spec.axes}
        made = []
        for segment in spec.segments:
            boxes = [_condition(bound, axes, _box(pattern) or {}) for pattern in segment.cells]
            condition = boxes[0]
            for box in boxes[1:]:
                condition = exp.Or(this=condition, expression=box)
            made.append(Clause(segment.id, condition))
        return tuple(made)


def score_name(prefix: str, axis: Axis) -> str:
    """The column that holds the score on `axis`."""
    return f"{prefix}_{axis.id.lower()}"


def _score(bound: Bound, axis: Axis) -> exp.Expr:
    conditions = band_conditions(bound, axis, bound.first(axis.column), axis.id)
    scores = range(1, len(conditions) + 1)
    if axis.better == "low":
        scores = range(len(conditions), 0, -1)
    return exp.Case(
        ifs=[
            exp.If(this=condition, true=number(score))
            for condition, score in zip(conditions, scores, strict=True)
        ]
    )


def _condition(bound: Bound, axes: Mapping[str, Axis], box: Box) -> exp.Expr:
    """All scores inside `box`; axes that the pattern leaves out only have to be known."""
    parts: list[exp.Expr] = []
    for name, axis in axes.items():
        score = column(score_name(bound.prefix, axis))
        low, high = box.get(name, (1, axis.count))
        if (low, high) == (1, axis.count):
            parts.append(exp.Not(this=exp.Is(this=score, expression=exp.Null())))
        elif low == high:
            parts.append(exp.EQ(this=score, expression=number(low)))
        elif high == axis.count:
            parts.append(exp.GTE(this=score, expression=number(low)))
        elif low == 1:
            parts.append(exp.LTE(this=score, expression=number(high)))
        else:
            parts.append(exp.Between(this=score, low=number(low), high=number(high)))
    condition = parts[0]
    for part in parts[1:]:
        condition = exp.And(this=condition, expression=part)
    return exp.paren(condition)


def _box(pattern: str, counts: Mapping[str, int] | None = None) -> Box | None:
    """The ranges of scores that a pattern names, or None when it can't be read."""
    box: Box = {}
    for part in re.split(r",|\band\b|\bAND\b", pattern):
        match = _PATTERN.match(part)
        if match is None or match[1] in box:
            return None
        name, low, high, sign, value = match.groups()
        most = (counts or {}).get(name, 99)
        if sign is None:
            box[name] = (int(low), int(high))
        else:
            box[name] = {"=": (int(value), int(value)), ">=": (int(value), most), "<=": (1, int(value))}[sign]
    return box


def _boxes(spec: GridSpec, loading: Loading) -> Iterable[tuple[Where, str, Box]]:
    counts = {axis.id: axis.count for axis in spec.axes}
    for index, segment in enumerate(spec.segments):
        for place, pattern in enumerate(segment.cells):
            where: Where = ("segments", index, "cells", place)
            box = _box(pattern, counts)
            if box is None:
                raise loading.fail("scheme.cell_pattern", where, pattern=pattern, axes=list(counts))
            for name, (low, high) in box.items():
                if name not in counts:
                    raise loading.fail("scheme.unknown_axis", where, name=name, axes=list(counts))
                if not 1 <= low <= high <= counts[name]:
                    raise loading.fail(
                        "scheme.cell_range", where, name=name, low=low, high=high, most=counts[name]
                    )
            yield where, segment.id, box


def _check_partition(spec: GridSpec, loading: Loading) -> None:
    """Every cell named exactly once; else list the cells."""
    scores = [range(1, axis.count + 1) for axis in spec.axes]
    names = [axis.id for axis in spec.axes]
    total = 1
    for each in scores:
        total *= len(each)
    if total > MAX_CELLS:
        raise loading.fail("scheme.too_many_cells", ("axes",), found=total, most=MAX_CELLS)
    owners: dict[tuple[int, ...], str] = {}
    for where, segment, box in _boxes(spec, loading):
        ranges = [
            range(box[name][0], box[name][1] + 1) if name in box else every
            for name, every in zip(names, scores, strict=True)
        ]
        taken = [cell for cell in itertools.product(*ranges) if cell in owners]
        if taken:
            raise loading.fail(
                "scheme.grid_overlap", where, segment=segment, other=owners[taken[0]], **_shown(names, taken)
            )
        owners.update(dict.fromkeys(itertools.product(*ranges), segment))
    holes = [cell for cell in itertools.product(*scores) if cell not in owners]
    if holes:
        raise loading.fail("scheme.grid_hole", ("segments",), **_shown(names, holes))


def _shown(names: list[str], cells: list[tuple[int, ...]]) -> dict[str, Any]:
    listed = [
        " ".join(f"{name}{score}" for name, score in zip(names, cell, strict=True)) for cell in cells[:SHOWN]
    ]
    return {"cells": listed, "count": len(cells)}


def cell_owner(spec: GridSpec, cell: Mapping[str, int]) -> str:
    """The group that a combination of scores belongs to (for the heat map of readers)."""
    for segment in spec.segments:
        for pattern in segment.cells:
            box = _box(pattern, {axis.id: axis.count for axis in spec.axes}) or {}
            if all(low <= cell[name] <= high for name, (low, high) in box.items()):
                return segment.id
    return spec.otherwise.id


KIND = GridKind()
