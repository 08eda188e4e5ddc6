"""Naive estimates that every model has to beat, and the last resort when no gate is open."""

from __future__ import annotations

import numpy as np

from kequn.predict.clv.special import Array
from kequn.predict.clv.statistics import Statistics

DAYS_PER_YEAR = 365.0


def own_rate(statistics: Statistics) -> Array:
    """Repeat purchases per day since the first purchase; for T = 0 the rate of all customers (NaN if nobody has T > 0)."""
    age = statistics.T.astype(np.float64)
    total = float(age.sum())
    everybody = float(statistics.x.sum()) / total if total > 0 else np.nan
    return np.where(age > 0, statistics.x / np.maximum(age, 1), everybody)


def mean_spend(statistics: Statistics) -> Array:
    """Money per purchase: the customer's own mean, at least 0; where it is missing, that of all (NaN if none is known)."""
    known = np.isfinite(statistics.mean_spend) & (statistics.orders > 0)
    weight = np.where(known, statistics.orders, 0)
    own = np.where(known, np.maximum(statistics.mean_spend, 0), 0)
    everybody = float((weight * own).sum() / weight.sum()) if weight.sum() > 0 else np.nan
    return np.where(known, own, everybody)


def mean_times_rate(statistics: Statistics, days: float) -> tuple[Array, Array]:
    """Purchases and money (minor units) of the next `days` at each customer's own mean and rate: nobody changes."""
    purchases = own_rate(statistics) * days
    return purchases, purchases * mean_spend(statistics)


def last_year(statistics: Statistics, days: float) -> Array | None:
    """Money of the next `days` as in the last 365 days, in proportion; None where last year is not known."""
    return (
        None if statistics.last_year is None else np.maximum(statistics.last_year, 0) * (days / DAYS_PER_YEAR)
    )
