"""What every maximum-likelihood fit of this package returns, and the one way in which it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from kequn.predict.clv.newton import EXTREME, Objective, Optimum, covariance, maximise
from kequn.predict.clv.special import Array

Model = TypeVar("Model", covariant=True)


@dataclass(frozen=True)
class WeakPrior:
    """Log-normal priors that hold parameters in reach without steering them: ln(parameter) ~ N(ln(centre), spread²).

    `centre` is in the fit's own units (times in mean ages T, money in mean orders); a parameter without a centre has
    a flat prior. The default spread lets a parameter move by a factor of 30 within two standard deviations.
    """

    centre: Mapping[str, float]
    spread: float = 1.7

    def add_to(self, objective: Objective, names: tuple[str, ...]) -> Objective:
        """`objective` plus the log-density of the prior (up to a constant)."""
        precision = np.array([self.spread**-2 if n in self.centre else 0.0 for n in names])
        centre = np.log([self.centre.get(n, 1.0) for n in names])

        def penalised(theta: Array) -> tuple[float, Array, Array]:
            value, gradient, hessian = objective(theta)
            away = theta - centre
            return (
                value - float((precision * away**2).sum()) / 2,
                gradient - precision * away,
                hessian - np.diag(precision),
            )

        return penalised


@dataclass(frozen=True)
class Fit(Generic[Model]):
    """A fitted model with how far it can be trusted.

    `log_likelihood` is the plain log-likelihood of all customers at the estimate (no prior, no rescaling): the figure
    that papers print. `standard_errors` are those of the natural parameters; `log_covariance` is the covariance of
    their logarithms, in the order of `names`. `boundary` says that the likelihood has no maximum inside: the model
    ran towards a simpler one, which `warnings` (codes) name. `prior` is None for a plain maximum-likelihood fit.
    """

    kind: str
    model: Model
    names: tuple[str, ...]
    parameters: Mapping[str, float]
    standard_errors: Mapping[str, float]
    log_likelihood: float
    customers: int
    rows: int
    evaluations: int
    boundary: bool
    warnings: tuple[str, ...]
    prior: WeakPrior | None = None
    log_covariance: Array = field(default_factory=lambda: np.zeros((0, 0)), repr=False, compare=False)

    def as_record(self) -> dict[str, Any]:
        """The fit as plain values, ready for JSON (undefined standard errors are None)."""
        return {
            "model": self.kind,
            "parameters": {n: float(v) for n, v in self.parameters.items()},
            "standard_errors": {
                n: float(v) if np.isfinite(v) else None for n, v in self.standard_errors.items()
            },
            "log_likelihood": self.log_likelihood,
            "customers": self.customers,
            "boundary": self.boundary,
            "warnings": list(self.warnings),
            "prior": self.prior is not None,
        }


@dataclass(frozen=True)
class Estimate:
    """The maximum in natural parameters: what a model needs to build its `Fit`."""

    values: dict[str, float]
    errors: dict[str, float]
    log_likelihood: float
    log_covariance: Array
    evaluations: int
    extreme: tuple[str, ...]


def estimate(
    objective: Objective,
    names: tuple[str, ...],
    start: Mapping[str, float],
    units: Mapping[str, float],
    prior: WeakPrior | None = None,
) -> Estimate:
    """Maximises `objective` over ln(parameters) and reports in natural units: value times `units[name]` (1 if absent).

    The caller adds to the log-likelihood what rescaling took away.
    """
    first = np.log([start[n] for n in names])
    target = prior.add_to(objective, names) if prior else objective
    top: Optimum = maximise(target, first)
    log_likelihood = objective(top.theta)[0] if prior else top.value
    spread = covariance(top.hessian)
    scale = np.array([units.get(n, 1.0) for n in names])
    values = np.exp(top.theta) * scale
    errors = values * np.sqrt(np.diag(spread))
    extreme = tuple(n for n, t in zip(names, top.theta, strict=True) if abs(t) >= EXTREME)
    return Estimate(
        dict(zip(names, values.tolist(), strict=True)), dict(zip(names, errors.tolist(), strict=True)),
        log_likelihood, spread, top.evaluations, extreme,
    )  # fmt: skip
