"""BG/NBD with covariates that do not change over time: acquisition channel, city tier, first basket …

Fader & Hardie 2007, "Incorporating Time-Invariant Covariates into the Pareto/NBD and BG/NBD Models":
alpha_i = alpha₀ exp(-γ₁'z), a_i = a₀ exp(γ₂'w), b_i = b₀ exp(γ₃'w). A positive γ₁ means more purchases, a positive γ₂ or a
negative γ₃ more dropout. Covariates are columns of the profile, never segments: those are made from the predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from kequn.errors import ModelError
from kequn.predict.clv.beta_geometric import BgNbd
from kequn.predict.clv.fit import Fit
from kequn.predict.clv.newton import EXTREME, covariance, maximise
from kequn.predict.clv.packing import aggregate, distinct
from kequn.predict.clv.special import Array, log_gamma_ratio


@dataclass(frozen=True)
class CovariateModel:
    """The base BG/NBD (covariates 0) and the coefficients of its covariates."""

    base: BgNbd
    purchase: Array
    dropout_a: Array
    dropout_b: Array

    def customers(self, purchase: ArrayLike, dropout: ArrayLike) -> BgNbd:
        """The BG/NBD of customers with these covariates, shapes (customers, columns): its parameters are arrays."""
        z, w = _table(purchase, len(self.purchase)), _table(dropout, len(self.dropout_a))
        return BgNbd(
            self.base.r,
            self.base.alpha * np.exp(-_dot(z, self.purchase)),  # type: ignore[arg-type]
            self.base.a * np.exp(_dot(w, self.dropout_a)),  # type: ignore[arg-type]
            self.base.b * np.exp(_dot(w, self.dropout_b)),  # type: ignore[arg-type]
        )


def _dot(table: Array, coefficients: Array) -> Array:
    return np.asarray(np.einsum("nk,k->n", table, coefficients))


def _table(columns: ArrayLike, width: int | None = None) -> Array:
    table = np.asarray(columns, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or not np.all(np.isfinite(table)) or (width is not None and table.shape[1] != width):
        raise ModelError("predict.clv_bad_covariates", found=list(table.shape), needed=width)
    return table


@dataclass(frozen=True)
class _Rows:
    """Distinct (x, t_x, T, covariates) with their weights."""

    x: Array
    t_x: Array
    T: Array
    weight: Array
    purchase: Array
    dropout: Array


class CovariateObjective:
    """Log-likelihood with gradient and Hessian in (ln r, ln alpha₀, ln a₀, ln b₀, γ₁, γ₂, γ₃).

    Each row has its own ln alpha, ln a, ln b, linear in the parameters: the derivatives of one row in its four
    logarithms are spread over the parameters by the row's design.
    """

    def __init__(self, rows: _Rows) -> None:
        self.rows = rows
        n, k, m = len(rows.x), rows.purchase.shape[1], rows.dropout.shape[1]
        designs = np.zeros((4, n, 4 + k + 2 * m))
        for i in range(4):
            designs[i, :, i] = 1
        designs[1, :, 4 : 4 + k] = -rows.purchase
        designs[2, :, 4 + k : 4 + k + m] = rows.dropout
        designs[3, :, 4 + k + m :] = rows.dropout
        self.designs = designs

    def __call__(self, theta: Array) -> tuple[float, Array, Array]:
        logs = np.einsum("inp,p->in", self.designs, theta)
        if np.abs(logs).max() > 300:
            return -np.inf, np.zeros_like(theta), np.eye(len(theta))
        value, slopes, bends = _row_terms(np.exp(logs), self.rows.x, self.rows.t_x, self.rows.T)
        weight = self.rows.weight
        gradient = np.einsum("in,n,inp->p", slopes, weight, self.designs)
        hessian = np.zeros((len(theta), len(theta)))
        for i in range(4):
            for j in range(4):
                bent = self.designs[j] * (weight * bends[min(i, j)][max(i, j)])[:, None]
                hessian += np.einsum("np,nq->pq", self.designs[i], bent)
        return float(np.einsum("n,n->", weight, value)), gradient, hessian


def _row_terms(parameters: Array, x: Array, t_x: Array, T: Array) -> tuple[Array, Array, list[list[Array]]]:
    """ln L of each row, `parameters` (4, n), with its slopes (4, n) and upper second derivatives in ln r, ln alpha, ln a, ln b."""
    r, alpha, a, b = parameters
    n, both, repeat = r + x, a + b, x > 0
    silence = np.log1p((T - t_x) / (alpha + t_x))
    now, then = alpha / (alpha + T), alpha / (alpha + t_x)
    pull = np.where(repeat, b / np.maximum(b + x - 1, 1e-300), 0.0)
    d = np.where(repeat, np.log(a) - np.log(np.maximum(b + x - 1, 1e-300)) + n * silence, -np.inf)
    gone = special.expit(d)
    doubt = gone * (1 - gone)
    value = log_gamma_ratio(r, x) - r * np.log1p(T / alpha) - x * np.log(alpha + T) + np.logaddexp(0, d)
    value += log_gamma_ratio(b, x) - log_gamma_ratio(both, x)
    move = [r * silence, n * (now - then), np.where(repeat, 1.0, 0.0), -pull]  # slopes of d
    in_r = r * (special.psi(n) - special.psi(r) - np.log1p(T / alpha))
    in_both = special.psi(both) - special.psi(both + x)
    bend_both = special.polygamma(1, both) - special.polygamma(1, both + x)
    in_b = b * (special.psi(b + x) - special.psi(b) + in_both)
    slopes = np.stack([in_r, r - n * now, a * in_both, in_b]) + gone * np.stack(move)
    bends = [[doubt * move[min(i, j)] * move[max(i, j)] for j in range(4)] for i in range(4)]
    bends[0][0] = bends[0][0] + slopes[0] + r * r * (special.polygamma(1, n) - special.polygamma(1, r))
    bends[0][1] = bends[0][1] + r - r * now + gone * r * (now - then)
    bends[1][1] = bends[1][1] - n * now * (1 - now) + gone * n * (now * (1 - now) - then * (1 - then))
    bends[2][2] = bends[2][2] + a * in_both + a * a * bend_both
    bends[2][3] = bends[2][3] + a * b * bend_both
    trigamma = special.polygamma(1, b + x) - special.polygamma(1, b)
    bends[3][3] = bends[3][3] + in_b + b * b * (trigamma + bend_both) - gone * pull * (1 - pull)
    return np.asarray(value), slopes, bends


def fit_bg_nbd_covariates(
    x: ArrayLike, t_x: ArrayLike, T: ArrayLike, *, purchase: ArrayLike, dropout: ArrayLike,
    purchase_names: Sequence[str] = (), dropout_names: Sequence[str] = (),
) -> Fit[CovariateModel]:  # fmt: skip
    """Maximum-likelihood BG/NBD with covariates.

    `x`, `t_x`, `T` as in `fit_bg_nbd`; `purchase` (customers, k) acts on the purchase rate, `dropout` (customers, m) on
    dropout; either may have no columns. Parameters are named `rate:<name>`, `a:<name>`, `b:<name>`. Likelihood-ratio
    tests against `fit_bg_nbd` on the same customers are valid.

    Raises ModelError: as `fit_bg_nbd`; `predict.clv_bad_covariates` for a wrong shape or a missing value;
    `predict.clv_constant_covariate` for a column without variation.
    """
    z, w = _table(purchase), _table(dropout)
    history = aggregate(x, t_x, T)
    if not len(z) == len(w) == history.customers:
        raise ModelError("predict.clv_lengths", found=[history.customers, len(z), len(w)])
    from kequn.predict.clv.beta_geometric_fit import fit_history

    plain = fit_history(BgNbd, history)
    centre, scale = _spread(np.concatenate([z, w], axis=1))
    k, m = z.shape[1], w.shape[1]
    unit = history.mean_age
    rows = gather(x, t_x, T, (z - centre[:k]) / scale[:k], (w - centre[k:]) / scale[k:], unit)
    start = np.concatenate([np.log([plain.parameters[n] for n in BgNbd.names]), np.zeros(k + 2 * m)])
    start[1] -= np.log(unit)
    objective = CovariateObjective(rows)
    top = maximise(objective, start)
    theta, spread = _natural(top.theta, covariance(top.hessian), centre, scale, k, m, unit)
    zn = [purchase_names[i] if i < len(purchase_names) else str(i + 1) for i in range(k)]
    wn = [dropout_names[i] if i < len(dropout_names) else str(i + 1) for i in range(m)]
    names = (*BgNbd.names, *(f"rate:{n}" for n in zn), *(f"a:{n}" for n in wn), *(f"b:{n}" for n in wn))
    values = np.concatenate([np.exp(theta[:4]), theta[4:]])
    errors = np.sqrt(np.diag(spread)) * np.concatenate([values[:4], np.ones(k + 2 * m)])
    model = CovariateModel(
        BgNbd(*values[:4].tolist()), values[4 : 4 + k], values[4 + k : 4 + k + m], values[4 + k + m :]
    )
    extreme = bool(np.abs(top.theta).max() >= EXTREME)
    return Fit(
        "bg_nbd_covariates", model, names, dict(zip(names, values.tolist(), strict=True)),
        dict(zip(names, errors.tolist(), strict=True)), top.value - history.purchases * float(np.log(unit)),
        history.customers, len(rows.x), top.evaluations, extreme or plain.boundary,
        plain.warnings or (("predict.clv_extreme_dropout",) if extreme else ()), None, spread,
    )  # fmt: skip


def _spread(columns: Array) -> tuple[Array, Array]:
    centre, scale = columns.mean(axis=0), columns.std(axis=0)
    flat = np.flatnonzero(scale <= 1e-12 * (1 + np.abs(centre)))
    if len(flat):
        raise ModelError(
            "predict.clv_constant_covariate", column=int(flat[0]) + 1, found=float(centre[flat[0]])
        )
    return centre, scale


def _natural(
    theta: Array, spread: Array, centre: Array, scale: Array, k: int, m: int, unit: float
) -> tuple[Array, Array]:
    """From standardised covariates and times in mean ages back to the user's units (a linear map)."""
    back = np.eye(len(theta))
    for i in range(k):
        back[4 + i, 4 + i] = 1 / scale[i]
        back[1, 4 + i] = centre[i] / scale[i]
    for which, row in enumerate((2, 3)):
        for i in range(m):
            place = 4 + k + which * m + i
            back[place, place] = 1 / scale[k + i]
            back[row, place] = -centre[k + i] / scale[k + i]
    moved = np.einsum("ij,j->i", back, theta)
    moved[1] += np.log(unit)
    return moved, np.einsum("ij,jk,lk->il", back, spread, back)


def gather(x: ArrayLike, t_x: ArrayLike, T: ArrayLike, z: Array, w: Array, unit: float) -> _Rows:
    """Distinct rows of history and covariates, found column by column."""
    history, rows = distinct(x, t_x, T)
    key = rows
    for column in (*z.T, *w.T):
        values, code = np.unique(column, return_inverse=True)
        _, key = np.unique(key * len(values) + code, return_inverse=True)
    first: NDArray[np.intp]
    _, first, weight = np.unique(key, return_index=True, return_counts=True)
    place = rows[first]
    return _Rows(
        history.x[place].astype(np.float64), history.t_x[place] / unit, history.T[place] / unit,
        weight.astype(np.float64), z[first], w[first],
    )  # fmt: skip
