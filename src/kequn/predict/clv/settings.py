"""Settings of lifetime value, checked when they are made."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kequn.errors import ModelError
from kequn.predict.clv.choose import MODELS, MONTH
from kequn.predict.clv.special import Array

_LONGEST = 1200.0  # months


@dataclass(frozen=True)
class ValueSettings:
    """How lifetime value is counted.

    `horizon_months` 0 to 1,200; `period_months`: length of a period; `discount_rate` per year, 0 to 1 (0.1 = 10 %);
    `margin`: share of a purchase's money that is profit, 0 to 1 (1 counts revenue); `model`: a name of `MODELS`;
    `soon_days`: the N of "will buy within N days"; `opportunity_days`: how long an opportunity of the BG/BB lasts.

    Raises ModelError `predict.clv_bad_setting`.
    """

    horizon_months: float = 12.0
    period_months: float = 1.0
    discount_rate: float = 0.1
    margin: float = 1.0
    model: str = "auto"
    soon_days: float = 30.0
    opportunity_days: float = MONTH

    def __post_init__(self) -> None:
        limits = {
            "horizon_months": (0.0, _LONGEST), "period_months": (0.25, _LONGEST), "discount_rate": (0.0, 1.0),
            "margin": (0.0, 1.0), "soon_days": (0.0, 36_525.0),
            "opportunity_days": (1.0, 366.0),
        }  # fmt: skip
        for name, (low, high) in limits.items():
            found = getattr(self, name)
            if not (math.isfinite(found) and low <= found <= high):
                raise ModelError("predict.clv_bad_setting", name=name, found=found, low=low, high=high)
        if self.model not in MODELS:
            raise ModelError("predict.clv_unknown_model", name=self.model, known=list(MODELS))

    def edges_months(self) -> Array:
        """Ends of the periods, from 0 to the horizon; the last period may be short."""
        whole = np.arange(0, self.horizon_months, self.period_months)
        return np.append(whole, self.horizon_months) if self.horizon_months > 0 else np.zeros(1)

    def discounts(self, periods: int) -> Array:
        """Present value of 1 in the middle of each whole period."""
        years = (np.arange(periods) + 0.5) * self.period_months / 12
        return np.asarray((1 + self.discount_rate) ** -years)
