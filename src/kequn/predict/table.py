"""The tables that the predict step writes, put together from what each model found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kequn.predict.columns import PREDICTION_COLUMNS, arrow_type
from kequn.predict.features import Array, FeatureMatrix, parquet_files, sort_by_key

if TYPE_CHECKING:
    from kequn.predict.health import Health
    from kequn.predict.recommend import Recommendations
    from kequn.predict.survival import ContractChurn

Files = tuple[Path, ...]


@dataclass(frozen=True)
class Findings:
    """What the models said of the customers in `scoring`: value columns, P(an order within h days) by h, and the rest."""

    scoring: FeatureMatrix
    value: Mapping[str, Array]
    chances: Mapping[int, Array]
    purchase_days: int
    churn_days: int
    contract: ContractChurn | None = None
    health: Health | None = None
    offers: Recommendations | None = None

    def columns(self, as_of: date) -> dict[str, Any]:
        """Columns by name, aligned with `scoring`."""
        own: dict[str, Any] = {name: array for name, array in self.value.items() if name != "next_order_days"}
        if "next_order_days" in self.value:
            own["next_order_on"] = _dates(as_of, self.value["next_order_days"])
        horizons = {"p_purchase_30d": 30, "p_purchase_90d": 90, "p_purchase": self.purchase_days}
        own |= {name: self.chances[days] for name, days in horizons.items() if days in self.chances}
        if self.churn_days in self.chances:
            own["p_churn"] = np.round(1 - self.chances[self.churn_days], 6)
        if self.health is not None:
            scores = self.health.scores
            own["health_score"] = np.where(scores >= 0, scores.astype(np.float64), np.nan)
            own["health_band"] = self.health.bands
            own |= {f"health_reason_{n + 1}": self.health.reasons[:, n] for n in range(3)}
        return own


def prediction_table(profile: Path, as_of: date, found: Findings) -> Any:
    """One row per customer of the profile, sorted by id; NULL where a model has nothing to say."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = pq.ParquetDataset(parquet_files(profile)).read(columns=["customer_id"])
    everybody = sort_by_key(ids).column("customer_id").combine_chunks()
    scoring, contract, offers, own = found.scoring, found.contract, found.offers, found.columns(as_of)
    table = pa.table({"customer_id": everybody})
    for name, column in PREDICTION_COLUMNS.items():
        given = own.get(name)
        kind = arrow_type(column.type)
        array = pa.nulls(len(scoring), kind) if given is None else _arrow(given, kind)
        table = table.append_column(name, _aligned(everybody, scoring.customer_ids, array))
    if contract is not None:
        churn = _aligned(everybody, contract.customer_ids, _arrow(contract.probabilities, pa.float64()))
        table = _replaced(table, "p_churn", churn)
    if offers is not None and offers.table.num_rows:
        import pyarrow.compute as pc

        first = offers.table.filter(pc.equal(offers.table.column("rank"), 1)).combine_chunks()
        best = _aligned(
            everybody,
            first.column("customer_id").combine_chunks(),
            first.column("product_id").combine_chunks(),
        )
        table = _replaced(table, "next_best_offer", best)
    return table


def _replaced(table: Any, name: str, array: Any) -> Any:
    return table.set_column(table.schema.get_field_index(name), name, array)


def _dates(as_of: date, days: Array) -> Any:
    import pyarrow as pa

    epoch = (as_of - date(1970, 1, 1)) // timedelta(days=1)
    known = np.isfinite(days)
    return pa.array(np.where(known, days, 0).astype(np.int32) + np.int32(epoch), mask=~known).cast(
        pa.date32()
    )


def _arrow(given: Any, kind: Any) -> Any:
    """A numpy column as Arrow, NaN as NULL; money and counts as whole numbers."""
    import pyarrow as pa

    if isinstance(given, pa.Array):
        return given
    if given.dtype == object:
        return pa.array(given.tolist(), kind)
    known = np.isfinite(given)
    if pa.types.is_integer(kind):
        return pa.array(np.where(known, given, 0).astype(np.int64), mask=~known)
    return pa.array(given, mask=~known)


def _aligned(everybody: Any, ids: Any, array: Any) -> Any:
    """`array` [ids] brought to the order of `everybody`, NULL for who is not among `ids`."""
    import pyarrow.compute as pc

    if len(ids) == len(everybody) and ids.equals(everybody):
        return array
    return array.take(pc.index_in(everybody, value_set=ids))


def write(folder: Path, table: Any) -> Files:
    """One Parquet file; an older one is replaced."""
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "part-00000.parquet"
    pq.write_table(table, file, compression="zstd")
    return (file,)


__all__ = ["Files", "Findings", "prediction_table", "write"]
