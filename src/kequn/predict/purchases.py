"""Purchases of buyers as the purchase models take them, and the seasons they came in.

The models live in `predict.clv`; here profile columns become their sufficient statistics. Ages are counted from day to
day, up to the last day before `as_of`: T = tenure_days - 1, t_x = tenure_days - recency_days, as the papers count.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from kequn.predict.covariates import Attributes
from kequn.predict.features import FeatureMatrix
from kequn.predict.labels import periods_before, repeat_orders_by_month
from kequn.predict.past import Past

if TYPE_CHECKING:
    from kequn.predict.clv import Season, Statistics, ValueSettings


def statistics_of(matrix: FeatureMatrix) -> Statistics:
    """Sufficient statistics of buyers; `x` counts purchase days after the first (orders where the profile lacks days)."""
    from kequn.predict.clv import Statistics

    tenure, recency = matrix.column("tenure_days"), matrix.column("recency_days")
    tenure = np.where(np.isfinite(tenure), tenure, recency)
    t_x = np.maximum(tenure - recency, 0)
    days = matrix.column("purchase_days")
    days = np.where(np.isfinite(days), days, matrix.column("frequency"))
    x = np.where(t_x > 0, np.clip(days - 1, 1, t_x), 0)
    mean = matrix.column("monetary") / (x + 1)
    year = matrix.column("revenue_365d")
    return Statistics.of(x, t_x, tenure - 1, mean, last_year=year if np.isfinite(year).all() else None)


def periodic_statistics(past: Past, day: date, matrix: FeatureMatrix, period_days: float) -> Statistics:
    """Statistics of buyers for BG/BB, counted back from `day` in periods; times are days that stand for whole periods.

    `x` counts the periods with a purchase after that of the first one, money is per such period.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from kequn.predict.clv import Statistics

    found = periods_before(past.orders, day, period_days)
    place = pc.index_in(matrix.customer_ids, value_set=found.column("customer_id").cast(pa.string()))
    known = np.asarray(place.is_valid().to_numpy(zero_copy_only=False))
    at = np.asarray(pc.fill_null(place, 0).to_numpy(zero_copy_only=False))
    first, last, used = (
        np.where(known, np.append(found.column(name).to_numpy(), 0)[at], least)
        for name, least in (("first", 0), ("last", 0), ("used", 1))
    )
    year = matrix.column("revenue_365d")
    return Statistics.of(
        used - 1,
        np.rint(np.where(used > 1, first - last, 0) * period_days),
        np.rint(first * period_days),
        matrix.column("monetary") / used,
        last_year=year if np.isfinite(year).all() else None,
    )


def statistics_before(
    past: Past, day: date, matrix: FeatureMatrix, settings: ValueSettings, attributes: Attributes | None
) -> Statistics:
    """What the purchase model of `settings` learns from, as known before `day`, with the covariates if there are any."""
    if settings.model == "bg_bb":
        return periodic_statistics(past, day, matrix, settings.opportunity_days)
    statistics = statistics_of(matrix)
    return attributes.beside(statistics, matrix) if attributes else statistics


def season_before(past: Past, day: date) -> Season:
    """Seasonal multipliers learnt from the whole months before a day; flat below their gate."""
    from kequn.predict.clv import estimate_season
    from kequn.predict.clv.season import flat_season

    if not past.orders:
        return flat_season()
    first, counts = repeat_orders_by_month(past.orders, day)
    return estimate_season(first, counts) if first is not None else flat_season()


__all__ = ["periodic_statistics", "season_before", "statistics_before", "statistics_of"]
