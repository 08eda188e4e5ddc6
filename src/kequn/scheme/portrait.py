"""Portraits of segments: size, what they are made of on every dimension, what sets them apart, a typical member.

One pass over the profile and the wide assignment side by side counts codes of every dimension per segment of every scheme.
Each share is compared with the rest of the scheme's customers (two-proportion z); Benjamini-Hochberg over all comparisons
of the run keeps the share of false alarms among the significant ones below 5 %.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kequn.errors import KequnError
from kequn.i18n import title as worded
from kequn.language import Catalog
from kequn.scheme.assignment import Assignment
from kequn.scheme.contrast import Value, contrasted
from kequn.scheme.dimensions import (
    MISSING,
    SAMPLE_ROWS,
    Dimension,
    as_numbers,
    dimension,
    places,
    read,
    sample,
)
from kequn.scheme.tally import Tally, medians

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOT_DESCRIBING = frozenset({"customer_id", "referred_by", "company_id", "name", "phone", "email"})
CANDIDATES = 200
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
    """Every k-th customer as a whole: id, numbers, and the codes of dimensions and schemes. Enough for medians and for an example."""

    step: int
    offset: int = 0
    ids: list[str] = field(default_factory=list)
    numbers: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)
    parts: dict[str, list[NDArray[np.integer]]] = field(default_factory=dict)

    def rows(self, count: int) -> slice:
        """Which of the next `count` customers are kept."""
        first = (-self.offset) % self.step
        self.offset += count
        return slice(first, None, self.step)

    def keep(
        self,
        ids: pa.Array,
        codes: Mapping[str, NDArray[np.integer]],
        numbers: Mapping[str, NDArray[np.float64]],
    ) -> None:
        rows = self.rows(len(ids))
        self.ids += ids.take(pa.array(np.arange(len(ids))[rows])).to_pylist()
        for name, code in codes.items():
            self.parts.setdefault(name, []).append(code[rows].copy())
        for name, values in numbers.items():
            self.numbers.setdefault(name, []).append(values[rows].copy())

    def codes(self, name: str) -> NDArray[np.integer]:
        return np.concatenate(self.parts[name]) if self.parts else np.zeros(0, dtype=np.uint8)


def portrait(profile: Sequence[Path], assignment: Assignment, catalog: Catalog) -> Portrait:
    """Portraits of all segments of all schemes.

    `profile` are the files of the profile in the order of customer_id (money in minor units or as decimals), one row per
    customer, the same customers as `assignment.wide`; `catalog` says which columns to describe by.
    Raises KequnError `scheme.portrait_rows` when the two don't list the same customers.
    """
    dimensions = _dimensions(profile, catalog)
    segments = {f"seg_{name}": list(result.counts) for name, result in assignment.results.items()}
    labels = {name: pa.array(each, pa.string()) for name, each in segments.items()}
    tally = Tally(
        {name: len(each) + 1 for name, each in segments.items()},
        {d.name: len(d.bins) + 1 for d in dimensions},
    )
    kept = _Kept(max(1, sum(pq.read_metadata(file).num_rows for file in profile) // SAMPLE_ROWS))
    for ids, left, right in _together(profile, [d.name for d in dimensions], assignment.wide, list(labels)):
        codes = {name: places(right.column(name), each) for name, each in labels.items()}
        numbers = {d.name: as_numbers(left.column(d.name)) for d in dimensions if d.is_number}
        codes |= {d.name: d.codes(left.column(d.name), numbers.get(d.name)) for d in dimensions}
        kept.keep(ids, codes, numbers)
        tally.add(codes)
    return Portrait(
        contrasted(segments, _values(dimensions, assignment), tally),
        _typical(segments, tally, dimensions, kept),
    )


def _dimensions(profile: Sequence[Path], catalog: Catalog) -> list[Dimension]:
    there = set(pq.read_schema(profile[0]).names) if profile else set()
    columns = [c for name, c in catalog.columns.items() if name in there and name not in NOT_DESCRIBING]
    if not columns:
        return []
    rows = sample(profile, [column.name for column in columns])
    found = (dimension(column, rows.column(column.name), catalog.minor_unit_digits) for column in columns)
    return [each for each in found if each is not None]


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


def _values(dimensions: Sequence[Dimension], assignment: Assignment) -> list[Value]:
    """Everything a segment is compared on: the bins of each dimension, then the segments of each scheme."""
    found = []
    for each in dimensions:
        titles = dict(each.column.title)
        words = worded(titles, "zh"), worded(titles, "en")
        found += [
            Value(each.name, words, place, bin.label, bin.low, bin.high, MISSING + 1 + place)
            for place, bin in enumerate(each.bins)
        ]
    for name, result in assignment.results.items():
        titles = dict(result.bound.spec.title)
        words = worded(titles, "zh") or name, worded(titles, "en") or name
        found += [
            Value(f"seg_{name}", words, place, segment, None, None, place)
            for place, segment in enumerate(result.counts)
        ]
    return found


def _typical(
    segments: Mapping[str, Sequence[str]], tally: Tally, dimensions: Sequence[Dimension], kept: _Kept
) -> pa.Table:
    codes = np.array([kept.codes(each.name) for each in dimensions]).reshape(len(dimensions), len(kept.ids))
    owners = {name: kept.codes(name) for name in segments}
    wanted = {name: _wanted(tally, name, len(each), dimensions) for name, each in segments.items()}
    numbers = {name: np.concatenate(parts) for name, parts in kept.numbers.items()}
    middle = medians(numbers, owners, {name: len(own) for name, own in segments.items()})
    rows: list[dict[str, Any]] = []
    for name, own in segments.items():
        for place, segment in enumerate(own):
            want = wanted[name][:, place]
            example = _example(np.flatnonzero(owners[name] == place), want, codes, kept.ids)
            for each, code in zip(dimensions, want.tolist(), strict=True):
                if code > 0:
                    number = middle[name, each.name][place] if each.is_number else None
                    rows.append(
                        {
                            "scheme": name.removeprefix("seg_"), "segment": segment, "dimension": each.name,
                            "value": each.bins[code - 1].label, "number": None if number is None else number * each.scale,
                            "example_customer_id": example,
                        }
                    )  # fmt: skip
    return pa.Table.from_pylist(rows, TYPICAL)


def _wanted(tally: Tally, scheme: str, count: int, dimensions: Sequence[Dimension]) -> NDArray[np.int64]:
    """The code that is typical of each segment in each dimension: the most frequent value, or the bin in which the middle
    customer lies; -1 where nobody's value is known. A row per dimension, a column per segment."""
    wanted = np.zeros((len(dimensions), count), dtype=np.int64)
    for row, each in enumerate(dimensions):
        counts = tally.of(scheme, each.name)[:count, MISSING + 1 :]
        if each.is_number:
            middle = (counts.sum(axis=1, keepdims=True) + 1) // 2
            wanted[row] = (np.cumsum(counts, axis=1) < middle).sum(axis=1) + 1
        else:
            wanted[row] = counts.argmax(axis=1) + 1
        wanted[row][counts.sum(axis=1) == 0] = -1
    return wanted


def _example(
    rows: NDArray[np.int64], wanted: NDArray[np.int64], codes: NDArray[np.integer], ids: Sequence[str]
) -> str | None:
    """The member among those kept who shares most typical values; the smallest id of several."""
    if not len(rows):
        return None
    rows = rows[:: max(1, len(rows) // CANDIDATES)]
    agreeing = (codes[:, rows] == wanted[:, np.newaxis]).sum(axis=0)
    return ids[int(rows[agreeing.argmax()])]


__all__ = ["Portrait", "portrait"]
