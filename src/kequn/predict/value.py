"""Lifetime value of every buyer of a profile: columns, chances of a purchase, and the cards of the models behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kequn.errors import ModelError
from kequn.predict.card import ModelCard, note
from kequn.predict.covariates import Attributes
from kequn.predict.features import Array, FeatureMatrix
from kequn.predict.gates import Gate
from kequn.predict.past import Past
from kequn.predict.purchases import season_before, statistics_before
from kequn.predict.value_cards import Told, value_cards

if TYPE_CHECKING:
    from kequn.predict.clv import PurchaseModel, ValueSettings
    from kequn.predict.clv.tailored import Rows

HORIZONS = (6.0, 12.0, 24.0, 36.0)
RATES = (0.05, 0.1, 0.15)
"""What the sensitivity table shows beside the settings in use: months ahead and yearly discount rates."""


@dataclass(frozen=True)
class Value:
    """Columns by name, aligned with the matrix (NaN = undefined), the cards, and the purchase model
    of the distinct `rows` (None: no gate open), named by `method`."""

    columns: Mapping[str, Array]
    cards: tuple[ModelCard, ...]
    purchase: PurchaseModel | None = None
    method: str | None = None
    rows: Rows | None = None

    def buys_within(self, days: float) -> Array | None:
        """P(a purchase within `days`) by the purchase model, six decimals; None without one."""
        if self.purchase is None or self.rows is None:
            return None
        known = self.rows
        none = self.purchase.purchase_probability(0, days, known.x, known.t_x, known.T)
        return np.round(1 - np.clip(none, 0, 1), 6)[known.place]


def fit_value(
    past: Past,
    scoring: FeatureMatrix,
    settings: ValueSettings,
    minor_unit_digits: int = 2,
    attributes: Attributes | None = None,
) -> Value:
    """Lifetime value of the customers in `scoring` as of `past.as_of`; `attributes`: their covariates, if any are wanted.

    Columns named `_12m` always look twelve months ahead; `clv` is over the horizon of the settings.
    """
    from kequn.predict.clv import fit_models, lifetime_value, sensitivity
    from kequn.predict.clv.tailored import Rows

    statistics = statistics_before(past, past.as_of, scoring, settings, attributes)
    season = season_before(past, past.as_of)
    try:
        models = fit_models(statistics, settings.model, settings.opportunity_days)
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
    shown = [{**row, "clv": row["clv"] / 10**minor_unit_digits} for row in table]
    told = Told(past, whole, statistics, minor_unit_digits, attributes)
    rows = Rows.of(statistics)
    return Value(columns, value_cards(told, shown), models.model(rows.pattern), whole.method, rows)


__all__ = ["Value", "fit_value"]
