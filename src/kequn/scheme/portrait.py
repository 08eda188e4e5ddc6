"""Portraits of segments: size, what they are made of on every dimension, what sets them apart, a typical member.

One pass over the profile and the wide assignment side by side counts codes of every dimension per segment of every scheme.
Each share is compared with the rest of the scheme's customers (two-proportion z); Benjamini-Hochberg over all comparisons
of the run keeps the share of false alarms among the significant ones below 5 %.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import erfc, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kequn.errors import KequnError
from kequn.i18n import title as worded
from kequn.language import Catalog
from kequn.scheme.assignment import Assignment
from kequn.scheme.dimensions import (
    CODES,
    MISSING,
    SAMPLE_ROWS,
    Dimension,
    as_numbers,
    dimension,
    read,
    sample,
)
from kequn.scheme.tally import Ordered, Tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOT_DESCRIBING = frozenset({"customer_id", "referred_by", "company_id", "name", "phone", "email"})
FALSE_ALARMS = 0.05
LEAST_EXPECTED = 5
"""Below this many expected customers a share is not judged."""
CANDIDATES = 200
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
    """`table`: one row per scheme, segment, dimension and value that occurs. `typical`: per segment and dimension the most
    frequent value, or for a number the bin and value of the median (of every k-th customer), and the id of a member who
    comes closest to all of them."""

    table: pa.Table
    typical: pa.Table


@dataclass
class _Kept:
    """Every k-th customer as a whole: numbers, codes, segments. Enough for medians and for an example."""

    step: int
    offset: int = 0
    ids: list[str] = field(default_factory=list)
    numbers: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)
    codes: dict[str, list[NDArray[np.uint8]]] = field(default_factory=dict)
    segments: dict[str, list[NDArray[np.int64]]] = field(default_factory=dict)

    sorted: dict[str, Ordered] = field(default_factory=dict)

    def ordered(self, name: str) -> Ordered:
        if name not in self.sorted:
            self.sorted[name] = Ordered.of(np.concatenate(self.numbers.pop(name)))
        return self.sorted[name]

    def rows(self, count: int) -> slice:
        first = (-self.offset) % self.step
        self.offset += count
        return slice(first, None, self.step)


def portrait(profile: Sequence[Path], assignment: Assignment, catalog: Catalog) -> Portrait:
    """Portraits of all segments of all schemes.

    `profile` are the files of the profile in the order of customer_id (money in minor units or as decimals), one row per
    customer, the same customers as `assignment.wide`; `catalog` says which columns to describe by.
    Raises KequnError `scheme.portrait_rows` when the two don't list the same customers.
    """
    dimensions = _dimensions(profile, catalog)
    labels = {name: pa.array(list(result.counts), pa.string()) for name, result in assignment.results.items()}
    sizes = {name: len(each) for name, each in labels.items()}
    codes = {d.name: CODES for d in dimensions} | {f"seg_{name}": size + 1 for name, size in sizes.items()}
    tally = Tally(sizes, codes)
    kept = _Kept(max(1, sum(pq.read_metadata(file).num_rows for file in profile) // SAMPLE_ROWS))
    for ids, left, right in _together(
        profile, [d.name for d in dimensions], assignment.wide, [f"seg_{name}" for name in labels]
    ):
        segments = {name: _segment_codes(right.column(f"seg_{name}"), labels[name]) for name in labels}
        rows = kept.rows(len(ids))
        kept.ids += ids.take(pa.array(np.arange(len(ids))[rows])).to_pylist()
        for name, values in segments.items():
            kept.segments.setdefault(name, []).append(values[rows].copy())
        tally.count(segments, _coded(left, dimensions, segments, kept, rows))
    table = _judged([row for name in labels for row in _rows(name, tally, dimensions, assignment)])
    typical = [
        row for name in labels for row in _typical(name, tally, dimensions, kept, labels[name].to_pylist())
    ]
    return Portrait(table, pa.Table.from_pylist(typical, TYPICAL))


def _dimensions(profile: Sequence[Path], catalog: Catalog) -> list[Dimension]:
    there = set(pq.read_schema(profile[0]).names) if profile else set()
    columns = [c for name, c in catalog.columns.items() if name in there and name not in NOT_DESCRIBING]
    if not columns:
        return []
    rows = sample(profile, [column.name for column in columns])
    found = (dimension(column, rows.column(column.name), catalog.minor_unit_digits) for column in columns)
    return [each for each in found if each is not None]


def _coded(
    batch: pa.RecordBatch,
    dimensions: Sequence[Dimension],
    segments: Mapping[str, NDArray[np.int64]],
    kept: _Kept,
    rows: slice,
) -> Iterator[tuple[str, NDArray[Any]]]:
    """The codes of one batch, dimension by dimension, then of the other schemes; a few rows are kept on the way."""
    for each in dimensions:
        values = batch.column(each.name)
        numbers = as_numbers(values) if each.is_number else None
        codes = each.codes(values, numbers)
        if numbers is not None:
            kept.numbers.setdefault(each.name, []).append(numbers[rows].copy())
        kept.codes.setdefault(each.name, []).append(codes[rows].copy())
        yield each.name, codes
    for name, place in segments.items():
        yield f"seg_{name}", place


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


def _segment_codes(values: pa.Array, labels: pa.Array) -> NDArray[np.int64]:
    found = pc.index_in(values.cast(pa.string()), value_set=labels)
    return np.asarray(pc.fill_null(found, len(labels)).cast(pa.int64()))


def _rows(
    name: str, tally: Tally, dimensions: Sequence[Dimension], assignment: Assignment
) -> Iterator[dict[str, Any]]:
    segments = list(assignment.results[name].counts)
    for each in dimensions:
        titles = dict(each.column.title)
        head = {"dimension": each.name, "title_zh": worded(titles, "zh"), "title_en": worded(titles, "en")}
        shown = tally.of(name, each.name)[:, MISSING + 1 : len(each.bins) + 1]
        yield from _compared(name, segments, head, [(b.label, b.low, b.high) for b in each.bins], shown)
    for other, result in assignment.results.items():
        if other != name:
            titles = dict(result.bound.spec.title)
            head = {
                "dimension": f"seg_{other}",
                "title_zh": worded(titles, "zh") or other,
                "title_en": worded(titles, "en") or other,
            }
            shown = tally.of(name, f"seg_{other}")[:, : len(result.counts)]
            yield from _compared(
                name, segments, head, [(segment, None, None) for segment in result.counts], shown
            )


def _compared(
    name: str,
    segments: Sequence[str],
    head: Mapping[str, Any],
    values: Sequence[tuple[str, float | None, float | None]],
    shown: NDArray[np.int64],
) -> Iterator[dict[str, Any]]:
    """Shares among customers whose value is known, against everybody else in the scheme."""
    sizes, totals = shown.sum(axis=1).tolist(), shown.sum(axis=0).tolist()
    everybody = sum(sizes)
    for segment, size, counts in zip(segments, sizes, shown.tolist(), strict=True):
        rest = everybody - size
        for position, ((label, low, high), count, total) in enumerate(
            zip(values, counts, totals, strict=True)
        ):
            if not total:
                continue
            share = count / size if size else None
            rest_share = (total - count) / rest if rest else None
            yield {
                "scheme": name, "segment": segment, **head, "position": position, "value": label, "low": low, "high": high,
                "customers": count, "share": share, "rest_share": rest_share,
                "lift": share / rest_share if share is not None and rest_share else None,
                "p": p_value(count, size, total - count, rest),
            }  # fmt: skip


def p_value(count: int, size: int, others: int, rest: int) -> float | None:
    """Two-sided p of equal shares `count / size` and `others / rest` (pooled z); None where too few are expected to tell."""
    if not size or not rest:
        return None
    pooled = (count + others) / (size + rest)
    if min(size, rest) * min(pooled, 1 - pooled) < LEAST_EXPECTED:
        return None
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


def _typical(
    name: str, tally: Tally, dimensions: Sequence[Dimension], kept: _Kept, segments: Sequence[str]
) -> Iterator[dict[str, Any]]:
    owners = np.concatenate(kept.segments[name]) if kept.segments else np.zeros(0, dtype=np.int64)
    wanted = np.zeros((len(dimensions), len(segments)), dtype=np.int64)
    numbers: dict[str, Sequence[float | None]] = {}
    for row, each in enumerate(dimensions):
        counts = tally.of(name, each.name)[:, MISSING + 1 :]
        if each.is_number:  # the bin in which the middle customer lies
            middle = (counts.sum(axis=1, keepdims=True) + 1) // 2
            wanted[row] = (np.cumsum(counts, axis=1) < middle).sum(axis=1) + 1
            numbers[each.name] = kept.ordered(each.name).medians(owners, len(segments))
        else:
            wanted[row] = counts.argmax(axis=1) + 1
        wanted[row][counts.sum(axis=1) == 0] = -1
    for place, segment in enumerate(segments):
        example = _example(np.flatnonzero(owners == place), wanted[:, place], dimensions, kept)
        for row, each in enumerate(dimensions):
            if wanted[row, place] > 0:
                number = numbers[each.name][place] if each.is_number else None
                yield {
                    "scheme": name, "segment": segment, "dimension": each.name, "value": each.bins[wanted[row, place] - 1].label,
                    "number": None if number is None else number * each.scale, "example_customer_id": example,
                }  # fmt: skip


def _example(
    rows: NDArray[np.int64], wanted: NDArray[np.int64], dimensions: Sequence[Dimension], kept: _Kept
) -> str | None:
    """The member among those kept who shares most typical values; the smallest id of several."""
    if not len(rows):
        return None
    rows = rows[:: max(1, len(rows) // CANDIDATES)]
    agreeing = np.zeros(len(rows), dtype=np.int64)
    for value, each in zip(wanted, dimensions, strict=True):
        agreeing += _whole(kept.codes, each.name)[rows] == value
    return kept.ids[int(rows[agreeing.argmax()])]


def _whole(parts: dict[str, list[NDArray[np.uint8]]], name: str) -> NDArray[np.uint8]:
    if len(parts[name]) > 1:
        parts[name] = [np.concatenate(parts[name])]
    return parts[name][0]


__all__ = ["Portrait", "adjusted", "p_value", "portrait"]
