"""Maximum-likelihood Pareto/NBD on aggregated histories, with analytic gradient and Hessian."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kequn.predict.clv.beta_geometric_fit import dropout_warnings
from kequn.predict.clv.fit import Fit, WeakPrior, estimate
from kequn.predict.clv.history import History, Times
from kequn.predict.clv.nbd import gamma_rate_terms, require_repeats, rescale, start_rate
from kequn.predict.clv.packing import aggregate
from kequn.predict.clv.pareto_nbd import DeathTimes, ParetoNbd
from kequn.predict.clv.special import Array

# in mean ages; half-way between the published fits
WEAK = WeakPrior({"r": 0.5, "alpha": 0.3, "s": 0.6, "beta": 0.4})

_CHUNK = 512  # rows whose nodes fit into the cache
_SAMPLE = 10_000


class ParetoObjective:
    """Log-likelihood of the Pareto/NBD with gradient and Hessian in (ln r, ln alpha, ln s, ln beta).

    A customer's likelihood is a sum of terms e^l, one for "alive" and one per possible time of death, each with
    simple derivatives: the gradient of its logarithm is the mean of ∇l under the posterior of these states, the Hessian
    the mean of ∇²l plus the covariance of ∇l.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self.x_weight = history.by_x(history.weight)
        self.rows = history.x.astype(np.float64), history.t_x, history.T

    def __call__(self, theta: Array) -> tuple[float, Array, Array]:
        r, alpha, s, beta = np.exp(theta)
        gradient, hessian = np.zeros(4), np.zeros((4, 4))
        value, gradient[:2], hessian[:2, :2] = gamma_rate_terms(
            r, alpha, self.history.x_values, self.x_weight
        )
        in_s = self.history.customers * s * np.log(beta)
        in_beta = self.history.customers * s
        value += in_s
        gradient[2:] = in_s, in_beta
        hessian[2, 2], hessian[2, 3], hessian[3, 2] = in_s, in_beta, in_beta
        for start in range(0, len(self.history.x), _CHUNK):
            part = slice(start, start + _CHUNK)
            x, t_x, T = (column[part] for column in self.rows)
            found = _states((r, alpha, s, beta), x, t_x, T, self.history.weight[part])
            value += found[0]
            gradient += found[1]
            hessian += found[2]
        return float(value), gradient, hessian


def _states(
    parameters: tuple[float, float, float, float], x: Array, t_x: Array, T: Array, weight: Array
) -> tuple[float, Array, Array]:
    """Σ weight · ln Σ_states e^l, with gradient and Hessian; the last state is being alive at T."""
    r, alpha, s, beta = parameters
    n = r + x
    deaths = DeathTimes.between(r, alpha, s, beta, x, t_x, T)
    log_total, dead, alive = deaths.shares()
    share = np.concatenate([dead, alive[None]])
    time = np.concatenate([deaths.time, T[None]])
    died = np.ones((len(time), 1))
    died[-1] = 0.0
    rate_share, death_share = alpha / (alpha + time), beta / (beta + time)
    log_rate, log_death = np.log(alpha + time), np.log(beta + time)
    slopes = (-r * log_rate, -n * rate_share, died - s * log_death, -(s + died) * death_share)
    mass = share * weight
    means = [np.einsum("kn,kn->n", share, slope) for slope in slopes]
    gradient = np.array([np.einsum("n,n->", weight, m) for m in means])
    hessian = np.zeros((4, 4))
    weighted = [mass * slope for slope in slopes]
    for i in range(4):
        for j in range(i, 4):
            spread = np.einsum("kn,kn->", weighted[i], slopes[j]) - np.einsum(
                "n,n,n->", weight, means[i], means[j]
            )
            hessian[i, j] = hessian[j, i] = spread
    bend = np.zeros((4, 4))
    bend[0, 0] = gradient[0]
    bend[0, 1] = bend[1, 0] = -r * np.einsum("kn,kn->", mass, rate_share)
    bend[1, 1] = np.einsum("kn,kn->", weighted[1], 1 - rate_share)
    bend[2, 2] = -s * np.einsum("kn,kn->", mass, log_death)
    bend[2, 3] = bend[3, 2] = -s * np.einsum("kn,kn->", mass, death_share)
    bend[3, 3] = np.einsum("kn,kn->", weighted[3], 1 - death_share)
    return float(np.einsum("n,n->", weight, log_total)), gradient, hessian + bend


def _every(history: History, k: int) -> History:
    """Every k-th row of a history (rows are sorted, so this is spread evenly over them)."""
    rows = slice(k // 2, None, k)
    weight = history.weight[rows]
    return History(
        history.x[rows], Times(history.t_x[rows]), Times(history.T[rows]), weight, int(weight.sum())
    )


def fit_pareto_nbd(
    x: ArrayLike, t_x: ArrayLike, T: ArrayLike, *, prior: WeakPrior | None = None
) -> Fit[ParetoNbd]:
    """Maximum-likelihood Pareto/NBD; arguments and errors as in `fit_bg_nbd`."""
    return fit_pareto_history(aggregate(x, t_x, T), prior)


def fit_pareto_history(history: History, prior: WeakPrior | None = None) -> Fit[ParetoNbd]:
    """Maximum-likelihood Pareto/NBD of an aggregated history."""
    require_repeats(history)
    scaled, unit, shift = rescale(history)
    start = {**start_rate(history), "s": 0.6, "beta": 0.4}
    if len(history.x) > 2 * _SAMPLE:
        # a row costs 29 states: most of the way is walked on every k-th row, only the last steps on all
        near = estimate(
            ParetoObjective(_every(scaled, len(history.x) // _SAMPLE)), ParetoNbd.names, start, {}, prior
        )
        start = near.values
    found = estimate(ParetoObjective(scaled), ParetoNbd.names, start, {"alpha": unit, "beta": unit}, prior)
    log_likelihood = found.log_likelihood + shift
    warnings = dropout_warnings(found, log_likelihood, history, ("s", "beta"))
    boundary = any(w != "predict.clv_dropout_unproven" for w in warnings)
    return Fit(
        ParetoNbd.kind, ParetoNbd(**found.values), ParetoNbd.names, found.values, found.errors, log_likelihood,
        history.customers, len(history.x), found.evaluations, boundary, warnings, prior, found.log_covariance,
    )  # fmt: skip
