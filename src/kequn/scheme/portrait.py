"""Portraits of segments: size, what they are made of on every dimension, what sets them apart, a typical member.

One pass over the profile and the wide assignment side by side counts codes of every dimension per segment of every scheme.
Each share is compared with the rest of the scheme's customers (two-proportion z); Benjamini-Hochberg over all comparisons
of the run keeps the share of false alarms among the significant ones below 5 %.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kequn.errors import KequnError
from kequn.i18n import title as worded
from kequn.language import Catalog, Column
from kequn.scheme.assignment import Assignment, SchemeResult
from kequn.scheme.dimensions import MISSING, Dimension, dimension, read, sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOT_DESCRIBING = frozenset({"customer_id", "referred_by", "company_id", "name", "phone", "email"})
FALSE_ALARMS = 0.05
LEAST_EXPECTED = 5
"""Below this many expected customers a share is not judged."""
KEPT = 20
OUTSIDE = 255
SCHEMA = pa.schema(
    [
        ("scheme", pa.string()), ("segment", pa.string()), ("dimension", pa.string()), ("title_zh", pa.string()),
        ("title_en", pa.string()), ("position", pa.int64()), ("value", pa.string()), ("low", pa.float64()),
        ("high", pa.float64()), ("customers", pa.int64()), ("share", pa.float64()), ("rest_share", pa.float64()),
        ("lift", pa.float64()), ("p_adjusted", pa.float64()), ("significant", pa.bool_()),
    ]
)  # fmt: skip
TYPICAL = pa.schema(
    [
        ("scheme", pa.string()), ("segment", pa.string()), ("dimension", pa.string()), ("value", pa.string()),
        ("number", pa.float64()), ("example_customer_id", pa.string()),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Portrait:
    """`table`: one row per scheme, segment, dimension and value. `typical`: the median or the most frequent value of each
    dimension, and the id of a member who comes closest to all of them."""

    table: pa.Table
    typical: pa.Table


@dataclass
class _Tally:
    """Counts of one scheme: segment × 256 codes for each dimension, and a few members to choose an example from."""

    result: SchemeResult
    labels: pa.Array
    joint: dict[str, NDArray[np.int64]]
    candidates: dict[int, list[tuple[str, NDArray[np.int16]]]]


def portrait(profile: Sequence[Path], assignment: Assignment, catalog: Catalog) -> Portrait:
    """Portraits of all segments of all schemes.

    `profile` are the files of the profile in the order of customer_id (money in minor units or as decimals), one row per
    customer, the same customers as `assignment.wide`; `catalog` says which columns to describe by.
    Raises KequnError `scheme.portrait_rows` when the two don't list the same customers.
    """
    columns = [column for name, column in catalog.columns.items() if _describes(name, profile)]
    dimensions = _dimensions(profile, columns, catalog.minor_unit_digits)
    schemes = list(assignment.results)
    tallies = {name: _tally(assignment.results[name], dimensions, assignment.results) for name in schemes}
    seen = [f"seg_{name}" for name in schemes]
    for ids, left, right in _together(profile, [d.name for d in dimensions], assignment.wide, seen):
        codes = {d.name: d.codes(left.column(d.name)) for d in dimensions}
        segments = {
            name: _segment_codes(right.column(f"seg_{name}"), tallies[name].labels) for name in schemes
        }
        for name, tally in tallies.items():
            _count(
                tally,
                segments[name],
                codes,
                {f"seg_{other}": segments[other] for other in schemes if other != name},
            )
            _keep(tally, segments[name], ids, codes, dimensions)
    rows = [row for name in schemes for row in _rows(name, tallies[name], dimensions, assignment.results)]
    typical = [row for name in schemes for row in _typical(name, tallies[name], dimensions)]
    return Portrait(_judged(rows), pa.Table.from_pylist(typical, TYPICAL))


def _describes(name: str, profile: Sequence[Path]) -> bool:
    import pyarrow.parquet as pq

    return name not in NOT_DESCRIBING and bool(profile) and name in pq.read_schema(profile[0]).names


def _dimensions(profile: Sequence[Path], columns: Sequence[Column], digits: int) -> list[Dimension]:
    if not columns:
        return []
    rows = sample(profile, [column.name for column in columns])
    found = (dimension(column, rows.column(column.name), digits) for column in columns)
    return [each for each in found if each is not None]


def _tally(
    result: SchemeResult, dimensions: Sequence[Dimension], others: Mapping[str, SchemeResult]
) -> _Tally:
    labels = pa.array(list(result.counts)[: OUTSIDE - 1], pa.string())
    names = [d.name for d in dimensions] + [
        f"seg_{name}" for name in others if name != result.bound.scheme.name
    ]
    joint = {name: np.zeros((len(labels), 256), dtype=np.int64) for name in names}
    return _Tally(result, labels, joint, {place: [] for place in range(len(labels))})


def _together(
    profile: Sequence[Path], names: Sequence[str], wide: Sequence[Path], seen: Sequence[str]
) -> Iterator[tuple[pa.Array, pa.RecordBatch, pa.RecordBatch]]:
    """Both tables side by side, row for row, after checking that they speak of the same customers."""
    left, right = read(profile, ["customer_id", *names]), read(wide, ["customer_id", *seen])
    a: pa.RecordBatch | None = None
    b: pa.RecordBatch | None = None
    while True:
        a = a if a is not None and a.num_rows else next(left, None)
        b = b if b is not None and b.num_rows else next(right, None)
        if a is None or b is None:
            if a is not None or b is not None:
                raise KequnError("scheme.portrait_rows")
            return
        rows = min(a.num_rows, b.num_rows)
        ids = a.column("customer_id").slice(0, rows).cast(pa.string())
        if not ids.equals(b.column("customer_id").slice(0, rows).cast(pa.string())):
            raise KequnError("scheme.portrait_rows")
        if rows:
            yield ids, a.slice(0, rows), b.slice(0, rows)
        a, b = a.slice(rows), b.slice(rows)


def _segment_codes(values: pa.Array, labels: pa.Array) -> NDArray[np.uint8]:
    found = pc.index_in(values.cast(pa.string()), value_set=labels)
    return np.asarray(pc.fill_null(found, OUTSIDE).cast(pa.uint8()))


def _count(
    tally: _Tally,
    segment: NDArray[np.uint8],
    codes: Mapping[str, NDArray[np.uint8]],
    others: Mapping[str, NDArray[np.uint8]],
) -> None:
    inside = segment != OUTSIDE
    everybody = bool(inside.all())
    base = (segment if everybody else segment[inside]).astype(np.int32) * 256
    size = len(tally.labels) * 256
    for name, values in (*codes.items(), *others.items()):
        joined = base + (values if everybody else values[inside])
        tally.joint[name] += np.bincount(joined, minlength=size).reshape(-1, 256)


def _keep(
    tally: _Tally,
    segment: NDArray[np.uint8],
    ids: pa.Array,
    codes: Mapping[str, NDArray[np.uint8]],
    dimensions: Sequence[Dimension],
) -> None:
    """A few members of each segment from this batch, with their shown bins."""
    for place, kept in tally.candidates.items():
        if len(kept) >= 10 * KEPT:
            continue
        for row in np.flatnonzero(segment == place)[:KEPT]:
            bins = np.array([d.coarse[codes[d.name][row]] for d in dimensions], dtype=np.int16)
            kept.append((ids[int(row)].as_py(), bins))


def _rows(
    name: str, tally: _Tally, dimensions: Sequence[Dimension], results: Mapping[str, SchemeResult]
) -> Iterator[dict[str, Any]]:
    for each in dimensions:
        shown = _coarse(tally.joint[each.name], each.coarse, len(each.bins))
        head = {
            "dimension": each.name,
            "title_zh": worded(dict(each.column.title), "zh"),
            "title_en": worded(dict(each.column.title), "en"),
        }
        values = [(b.label, b.low, b.high) for b in each.bins]
        yield from _compared(name, tally, head, values, shown)
    for other, result in results.items():
        if other == name:
            continue
        shown = tally.joint[f"seg_{other}"][:, : len(result.counts)]
        spec = result.bound.spec
        head = {
            "dimension": f"seg_{other}",
            "title_zh": worded(spec.title, "zh") or other,
            "title_en": worded(spec.title, "en") or other,
        }
        yield from _compared(
            name, tally, head, [(segment, None, None) for segment in result.counts][: shown.shape[1]], shown
        )


def _coarse(joint: NDArray[np.int64], coarse: NDArray[np.int16], bins: int) -> NDArray[np.int64]:
    shown = np.zeros((joint.shape[0], bins), dtype=np.int64)
    for place in range(bins):
        shown[:, place] = joint[:, coarse == place].sum(axis=1)
    return shown


def _compared(
    name: str,
    tally: _Tally,
    head: Mapping[str, Any],
    values: Sequence[tuple[str, float | None, float | None]],
    shown: NDArray[np.int64],
) -> Iterator[dict[str, Any]]:
    """Shares among customers whose value is known, against everybody else in the scheme."""
    sizes, totals = shown.sum(axis=1), shown.sum(axis=0)
    everybody = int(sizes.sum())
    for place, segment in enumerate(tally.labels.to_pylist()):
        size, rest = int(sizes[place]), everybody - int(sizes[place])
        for position, (label, low, high) in enumerate(values):
            count, total = int(shown[place, position]), int(totals[position])
            if not total:
                continue
            share = count / size if size else None
            rest_share = (total - count) / rest if rest else None
            yield {
                "scheme": name, "segment": segment, **head, "position": position, "value": label, "low": low, "high": high,
                "customers": count, "share": share, "rest_share": rest_share,
                "lift": share / rest_share if share is not None and rest_share else None,
                "p": _p_value(count, size, total - count, rest),
            }  # fmt: skip


def _p_value(count: int, size: int, others: int, rest: int) -> float | None:
    """Two-sided p of equal shares (pooled z); None where too few are expected to tell."""
    if not size or not rest:
        return None
    pooled = (count + others) / (size + rest)
    if min(size, rest) * min(pooled, 1 - pooled) < LEAST_EXPECTED:
        return None
    from math import erfc, sqrt

    z = (count / size - others / rest) / sqrt(pooled * (1 - pooled) * (1 / size + 1 / rest))
    return erfc(abs(z) / sqrt(2))


def adjusted(p: Sequence[float | None]) -> list[float | None]:
    """Benjamini and Hochberg (1995): p × m / rank, made monotone from the largest down. None stays None."""
    known = np.array([value for value in p if value is not None])
    order = np.argsort(known, kind="stable")
    ranked = known[order] * len(known) / np.arange(1, len(known) + 1)
    stepped = np.minimum(np.minimum.accumulate(ranked[::-1])[::-1], 1.0)
    back = np.empty_like(known)
    back[order] = stepped
    following = iter(back.tolist())
    return [None if value is None else next(following) for value in p]


def _judged(rows: list[dict[str, Any]]) -> pa.Table:
    for row, p in zip(rows, adjusted([row.pop("p") for row in rows]), strict=True):
        row["p_adjusted"] = p
        row["significant"] = p is not None and p < FALSE_ALARMS
    return pa.Table.from_pylist(rows, SCHEMA)


def _typical(name: str, tally: _Tally, dimensions: Sequence[Dimension]) -> Iterator[dict[str, Any]]:
    for place, segment in enumerate(tally.labels.to_pylist()):
        modes, found = [], []
        for each in dimensions:
            counts = tally.joint[each.name][place].copy()
            counts[MISSING] = 0
            total = int(counts.sum())
            if not total:
                modes.append(-2)
                continue
            fine = (
                int(np.searchsorted(np.cumsum(counts), (total + 1) // 2))
                if each.cuts is not None
                else int(counts.argmax())
            )
            modes.append(int(each.coarse[fine]))
            number = each.number(fine) if each.cuts is not None else None
            found.append((each.name, each.bins[each.coarse[fine]].label, number))
        wanted = np.array(modes, dtype=np.int16)
        near = [(-int((bins == wanted).sum()), key) for key, bins in tally.candidates[place]]
        example = min(near)[1] if near else None
        for dimension_name, value, number in found:
            yield {
                "scheme": name, "segment": segment, "dimension": dimension_name, "value": value, "number": number,
                "example_customer_id": example,
            }  # fmt: skip


__all__ = ["Portrait", "adjusted", "portrait"]
