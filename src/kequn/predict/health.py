"""Customer health, 0 to 100: how the relation is going, in figures anybody can check.

The score is a weighted mean of components between 0 and 1, each monotone in what it looks at. It is not fitted; only the
bands are calibrated, to the churn that was observed at an earlier cut-off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kequn.predict.calibration import quality
from kequn.predict.card import ModelCard, note
from kequn.predict.extra import load
from kequn.predict.features import Array, FeatureMatrix
from kequn.predict.gates import MINIMUM, check, rarer
from kequn.predict.past import Past

WEIGHTS: Mapping[str, float] = {
    "recency_trend": 0.35,
    "frequency_trend": 0.25,
    "breadth": 0.15,
    "support": 0.15,
    "payment": 0.10,
}
BANDS = ("at_risk", "watch", "healthy")
DEFAULT_EDGES = (40, 70)
ODDS = 2.0
"""A band is `at_risk` from twice the odds of churn of all customers, `healthy` from half of them."""


@dataclass(frozen=True)
class HealthScale:
    """What the scores are measured against, taken once from the customers of one day.

    `gap_days` stands in for customers without a gap of their own; `breadth` is what the top tenth buys; `means` are the
    mean components, which reasons are told against.
    """

    gap_days: float
    breadth: float
    means: Mapping[str, float]


@dataclass(frozen=True)
class Health:
    """Scores [n] as whole numbers 0-100, bands [n] and reasons [n, 3] (`recency_trend_low`, most telling first)."""

    scores: NDArray[np.int64]
    bands: NDArray[np.object_]
    reasons: NDArray[np.object_]
    scale: HealthScale


def components(matrix: FeatureMatrix, scale: HealthScale) -> dict[str, Array]:
    """Each component between 0 (bad) and 1 (good), NaN where the customer's data don't say."""
    gap = np.where(matrix.column("gap_mean_days") > 0, matrix.column("gap_mean_days"), scale.gap_days)
    overdue = matrix.column("recency_days") / np.maximum(gap, 1)
    now, before = matrix.column("orders_90d"), matrix.column("orders_prev_90d")
    width = matrix.column("distinct_categories")
    if not np.isfinite(width).any():
        width = matrix.column("distinct_products")
    billed = matrix.column("usage_periods") > 0
    found = {
        # on time up to one usual gap, gone after six
        "recency_trend": np.interp(overdue, (0, 1, 2, 4, 6), (1.0, 0.9, 0.6, 0.2, 0.0)),
        # steady is near one; one order more or less counts little for a heavy buyer
        "frequency_trend": np.minimum(1, 2 * now / (now + before + 1)),
        "breadth": np.minimum(1, np.log1p(width) / np.log1p(max(scale.breadth, 1))),
        "support": np.interp(matrix.column("refund_share"), (0, 0.3), (1.0, 0.0)),
        "payment": np.where(
            billed, np.interp(matrix.column("late_payments_12m"), (0, 3), (1.0, 0.0)), np.nan
        ),
    }
    found["recency_trend"] = np.where(np.isfinite(overdue), found["recency_trend"], np.nan)
    found["support"] = np.where(np.isfinite(matrix.column("refund_share")), found["support"], np.nan)
    return {name: value for name, value in found.items() if np.isfinite(value).any()}


def scale_of(matrix: FeatureMatrix) -> HealthScale:
    """The scale of one day's customers."""
    gaps = matrix.column("gap_mean_days")
    width = matrix.column("distinct_categories")
    if not np.isfinite(width).any():
        width = matrix.column("distinct_products")
    first = HealthScale(_middle(gaps, 0.5, 90.0), _middle(width, 0.9, 1.0), {})
    means = {name: float(np.nanmean(value)) for name, value in components(matrix, first).items()}
    return HealthScale(first.gap_days, first.breadth, means)


def _middle(values: Array, share: float, otherwise: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.quantile(known, share, method="inverted_cdf")) if len(known) else otherwise


def health_scores(parts: Mapping[str, Array]) -> NDArray[np.int64]:
    """The weighted mean of the components a customer has, as a whole number; -1 where there is none."""
    names = list(parts)
    values = np.column_stack([parts[name] for name in names])
    weights = np.array([WEIGHTS[name] for name in names])
    known = np.isfinite(values)
    total, mass = np.zeros(len(values)), np.zeros(len(values))
    for place, weight in enumerate(weights):
        total += np.where(known[:, place], values[:, place], 0) * weight
        mass += known[:, place] * weight
    share = np.divide(total, mass, out=np.full(len(values), -0.01), where=mass > 0)
    return np.asarray(np.floor(100 * np.round(share, 9) + 0.5), dtype=np.int64)


