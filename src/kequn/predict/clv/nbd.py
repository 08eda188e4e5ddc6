"""NBD: purchases at a constant personal rate, and nobody leaves.

The rate is Gamma(r, alpha) over customers (Ehrenberg 1959). It is where BG/NBD, MBG/NBD and Pareto/NBD end when the
data show no dropout, so it is their fallback.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from kequn.errors import ModelError
from kequn.predict.clv.fit import Fit, WeakPrior, estimate
from kequn.predict.clv.history import History
from kequn.predict.clv.packing import aggregate
from kequn.predict.clv.special import (
    Array,
    broadcast,
    check_positive,
    log_gamma_ratio,
    negative_binomial,
)

_BLOCK = 1 << 13  # ages whose intermediate columns stay in the cache


@dataclass(frozen=True)
class Nbd:
    """Customers buy at a personal rate λ ~ Gamma(`r`, `alpha`) for ever; alpha is in units of time."""

    names: ClassVar[tuple[str, ...]] = ("r", "alpha")
    kind: ClassVar[str] = "nbd"
    r: float
    alpha: float

    def __post_init__(self) -> None:
        check_positive(r=self.r, alpha=self.alpha)

    def log_likelihood(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """ln L of each customer, in the convention of the BG/NBD paper (without the constant of x alone)."""
        counts, _, age = broadcast(x, t_x, T)
        return np.asarray(
            log_gamma_ratio(self.r, counts)
            - self.r * np.log1p(age / self.alpha)
            - counts * np.log(self.alpha + age)
        )

    def p_alive(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """Always 1: this model knows no leaving."""
        return np.ones(np.broadcast_shapes(np.shape(x), np.shape(t_x), np.shape(T)))

    def mean_if_alive(self, t: ArrayLike, x: ArrayLike, T: ArrayLike) -> Array:
        """E[purchases in (T, T + t]] of a customer with x repeat purchases who is active at T."""
        horizon, counts, age = broadcast(t, x, T)
        return np.asarray((self.r + counts) * (horizon / (self.alpha + age)))

    def expected_purchases(self, t: ArrayLike, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """E[purchases in (T, T + t] | x, t_x, T]."""
        return np.asarray(self.mean_if_alive(t, x, T) * self.p_alive(x, t_x, T))

    def expected_from_start(self, t: ArrayLike) -> Array:
        """E[X(t)] of a customer just won."""
        return self.mean_if_alive(t, 0, 0)

    def pmf(self, n: ArrayLike, t: ArrayLike) -> Array:
        """P(X(t) = n) of a customer just won."""
        return self.purchase_probability(n, t, 0, 0, 0)

    def purchase_probability(
        self, n: ArrayLike, t: ArrayLike, x: ArrayLike, t_x: ArrayLike, T: ArrayLike
    ) -> Array:
        """P(exactly n purchases in (T, T + t] | x, t_x, T)."""
        many, horizon, counts, _, age = broadcast(n, t, x, t_x, T)
        return negative_binomial(many, self.r + counts, self.alpha + age, horizon)

    def wait(self, probability: ArrayLike, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """Time after T by which the next purchase has come with `probability`; inf where it never gets so likely."""
        return wait_for_gamma_rate(probability, self.p_alive(x, t_x, T), self.r, self.alpha, x, T)


def wait_for_gamma_rate(
    probability: ArrayLike, p_alive: ArrayLike, r: float, alpha: float, x: ArrayLike, T: ArrayLike
) -> Array:
    """Solves p_alive · (1 - ((alpha+T) / (alpha+T+t))^(r+x)) = probability for t.

    It holds for every model in which an active customer can only leave by buying.
    """
    level, alive, counts, age = broadcast(probability, p_alive, x, T)
    with np.errstate(divide="ignore", over="ignore"):
        share = np.where(alive > level, level / np.maximum(alive, 1e-300), 1.0)
        return np.asarray((alpha + age) * np.expm1(-np.log1p(-share) / (r + counts)))


class NbdObjective:
    """Log-likelihood of the NBD with gradient and Hessian in (ln r, ln alpha)."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.x_weight = history.by_x(history.weight)
        self.age_weight = history.by_age(history.weight)
        self.age_purchases = history.by_age(history.weight * history.x)

    def __call__(self, theta: Array) -> tuple[float, Array, Array]:
        r, alpha = np.exp(theta)
        value, gradient, hessian = gamma_rate_terms(r, alpha, self.history.x_values, self.x_weight)
        for start in range(0, len(self.age_weight), _BLOCK):
            part = slice(start, start + _BLOCK)
            ages = alpha + self.history.age.values[part]
            log_age, share = np.log(ages), alpha / ages
            weight = r * self.age_weight[part] + self.age_purchases[part]
            in_r = float((self.age_weight[part] * log_age).sum()) * r
            in_both = float((self.age_weight[part] * share).sum()) * r
            value -= float((weight * log_age).sum())
            gradient -= [in_r, float((weight * share).sum())]
            hessian -= [[in_r, in_both], [in_both, float((weight * share * (1 - share)).sum())]]
        return value, gradient, hessian


