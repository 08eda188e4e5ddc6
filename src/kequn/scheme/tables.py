"""The tables `segment` (one row per scheme and segment) and `cell` (one row per combination of scores of a grid)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from kequn.engine import Engine
from kequn.i18n import title as worded
from kequn.language import Column, cast, column
from kequn.scheme.members import MILLIONTHS

if TYPE_CHECKING:
    import pyarrow as pa

    from kequn.scheme.assignment import SchemeResult
    from kequn.scheme.members import Members


def segment_table(
    results: Mapping[str, SchemeResult],
    members: Mapping[str, Members],
    measures: Sequence[Column],
    digits: int,
) -> pa.Table:
    """One row per scheme and segment, in order, empty ones too: size, share, sums of measures (money in major units)."""
    import pyarrow as pa

    rows = []
    for name, result in results.items():
        cuts = json.dumps(dict(result.bound.cuts), ensure_ascii=False, sort_keys=True, default=str)
        for position, segment in enumerate(result.bound.scheme.segments):
            customers = result.counts[segment.id]
            rows.append(
                {
                    "scheme": name, "position": position, "segment": segment.id,
                    "title_zh": worded(segment.title, "zh") or segment.id, "title_en": worded(segment.title, "en") or segment.id,
                    "owner": segment.owner or result.bound.spec.owner, "customers": customers,
                    "share": customers / result.customers if result.customers else None,
                    **{m.name: _shown(_total(members[name], segment.id, m.name), m, digits) for m in measures}, "cuts": cuts,
                }
            )  # fmt: skip
    return pa.Table.from_pylist(
        rows, pa.schema([*_head(), *((m.name, _type(m)) for m in measures), ("cuts", pa.string())])
    )


def cell_table(
    engine: Engine,
    relation: str,
    results: Mapping[str, SchemeResult],
    measures: Sequence[Column],
    digits: int,
) -> pa.Table:
    """One row per grid scheme and combination of scores that occurs: scheme, cell (JSON {axis: score}), segment, customers, sums."""
    import pyarrow as pa

    measures = [measure for measure in measures if measure.type != "number"]
    rows = []
    for name, result in results.items():
        if result.bound.scheme.kind.name != "grid":
            continue
        axes = {
            axis.id: score.name
            for axis, score in zip(
                result.bound.spec.axes, result.bound.scheme.kind.scores(result.bound.spec), strict=True
            )
        }
        keys = [column(score) for score in axes.values()] + [column(f"seg_{name}")]
        made = exp.select(*(key.copy() for key in keys), *_totals(measures)).from_(relation)
        made = made.where(exp.Not(this=exp.Is(this=keys[-1].copy(), expression=exp.Null()))).group_by(*keys)
        for row in engine.rows(made):
            cell = {axis: row[score] for axis, score in axes.items()}
            if any(score is None for score in cell.values()):
                continue
            sums = {m.name: _shown(row[m.name], m, digits) for m in measures}
            rows.append(
                {
                    "scheme": name,
                    "cell": json.dumps(cell),
                    "segment": row[f"seg_{name}"],
                    "customers": row["customers"],
                    **sums,
                }
            )
    rows.sort(key=lambda row: (row["scheme"], row["cell"]))
    head = [
        ("scheme", pa.string()),
        ("cell", pa.string()),
        ("segment", pa.string()),
        ("customers", pa.int64()),
    ]
    return pa.Table.from_pylist(rows, pa.schema([*head, *((m.name, _type(m)) for m in measures)]))


def _head() -> list[tuple[str, Any]]:
    import pyarrow as pa

    return [
        ("scheme", pa.string()), ("position", pa.int64()), ("segment", pa.string()), ("title_zh", pa.string()),
        ("title_en", pa.string()), ("owner", pa.string()), ("customers", pa.int64()), ("share", pa.float64()),
    ]  # fmt: skip


def _totals(measures: Sequence[Column]) -> list[exp.Expr]:
    count = cast(exp.Count(this=exp.Star(), big_int=True), "BIGINT")
    sums = [exp.alias_(cast(exp.Sum(this=column(m.name)), "BIGINT"), m.name, quoted=True) for m in measures]
    return [exp.alias_(count, "customers"), *sums]


def _total(members: Members, segment: str, measure: str) -> int | None:
    """The sum; 0 for a segment without members, None for one whose members have no value."""
    return members.sums.get((segment, measure)) if members.counts.get(segment) else 0


def _type(measure: Column) -> Any:
    import pyarrow as pa

    kinds = {"money": pa.decimal128(18, 2), "number": pa.float64()}
    return kinds.get(measure.type, pa.int64())


def _shown(value: int | None, measure: Column, digits: int) -> Decimal | float | None:
    if value is not None and measure.type == "number":
        return value / MILLIONTHS
    if value is None or measure.type != "money":
        return value
    return Decimal(value).scaleb(-digits)


__all__ = ["cell_table", "segment_table"]
