"""BG/NBD and its modified form MBG/NBD: customers who may drop out after a purchase.

Fader, Hardie & Lee 2005, "Counting Your Customers the Easy Way", *Marketing Science* 24(2) (BG/NBD); Batislam, Denizel
& Filiztekin 2007, *Int. J. of Research in Marketing* 24(3) (MBG/NBD). Rates are Gamma(r, alpha), dropout probabilities
Beta(a, b). The two differ in one thing: MBG/NBD lets a customer drop out at the very first purchase too, so a
customer who bought once can be gone. Everything below is written with `first`, 0 for BG/NBD and 1 for MBG/NBD.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from kequn.predict.clv.nbd import wait_for_gamma_rate
from kequn.predict.clv.special import (
    Array,
    broadcast,
    check_positive,
    log_gamma_ratio,
    negative_binomial,
    negative_binomial_at_least,
    purchases_until_dropout,
    softplus,
)


@dataclass(frozen=True)
class BetaGeometric:
    """The formulas shared by `BgNbd` and `MbgNbd`; `alpha` is in the unit of time of t_x and T."""

    names: ClassVar[tuple[str, ...]] = ("r", "alpha", "a", "b")
    kind: ClassVar[str]
    first: ClassVar[int]
    r: float
    alpha: float
    a: float
    b: float

    def __post_init__(self) -> None:
        check_positive(r=self.r, alpha=self.alpha, a=self.a, b=self.b)

    def log_likelihood(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """ln L of each customer (2005, eq. 6)."""
        counts, last, age = broadcast(x, t_x, T)
        chances = counts + self.first
        stayed = log_gamma_ratio(self.b, chances) - log_gamma_ratio(self.a + self.b, chances)
        rate = (
            log_gamma_ratio(self.r, counts)
            - self.r * np.log1p(age / self.alpha)
            - counts * np.log(self.alpha + age)
        )
        return np.asarray(rate + stayed + softplus(self._log_odds_gone(counts, last, age)))

    def _log_odds_gone(self, x: Array, t_x: Array, T: Array) -> Array:
        """ln of the odds that the customer left at the last purchase; -inf where that is impossible."""
        chances = x + self.first
        silence = (self.r + x) * np.log1p((T - t_x) / (self.alpha + t_x))
        odds = np.log(self.a) - np.log(np.maximum(self.b + chances - 1, 1e-300)) + silence
        return np.where(chances > 0, odds, -np.inf)

    def p_alive(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """P(still active at T | x, t_x, T), between 0 and 1."""
        return np.asarray(special.expit(-self._log_odds_gone(*broadcast(x, t_x, T))))

    def mean_if_alive(self, t: ArrayLike, x: ArrayLike, T: ArrayLike) -> Array:
        """E[purchases in (T, T + t]] of a customer with x repeat purchases who is active at T (2005, eq. 10)."""
        horizon, counts, age = broadcast(t, x, T)
        return purchases_until_dropout(
            self.r + counts, horizon / (self.alpha + age), self.a, self.b + counts + self.first
        )

    def expected_purchases(self, t: ArrayLike, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """E[purchases in (T, T + t] | x, t_x, T]."""
        return np.asarray(self.mean_if_alive(t, x, T) * self.p_alive(x, t_x, T))

    def expected_from_start(self, t: ArrayLike) -> Array:
        """E[X(t)] of a customer just won (2005, eq. 9)."""
        return np.asarray(self._stay_first() * self.mean_if_alive(t, 0, 0))

    def _stay_first(self) -> float:
        return 1.0 if self.first == 0 else self.b / (self.a + self.b)

    def pmf(self, n: ArrayLike, t: ArrayLike) -> Array:
        """P(X(t) = n) of a customer just won (2005, eq. 8)."""
        many, horizon = broadcast(n, t)
        stayed = self._stay_first()
        return np.asarray(
            stayed * self._pmf_if_alive(many, horizon, 0 * many, 0 * many) + (1 - stayed) * (many == 0)
        )

    def purchase_probability(
        self, n: ArrayLike, t: ArrayLike, x: ArrayLike, t_x: ArrayLike, T: ArrayLike
    ) -> Array:
        """P(exactly n purchases in (T, T + t] | x, t_x, T)."""
        many, horizon, counts, last, age = broadcast(n, t, x, t_x, T)
        alive = self.p_alive(counts, last, age)
        return np.asarray(alive * self._pmf_if_alive(many, horizon, counts, age) + (1 - alive) * (many == 0))

    def _pmf_if_alive(self, n: Array, t: Array, x: Array, T: Array) -> Array:
        shape, scale, b = self.r + x, self.alpha + T, self.b + x + self.first
        stayed = np.exp(log_gamma_ratio(b, n) - log_gamma_ratio(self.a + b, n))
        left_at_n = np.where(n > 0, stayed * self.a / np.maximum(b + n - 1, 1e-300), 0.0)
        exactly = negative_binomial(n, shape, scale, t)
        return np.asarray(
            np.minimum(stayed * exactly + left_at_n * negative_binomial_at_least(n, shape, scale, t), 1)
        )

    def wait(self, probability: ArrayLike, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """Time after T by which the next purchase has come with `probability`; inf where it never gets so likely."""
        return wait_for_gamma_rate(probability, self.p_alive(x, t_x, T), self.r, self.alpha, x, T)


@dataclass(frozen=True)
class BgNbd(BetaGeometric):
    """BG/NBD: a customer who bought once is active for certain, later purchases may be the last.

    >>> model = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)   # CDNOW, time in weeks
    >>> round(float(model.expected_purchases(39, x=2, t_x=30.43, T=38.86)), 3)
    1.226
    """

    kind: ClassVar[str] = "bg_nbd"
    first: ClassVar[int] = 0


@dataclass(frozen=True)
class MbgNbd(BetaGeometric):
    """Modified BG/NBD: every purchase, the first one included, may be the last."""

    kind: ClassVar[str] = "mbg_nbd"
    first: ClassVar[int] = 1
