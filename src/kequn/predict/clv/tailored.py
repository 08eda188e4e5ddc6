"""Covariates in use: BG/NBD for groups of customers with equal covariates, where the data say that they tell something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kequn.errors import ModelError
from kequn.predict.clv.beta_geometric import BgNbd
from kequn.predict.clv.beta_geometric_fit import fit_bg_nbd
from kequn.predict.clv.covariates import CovariateModel, fit_bg_nbd_covariates
from kequn.predict.clv.fit import Fit
from kequn.predict.clv.gate import Gate, covariate_gate
from kequn.predict.clv.packing import distinct
from kequn.predict.clv.special import Array
from kequn.predict.clv.statistics import Covariates, Statistics

KIND = "bg_nbd_covariates"
MOST_FITTED = 100_000
"""Customers whose covariates are fitted; more add time and memory, hardly precision."""
SEED = 2007
EFFECTS = ("rate", "a", "b")


@dataclass(frozen=True)
class Tailored:
    """A fit with covariates and the covariates of each pattern, shape (patterns, columns in the fit)."""

    fit: Fit[CovariateModel]
    table: Array

    def of(self, pattern: NDArray[np.int64]) -> BgNbd:
        """The BG/NBD of rows with these patterns: its parameters are arrays aligned with `pattern`."""
        return self.fit.model.customers(self.table[pattern], self.table[pattern])


@dataclass(frozen=True)
class Tailoring:
    """What came of the covariates: `tailored` is None where they are not used, and `warnings` (codes) say why."""

    tailored: Tailored | None
    gate: Gate
    gain: float | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rows:
    """Distinct (x, t_x, T, pattern) as float arrays, and the row of each customer (`place`)."""

    x: Array
    t_x: Array
    T: Array
    pattern: NDArray[np.int64]
    place: NDArray[np.int64]

    @classmethod
    def of(cls, statistics: Statistics) -> Rows:
        """The distinct rows of customers; without covariates all have pattern 0."""
        history, place = distinct(statistics.x, statistics.t_x, statistics.T)
        x, t_x, T = history.x.astype(np.float64), history.t_x, history.T
        given = statistics.covariates
        if given is None:
            return cls(x, t_x, T, np.zeros(len(x), dtype=np.int64), place)
        width = len(given.table)
        key, where = np.unique(place * width + given.pattern, return_inverse=True)
        row, pattern = np.divmod(key, width)
        return cls(x[row], t_x[row], T[row], pattern, where)


def tailor(statistics: Statistics, given: Covariates, plain: Fit[Any] | None) -> Tailoring:
    """BG/NBD with covariates on purchase rate and dropout, used where Akaike's criterion prefers it to `plain`.

    Beyond `MOST_FITTED` customers both are fitted to the same sample of so many. A column that is the same for all these customers is left out. `gain` is what the criterion gains, in log-likelihood
    less the number of coefficients. Raises nothing: a fit that fails or runs away is not used, and a code says so.
    """
    chosen = _sample(len(statistics))
    columns = given.table[given.pattern[chosen]]
    varies = np.flatnonzero(columns.std(axis=0) > 0)
    gate = covariate_gate(int((statistics.x > 0).sum()), len(EFFECTS) * len(varies))
    if not gate.ok or not len(varies):
        return Tailoring(None, gate, warnings=() if len(varies) else ("predict.clv_covariates_constant",))
    if plain is None or plain.kind != BgNbd.kind or plain.prior is not None:
        return Tailoring(None, gate, warnings=("predict.clv_covariates_no_base",))
    known = statistics.x[chosen], statistics.t_x[chosen], statistics.T[chosen]
    own, names = columns[:, varies], [given.names[i] for i in varies]
    try:
        fit = fit_bg_nbd_covariates(
            *known, purchase=own, dropout=own, purchase_names=names, dropout_names=names
        )
        without = plain if len(chosen) == len(statistics) else fit_bg_nbd(*known)
    except ModelError as error:
        return Tailoring(None, gate, warnings=(error.code,))
    if fit.boundary:
        return Tailoring(None, gate, warnings=("predict.clv_covariates_ran_away",))
    gain = fit.log_likelihood - without.log_likelihood - len(EFFECTS) * len(varies)
    if gain <= 0:
        return Tailoring(None, gate, gain, ("predict.clv_covariates_say_nothing",))
    return Tailoring(Tailored(fit, given.table[:, varies]), gate, gain)


def _sample(customers: int) -> NDArray[np.int64]:
    """Places of the customers to fit, in order: all, or `MOST_FITTED` drawn with a fixed seed (they stand in the order of ids)."""
    if customers <= MOST_FITTED:
        return np.arange(customers)
    drawn = np.random.default_rng(SEED).choice(customers, MOST_FITTED, replace=False)
    return np.sort(drawn).astype(np.int64)


__all__ = ["EFFECTS", "KIND", "Rows", "Tailored", "Tailoring", "tailor"]
