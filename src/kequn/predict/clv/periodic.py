"""BG/BB on a calendar: a week, month, quarter or year is one opportunity to buy.

The models of continuous time speak in days, so this one does too: t_x and T are days that stand for whole periods, and
a horizon that ends inside a period takes its part of it. x counts the periods with a purchase after the customer's first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from kequn.predict.clv.bg_bb import BgBb, fit_bg_bb_history
from kequn.predict.clv.fit import Fit, WeakPrior
from kequn.predict.clv.history import History, Times
from kequn.predict.clv.special import Array, broadcast

PERIODS = {"week": 7.0, "month": 365.25 / 12, "quarter": 365.25 / 4, "year": 365.25}
"""Days of each period that an opportunity may last."""
_LONGEST_WAIT_DAYS = 3652.5


@dataclass(frozen=True)
class PeriodicBgBb:
    """A BG/BB whose opportunities last `days`; what `PurchaseModel` asks, with all times in days."""

    kind: ClassVar[str] = "bg_bb"
    model: BgBb
    days: float

    def _periods(self, *times: ArrayLike) -> list[Array]:
        return [np.rint(np.asarray(time, dtype=np.float64) / self.days) for time in times]

    def p_alive(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """P(active in the coming period)."""
        return self.model.p_alive(x, *self._periods(t_x, T))

    def mean_if_alive(self, t: ArrayLike, x: ArrayLike, T: ArrayLike) -> Array:
        """E[periods with a purchase among those of the next t days] of a customer who is active in the coming one."""
        ahead, used, n = broadcast(np.asarray(t) / self.days, x, *self._periods(T))
        whole = np.floor(ahead)
        low, high = (self.model.mean_if_active(m, used, n) for m in (whole, whole + 1))
        return np.asarray(low + (ahead - whole) * (high - low))

    def expected_purchases(self, t: ArrayLike, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """E[periods with a purchase in (T, T + t] | x, t_x, T]."""
        return np.asarray(self.mean_if_alive(t, x, T) * self.p_alive(x, t_x, T))

    def expected_from_start(self, t: ArrayLike) -> Array:
        """E[X(t)] of a customer just won."""
        return self.expected_purchases(t, 0, 0, 0)

    def pmf(self, n: ArrayLike, t: ArrayLike) -> Array:
        """P(X(t) = n) of a customer just won."""
        return self.purchase_probability(n, t, 0, 0, 0)

    def purchase_probability(
        self, n: ArrayLike, t: ArrayLike, x: ArrayLike, t_x: ArrayLike, T: ArrayLike
    ) -> Array:
        """P(exactly n periods with a purchase in (T, T + t] | x, t_x, T)."""
        ahead = np.asarray(t, dtype=np.float64) / self.days
        whole, last, age = np.floor(ahead), *self._periods(t_x, T)
        low, high = (self.model.purchase_probability(n, m, x, last, age) for m in (whole, whole + 1))
        return np.asarray(low + (ahead - whole) * (high - low))

    def wait(self, probability: ArrayLike, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """Days after T by which the next purchase has come with `probability`; inf where it takes over ten years."""
        level, used, last, n = broadcast(probability, x, *self._periods(t_x, T))
        found, before = np.full(level.shape, np.inf), np.zeros(level.shape)
        for m, silent in enumerate(self.model.silent_through(used, last, n), start=1):
            bought = 1 - silent
            now = ~np.isfinite(found) & (bought >= level)
            step = np.maximum(bought - before, 1e-300)
            found = np.where(now, (m - 1 + (level - before) / step) * self.days, found)
            before = bought
            if m * self.days >= _LONGEST_WAIT_DAYS or np.all(np.isfinite(found)):
                return found
        return found


def fit_periodic(history: History, days: float, prior: WeakPrior | None = None) -> Fit[PeriodicBgBb]:
    """Maximum-likelihood BG/BB of a history in days whose opportunities last `days`; raises as `fit_bg_bb`."""
    last, age = (Times(np.rint(times.values / days), times.codes) for times in (history.last, history.age))
    found = fit_bg_bb_history(History(history.x, last, age, history.weight, history.customers), prior)
    return Fit(**{**vars(found), "model": PeriodicBgBb(found.model, days)})


__all__ = ["PERIODS", "PeriodicBgBb", "fit_periodic"]
