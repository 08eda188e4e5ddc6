"""Seasons: what a model of constant rates cannot know about the coming months.

A purchase model learns a mean rate over the past and is blind to an autumn peak. Twelve multipliers, one per calendar
month and 1 on average over a year, correct each period of the horizon.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kequn.errors import ModelError
from kequn.predict.clv.gate import Gate
from kequn.predict.clv.special import Array

MONTHS_NEEDED = 24
ORDERS_NEEDED = 240
DAYS_PER_MONTH = 365.25 / 12


@dataclass(frozen=True)
class Season:
    """Multipliers of January … December (mean 1 over a year), or all 1 where `gate` is closed."""

    index: tuple[float, ...]
    gate: Gate
    reliability: float = 0.0

    @property
    def known(self) -> bool:
        return self.gate.ok

    def levels(self, as_of: date, age_days: ArrayLike, edges_days: ArrayLike) -> Array:
        """The multiplier of each period between `edges_days` (days after `as_of`), shape (periods,).

        It is the mean index of the period over the mean index of the days in which the rates were learnt: those
        between each customer's first purchase and `as_of`, so `age_days` has one T per customer (or per distinct T).
        """
        edges = np.asarray(edges_days, dtype=np.float64)
        if not self.known:
            return np.ones(len(edges) - 1)
        ages = np.asarray(age_days, dtype=np.float64)
        past = self._running(as_of, -int(np.ceil(ages.max(initial=1))))
        learnt = float(np.interp(ages, np.arange(len(past)), past).sum()) / max(float(ages.sum()), 1e-300)
        ahead = self._running(as_of, int(np.ceil(edges.max(initial=0))))
        at_edges = np.interp(edges, np.arange(len(ahead)), ahead)
        mean = np.diff(at_edges) / np.maximum(np.diff(edges), 1e-300)
        return np.asarray(mean / learnt) if learnt > 0 else np.ones(len(edges) - 1)

    def _running(self, as_of: date, days: int) -> Array:
        """Running sum of the daily index over |days| days from `as_of`, forward or backward."""
        first = np.datetime64(as_of, "D")
        ordinals = np.arange(days) if days >= 0 else np.arange(-1, days - 1, -1)
        months = (first + ordinals).astype("datetime64[M]").astype(np.int64) % 12
        return np.concatenate([[0.0], np.cumsum(np.asarray(self.index)[months])])


def flat_season(months: int = 0) -> Season:
    """No season known."""
    return Season((1.0,) * 12, Gate(False, "predict.clv_gate_season", MONTHS_NEEDED, months, "season"))


def estimate_season(first_month: date, orders: ArrayLike) -> Season:
    """Seasonal multipliers from orders per calendar month.

    `orders`: counts of consecutive whole months, the first being that of `first_month`. At least 24 months and 240
    orders; repeat orders are better than all orders, which also carry the seasons of acquisition.

    ln(orders per day) = polynomial trend (one degree per year after the first, at most three) + effect of the
    calendar month, least squares weighted by orders; effects are shrunk towards none by how well the years agree
    (empirical Bayes), then scaled to mean 1.

    Raises ModelError `predict.clv_bad_orders` for negative or missing counts.
    """
    counts = np.asarray(orders, dtype=np.float64)
    if counts.ndim != 1 or not np.all(np.isfinite(counts) & (counts >= 0)):
        raise ModelError("predict.clv_bad_orders", row=int(np.flatnonzero(~(counts.ravel() >= 0))[:1].sum()))
    months = len(counts)
    if months < MONTHS_NEEDED or counts.sum() < ORDERS_NEEDED:
        return flat_season(months) if months < MONTHS_NEEDED else Season(
            (1.0,) * 12, Gate(False, "predict.clv_gate_season_orders", ORDERS_NEEDED, float(counts.sum()), "season")
        )  # fmt: skip
    starts = np.datetime64(first_month, "M") + np.arange(months + 1)
    days = np.diff(starts.astype("datetime64[D]")).astype(np.float64)
    calendar = starts[:-1].astype(np.int64) % 12
    effect, reliability = _month_effects(np.log((counts + 0.5) / days), counts + 0.5, calendar)
    index = np.exp(effect)
    month_days = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    index /= (index * month_days).sum() / month_days.sum()
    return Season(
        tuple(index.tolist()),
        Gate(True, "predict.clv_gate_season", MONTHS_NEEDED, months, "season"),
        reliability,
    )


def _month_effects(level: Array, weight: Array, calendar: NDArray[np.int64]) -> tuple[Array, float]:
    """Shrunk effects of the 12 months on `level`, and the share of their variance that is kept."""
    months = len(level)
    time = np.linspace(-1, 1, months)
    degree = min(months // 12 - 1, 3)
    trend = np.stack([time**k for k in range(1, degree + 1)], axis=1)
    design = np.concatenate([np.eye(12)[calendar], trend], axis=1)
    root = np.sqrt(weight)
    solution = np.linalg.lstsq(design * root[:, None], level * root, rcond=None)[0]
    left = level - design @ solution
    free = months - 12 - degree
    noise = float((weight * left**2).sum() / weight.sum() * months / max(free, 1))
    effect = solution[:12] - solution[:12].mean()
    seen = months / 12
    signal = max(float(effect @ effect) / 11 - noise / seen, 0.0)
    kept = signal / (signal + noise / seen) if signal > 0 else 0.0
    return effect * kept, kept
