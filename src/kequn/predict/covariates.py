"""Attributes of customers as numbers for the purchase model: profile columns that are neither behaviour nor predictions.

Attributes carry no dates, so what is known today stands in for the past too; the card says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kequn.predict.card import note
from kequn.predict.features import Array, FeatureMatrix, as_float, parquet_files, sort_by_key

if TYPE_CHECKING:
    from kequn.predict.clv import Statistics

FEWEST = 50
"""Customers that a value must have to be told apart; rarer ones are `OTHER` together, or count with the most common."""
MOST_VALUES = 10
OTHER, UNKNOWN = "other", "unknown"


@dataclass(frozen=True)
class Attributes:
    """Covariates of customers, [customers, names], with remarks on how columns became numbers.

    A text column gives one 0/1 column for each value but the most common one, named `column=value`; a number column
    stands as it is, its unknowns at the mean and told apart by `column=unknown` where there are enough of them.
    """

    customer_ids: Any  # pyarrow.Array of text
    names: tuple[str, ...]
    values: Array
    notes: tuple[dict[str, Any], ...] = ()

    def beside(self, statistics: Statistics, matrix: FeatureMatrix) -> Statistics:
        """`statistics` of the customers of `matrix` with their covariates; as they are where there are none."""
        from kequn.predict.clv import Covariates

        if not self.names:
            return statistics
        import pyarrow.compute as pc

        place = pc.index_in(matrix.customer_ids, value_set=self.customer_ids).to_numpy(zero_copy_only=False)
        table, pattern = np.unique(self.values[place.astype(np.int64)], axis=0, return_inverse=True)
        return replace(statistics, covariates=Covariates(self.names, table, pattern.ravel()))


def read_attributes(profile: Path, columns: Sequence[str], matrix: FeatureMatrix) -> Attributes | None:
    """The covariates of the customers of `matrix` from a profile folder; None without columns."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if not columns or not len(matrix):
        return None
    table = sort_by_key(pq.ParquetDataset(parquet_files(profile)).read(columns=["customer_id", *columns]))
    table = table.filter(pc.is_in(table.column("customer_id"), value_set=matrix.customer_ids))
    names: list[str] = []
    parts: list[Array] = []
    notes: list[dict[str, Any]] = []
    for column in columns:
        encode = _numbers if _is_number(table.column(column)) else _values
        found, remarks = encode(column, table.column(column))
        names += found
        parts += found.values()
        notes += remarks
    values = np.column_stack(parts) if parts else np.empty((table.num_rows, 0))
    return Attributes(table.column("customer_id").combine_chunks(), tuple(names), values, tuple(notes))


def _is_number(column: Any) -> bool:
    import pyarrow.types as t

    return bool(t.is_integer(column.type) or t.is_floating(column.type) or t.is_decimal(column.type))


Encoded = tuple[dict[str, Array], list[dict[str, Any]]]


def _numbers(name: str, column: Any) -> Encoded:
    values = as_float(column)
    unknown = ~np.isfinite(values)
    if unknown.all():
        return {}, [note("predict.note_covariate_empty", column=name)]
    found = {name: np.where(unknown, np.round(values[~unknown].mean(), 6), values)}
    if unknown.sum() >= FEWEST:
        found[f"{name}={UNKNOWN}"] = unknown.astype(np.float64)
    told = note("predict.note_covariate_filled", column=name, customers=int(unknown.sum()))
    return found, [told] if unknown.any() else []


def _values(name: str, column: Any) -> Encoded:
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.fill_null(pc.cast(column, pa.string()), UNKNOWN)
    counted = pc.value_counts(text.combine_chunks()).to_pylist()
    ranked = sorted(((row["counts"], row["values"]) for row in counted), key=lambda one: (-one[0], one[1]))
    kept = [value for many, value in ranked[:MOST_VALUES] if many >= FEWEST]
    if len(ranked) < 2 or not kept:
        return {}, [note("predict.note_covariate_empty", column=name)]
    found = {f"{name}={value}": _flags(pc.equal(text, value)) for value in kept[1:]}
    rest = sum(many for many, value in ranked if value not in kept)
    if rest >= FEWEST:
        found[f"{name}={OTHER}"] = _flags(pc.invert(pc.is_in(text, value_set=pa.array(kept))))
    return found, [note("predict.note_covariate_reference", column=name, value=kept[0])]


def _flags(column: Any) -> Array:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


__all__ = ["Attributes", "read_attributes"]
