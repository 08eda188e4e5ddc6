"""BG/BB: purchases that can only happen at set opportunities (a donation a year, a purchase or none each week).

Fader, Hardie & Shang 2010, "Customer-Base Analysis in a Discrete-Time Noncontractual Setting", *Marketing Science* 29(6).
At each opportunity an active customer buys with probability p ~ Beta(alpha, beta), and leaves before it with probability
θ ~ Beta(gamma, delta).

`x`: opportunities used out of `n`; `t_x`: number of the last one used (0 when x = 0).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from kequn.errors import ModelError
from kequn.predict.clv.fit import Fit, WeakPrior, estimate
from kequn.predict.clv.history import History
from kequn.predict.clv.packing import aggregate
from kequn.predict.clv.special import Array, beta_mean, broadcast, check_positive

WEAK = WeakPrior({"alpha": 1.0, "beta": 1.0, "gamma": 0.7, "delta": 3.0})


@dataclass(frozen=True)
class BgBb:
    """The BG/BB model; all times are whole numbers of opportunities."""

    names: ClassVar[tuple[str, ...]] = ("alpha", "beta", "gamma", "delta")
    kind: ClassVar[str] = "bg_bb"
    alpha: float
    beta: float
    gamma: float
    delta: float

    def __post_init__(self) -> None:
        check_positive(alpha=self.alpha, beta=self.beta, gamma=self.gamma, delta=self.delta)

    def _bought(self, x: Array, m: Array) -> Array:
        """ln P(these x of m opportunities were used), for a customer active throughout."""
        return np.asarray(
            special.betaln(self.alpha + x, self.beta + m - x) - special.betaln(self.alpha, self.beta)
        )

    def _stayed(self, m: ArrayLike) -> Array:
        """ln P(active through m opportunities)."""
        return np.asarray(
            special.betaln(self.gamma, self.delta + np.asarray(m)) - special.betaln(self.gamma, self.delta)
        )

    def _left_after(self, m: Array) -> Array:
        """ln P(active through m opportunities, then left)."""
        return np.asarray(
            special.betaln(self.gamma + 1, self.delta + m) - special.betaln(self.gamma, self.delta)
        )

    def log_likelihood(self, x: ArrayLike, t_x: ArrayLike, n: ArrayLike) -> Array:
        """ln L of each customer."""
        used, last, all_ = broadcast(x, t_x, n)
        total = self._bought(used, all_) + self._stayed(all_)
        for gap in range(int((all_ - last).max(initial=0))):
            m = last + gap
            term = np.where(m < all_, self._bought(used, np.maximum(m, used)) + self._left_after(m), -np.inf)
            total = np.logaddexp(total, term)
        return np.asarray(total)

    def p_alive(self, x: ArrayLike, t_x: ArrayLike, n: ArrayLike) -> Array:
        """P(active at opportunity n + 1 | x, t_x, n)."""
        return self._alive_through(1, *broadcast(x, t_x, n))

    def _alive_through(self, more: int, x: Array, t_x: Array, n: Array) -> Array:
        return np.exp(self._bought(x, n) + self._stayed(n + more) - self.log_likelihood(x, t_x, n))

    def expected_purchases(self, periods: ArrayLike, x: ArrayLike, t_x: ArrayLike, n: ArrayLike) -> Array:
        """E[opportunities used among the next `periods` | x, t_x, n], as the sum over periods that the closed form comes from."""
        ahead, used, last, all_ = broadcast(periods, x, t_x, n)
        rate = (self.alpha + used) / (self.alpha + self.beta + all_)
        alive_now = self._alive_through(0, used, last, all_)
        return np.asarray(alive_now * rate * self._periods_active(ahead, all_))

    def _periods_active(self, ahead: Array, n: Array) -> Array:
        """E[further opportunities met, at most `ahead` | active at n]: Σ_j P(active through n + j)."""
        pairs, where = np.unique(np.stack([ahead.ravel(), n.ravel()]), axis=1, return_inverse=True)
        sums = [
            np.exp(self._stayed(at + np.arange(1, int(many) + 1)) - self._stayed(at)).sum()
            for many, at in pairs.T
        ]
        return np.asarray(sums)[where.ravel()].reshape(n.shape)

    def mean_if_active(self, periods: ArrayLike, x: ArrayLike, n: ArrayLike) -> Array:
        """E[opportunities used among the next `periods`] of a customer who is active at opportunity n + 1."""
        ahead, used, all_ = broadcast(periods, x, n)
        rate = (self.alpha + used) / (self.alpha + self.beta + all_)
        met = self._periods_active(ahead, all_) * np.exp(self._stayed(all_) - self._stayed(all_ + 1))
        return np.asarray(rate * met)

    def silent_through(self, x: ArrayLike, t_x: ArrayLike, n: ArrayLike) -> Iterator[Array]:
        """P(none of the next m opportunities is used | x, t_x, n) for m = 1, 2, 3 … without end."""
        used, last, all_ = broadcast(x, t_x, n)
        alive, stayed, bought = (
            self._alive_through(0, used, last, all_),
            self._stayed(all_),
            self._bought(used, all_),
        )
        left = np.zeros_like(used)
        for m in count(1):
            left += np.exp(
                self._left_after(all_ + m - 1) + self._bought(used, all_ + m - 1) - stayed - bought
            )
            stays = np.exp(self._stayed(all_ + m) + self._bought(used, all_ + m) - stayed - bought)
            yield np.asarray(alive * (left + stays) + (1 - alive))

    def expected_from_start(self, n: ArrayLike) -> Array:
        """E[X(n)]: opportunities used of the first n."""
        return self.expected_purchases(n, 0, 0, 0)

    def discounted_expected_purchases(self, rate: float, x: ArrayLike, t_x: ArrayLike, n: ArrayLike) -> Array:
        """DERT: expected uses after n for ever, discounted at `rate` per period (2010, eq. 14)."""
        check_positive(rate=rate)
        used, last, all_ = broadcast(x, t_x, n)
        share = (self.alpha + used) / (self.alpha + self.beta + all_)
        # ₂F₁(1, δ+n+1; γ+δ+n+1; 1/(1+d)) / (1+d) = E[1 / (d + θ)], θ ~ Beta(γ, δ+n+1): sums of no length, no overflow
        ends, where = np.unique(all_, return_inverse=True)
        one = np.ones_like(ends)
        series = beta_mean(
            lambda p: 1 / (rate + p), one / rate, rate * one, self.gamma * one, self.delta + ends + 1
        )
        series = series[where].reshape(all_.shape)
        return np.asarray(self.p_alive(used, last, all_) * share * series)

    def pmf(self, k: ArrayLike, n: ArrayLike) -> Array:
        """P(X(n) = k) of a customer just won."""
        return self.purchase_probability(k, n, 0, 0, 0)

    def purchase_probability(
        self, k: ArrayLike, periods: ArrayLike, x: ArrayLike, t_x: ArrayLike, n: ArrayLike
    ) -> Array:
        """P(exactly k of the next `periods` opportunities are used | x, t_x, n)."""
        many, ahead, used, last, all_ = broadcast(k, periods, x, t_x, n)
        alive = self._alive_through(0, used, last, all_)
        found = np.zeros_like(many)
        stayed = self._stayed(all_)
        for m in range(int(ahead.max(initial=0)) + 1):
            choose = (
                special.gammaln(m + 1)
                - special.gammaln(many + 1)
                - special.gammaln(np.maximum(m - many, 0) + 1)
            )
            bought = self._bought(used + many, all_ + np.maximum(m, many)) - self._bought(used, all_)
            end = np.where(m == ahead, self._stayed(all_ + m), self._left_after(all_ + m)) - stayed
            found += np.where((m >= many) & (m <= ahead), np.exp(choose + bought + end), 0.0)
        return np.asarray(alive * np.minimum(found, 1) + (1 - alive) * (many == 0))


class BgBbObjective:
    """Log-likelihood of the BG/BB with gradient and Hessian in the four logarithms.

    A row's likelihood sums the states "left after m opportunities" (m = t_x … n-1) and "still active". States lie flat,
    row after row; every gamma function has an argument parameter + whole number and comes from a table.
    """

    def __init__(self, history: History) -> None:
        n, last = history.T.astype(np.int64), history.t_x.astype(np.int64)
        states = n - last + 1
        self.history = history
        self.starts = np.concatenate([[0], np.cumsum(states)[:-1]])
        self.states = states
        self.m = np.arange(states.sum()) - np.repeat(self.starts - last, states)
        self.x = np.repeat(history.x, states)
        self.left = (self.m < np.repeat(n, states)).astype(np.int64)
        self.size = int(n.max()) + 2

    def __call__(self, theta: Array) -> tuple[float, Array, Array]:
        natural = np.exp(theta)
        logs, slopes, bends = self._terms(*natural)
        top = np.maximum.reduceat(logs, self.starts)
        share = np.exp(logs - np.repeat(top, self.states))
        total = np.add.reduceat(share, self.starts)
        share /= np.repeat(total, self.states)
        weight = self.history.weight
        value = float((weight * (top + np.log(total))).sum())
        mass = share * np.repeat(weight, self.states)
        means = [np.add.reduceat(share * slope, self.starts) for slope in slopes]
        gradient = np.array([(weight * mean).sum() for mean in means])
        hessian = np.empty((4, 4))
        for i in range(4):
            for j in range(i, 4):
                both = (mass * slopes[i] * slopes[j]).sum() - (weight * means[i] * means[j]).sum()
                if i // 2 == j // 2:
                    both += (mass * bends[i // 2][i % 2 + j % 2]).sum()
                hessian[i, j] = hessian[j, i] = both
        return value, gradient * natural, hessian * np.outer(natural, natural) + np.diag(gradient * natural)

    def _terms(
        self, alpha: float, beta: float, gamma: float, delta: float
    ) -> tuple[Array, list[Array], list[list[Array]]]:
        """For each state: ln of its probability, its four slopes, and the second derivatives of each beta pair."""
        k = np.arange(self.size)
        logs = np.zeros(len(self.m))
        slopes: list[Array] = []
        bends: list[list[Array]] = []
        for one, other, up, over in (
            (alpha, beta, self.x, self.m - self.x),
            (gamma, delta, self.left, self.m),
        ):
            both = up + over
            for base, at, sign in ((one, up, 1), (other, over, 1), (one + other, both, -1)):
                table = special.gammaln(base + k) - special.gammaln(base)
                logs += sign * table[at]
            psi = [special.psi(base + k) - special.psi(base) for base in (one, other, one + other)]
            slopes += [psi[0][up] - psi[2][both], psi[1][over] - psi[2][both]]
            tri = [
                special.polygamma(1, base + k) - special.polygamma(1, base)
                for base in (one, other, one + other)
            ]
            bends.append([tri[0][up] - tri[2][both], -tri[2][both], tri[1][over] - tri[2][both]])
        return logs, slopes, bends


def fit_bg_bb(x: ArrayLike, t_x: ArrayLike, n: ArrayLike, *, prior: WeakPrior | None = None) -> Fit[BgBb]:
    """Maximum-likelihood BG/BB.

    `x` of `n` opportunities used, the last one being number `t_x`; one entry per customer.

    Raises ModelError: as `aggregate`; `predict.clv_bad_history` also where x > t_x or times are not whole numbers;
    `predict.clv_no_repeat_buyers`, `predict.clv_not_converged`.
    """
    return fit_bg_bb_history(aggregate(x, t_x, n), prior)


def fit_bg_bb_history(history: History, prior: WeakPrior | None = None) -> Fit[BgBb]:
    """Maximum-likelihood BG/BB of an aggregated history whose times are whole numbers of opportunities."""
    wrong = (
        (history.x > history.t_x)
        | (history.t_x != np.floor(history.t_x))
        | (np.floor(history.T) != history.T)
    )
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ModelError(
            "predict.clv_bad_history", column="t_x", row=row, x=int(history.x[row]), t_x=float(history.t_x[row]),
            T=float(history.T[row]),
        )  # fmt: skip
    if history.repeat_buyers == 0:
        raise ModelError("predict.clv_no_repeat_buyers", customers=history.customers)
    used = history.purchases / float((history.weight * history.T).sum())
    start = {"alpha": 1.0, "beta": float(np.clip(1 / used - 1, 0.1, 100)), "gamma": 0.7, "delta": 3.0}
    found = estimate(BgBbObjective(history), BgBb.names, start, {}, prior)
    codes = []
    if "gamma" in found.extreme or "delta" in found.extreme:
        steady = found.values["gamma"] / (found.values["gamma"] + found.values["delta"]) < 1e-4
        codes.append("predict.clv_no_dropout" if steady else "predict.clv_equal_dropout")
    if "alpha" in found.extreme or "beta" in found.extreme:
        codes.append("predict.clv_equal_rates")
    return Fit(
        BgBb.kind, BgBb(**found.values), BgBb.names, found.values, found.errors, found.log_likelihood,
        history.customers, len(history.x), found.evaluations, bool(codes), tuple(codes), prior, found.log_covariance,
    )  # fmt: skip
