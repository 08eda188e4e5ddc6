"""What a prediction may look at: dated behaviour as known on a cut-off day, and nothing else.

A model that is to be trusted must not see the future. So features are an allow-list of profile columns that are counted
from dated facts before `as_of`; ids, dates, texts and attributes without a date (today's city, `x_…` columns) never enter,
whatever the profile holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kequn.errors import ModelError

Array = NDArray[np.float64]

DATED: Mapping[str, int] = {
    # name: sign that sense demands for the chance to buy again (+1 never falls, -1 never rises, 0 free)
    "recency_days": -1,
    "frequency": 1,
    "purchase_days": 1,
    "tenure_days": 0,
    "monetary": 0,
    "average_order_value": 0,
    "largest_order": 0,
    "gap_mean_days": 0,
    "gap_std_days": 0,
    "gap_max_days": 0,
    "overdue_ratio": 0,
    "orders_30d": 1,
    "orders_90d": 1,
    "orders_180d": 1,
    "orders_365d": 1,
    "orders_prev_30d": 0,
    "orders_prev_90d": 0,
    "revenue_30d": 0,
    "revenue_90d": 0,
    "revenue_180d": 0,
    "revenue_365d": 0,
    "active_months_365d": 0,
    "refund_share": 0,
    "distinct_products": 0,
    "distinct_categories": 0,
    "top_category_share": 0,
    "promotion_share": 0,
    "coupon_order_share": 0,
    "weekend_share": 0,
    "distinct_channels": 0,
    "distinct_stores": 0,
    "usage_periods": 0,
    "late_payments_12m": 0,
    "campaigns_received": 0,
    "response_rate": 0,
}
"""Columns of the profile library that are counted from dated facts, with the monotone sign they are held to."""

ALWAYS = ("recency_days", "frequency")
_KEY = "customer_id"


@dataclass(frozen=True)
class FeatureMatrix:
    """Features of the customers who had bought before the cut-off, one row each, sorted by `customer_id`.

    `values` is float64 [customers, names], NaN where undefined; money in minor units.
    """

    customer_ids: Any  # pyarrow.Array of text
    names: tuple[str, ...]
    values: Array

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def column(self, name: str) -> Array:
        """One feature; NaN for all where the profile lacks it."""
        if name not in self.names:
            return np.full(len(self), np.nan)
        return np.asarray(self.values[:, self.names.index(name)])

    def only(self, names: Sequence[str]) -> FeatureMatrix:
        """The same customers with just these features, in this order; NaN where one is lacking."""
        columns = [self.column(name) for name in names]
        shape = np.column_stack(columns) if columns else np.empty((len(self), 0))
        return FeatureMatrix(self.customer_ids, tuple(names), shape)

    def rows(self, chosen: NDArray[np.bool_]) -> FeatureMatrix:
        """Only the rows marked in `chosen`."""
        import pyarrow as pa

        return FeatureMatrix(self.customer_ids.filter(pa.array(chosen)), self.names, self.values[chosen])


def parquet_files(folder: Path) -> list[str]:
    """The Parquet files of a table's folder, or the file itself.

    Raises ModelError `predict.no_profile` when there is none.
    """
    files = [folder] if folder.is_file() else sorted(folder.glob("*.parquet"))
    if not files:
        raise ModelError("predict.no_profile", folder=str(folder))
    return [str(file) for file in files]


def allowed(schema: Any, extra: Iterable[str] = ()) -> list[str]:
    """The columns of an Arrow schema that a model may use: DATED ones and `extra` ones that the caller vouches for.

    Raises ModelError `predict.feature_not_allowed` for an extra that is an id, a date, a text or a custom attribute.
    """
    wanted = [*DATED, *(name for name in extra if name not in DATED)]
    found = []
    for name in wanted:
        if name not in schema.names or str(schema.field(name).type) == "null":
            continue
        if not _numeric(schema.field(name).type) or name.startswith("x_") or name.endswith("_id"):
            raise ModelError("predict.feature_not_allowed", name=name, type=str(schema.field(name).type))
        found.append(name)
    return found


def _numeric(kind: Any) -> bool:
    import pyarrow.types as t

    return bool(t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind) or t.is_boolean(kind))


@dataclass(frozen=True)
class Sample:
    """At most `most` buyers, those with the smallest sha256 of `seed` and id."""

    most: int
    seed: int


def read_features(
    profile: Path, *, before: date | None = None, extra: Iterable[str] = (), sample: Sample | None = None
) -> FeatureMatrix:
    """The features of all buyers in a profile folder (Parquet, one row per customer), or of a sample of them.

    `before` is the day the profile claims to be known at: a profile whose last order is not earlier has seen the future.

    Raises ModelError `predict.no_profile`, `predict.missing_column`, `predict.profile_from_the_future`,
    `predict.feature_not_allowed`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = parquet_files(profile)
    schema = pq.read_schema(files[0])
    for needed in (_KEY, *ALWAYS):
        if needed not in schema.names:
            raise ModelError("predict.missing_column", column=needed, table="profile")
    names = allowed(schema, extra)
    guard = ["last_order_at"] if "last_order_at" in schema.names else []
    table = pq.ParquetDataset(files).read(columns=[_KEY, *names, *guard])
    if before is not None and guard:
        refuse_future(table.column("last_order_at"), before, profile)
    table = sort_by_key(table)
    buyers = as_float(table.column("frequency")) > 0
    if not buyers.all():
        table = table.filter(pa.array(buyers))
    if sample is not None and table.num_rows > sample.most:
        # before the numbers are turned into a matrix: that is most of the work
        chosen = in_sample(table.column(_KEY).combine_chunks(), sample.most, sample.seed)
        table = table.filter(pa.array(chosen))
    return features_of(table, names)


