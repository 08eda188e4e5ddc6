"""Customer lifetime value and what goes with it, for every customer.

CLV = Σ over periods k of P(alive) · E[purchases in period k | alive] · season_k · margin per purchase / (1 + d)^(t_k),
t_k the middle of period k in years. Discounting at the middle of the whole period, even when the horizon ends inside it,
keeps CLV monotone: a longer horizon only adds terms that are not negative.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kequn.errors import ModelError
from kequn.predict.clv import baseline
from kequn.predict.clv.choose import PurchaseModel
from kequn.predict.clv.fit import Fit
from kequn.predict.clv.gamma_gamma import GammaGamma
from kequn.predict.clv.gate import Gate
from kequn.predict.clv.models import Models, fit_models
from kequn.predict.clv.season import DAYS_PER_MONTH, Season, flat_season
from kequn.predict.clv.settings import ValueSettings
from kequn.predict.clv.special import Array
from kequn.predict.clv.statistics import Statistics
from kequn.predict.clv.tailored import Rows


@dataclass(frozen=True)
class LifetimeValue:
    """Figures aligned with the statistics they came from, and how they were made.

    Money is in whole minor units, everything else rounded to six decimals; NaN = undefined (no model could be fitted,
    no mean is known). A purchase is a purchase day, with BG/BB a period with a purchase. `wait_days` is the time by which the next purchase has come with probability one half; NaN for a
    customer who is more likely not to come back. `method` is the purchase model used, or `mean_times_rate` when no
    gate was open: then `p_alive`, `p_soon` and `wait_days` are NaN, for that estimate knows nothing of them.
    """

    p_alive: Array
    expected_purchases: Array
    expected_spend: Array
    expected_revenue: Array
    clv: Array
    p_soon: Array
    wait_days: Array
    baseline_rate: Array
    baseline_last_year: Array | None
    method: str
    settings: ValueSettings
    models: Models
    season: Season
    gates: tuple[Gate, ...]
    warnings: tuple[str, ...]
    clv_by_period: Array = field(repr=False)  # undiscounted margin of all customers, one entry per period


def lifetime_value(
    statistics: Statistics,
    settings: ValueSettings | None = None,
    *,
    as_of: date | None = None,
    season: Season | None = None,
    models: Models | None = None,
) -> LifetimeValue:
    """Lifetime value, P(alive), expected purchases and money of every customer.

    `statistics`: one entry per customer with a purchase. `season` (with `as_of`, the day after the last day of the
    statistics) corrects each period; `models` are those of `fit_models`, fitted here unless given. Each figure is
    computed once per distinct (x, t_x, T), so equal customers get equal figures on every engine.

    Raises ModelError: `predict.clv_no_customers`, `predict.clv_bad_history`, `predict.clv_season_without_date`.

    >>> from kequn.predict.clv import Statistics, ValueSettings, lifetime_value
    >>> few = Statistics.of(x=[2, 0], t_x=[40, 0], T=[90, 30], mean_spend=[5000, 1200])
    >>> lifetime_value(few, ValueSettings(horizon_months=0)).clv.tolist()
    [0.0, 0.0]
    """
    how = settings or ValueSettings()
    if season is not None and season.known and as_of is None:
        raise ModelError("predict.clv_season_without_date")
    made = models or fit_models(statistics, how.model, how.opportunity_days)
    year = season or flat_season()
    edges = how.edges_months() * DAYS_PER_MONTH
    levels = year.levels(as_of or date(2000, 1, 1), statistics.T, edges)
    rows = Rows.of(statistics)
    spend = _expected_spend(statistics, made.spend)
    model = made.model(rows.pattern)
    if model is None:
        alive, soon, wait = (np.full(len(statistics), np.nan) for _ in range(3))
        ahead = _steady_purchases(statistics, edges)
        reach = np.ones(len(statistics))
    else:
        alive, soon, wait = (v[rows.place] for v in _chances(model, rows, how.soon_days))
        ahead = _purchases_if_alive(made, rows, edges)
        reach = alive
    total = _add_up(ahead, levels, how.discounts(len(levels)), reach * spend)
    purchases, present = reach * total.plain, reach * total.present * spend * how.margin
    days = float(edges[-1])
    year_spend = baseline.last_year(statistics, days)
    return LifetimeValue(
        p_alive=np.round(alive, 6),
        expected_purchases=np.round(purchases, 6),
        expected_spend=_whole(spend),
        expected_revenue=_whole(purchases * spend),
        clv=_whole(present),
        p_soon=np.round(soon, 6),
        wait_days=np.round(_undefined_if_never(wait), 6),
        baseline_rate=_whole(baseline.mean_times_rate(statistics, days)[1]),
        baseline_last_year=None if year_spend is None else _whole(year_spend),
        method="mean_times_rate" if made.fit is None else made.fit.kind,
        settings=how,
        models=made,
        season=year,
        gates=(*made.gates, year.gate),
        warnings=made.warnings,
        clv_by_period=total.by_period * how.margin,
    )


@dataclass(frozen=True)
class _Ahead:
    """Purchases of an active customer period by period, per group of customers with equal figures."""

    steps: Iterator[Array]
    group: NDArray[np.int64]
    groups: int


@dataclass(frozen=True)
class _Total:
    plain: Array  # per customer: purchases over the horizon if active
    present: Array  # the same, each period discounted
    by_period: Array  # per period: money of all customers


def _add_up(ahead: _Ahead, levels: Array, discounts: Array, money: Array) -> _Total:
    plain, present = np.zeros(ahead.groups), np.zeros(ahead.groups)
    by_period = np.zeros(len(levels))
    weight = np.bincount(ahead.group, weights=np.nan_to_num(money), minlength=ahead.groups)
    for k, step in enumerate(ahead.steps):
        plain += step * levels[k]
        present += step * (levels[k] * discounts[k])
        by_period[k] = (np.nan_to_num(step) * weight).sum() * levels[k]
    return _Total(plain[ahead.group], present[ahead.group], by_period)


def _undefined_if_never(wait: Array) -> Array:
    return np.where(np.isfinite(wait), wait, np.nan)


def _whole(money: Array) -> Array:
    """Whole minor units, halves up."""
    return np.asarray(np.floor(money + 0.5))


def _expected_spend(statistics: Statistics, fit: Fit[GammaGamma] | None) -> Array:
    """Money per future purchase: Gamma-Gamma's, or the customer's own mean where that could not be fitted."""
    if fit is None:
        return baseline.mean_spend(statistics)
    mean = np.rint(statistics.mean_spend)
    return fit.model.expected_spend(np.where(np.isfinite(mean), statistics.orders, 0), np.nan_to_num(mean))


def _chances(model: PurchaseModel, rows: Rows, soon_days: float) -> tuple[Array, Array, Array]:
    """P(alive), P(a purchase within `soon_days`) and the median wait of each distinct row."""
    known = rows.x, rows.t_x, rows.T
    soon = 1 - model.purchase_probability(0, soon_days, *known)
    return model.p_alive(*known), np.clip(soon, 0, 1), model.wait(0.5, *known)


def _purchases_if_alive(models: Models, rows: Rows, edges: Array) -> _Ahead:
    """Purchases if active hang on x, T and pattern alone, so they are computed once per distinct three."""
    span = float(rows.T.max(initial=0)) + 1
    key, group = np.unique(rows.x + 1j * (rows.T + span * rows.pattern), return_inverse=True)
    x, (pattern, T) = key.real, np.divmod(key.imag, span)
    model = models.model(pattern.astype(np.int64))
    assert model is not None

    def steps() -> Iterator[Array]:
        reached = np.zeros(len(x))
        for edge in edges[1:]:
            now = np.maximum(model.mean_if_alive(edge, x, T), reached)
            yield now - reached
            reached = now

    return _Ahead(steps(), group[rows.place], len(x))


def _steady_purchases(statistics: Statistics, edges: Array) -> _Ahead:
    rate = baseline.own_rate(statistics)
    return _Ahead((rate * step for step in np.diff(edges)), np.arange(len(statistics)), len(statistics))


def sensitivity(
    statistics: Statistics,
    settings: ValueSettings,
    *,
    horizons_months: Sequence[float] = (6, 12, 24, 36),
    discount_rates: Sequence[float] = (0.05, 0.1, 0.15),
    margins: Sequence[float] = (),
    models: Models | None = None,
    as_of: date | None = None,
    season: Season | None = None,
) -> list[dict[str, Any]]:
    """Total lifetime value of all customers (minor units) for each combination of settings; models are fitted once.

    Rows have `horizon_months`, `discount_rate`, `margin`, `clv`. Totals are of unrounded figures.
    """
    made = models or fit_models(statistics, settings.model, settings.opportunity_days)
    whole = [month for month in horizons_months if month % settings.period_months == 0]
    longest = max(whole, default=0)
    shared = _undiscounted(statistics, replace(settings, horizon_months=longest), made, as_of, season)
    rows: list[dict[str, Any]] = []
    for horizon in horizons_months:
        how = replace(settings, horizon_months=horizon)
        count = len(how.edges_months()) - 1
        # a horizon of whole periods is the beginning of the longest one
        periods = shared[:count] if horizon in whole else _undiscounted(statistics, how, made, as_of, season)
        for rate in discount_rates:
            total = float((periods * replace(how, discount_rate=rate).discounts(count)).sum())
            for margin in margins or (settings.margin,):
                rows.append({
                    "horizon_months": horizon, "discount_rate": rate, "margin": margin,
                    "clv": float(np.floor(total * margin + 0.5)),
                })  # fmt: skip
    return rows


def _undiscounted(
    statistics: Statistics, how: ValueSettings, models: Models, as_of: date | None, season: Season | None
) -> Array:
    """Expected money of all customers period by period, before margin and discount."""
    year = season or flat_season()
    edges = how.edges_months() * DAYS_PER_MONTH
    levels = year.levels(as_of or date(2000, 1, 1), statistics.T, edges)
    spend, rows = _expected_spend(statistics, models.spend), Rows.of(statistics)
    model = models.model(rows.pattern)
    if model is None:
        ahead, reach = _steady_purchases(statistics, edges), np.ones(len(statistics))
    else:
        reach = model.p_alive(rows.x, rows.t_x, rows.T)[rows.place]
        ahead = _purchases_if_alive(models, rows, edges)
    return _add_up(ahead, levels, np.ones(len(levels)), reach * spend).by_period
