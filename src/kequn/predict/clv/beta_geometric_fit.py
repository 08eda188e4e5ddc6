"""Maximum-likelihood fits of BG/NBD and MBG/NBD on aggregated histories, with analytic gradient and Hessian."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from kequn.predict.clv.beta_geometric import BetaGeometric, BgNbd, MbgNbd
from kequn.predict.clv.fit import Estimate, Fit, WeakPrior, estimate
from kequn.predict.clv.history import Block, History
from kequn.predict.clv.nbd import NbdObjective, fit_nbd_history, require_repeats, rescale, start_rate
from kequn.predict.clv.packing import aggregate
from kequn.predict.clv.special import Array, log_gamma_ratio

Kind = TypeVar("Kind", bound=BetaGeometric)

# in mean ages; half-way between the published fits
WEAK = WeakPrior({"r": 0.5, "alpha": 0.3, "a": 0.8, "b": 2.0})

_NO_GAIN = 0.01  # log-likelihood over the NBD below which dropout is a rounding matter
_UNPROVEN = 3.0  # likelihood-ratio: 5 % point of ½χ²(1) + ½χ²(2), halved, rounded up


class BetaGeometricObjective:
    """Log-likelihood of (M)BG/NBD with gradient and Hessian in (ln r, ln alpha, ln a, ln b).

    ln L = [NBD terms] + [terms of x] + ln(1 + e^d), d the log-odds of having left. The first are those of the NBD;
    the second cost one evaluation per distinct x; only q = e^d / (1 + e^d) costs an exponential per row.
    """

    def __init__(self, history: History, first: int) -> None:
        self.history = history
        self.first = first
        self.nbd = NbdObjective(history)
        self.x = history.x_values

    def __call__(self, theta: Array) -> tuple[float, Array, Array]:
        r, alpha, a, b = np.exp(theta)
        value, gradient, hessian = np.zeros(1)[0], np.zeros(4), np.zeros((4, 4))
        value, gradient[:2], hessian[:2, :2] = self.nbd(theta[:2])
        for part in (self._stayed(a, b), self._left(r, alpha, a, b)):
            value += part[0]
            gradient += part[1]
            hessian += part[2]
        return float(value), gradient, hessian

    def _stayed(self, a: float, b: float) -> tuple[float, Array, Array]:
        """Σ ln [B(a, b+y) / B(a, b)], y = x + first."""
        y, weight, total = self.x + self.first, self.nbd.x_weight, a + b
        value = float((weight * (log_gamma_ratio(b, y) - log_gamma_ratio(total, y))).sum())
        in_b = special.psi(b + y) - special.psi(b)
        in_both = special.psi(total) - special.psi(total + y)
        bend_b = special.polygamma(1, b + y) - special.polygamma(1, b)
        bend_both = float((weight * (special.polygamma(1, total) - special.polygamma(1, total + y))).sum())
        slope_a, slope_b = float((weight * in_both).sum()), float((weight * (in_b + in_both)).sum())
        gradient = np.array([0, 0, a * slope_a, b * slope_b])
        hessian = np.zeros((4, 4))
        hessian[2, 2] = a * slope_a + a * a * bend_both
        hessian[3, 3] = b * slope_b + b * b * (float((weight * bend_b).sum()) + bend_both)
        hessian[2, 3] = hessian[3, 2] = a * b * bend_both
        return value, gradient, hessian

    def _left(self, r: float, alpha: float, a: float, b: float) -> tuple[float, Array, Array]:
        """Σ ln(1 + e^d), d = ln a - ln(b+x+first-1) + (r+x) [ln(alpha+T) - ln(alpha+t_x)]."""
        history, k = self.history, self.x + self.first - 1
        with np.errstate(divide="ignore", invalid="ignore"):
            per_x = np.where(k >= 0, np.log(a) - np.log(b + k), -np.inf)
            pull = np.where(k >= 0, b / (b + k), 0.0)  # -∂d/∂ln b
        readers = [
            t.reader(lambda v: np.log(alpha + v), lambda v: alpha / (alpha + v))
            for t in (history.age, history.last)
        ]
        value, sums = 0.0, np.zeros((len(_SUMS), len(self.x)))
        for block in history.blocks:
            value += self._add_block(block, r, per_x, readers, sums)
        return value, *_assemble(r, r + self.x, pull, dict(zip(_SUMS, sums, strict=True)))

    def _add_block(
        self, block: Block, r: float, per_x: Array, readers: list[Callable[[slice], list[Array]]], sums: Array
    ) -> float:
        """Adds the rows of a block to the sums by distinct x; returns their part of the value."""
        (log_age, share_age), (log_last, share_last) = (read(block.rows) for read in readers)
        weight = self.history.weight[block.rows]
        silence = log_age - log_last
        d = (
            np.repeat(per_x[block.groups], block.counts)
            + np.repeat(r + self.x[block.groups], block.counts) * silence
        )
        small = np.exp(-np.abs(d))
        gone = np.where(d > 0, 1.0, small) / (1 + small)
        w_gone = weight * gone
        w_doubt = w_gone * (1 - gone)
        slope = share_age - share_last  # ∂d/∂ln alpha = (r+x) · slope
        doubt_silence, doubt_slope = w_doubt * silence, w_doubt * slope
        columns = (
            w_gone, w_gone * silence, w_gone * slope, w_gone * (slope * (1 - share_age - share_last)), w_doubt,
            doubt_silence, doubt_slope, doubt_silence * silence, doubt_silence * slope, doubt_slope * slope,
        )  # fmt: skip
        for total, column in zip(sums, columns, strict=True):
            total[block.groups] += np.add.reduceat(column, block.starts)
        return float((weight * (np.maximum(d, 0) + np.log1p(small))).sum())


_SUMS = (
    "gone", "gone_silence", "gone_slope", "gone_bend", "doubt",
    "doubt_silence", "doubt_slope", "doubt_silence2", "doubt_both", "doubt_slope2",
)  # fmt: skip


def _assemble(r: float, n: Array, pull: Array, by_x: dict[str, Array]) -> tuple[Array, Array]:
    """Chain rule on the sums by distinct x: every coefficient of a row hangs on its x alone (n = r + x)."""
    gone, doubt = by_x["gone"], by_x["doubt"]
    gradient = np.array([
        r * by_x["gone_silence"].sum(), (n * by_x["gone_slope"]).sum(), gone.sum(), -(pull * gone).sum(),
    ])  # fmt: skip
    h = np.zeros((4, 4))
    h[0, 0] = gradient[0] + r * r * by_x["doubt_silence2"].sum()
    h[0, 1] = r * by_x["gone_slope"].sum() + r * (n * by_x["doubt_both"]).sum()
    h[1, 1] = (n * by_x["gone_bend"]).sum() + (n * n * by_x["doubt_slope2"]).sum()
    h[0, 2], h[0, 3] = r * by_x["doubt_silence"].sum(), -r * (pull * by_x["doubt_silence"]).sum()
    h[1, 2], h[1, 3] = (n * by_x["doubt_slope"]).sum(), -(n * pull * by_x["doubt_slope"]).sum()
    h[2, 2], h[2, 3] = doubt.sum(), -(pull * doubt).sum()
    h[3, 3] = (pull * pull * doubt).sum() - (pull * (1 - pull) * gone).sum()
    return gradient, h + np.triu(h, 1).T


def fit_bg_nbd(
    x: ArrayLike, t_x: ArrayLike, T: ArrayLike, *, prior: WeakPrior | None = None, gather: bool = True
) -> Fit[BgNbd]:
    """Maximum-likelihood BG/NBD.

    `x`, `t_x`, `T`: one entry per customer, as in `aggregate` (repeat purchases; ages at the last purchase and now,
    in one unit of time). `prior` adds weak priors; `gather=False` skips the aggregation.

    Raises ModelError: as `aggregate`; `predict.clv_no_repeat_buyers`, `predict.clv_no_time`,
    `predict.clv_not_converged`.
    """
    return fit_history(BgNbd, aggregate(x, t_x, T, gather=gather), prior)


def fit_mbg_nbd(
    x: ArrayLike, t_x: ArrayLike, T: ArrayLike, *, prior: WeakPrior | None = None, gather: bool = True
) -> Fit[MbgNbd]:
    """Maximum-likelihood MBG/NBD; arguments and errors as in `fit_bg_nbd`."""
    return fit_history(MbgNbd, aggregate(x, t_x, T, gather=gather), prior)


def fit_history(kind: type[Kind], history: History, prior: WeakPrior | None = None) -> Fit[Kind]:
    """Maximum-likelihood (M)BG/NBD of an aggregated history."""
    require_repeats(history)
    scaled, unit, shift = rescale(history)
    objective = BetaGeometricObjective(scaled, kind.first)
    found = estimate(
        objective, kind.names, {**start_rate(history), "a": 0.8, "b": 2.5}, {"alpha": unit}, prior
    )
    log_likelihood = found.log_likelihood + shift
    warnings = dropout_warnings(found, log_likelihood, history, ("a", "b"))
    boundary = any(w != "predict.clv_dropout_unproven" for w in warnings)
    return Fit(
        kind.kind, kind(**found.values), kind.names, found.values, found.errors, log_likelihood, history.customers,
        len(history.x), found.evaluations, boundary, warnings, prior, found.log_covariance,
    )  # fmt: skip


def dropout_warnings(
    found: Estimate, log_likelihood: float, history: History, dropout: tuple[str, str]
) -> tuple[str, ...]:
    """Codes of what is wrong with a fit whose last two parameters, `dropout`, describe leaving.

    Without dropout the model is an NBD: if the data prefer that, the likelihood rises towards it for ever.
    """
    codes = []
    gain = log_likelihood - fit_nbd_history(history).log_likelihood
    runs_away = bool(set(dropout) & set(found.extreme))
    if gain < _NO_GAIN or (runs_away and gain < _UNPROVEN):
        codes.append("predict.clv_no_dropout")
    elif set(dropout) <= set(found.extreme):
        codes.append("predict.clv_equal_dropout")
    elif runs_away:
        codes.append("predict.clv_extreme_dropout")
    if "r" in found.extreme or "alpha" in found.extreme:
        codes.append("predict.clv_equal_rates")
    if not codes and gain < _UNPROVEN:
        codes.append("predict.clv_dropout_unproven")
    return tuple(codes)