def health_reasons(
    parts: Mapping[str, Array], means: Mapping[str, float], most: int = 3
) -> NDArray[np.object_]:
    """What moves each score furthest from the average customer's: `<component>_low` or `<component>_high`.

    Returns texts [n, most], None where a customer has fewer components.
    """
    names = list(parts)
    gaps = np.column_stack(
        [WEIGHTS[name] * (np.round(parts[name], 9) - means.get(name, 0.5)) for name in names]
    )
    known = np.isfinite(gaps)
    order = np.argsort(-np.where(known, np.abs(np.round(gaps, 9)), -1), axis=1, kind="stable")[:, :most]
    words = np.array([[f"{name}_low" for name in names], [f"{name}_high" for name in names]], dtype=object)
    told = np.full((len(gaps), most), None, dtype=object)
    told[:, : order.shape[1]] = words[(np.take_along_axis(gaps, order, 1) >= 0).astype(int), order]
    told[:, : order.shape[1]][~np.take_along_axis(known, order, 1)] = None
    return told


def health(matrix: FeatureMatrix, edges: tuple[int, int] = DEFAULT_EDGES) -> Health:
    """Scores, bands and reasons of one day's customers."""
    scale = scale_of(matrix)
    parts = components(matrix, scale)
    scores = health_scores(parts)
    places = np.searchsorted(np.asarray(edges), scores, side="right")
    bands = np.array(BANDS, dtype=object)[places]
    return Health(scores, bands, health_reasons(parts, scale.means), scale)


def fit_bands(scores: NDArray[np.int64], churned: NDArray[np.bool_]) -> tuple[int, int]:
    """The scores where the observed odds of churn fall to `ODDS` times and to 1/`ODDS` of all customers' odds.

    Observed churn is smoothed by isotonic regression (falling in the score). Returns (end of `at_risk`, start of
    `healthy`); 0 or 101 where a band has nobody.
    """
    model = load("sklearn.isotonic").IsotonicRegression(increasing=False, out_of_bounds="clip")
    model.fit(scores.astype(np.float64), churned.astype(np.float64))
    rate = np.clip(model.predict(np.arange(101, dtype=np.float64)), 1e-9, 1 - 1e-9)
    base = float(np.clip(np.mean(churned), 1e-9, 1 - 1e-9))
    ratio = (rate / (1 - rate)) / (base / (1 - base))
    risky, sound = np.flatnonzero(ratio >= ODDS), np.flatnonzero(ratio <= 1 / ODDS)
    watch = int(risky[-1]) + 1 if len(risky) else 0
    healthy = int(sound[0]) if len(sound) else 101
    return watch, max(watch, healthy)


def fit_health(past: Past, horizon_days: int, scoring: FeatureMatrix) -> tuple[Health, ModelCard]:
    """Health of the customers in `scoring`, with bands calibrated to churn (no order in `horizon_days`).

    Bands are fitted at the cut-off before last and tested at the last one, where history allows both.
    """
    cutoffs = past.cutoffs(horizon_days, 30, 2) if past.orders else []
    windows = [past.window(cutoff, horizon_days) for cutoff in cutoffs]
    gate = (
        check(MINIMUM["health"], buyers=len(windows[0].matrix), rarer_outcome=rarer(windows[0].bought))
        if windows
        else check(MINIMUM["health"], buyers=0)
    )
    weights = {name: WEIGHTS[name] for name in components(scoring, scale_of(scoring))} if len(scoring) else {}
    if not gate.ok:
        card = ModelCard("health", gate, {"weights": weights, "edges": DEFAULT_EDGES}, published=True, used="health",
                         notes=(note("predict.note_bands_uncalibrated"),))  # fmt: skip
        return health(scoring), card
    fitted = windows[-1]
    edges = fit_bands(health(fitted.matrix).scores, ~fitted.bought)
    tested = _quality(windows[0].cutoff, windows[0].matrix, ~windows[0].bought, edges)
    card = ModelCard(
        "health",
        gate,
        {"weights": weights, "edges": edges, "horizon_days": horizon_days, "odds": ODDS},
        quality={**tested, "seen_in_fit": len(windows) == 1},
        baseline=_recency_baseline(windows[0].cutoff, windows[0].matrix, ~windows[0].bought),
        published=True,
        used="health",
        fitted_on=fitted.cutoff,
    )
    return health(scoring, edges), card


def _quality(
    cutoff: date, matrix: FeatureMatrix, churned: NDArray[np.bool_], edges: tuple[int, int]
) -> dict[str, Any]:
    found = health(matrix, edges)
    bands = found.bands
    observed = {
        band: {
            "customers": int(np.count_nonzero(bands == band)),
            "churn": float(np.mean(churned[bands == band])) if np.any(bands == band) else None,
        }
        for band in BANDS
    }
    auc = quality(1 - found.scores / 100, churned)["auc"]
    return {
        "name": "health",
        "window": cutoff,
        "auc": auc,
        "base_rate": float(np.mean(churned)),
        "bands": observed,
    }


def _recency_baseline(cutoff: date, matrix: FeatureMatrix, churned: NDArray[np.bool_]) -> dict[str, Any]:
    recency = matrix.column("recency_days")
    p = recency / (np.nanmax(recency) + 1)
    return {"name": "recency", "window": cutoff, "auc": quality(p, churned)["auc"]}


__all__ = [
    "BANDS",
    "DEFAULT_EDGES",
    "WEIGHTS",
    "Health",
    "HealthScale",
    "components",
    "fit_bands",
    "fit_health",
    "health",
    "health_reasons",
    "health_scores",
    "scale_of",
]