def gamma_rate_terms(r: float, alpha: float, x: Array, weight: Array) -> tuple[float, Array, Array]:
    """Σ weight · [ln Γ(r+x) - ln Γ(r) + r ln alpha] with gradient and Hessian in (ln r, ln alpha)."""
    total = float(weight.sum())
    slope = float((weight * (special.psi(r + x) - special.psi(r))).sum()) + total * np.log(alpha)
    bend = float((weight * (special.polygamma(1, r + x) - special.polygamma(1, r))).sum())
    value = float((weight * log_gamma_ratio(r, x)).sum()) + total * r * np.log(alpha)
    hessian = np.array([[r * slope + r * r * bend, total * r], [total * r, 0.0]])
    return value, np.array([r * slope, total * r]), hessian


def require_repeats(history: History) -> None:
    """Raises ModelError where no rate can be learnt: nobody bought again, or no time has passed."""
    if history.repeat_buyers == 0:
        raise ModelError("predict.clv_no_repeat_buyers", customers=history.customers)
    if history.mean_age <= 0:
        raise ModelError("predict.clv_no_time", customers=history.customers)


def start_rate(history: History) -> dict[str, float]:
    """A first guess of r and alpha (in mean ages): half the customers' rates near 0, the mean rate as observed."""
    return {"r": 0.5, "alpha": 0.5 * history.customers / history.purchases}


def rescale(history: History) -> tuple[History, float, float]:
    """The history in mean ages, that unit, and what to add to the log-likelihood for it."""
    unit = history.mean_age
    return history.scaled(unit), unit, -history.purchases * float(np.log(unit))


def fit_nbd(x: ArrayLike, t_x: ArrayLike, T: ArrayLike, *, prior: WeakPrior | None = None) -> Fit[Nbd]:
    """Maximum-likelihood NBD. Arguments as in `aggregate`; raises as it does, and as `require_repeats`."""
    return fit_nbd_history(aggregate(x, t_x, T), prior)


def fit_nbd_history(history: History, prior: WeakPrior | None = None) -> Fit[Nbd]:
    """Maximum-likelihood NBD of an aggregated history."""
    require_repeats(history)
    scaled, unit, shift = rescale(history)
    found = estimate(NbdObjective(scaled), Nbd.names, start_rate(history), {"alpha": unit}, prior)
    return Fit(
        Nbd.kind, Nbd(**found.values), Nbd.names, found.values, found.errors, found.log_likelihood + shift,
        history.customers, len(history.x), found.evaluations, bool(found.extreme),
        ("predict.clv_equal_rates",) if found.extreme else (), prior, found.log_covariance,
    )  # fmt: skip
