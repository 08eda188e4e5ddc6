"""Pareto/NBD: customers buy at a personal rate and leave after an unobserved, personal lifetime.

Schmittlein, Morrison & Colombo 1987, *Management Science* 33(1); formulas as in Fader & Hardie 2005, "A Note on
Deriving the Pareto/NBD Model", and Fader, Hardie & Lee 2005, *J. of Marketing Research* 42 (DERT). Rates are
Gamma(r, alpha), death rates Gamma(s, beta).

The papers write the likelihood with ₂F₁. We keep the integral it came from, over the time of death τ in (t_x, T), on
Gauss-Legendre nodes in ln(min(alpha, beta) + τ): it has no case distinction, overflows nowhere, and gradient and Hessian
are averages over the same nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from kequn.predict.clv.special import (
    Array,
    broadcast,
    check_positive,
    composite_legendre,
    discounted_survival,
    legendre,
    log_gamma_ratio,
    negative_binomial,
)

NODES = 28


@dataclass(frozen=True)
class DeathTimes:
    """Quadrature over when a customer may have died: for each node and customer, time and ln of the weighted density.

    `log_alive` is ln of the same quantity for being alive at T; a common factor of both is left out.
    """

    time: Array
    log_density: Array
    log_alive: Array

    @classmethod
    def between(
        cls, r: float, alpha: float, s: float, beta: float, x: Array, t_x: Array, T: Array
    ) -> DeathTimes:
        points, weights = (v[:, None] for v in legendre(NODES))
        n, low = r + x, min(alpha, beta)
        # after 40 e-foldings of the purchase term nothing is left to integrate
        end = np.minimum(T, t_x + (alpha + t_x) * np.expm1(np.minimum(40 / n, 600.0)))
        span = np.log1p((end - t_x) / (low + t_x))
        time = t_x + (low + t_x) * np.expm1(span * points)
        with np.errstate(divide="ignore"):
            log_density = np.log(weights * span) + np.log(low + time) + np.log(s)
        log_density -= n * np.log(alpha + time) + (s + 1) * np.log(beta + time)
        return cls(time, log_density, -n * np.log(alpha + T) - s * np.log(beta + T))

    def shares(self) -> tuple[Array, Array, Array]:
        """ln of the total, probability of each death time, probability of being alive."""
        top = np.maximum(self.log_alive, self.log_density.max(axis=0))
        dead, alive = np.exp(self.log_density - top), np.exp(self.log_alive - top)
        total = dead.sum(axis=0) + alive
        return top + np.log(total), dead / total, alive / total


@dataclass(frozen=True)
class ParetoNbd:
    """The Pareto/NBD with its four parameters; `alpha` and `beta` are in the unit of time of t_x and T.

    >>> model = ParetoNbd(r=0.553, alpha=10.578, s=0.606, beta=11.669)   # CDNOW, time in weeks
    >>> round(float(model.expected_from_start(52)), 3)
    1.473
    """

    names: ClassVar[tuple[str, ...]] = ("r", "alpha", "s", "beta")
    kind: ClassVar[str] = "pareto_nbd"
    r: float
    alpha: float
    s: float
    beta: float

    def __post_init__(self) -> None:
        check_positive(r=self.r, alpha=self.alpha, s=self.s, beta=self.beta)

    def _deaths(self, x: Array, t_x: Array, T: Array) -> DeathTimes:
        return DeathTimes.between(self.r, self.alpha, self.s, self.beta, x, t_x, T)

    def log_likelihood(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """ln L of each customer (Fader & Hardie 2005, before the integral over τ is solved)."""
        counts, last, age = (np.atleast_1d(v) for v in broadcast(x, t_x, T))
        constant = log_gamma_ratio(self.r, counts) + self.r * np.log(self.alpha) + self.s * np.log(self.beta)
        total = self._deaths(counts.ravel(), last.ravel(), age.ravel()).shares()[0]
        return np.asarray(constant + total.reshape(counts.shape))

    def p_alive(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """P(still active at T | x, t_x, T), between 0 and 1."""
        counts, last, age = broadcast(x, t_x, T)
        flat, step = np.empty(counts.size), 1 << 15
        for start in range(0, counts.size, step):
            part = slice(start, start + step)
            flat[part] = self._deaths(counts.ravel()[part], last.ravel()[part], age.ravel()[part]).shares()[2]
        return flat.reshape(counts.shape)

    def mean_if_alive(self, t: ArrayLike, x: ArrayLike, T: ArrayLike) -> Array:
        """E[purchases in (T, T + t]] of a customer with x repeat purchases who is active at T."""
        horizon, counts, age = broadcast(t, x, T)
        return np.asarray(
            (self.r + counts) * ((self.beta + age) / (self.alpha + age)) * self._life(horizon, age)
        )

    def _life(self, t: Array, T: Array) -> Array:
        """Mean time alive within the next t, in units of beta + T: [1 - (1 + t/(beta+T))^(1-s)] / (s - 1)."""
        growth = np.log1p(t / (self.beta + T))
        bend = (self.s - 1) * growth
        ratio = np.where(np.abs(bend) < 1e-8, 1 - bend / 2, -np.expm1(-bend) / np.where(bend == 0, 1, bend))
        return np.asarray(growth * ratio)

    def expected_purchases(self, t: ArrayLike, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """E[purchases in (T, T + t] | x, t_x, T]."""
        return np.asarray(self.mean_if_alive(t, x, T) * self.p_alive(x, t_x, T))

    def expected_from_start(self, t: ArrayLike) -> Array:
        """E[X(t)] of a customer just won."""
        return self.mean_if_alive(t, 0, 0)

    def discounted_expected_purchases(self, rate: float, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """DERT: expected purchases after T for ever, discounted continuously at `rate` per unit of time.

        P(alive) · (r+x)/(alpha+T) · δ^(s-1) (beta+T)^s Ψ(s, s; δ(beta+T)) (Fader, Hardie & Lee 2005, *JMR* 42).
        """
        check_positive(rate=rate)
        counts, last, age = broadcast(x, t_x, T)
        ages, where = np.unique(age, return_inverse=True)
        per_age = (
            (self.beta + ages) * discounted_survival(self.s, rate * (self.beta + ages)) / (self.alpha + ages)
        )
        return np.asarray(
            self.p_alive(counts, last, age) * (self.r + counts) * per_age[where].reshape(age.shape)
        )

    def pmf(self, n: ArrayLike, t: ArrayLike) -> Array:
        """P(X(t) = n) of a customer just won."""
        return self.purchase_probability(n, t, 0, 0, 0)

    def purchase_probability(
        self, n: ArrayLike, t: ArrayLike, x: ArrayLike, t_x: ArrayLike, T: ArrayLike
    ) -> Array:
        """P(exactly n purchases in (T, T + t] | x, t_x, T), integrated over the time of death; good for n ≤ 1,000."""
        many, horizon, counts, last, age = broadcast(n, t, x, t_x, T)
        alive = self.p_alive(counts, last, age)
        return np.asarray(alive * self._pmf_if_alive(many, horizon, counts, age) + (1 - alive) * (many == 0))

    def _nothing_if_alive(self, t: Array, x: Array, T: Array) -> Array:
        """P(no purchase in (T, T + t] | active at T): still active, or gone before buying again."""
        shape = tuple(np.broadcast_shapes(t.shape, x.shape, T.shape))
        horizon, counts, age = (np.broadcast_to(v, shape).ravel() for v in (t, x, T))
        total = self._deaths(counts, age, age + horizon).shares()[0]
        now = -(self.r + counts) * np.log(self.alpha + age) - self.s * np.log(self.beta + age)
        return np.asarray(np.exp(np.minimum(total - now, 0)).reshape(shape))

    def _pmf_if_alive(self, n: Array, t: Array, x: Array, T: Array) -> Array:
        if not n.any():
            return self._nothing_if_alive(t, x, T)
        shape, alpha, beta = self.r + x, self.alpha + T, self.beta + T
        total = negative_binomial(n, shape, alpha, t) * np.exp(-self.s * np.log1p(t / beta))
        low = np.minimum(alpha, beta)
        span = np.log1p(t / low)
        for point, weight in zip(*composite_legendre(16, 16), strict=True):
            time = low * np.expm1(span * point)
            density = self.s / (beta + time) * np.exp(-self.s * np.log1p(time / beta)) * (low + time)
            total = total + weight * span * density * negative_binomial(n, shape, alpha, time)
        return np.where(n == 0, self._nothing_if_alive(t, x, T), np.minimum(total, 1.0))

    def wait(self, probability: ArrayLike, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """Time after T by which the next purchase has come with `probability`; inf where it never gets so likely.

        Newton's method from 0: the chance to have bought grows and flattens with time, so it never overshoots.
        """
        level, counts, last, age = (v.ravel() for v in broadcast(probability, x, t_x, T))
        alive = self.p_alive(counts, last, age)
        time = np.where(alive > level, 0.0, np.inf)
        left = np.flatnonzero((alive > level) & (level > 0))
        for _ in range(80):
            if not len(left):
                break
            t, n, at = time[left], counts[left], age[left]
            short = level[left] - alive[left] * (1 - self._nothing_if_alive(t, n, at))
            chance = alive[left] * (self.r + n) / (self.alpha + at + t)
            chance *= np.exp(
                -(self.r + n) * np.log1p(t / (self.alpha + at)) - self.s * np.log1p(t / (self.beta + at))
            )
            step = short / np.maximum(chance, 1e-300)
            time[left] = t + np.maximum(step, 0)
            left = left[(step > 1e-12 * (self.beta + at + t)) & (short > 1e-14)]
            lost = time[left] > 1e15 * (self.alpha + self.beta + age[left])
            time[left[lost]] = np.inf
            left = left[~lost]
        time[left] = np.inf
        return np.asarray(time.reshape(np.broadcast_shapes(*(np.shape(v) for v in (probability, x, t_x, T)))))
