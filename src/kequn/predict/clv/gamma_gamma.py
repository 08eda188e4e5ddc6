"""Gamma-Gamma: what an order of a customer is worth, from the mean of the orders seen so far.

Fader & Hardie 2013, "The Gamma-Gamma Model of Monetary Value" (note 025), after Colombo & Jiang 1999. One order of
a customer is Gamma(p, ν), ν varies over customers as Gamma(q, v); money must not depend on how often somebody buys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from kequn.errors import ModelError
from kequn.predict.clv.fit import Fit, WeakPrior, estimate
from kequn.predict.clv.history import History, Times
from kequn.predict.clv.packing import pack
from kequn.predict.clv.special import Array, broadcast, check_positive, log_gamma_ratio

# v in mean orders
WEAK = WeakPrior({"p": 4.0, "q": 4.0, "v": 1.0})

_DENSE = 1 << 21  # distinct means up to which counting them is cheaper than leaving them alone


@dataclass(frozen=True)
class GammaGamma:
    """The Gamma-Gamma model; `v` is in units of money.

    >>> model = GammaGamma(p=6.25, q=3.74, v=15.44)   # CDNOW, US dollars
    >>> round(float(model.expected_spend(count=2, mean=22.35)), 1)
    24.7
    """

    names: ClassVar[tuple[str, ...]] = ("p", "q", "v")
    kind: ClassVar[str] = "gamma_gamma"
    p: float
    q: float
    v: float

    def __post_init__(self) -> None:
        check_positive(p=self.p, q=self.q, v=self.v)

    @property
    def mean(self) -> float:
        """Mean order of a customer about whom nothing is known: p v / (q - 1); inf when q ≤ 1."""
        return self.p * self.v / (self.q - 1) if self.q > 1 else float("inf")

    def expected_spend(self, count: ArrayLike, mean: ArrayLike) -> Array:
        """E[money per order | the mean of `count` orders] (note 025, eq. 5), in the money of `v`.

        A mean of the customer's own orders and of everybody's; `count` 0 gives everybody's. A negative mean counts
        as 0, a missing one (NaN) as no order seen.
        """
        many, own = broadcast(count, mean)
        many = np.where(np.isnan(own), 0.0, many)
        total = np.where(many > 0, np.maximum(np.nan_to_num(own), 0) * many, 0.0)
        weight = self.p * many + self.q - 1
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(weight > 0, self.p * (self.v + total) / weight, np.inf)

    def log_likelihood(self, count: ArrayLike, mean: ArrayLike) -> Array:
        """ln density of each customer's mean of `count` orders (note 025, eq. 1a)."""
        many, own = broadcast(count, mean)
        shape = self.p * many
        return np.asarray(
            log_gamma_ratio(self.q, shape) - special.gammaln(shape) - self.q * np.log1p(many * own / self.v)
            - np.log(own) - shape * np.log1p(self.v / (many * own))
        )  # fmt: skip