def features_of(table: Any, names: Sequence[str] | None = None) -> FeatureMatrix:
    """The features in an Arrow table of profile rows, in its order; `names` are those allowed unless given."""
    names = allowed(table.schema) if names is None else names
    values = np.empty((table.num_rows, len(names)), dtype=np.float64)
    for place, name in enumerate(names):
        values[:, place] = as_float(table.column(name))
    return FeatureMatrix(table.column(_KEY).combine_chunks(), tuple(names), values)


def refuse_future(last_order: Any, before: date, where: Path) -> None:
    """Raises ModelError `predict.profile_from_the_future` when an order is not earlier than `before`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    latest = pc.max(last_order.cast(pa.date32())).as_py()
    if latest is not None and latest >= before:
        raise ModelError("predict.profile_from_the_future", found=latest, before=before, folder=str(where))


def sort_by_key(table: Any, key: str = _KEY) -> Any:
    """The Arrow table in the order of its key, bytewise, so that results do not depend on the order of rows.

    Raises ModelError `predict.duplicate_customer` for a key that stands in two rows.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    column = table.column(key).cast(pa.string()).combine_chunks()
    table = table.set_column(table.schema.get_field_index(key), key, column)
    if len(column) > 1 and not pc.all(pc.less_equal(column[:-1], column[1:])).as_py():
        table = table.sort_by(key).combine_chunks()
        column = table.column(key).combine_chunks()
    if len(column) > 1:
        twice = pc.equal(column[:-1], column[1:])
        if pc.any(twice).as_py():
            raise ModelError(
                "predict.duplicate_customer", customer=column[pc.index(twice, True).as_py()].as_py()
            )
    return table


def as_float(column: Any) -> Array:
    """An Arrow column of numbers as float64, NaN for NULL and for what is not finite.

    Decimals become whole smallest units: money counts in minor units whether the file holds minor or major ones.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_decimal(column.type):
        whole: Array = np.round(as_float(pc.cast(column, pa.float64(), safe=False)) * 10.0**column.type.scale)
        return whole
    if pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.int8())
    array = pc.cast(column, pa.float64(), safe=False)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if not len(array):
        return np.empty(0)
    # the buffers as they are: Arrow's own ways to numpy, and to fill in a number, load pandas
    known, numbers = array.buffers()
    values = np.frombuffer(numbers, np.float64, len(array), 8 * array.offset).copy()
    values[~np.isfinite(values)] = np.nan
    if array.null_count:
        bits = np.unpackbits(np.frombuffer(known, np.uint8), bitorder="little")
        values[bits[array.offset : array.offset + len(array)] == 0] = np.nan
    return values


@cache
def feature_titles() -> dict[str, dict[str, str]]:
    """{feature: {zh, en}} as the profile library declares them."""
    from kequn.profile.declaration import all_declarations

    return {feature.name: dict(feature.title) for feature in all_declarations()[1]}


def in_sample(customer_ids: Any, most: int, seed: int) -> NDArray[np.bool_]:
    """A deterministic sample of at most `most` customers: those with the smallest sha256 of seed and id.

    Returns one flag per customer; all True when there are no more than `most`.
    """
    import hashlib

    if len(customer_ids) <= most:
        return np.ones(len(customer_ids), dtype=bool)
    salt = hashlib.sha256(f"{seed}:".encode())
    keys = np.empty(len(customer_ids), dtype=np.uint64)
    for place, customer in enumerate(customer_ids.to_pylist()):
        digest = salt.copy()
        digest.update(customer.encode())
        keys[place] = int.from_bytes(digest.digest()[:8], "big")
    flags = np.zeros(len(customer_ids), dtype=bool)
    flags[np.argsort(keys, kind="stable")[:most]] = True
    return flags


__all__ = [
    "ALWAYS",
    "DATED",
    "Array",
    "FeatureMatrix",
    "Sample",
    "allowed",
    "as_float",
    "feature_titles",
    "features_of",
    "in_sample",
    "parquet_files",
    "read_features",
    "refuse_future",
    "sort_by_key",
]
