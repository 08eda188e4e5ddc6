"""Special functions that the repeat-purchase models share, safe for extreme arguments.

Only formulas that scipy lacks or computes with NaN stand here; everything works on broadcast float arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from kequn.errors import ModelError

Array = NDArray[np.float64]

_CANCELLATION = 1e-5  # a difference this small has lost five of its sixteen digits
_TINY = 1e-300


def broadcast(*arguments: ArrayLike) -> list[Array]:
    """The arguments as float arrays of one shape."""
    return [np.asarray(a, dtype=np.float64) for a in np.broadcast_arrays(*arguments)]


@cache
def legendre(nodes: int) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights on [0, 1]."""
    points, weights = np.polynomial.legendre.leggauss(nodes)
    return np.asarray((points + 1) / 2, dtype=np.float64), np.asarray(weights / 2, dtype=np.float64)


@cache
def composite_legendre(panels: int, nodes: int) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights on [0, 1], cut into equal panels."""
    points, weights = legendre(nodes)
    starts = np.arange(panels)[:, None] / panels
    return (starts + points / panels).ravel(), np.tile(weights / panels, panels)


def softplus(d: Array) -> Array:
    """ln(1 + e^d), for any d including -inf."""
    return np.asarray(np.maximum(d, 0) + np.log1p(np.exp(-np.abs(d))))


def log_gamma_ratio(r: ArrayLike, x: ArrayLike) -> Array:
    """ln Γ(r + x) - ln Γ(r), keeping its digits when r is huge and x is not (where the two logarithms cancel).

    For r > 10^4 the difference is taken from Stirling's series, term by term.
    """
    base, step = broadcast(r, x)
    direct = special.gammaln(base + step) - special.gammaln(base)
    big = base > 1e4
    if not np.any(big):
        return np.asarray(direct)
    with np.errstate(all="ignore"):
        stirling = (
            (base - 0.5) * np.log1p(step / base)
            + step * np.log(base + step)
            - step
            + (1 / (base + step) - 1 / base) / 12
        )
    return np.where(big, stirling, direct)


def negative_binomial(n: Array, r: Array, alpha: Array, t: Array) -> Array:
    """P(N(t) = n) when the rate is Gamma(r, alpha): the NBD, computed in logarithms.

    t = 0 puts all mass on n = 0.
    """
    shrink = -np.log1p(t / alpha)
    with np.errstate(divide="ignore", invalid="ignore"):
        grow = np.where(n > 0, n * (np.log(t) - np.log(alpha + t)), 0.0)
    log_p = log_gamma_ratio(r, n) - special.gammaln(n + 1) + r * shrink + grow
    return np.asarray(np.exp(np.minimum(log_p, 0.0)))


def negative_binomial_at_least(n: Array, r: Array, alpha: Array, t: Array) -> Array:
    """P(N(t) ≥ n) of the same NBD."""
    inner = special.betainc(np.maximum(n, 1e-9), r, t / (alpha + t))
    return np.where(n <= 0, 1.0, inner)


def purchases_until_dropout(
    rate_shape: ArrayLike, scaled_time: ArrayLike, a: ArrayLike, b: ArrayLike
) -> Array:
    """Mean number of purchases by a customer who is active now and may drop out after each of them.

    E[(1 - (1 + p y)^-R) / p] for p ~ Beta(a, b): the rate is Gamma(R, A), y = t / A. The closed form is
    (a+b-1)/(a-1) · [1 - (1+y)^(1-a) ₂F₁(a-1, a+b-1-R; a+b-1; y/(1+y))] (Fader, Hardie & Lee 2005, *Marketing
    Science* 24(2), eq. 10 after Euler's transformation, which cannot overflow). Where it is singular (a = 1,
    a + b = 1), cancels or leaves its bounds, the expectation over p is integrated instead.
    """
    shape, y, a_, b_ = broadcast(rate_shape, scaled_time, a, b)
    c = a_ + b_ - 1
    with np.errstate(all="ignore"):
        gap = 1 - np.exp((1 - a_) * np.log1p(y)) * special.hyp2f1(a_ - 1, c - shape, c, y / (1 + y))
        value = c / (a_ - 1) * gap
        ceiling = shape * y  # nobody drops out
        wrong = ~np.isfinite(value) | (value < 0) | (value > ceiling * (1 + 1e-9))
        wrong |= (np.abs(gap) < _CANCELLATION) | (np.abs(a_ - 1) < 1e-4) | (np.abs(c) < 1e-2)
    wrong &= y > 0
    value = np.where(y > 0, value, 0.0)
    if np.any(wrong):
        value = np.array(value)
        value[wrong] = _integrate_over_dropout(shape[wrong], y[wrong], a_[wrong], b_[wrong])
    return np.minimum(value, ceiling)


def _integrate_over_dropout(shape: Array, y: Array, a: Array, b: Array) -> Array:
    """E[(1 - (1 + p y)^-R) / p] over p ~ Beta(a, b), where the closed form fails."""

    def bought(p: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.asarray(-np.expm1(-shape * np.log1p(p * y)) / np.maximum(p, _TINY))

    return beta_mean(bought, shape * y, 1 / (1 + y * (shape + 1)), a, b)


def beta_mean(function: Callable[[Array], Array], at_zero: Array, scale: Array, a: Array, b: Array) -> Array:
    """E[function(p)] over p ~ Beta(a, b) by Gauss-Legendre panels in the log-odds of p.

    `function` falls from `at_zero` at p = 0, where it is flat up to a small part of `scale`: left of the panels it is
    that constant, so the part there is `at_zero` times a beta probability.
    """
    points, weights = composite_legendre(24, 12)
    # The density of the log-odds peaks at ln(a/b), is bell-shaped there and falls like e^(a·) to the left, at least
    # like e^(-b·) to the right; 45 e-foldings out there is nothing left to add.
    peak, bell = np.log(a / b), 12 * np.sqrt(1 / a + 1 / b)
    flat = np.log(1e-13 * scale)
    low = np.maximum(np.minimum(flat, peak - 5), peak - bell - 45 / a)
    high = np.minimum(peak + bell + 45 / b, np.maximum(peak, 0) + 45 / np.minimum(b, 1.0) + 5)
    high = np.where(b > 60, np.minimum(high, np.log(np.maximum(a, 1) / b) + np.log(60.0) + 3), high)
    total = at_zero * special.betainc(a, b, special.expit(low))
    norm = special.betaln(a, b)
    for point, weight in zip(points, weights, strict=True):
        odds = low + (high - low) * point
        density = np.exp(a * special.log_expit(odds) + b * special.log_expit(-odds) - norm)
        total = total + weight * (high - low) * density * function(special.expit(odds))
    return np.asarray(total)


def discounted_survival(s: ArrayLike, z: ArrayLike) -> Array:
    """∫₀^∞ e^(-z v) (1 + v)^-s dv = U(1, 2 - s, z), for s ≥ 0, z > 0.

    It is z^(s-1) Ψ(s, s; z) of the DERT formula; integrated after 1 + v = e^w, where the integrand is smooth.
    """
    s_, z_ = broadcast(s, z)
    points, weights = composite_legendre(10, 20)
    span = np.log1p(45 / z_)
    total = np.zeros_like(z_)
    for point, weight in zip(points, weights, strict=True):
        w = span * point
        total += weight * span * np.exp(-z_ * np.expm1(w) + (1 - s_) * w)
    return total


def check_positive(**parameters: ArrayLike) -> None:
    """Raises ModelError `predict.clv_bad_parameter` unless every value is a finite number above 0."""
    for name, value in parameters.items():
        values = np.asarray(value, dtype=np.float64)
        if not np.all(np.isfinite(values) & (values > 0)):
            raise ModelError("predict.clv_bad_parameter", name=name, found=float(values.ravel()[0]))