class GammaGammaObjective:
    """Log-likelihood with gradient and Hessian in (ln p, ln q, ln v); one logarithm per distinct (count, mean)."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.count = history.x_values
        self.weight = history.by_x(history.weight)
        mean = history.last.rows
        self.total = history.x * mean
        log_mean = np.log(mean)
        self.log_mean = float((history.weight * log_mean).sum())
        self.log_total = history.by_x(history.weight * (log_mean + np.log(history.x)))

    def __call__(self, theta: Array) -> tuple[float, Array, Array]:
        p, q, v = np.exp(theta)
        x, w, n = self.count, self.weight, float(self.history.customers)
        all_ = p * x + q
        sums = self.total + v
        log_sum = self.history.by_x(self.history.weight * np.log(sums))
        inverse = self.history.weight / sums
        one, two = self.history.by_x(inverse), self.history.by_x(inverse / sums)
        value = (w * (log_gamma_ratio(q, p * x) - special.gammaln(p * x))).sum() + n * q * np.log(v)
        value += (p * x * self.log_total).sum() - self.log_mean - (all_ * log_sum).sum()
        psi_all, bend_all = special.psi(all_), special.polygamma(1, all_)
        in_p = (x * (w * (psi_all - special.psi(p * x)) + self.log_total - log_sum)).sum()
        in_q = (w * (psi_all - special.psi(q))).sum() + n * np.log(v) - log_sum.sum()
        in_v = n * q / v - (all_ * one).sum()
        gradient = np.array([p * in_p, q * in_q, v * in_v])
        h = np.zeros((3, 3))
        h[0, 0] = p * p * (w * x * x * (bend_all - special.polygamma(1, p * x))).sum() + p * in_p
        h[1, 1] = q * q * (w * (bend_all - special.polygamma(1, q))).sum() + q * in_q
        h[2, 2] = -n * q + v * v * (all_ * two).sum() + v * in_v
        h[0, 1] = p * q * (w * x * bend_all).sum()
        h[0, 2] = -p * v * (x * one).sum()
        h[1, 2] = q * (n - v * one.sum())
        return float(value), gradient, h + np.triu(h, 1).T


def fit_gamma_gamma(count: ArrayLike, mean: ArrayLike, *, prior: WeakPrior | None = None) -> Fit[GammaGamma]:
    """Maximum-likelihood Gamma-Gamma.

    `count`: orders behind each customer's mean, at least 1; `mean`: money per order, above 0. One entry per customer;
    leave out who has no such mean. Published fits use repeat orders of repeat buyers.

    Raises ModelError: `predict.clv_no_customers`, `predict.clv_bad_spend` (which row, how many),
    `predict.clv_constant_money` (all means equal: there is nothing to model), `predict.clv_not_converged`.
    """
    history = spend_history(count, mean)
    unit = float((history.weight * history.last.rows).sum() / history.customers)
    if np.ptp(history.last.rows) <= 1e-9 * unit:
        raise ModelError("predict.clv_constant_money", found=unit)
    objective = GammaGammaObjective(history.scaled(unit))
    found = estimate(objective, GammaGamma.names, {"p": 3.0, "q": 4.0, "v": 1.0}, {"v": unit}, prior)
    model = GammaGamma(**found.values)
    codes = ["predict.clv_equal_money"] if found.extreme else []
    if not np.isfinite(model.mean):
        codes.append("predict.clv_infinite_money")
    return Fit(
        GammaGamma.kind, model, GammaGamma.names, found.values, found.errors,
        found.log_likelihood - history.customers * float(np.log(unit)), history.customers, len(history.x),
        found.evaluations, bool(codes), tuple(codes), prior, found.log_covariance,
    )  # fmt: skip


def spend_history(count: ArrayLike, mean: ArrayLike) -> History:
    """Distinct (count, mean) with their customers; means of two decimals or whole minor units are gathered."""
    many, own = np.atleast_1d(np.asarray(count)), np.atleast_1d(np.asarray(mean))
    if not len(many):
        raise ModelError("predict.clv_no_customers")
    if many.shape != own.shape or many.ndim != 1:
        raise ModelError("predict.clv_lengths", found=[len(many), len(own)])
    bad = np.flatnonzero(~((many >= 1) & (many == np.floor(many)) & (own > 0) & (own < np.inf)))
    if len(bad):
        first = int(bad[0])
        raise ModelError(
            "predict.clv_bad_spend",
            row=first,
            count=float(many[first]),
            mean=float(own[first]),
            found=len(bad),
        )
    packed = pack(many, own, np.zeros(len(many), dtype=np.int8))
    if packed is not None and packed.last_bins <= _DENSE:
        return packed.history()
    order = np.argsort(many, kind="stable")
    nothing = Times(np.zeros(1), np.zeros(len(many), dtype=np.int64))
    return History(
        many[order].astype(np.int64),
        Times(own[order].astype(np.float64)),
        nothing,
        np.ones(len(many)),
        len(many),
    )
