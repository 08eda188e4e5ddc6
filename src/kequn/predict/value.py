"""Lifetime value of every buyer of a profile, and the cards of the models behind it.

The models live in `predict.clv`; here profile columns become their sufficient statistics. Ages are counted from day to
day, up to the last day before `as_of`: T = tenure_days - 1, t_x = tenure_days - recency_days, as the papers count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from kequn.errors import ModelError
from kequn.predict.card import ModelCard, note
from kequn.predict.features import Array, FeatureMatrix
from kequn.predict.gates import Gate
from kequn.predict.labels import repeat_orders_by_month, totals_between
from kequn.predict.past import Past

if TYPE_CHECKING:
    from kequn.predict.clv import LifetimeValue, PurchaseModel, Season, Statistics, ValueSettings

DAYS_PER_WEEK = 7.0
HORIZONS = (6.0, 12.0, 24.0, 36.0)
RATES = (0.05, 0.1, 0.15)
"""What the sensitivity table shows beside the settings in use: months ahead and yearly discount rates."""
IN_TIME = ("alpha", "beta")
"""Parameters that are times: printed in weeks, as in the papers."""


@dataclass(frozen=True)
class Value:
    """Columns by name, aligned with the matrix (NaN = undefined), the cards, and the purchase model (None: no gate open)."""

    columns: Mapping[str, Array]
    cards: tuple[ModelCard, ...]
    purchase: PurchaseModel | None = None
    statistics: Statistics | None = None

    def buys_within(self, days: float) -> Array | None:
        """P(a purchase within `days`) by the purchase model, six decimals; None without one."""
        if self.purchase is None or self.statistics is None:
            return None
        known = self.statistics
        none = self.purchase.purchase_probability(0, days, known.x, known.t_x, known.T)
        return np.round(1 - np.clip(none, 0, 1), 6)


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


def season_before(past: Past, day: date) -> Season:
    """Seasonal multipliers learnt from the whole months before a day; flat below their gate."""
    from kequn.predict.clv import estimate_season
    from kequn.predict.clv.season import flat_season

    if not past.orders:
        return flat_season()
    first, counts = repeat_orders_by_month(past.orders, day)
    return estimate_season(first, counts) if first is not None else flat_season()


def fit_value(
    past: Past, scoring: FeatureMatrix, settings: ValueSettings, minor_unit_digits: int = 2
) -> Value:
    """Lifetime value of the customers in `scoring` as of `past.as_of`.

    Columns named `_12m` always look twelve months ahead; `clv` is over the horizon of the settings.
    """
    from kequn.predict.clv import fit_models, lifetime_value, sensitivity

    statistics = statistics_of(scoring)
    season = season_before(past, past.as_of)
    try:
        models = fit_models(statistics, settings.model)
        year = lifetime_value(
            statistics, replace(settings, horizon_months=12.0), as_of=past.as_of, season=season, models=models
        )
        whole = year
        if settings.horizon_months != 12:
            whole = lifetime_value(statistics, settings, as_of=past.as_of, season=season, models=models)
        table = sensitivity(
            statistics, settings, models=models, as_of=past.as_of, season=season,
            horizons_months=sorted({*HORIZONS, settings.horizon_months}),
            discount_rates=sorted({*RATES, settings.discount_rate}),
        )  # fmt: skip
    except ModelError as error:
        reason = note(error.code, **error.fields)
        return Value(
            {}, (ModelCard("clv", Gate(False, "predict.gate_buyers", 1, len(scoring)), notes=(reason,)),)
        )
    columns = {
        "p_alive": year.p_alive,
        "expected_orders_12m": year.expected_purchases,
        "expected_revenue_12m": year.expected_revenue,
        "clv_12m": year.clv,
        "clv": whole.clv,
        "next_order_days": np.where(year.wait_days <= 3650, np.ceil(year.wait_days), np.nan),
    }
    model = models.choice.fit.model if models.choice.fit is not None else None
    shown = [{**row, "clv": row["clv"] / 10**minor_unit_digits} for row in table]
    return Value(columns, _cards(past, whole, statistics, minor_unit_digits, shown), model, statistics)


def _cards(
    past: Past, found: LifetimeValue, statistics: Statistics, digits: int, table: Sequence[Mapping[str, Any]]
) -> tuple[ModelCard, ...]:
    """One card per purchase model; the one in use also has the sensitivity `table` (money in major units)."""
    method = found.choice.fit.kind if found.choice.fit is not None else found.settings.model
    quality, baseline = _held_out(past, replace(found.settings, model=method))
    repeats = float(statistics.x.sum())
    cards = []
    for fit in found.choice.tried:
        used = fit.kind == found.method
        cards.append(
            ModelCard(
                fit.kind,
                _gate(found, fit.kind),
                {**_in_weeks(fit.as_record(), found), "sensitivity": table}
                if used
                else _in_weeks(fit.as_record()),
                log_likelihood=fit.log_likelihood + repeats * math.log(DAYS_PER_WEEK),
                quality=quality if used else None,
                baseline=baseline if used else None,
                published=used,
                used=found.method,
                fitted_on=past.as_of,
                notes=tuple(note(code) for code in fit.warnings),
            )
        )
    if found.choice.fit is None:
        notes = tuple(note(code) for code in found.warnings)
        cards.append(
            ModelCard(
                "clv",
                _gate(found),
                {"sensitivity": table},
                quality=quality,
                baseline=baseline,
                used=found.method,
                notes=notes,
            )
        )
    cards.append(_spend_card(past, found, digits))
    return tuple(cards)


def _gate(found: LifetimeValue, model: str | None = None) -> Gate:
    """The first gate of a model that fails, else its last."""
    gates = [
        gate for gate in found.gates if gate.model == model or (model is None and gate.model != "season")
    ]
    for gate in [*(gate for gate in gates if not gate.ok), *gates]:
        return Gate(gate.ok, gate.code, gate.needed, gate.found)
    return Gate(True, "predict.gate_none", 0, 0)


def _in_weeks(record: Mapping[str, Any], found: LifetimeValue | None = None) -> dict[str, Any]:
    """Parameters of a purchase model with times in weeks; the settings beside those of the model in use."""
    told: dict[str, Any] = {
        name: value / DAYS_PER_WEEK if name in IN_TIME else value
        for name, value in record["parameters"].items()
    }
    told["standard_errors"] = {
        name: None if value is None else value / DAYS_PER_WEEK if name in IN_TIME else value
        for name, value in record["standard_errors"].items()
    }
    told |= {"time_unit": "week", "customers": record["customers"], "boundary": record["boundary"]}
    if found is not None:
        how = found.settings
        told |= {
            "horizon_months": how.horizon_months,
            "discount_rate": how.discount_rate,
            "margin": how.margin,
            "season": list(found.season.index) if found.season.known else None,
        }
    return told


def _spend_card(past: Past, found: LifetimeValue, digits: int) -> ModelCard:
    """Gamma-Gamma with money in major units: `v` is an amount, and a density per yuan is 100 times one per fen."""
    if found.spend is None:
        return ModelCard("gamma_gamma", _gate(found, "gamma_gamma"), used="own_mean")
    record, unit = found.spend.as_record(), 10.0**digits
    told = dict(record["parameters"])
    errors = dict(record["standard_errors"])
    for figures in (told, errors):
        if figures.get("v") is not None:
            figures["v"] /= unit
    return ModelCard(
        "gamma_gamma",
        _gate(found, "gamma_gamma"),
        {**told, "standard_errors": errors, "money_unit": "major", "customers": record["customers"]},
        log_likelihood=record["log_likelihood"] + record["customers"] * math.log(unit),
        published=True,
        used="gamma_gamma",
        fitted_on=past.as_of,
        notes=tuple(note(code) for code in found.spend.warnings),
    )


def _held_out(past: Past, settings: ValueSettings) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Quality of the model on the last third of the history (30 to 360 days), and of the best naive baseline."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from kequn.predict.clv import holdout_quality

    days = (
        min((past.as_of - past.start).days // 3, 365) // 30 * 30
    )  # whole 30 days: a cut-off that others use too
    if days < 30 or not past.orders:
        return None, None
    cut = past.as_of - timedelta(days=days)
    matrix = past.features(cut)
    if not len(matrix):
        return None, None
    happened = totals_between(past.orders, cut, past.as_of)
    place = pc.index_in(matrix.customer_ids, value_set=happened.column("customer_id").cast(pa.string()))
    at = np.asarray(pc.fill_null(place, -1).to_numpy(zero_copy_only=False))
    bought = np.append(happened.column("days").to_numpy(), 0)[at].astype(np.float64)
    spent = np.append(happened.column("amount").to_numpy(), 0)[at].astype(np.float64)
    try:
        measured = holdout_quality(
            statistics_of(matrix), bought, spent, days, settings, as_of=cut, season=season_before(past, cut)
        )
    except ModelError as error:
        return {"window": cut, "error": error.code}, None
    records = [score.as_record() for score in measured.money]
    best = min(records[1:], key=lambda record: record["mae"] if record["mae"] is not None else math.inf)
    shown = {
        "window": cut,
        "holdout_days": days,
        "customers": measured.customers,
        **records[0],
        "purchases": [score.as_record() for score in measured.purchases],
        "beats_baselines": measured.beats_baselines,
    }
    return shown, {"window": cut, **best, "all": records[1:]}


__all__ = ["Value", "fit_value", "season_before", "statistics_of"]
