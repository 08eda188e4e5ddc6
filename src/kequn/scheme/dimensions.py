"""Columns of the profile as small codes: text by its most frequent values, numbers by quantile bins of a sample.

A portrait counts codes, so a million customers and a hundred columns cost bytes and seconds. Counts are exact; only where
the bins of a number lie comes from the sample.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kequn.language import Column

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLE_ROWS = 50_000
FINE = 250
COARSE = 5
MOST_LABELS = 24
FEW_VALUES = 8
MISSING, OTHER = 0, 255
NUMBERS = frozenset({"integer", "number", "money", "decimal"})


@dataclass(frozen=True)
class Bin:
    """One value that a portrait shows: a label, or the numbers in (low, high]."""

    label: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Dimension:
    """How one column becomes codes. `coarse` maps each of 256 fine codes to a shown bin, -1 for missing."""

    name: str
    column: Column
    labels: pa.Array | None
    cuts: NDArray[np.float64] | None
    coarse: NDArray[np.int16]
    bins: tuple[Bin, ...]
    scale: float = 1.0

    def codes(self, values: pa.Array) -> NDArray[np.uint8]:
        """One code per row: 0 missing, 1 … 254 the fine bin or the label, 255 another label."""
        if self.labels is not None:
            text = values.cast(pa.string())
            found = pc.fill_null(pc.add(pc.index_in(text, value_set=self.labels), 1), OTHER)
            return np.asarray(pc.if_else(pc.is_null(text), MISSING, found).cast(pa.uint8()))
        assert self.cuts is not None
        numbers = as_numbers(values)
        codes = np.searchsorted(self.cuts, numbers, side="left") + 1
        codes[np.isnan(numbers)] = MISSING
        return codes.astype(np.uint8)

    def number(self, fine: int) -> float:
        """The value that stands for a fine bin: its upper end, in major units."""
        assert self.cuts is not None
        return float(self.cuts[min(fine - 1, len(self.cuts) - 1)]) * self.scale


def as_numbers(values: pa.Array) -> NDArray[np.float64]:
    """Numbers with NaN for NULL."""
    return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def sample(files: Sequence[Path], columns: Sequence[str], rows: int = SAMPLE_ROWS) -> pa.Table:
    """Every k-th row, so that about `rows` remain; the same rows every time."""
    total = sum(pq.read_metadata(file).num_rows for file in files)
    step = max(1, total // rows)
    kept, offset = [], 0
    for batch in read(files, columns):
        first = (-offset) % step
        kept.append(batch.take(pa.array(np.arange(first, batch.num_rows, step))))
        offset += batch.num_rows
    return pa.Table.from_batches(kept) if kept else pa.table({name: [] for name in columns})


def read(files: Sequence[Path], columns: Sequence[str], rows: int = 65_536) -> Iterator[pa.RecordBatch]:
    """Record batches of several files, in order."""
    for file in files:
        with pq.ParquetFile(file) as parquet:
            yield from parquet.iter_batches(rows, columns=list(columns))


def dimension(column: Column, values: pa.ChunkedArray, digits: int) -> Dimension | None:
    """How to code a column, judged by a sample of its values; None when it says nothing or is an id of its own."""
    if column.type in NUMBERS:
        return _numeric(column, values, digits)
    if column.type not in {"text", "boolean"}:
        return None
    text = values.cast(pa.string())
    counts = sorted(
        pc.value_counts(text.drop_null()).to_pylist(), key=lambda row: (-row["counts"], row["values"])
    )
    if not counts or (len(counts) > 10 * MOST_LABELS and counts[0]["counts"] < 0.02 * len(values)):
        return None  # names, addresses, ids: every customer has another one
    labels = [row["values"] for row in counts[:MOST_LABELS]]
    coarse = np.full(256, -1, dtype=np.int16)
    coarse[1 : len(labels) + 1] = np.arange(len(labels))
    bins = [Bin(label) for label in labels]
    coarse[OTHER] = len(bins)
    return Dimension(column.name, column, pa.array(labels, pa.string()), None, coarse, (*bins, Bin("…")))


def _numeric(column: Column, values: pa.ChunkedArray, digits: int) -> Dimension | None:
    scale = 10.0**-digits if column.type == "money" and pa.types.is_integer(values.type) else 1.0
    known = as_numbers(values.combine_chunks())
    known = np.sort(known[~np.isnan(known)])
    if not len(known):
        return None
    places = np.ceil(np.arange(1, FINE + 1) / FINE * len(known)).astype(int) - 1
    cuts = np.unique(known[places])
    if len(cuts) < 2:
        return None
    cuts = cuts[:-1] if len(cuts) > FINE - 1 else cuts
    if len(cuts) <= FEW_VALUES:
        edges = cuts[:-1]
    else:
        edges = np.unique(known[np.ceil(np.arange(1, COARSE) / COARSE * len(known)).astype(int) - 1])
        edges = edges[edges < cuts[-1]]
    coarse = np.full(256, len(edges), dtype=np.int16)
    coarse[MISSING] = -1
    coarse[1 : len(cuts) + 1] = np.searchsorted(edges, cuts, side="left")
    bounds: list[float | None] = [None, *(float(edge) for edge in edges), None]
    bins = tuple(_bin(column, low, high, cuts, scale) for low, high in itertools.pairwise(bounds))
    return Dimension(column.name, column, None, cuts, coarse, bins, scale)


def _bin(
    column: Column, low: float | None, high: float | None, cuts: NDArray[np.float64], scale: float
) -> Bin:
    inside = cuts[(cuts > (-np.inf if low is None else low)) & (cuts <= (np.inf if high is None else high))]
    shown_low, shown_high = (None if edge is None else edge * scale for edge in (low, high))
    if (
        column.type == "integer"
        and len(inside) == 1
        and (low is None or low == inside[0] - 1)
        and high is not None
    ):
        label = _written(float(inside[0]))
    elif high is None:
        label = f"> {_written(shown_low or 0.0)}"
    elif low is None:
        label = f"≤ {_written(shown_high or 0.0)}"
    elif column.type == "integer":
        label = f"{_written(low + 1)}–{_written(high)}" if low + 1 < high else _written(high)
    else:
        label = f"{_written(shown_low or 0.0)}–{_written(shown_high or 0.0)}"
    return Bin(label, shown_low, shown_high)


def _written(value: float) -> str:
    """A number without digits that nobody needs."""
    rounded: Any = round(value, 2) if abs(value) >= 1 else float(f"{value:.3g}")
    return f"{int(rounded):,}" if rounded == int(rounded) else f"{rounded:,}"


__all__ = ["MISSING", "Bin", "Dimension", "as_numbers", "dimension", "read", "sample"]
