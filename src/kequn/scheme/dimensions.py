"""Columns of the profile as small codes: text by its most frequent values, numbers by quantile bins of a sample.

A portrait counts codes, so a million customers and a hundred columns cost bytes and seconds. Counts are exact; only where
the bins of a number lie comes from a sample of a few row groups.
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
from kequn.scheme.members import as_dictionary

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH_ROWS = 32_768
SAMPLE_ROWS = 50_000
SAMPLE_GROUPS = 3
BINS = 5
MOST_LABELS = 24
FEW_VALUES = 8
MISSING = 0
"""The code of a value that isn't known; bins follow."""
NUMBERS = frozenset({"integer", "number", "money", "decimal"})


@dataclass(frozen=True)
class Bin:
    """One value that a portrait shows: a label, or the numbers in (low, high]."""

    label: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Dimension:
    """How one column becomes codes: 0 for missing, else 1 + the place of its bin."""

    name: str
    column: Column
    bins: tuple[Bin, ...]
    labels: pa.Array | None = None
    edges: tuple[float, ...] = ()
    scale: float = 1.0

    @property
    def is_number(self) -> bool:
        return self.labels is None

    def codes(self, values: pa.Array, numbers: NDArray[np.float64] | None) -> NDArray[np.uint8]:
        """One code per row; `numbers` are the values of a numeric column, NaN for missing."""
        if numbers is None:
            known = places(values, self.labels) + 1
            return np.where(np.asarray(values.is_null()), MISSING, known).astype(np.uint8)
        codes = np.ones(len(numbers), dtype=np.uint8)
        for edge in self.edges:
            codes += numbers > edge
        codes[np.isnan(numbers)] = MISSING
        return codes


def places(values: pa.Array, labels: pa.Array) -> NDArray[np.integer]:
    """The place of each text among `labels`, their number for any other and for NULL."""
    coded = as_dictionary(values)
    other = len(labels)
    each = pc.fill_null(pc.index_in(coded.dictionary.cast(pa.string()), value_set=labels), other)
    known = np.append(np.asarray(each), other).astype(np.min_scalar_type(other))
    found: NDArray[np.integer] = known[np.asarray(pc.fill_null(coded.indices, len(coded.dictionary)))]
    return found


def as_numbers(values: pa.Array) -> NDArray[np.float64]:
    """Numbers with NaN for NULL."""
    return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def sample(files: Sequence[Path], columns: Sequence[str]) -> pa.Table:
    """Up to SAMPLE_ROWS rows, evenly from a few row groups spread over all files; the same rows every time."""
    groups = [(file, place) for file in files for place in range(pq.read_metadata(file).num_row_groups)]
    places = (
        sorted({round(step) for step in np.linspace(0, len(groups) - 1, SAMPLE_GROUPS)}) if groups else []
    )
    kept = []
    for file, group in (groups[place] for place in places):
        with pq.ParquetFile(file) as parquet:
            rows = parquet.metadata.row_group(group).num_rows
            step, offset = max(1, rows * len(places) // SAMPLE_ROWS), 0
            for batch in parquet.iter_batches(BATCH_ROWS, row_groups=[group], columns=list(columns)):
                kept.append(batch.take(pa.array(np.arange((-offset) % step, batch.num_rows, step))))
                offset += batch.num_rows
    return (
        pa.Table.from_batches(kept) if kept else pa.table({name: pa.array([], pa.null()) for name in columns})
    )


def read(files: Sequence[Path], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Record batches of several files, in order; texts come as dictionaries."""
    for file in files:
        schema = pq.read_schema(file)
        text = [
            name for name in columns if name != "customer_id" and pa.types.is_string(schema.field(name).type)
        ]
        with pq.ParquetFile(file, read_dictionary=text) as parquet:
            yield from parquet.iter_batches(BATCH_ROWS, columns=list(columns))


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
    bins = (*(Bin(label) for label in labels), Bin("…"))
    return Dimension(column.name, column, bins, pa.array(labels, pa.string()))


def _numeric(column: Column, values: pa.ChunkedArray, digits: int) -> Dimension | None:
    scale = 10.0**-digits if column.type == "money" and pa.types.is_integer(values.type) else 1.0
    known = as_numbers(values.combine_chunks())
    known = np.sort(known[~np.isnan(known)])
    distinct = np.unique(known)
    if len(distinct) < 2:
        return None
    if len(distinct) <= FEW_VALUES:
        edges = distinct[:-1]
    else:
        places = np.ceil(np.arange(1, BINS) / BINS * len(known)).astype(int) - 1
        edges = np.unique(known[places])
        edges = edges[edges < distinct[-1]]
    bounds: list[float | None] = [None, *(float(edge) for edge in edges), None]
    bins = tuple(_bin(column, low, high, distinct, scale) for low, high in itertools.pairwise(bounds))
    return Dimension(column.name, column, bins, None, tuple(float(edge) for edge in edges), scale)


def _bin(
    column: Column, low: float | None, high: float | None, distinct: NDArray[np.float64], scale: float
) -> Bin:
    inside = distinct[
        (distinct > (-np.inf if low is None else low)) & (distinct <= (np.inf if high is None else high))
    ]
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


__all__ = ["MISSING", "Bin", "Dimension", "as_numbers", "dimension", "places", "read", "sample"]
