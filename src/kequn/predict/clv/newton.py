"""Damped Newton ascent for log-likelihoods of two to a dozen parameters, all in logarithms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kequn.errors import ModelError
from kequn.predict.clv.special import Array

# value, gradient, Hessian at a point
Objective = Callable[[Array], tuple[float, Array, Array]]

_FARTHEST = 10.5  # |ln parameter| at which a fit has run away for good (36,000 mean ages or mean orders)
EXTREME = 9.2  # |ln parameter| from which on it is running away: its further rise is of no use to anyone
_RUN_AWAY_TOLERANCE = 1e-3
_LONGEST_STEP = 2.0
_MOST_STEPS = 200


@dataclass(frozen=True)
class Optimum:
    """Where the ascent ended: `theta` (ln of the parameters), value, gradient and Hessian there."""

    theta: Array
    value: float
    gradient: Array
    hessian: Array
    evaluations: int


def maximise(
    objective: Objective, start: Array, *, walls: Array | None = None, tolerance: float = 1e-9
) -> Optimum:
    """The maximum of `objective` over |theta| ≤ walls (10.5 unless told).

    Each step solves the Newton equations with the Hessian made negative definite, is cut to 2 in every logarithm and
    halved until the value rises. It stops when a step promises less than `tolerance` of log-likelihood (0.001 once a
    parameter has run away).

    Raises ModelError `predict.clv_not_converged` after 200 steps or on a value that is not finite.
    """
    wall = np.full(len(start), _FARTHEST) if walls is None else walls
    theta = np.clip(start, -wall, wall)
    value, gradient, hessian = objective(theta)
    if not np.isfinite(value):
        raise ModelError("predict.clv_not_converged", steps=0)
    evaluations = 1
    for _ in range(_MOST_STEPS):
        free = ~((np.abs(theta) >= wall) & (np.sign(theta) == np.sign(gradient)))
        step = _newton_step(gradient, hessian, free)
        promised = float(gradient[free] @ step[free])
        enough = tolerance if np.abs(theta).max() < EXTREME else _RUN_AWAY_TOLERANCE
        if promised < enough + 1e-14 * abs(value):  # a sum of this size carries no further digits
            return Optimum(theta, value, gradient, hessian, evaluations)
        size = 1.0
        while True:
            trial = np.clip(theta + size * step, -wall, wall)
            found = objective(trial)
            evaluations += 1
            if np.isfinite(found[0]) and found[0] >= value + 1e-4 * float(gradient @ (trial - theta)):
                break
            size /= 2
            if size < 1e-6:  # rounding hides the rise: this is the top
                return Optimum(theta, value, gradient, hessian, evaluations)
        theta = trial
        value, gradient, hessian = found
    raise ModelError("predict.clv_not_converged", steps=_MOST_STEPS)


def _newton_step(gradient: Array, hessian: Array, free: np.ndarray) -> Array:
    step = np.zeros_like(gradient)
    curvature, directions = np.linalg.eigh(-hessian[np.ix_(free, free)])
    # a direction that curves the wrong way, or not at all, is climbed like one of ordinary curvature
    floor = 1e-13 * max(float(np.abs(curvature).max(initial=0.0)), 1e-12)
    along = directions.T @ gradient[free] / np.maximum(np.abs(curvature), floor)
    step[free] = directions @ along
    longest = float(np.abs(step).max(initial=0.0))
    return step if longest <= _LONGEST_STEP else step * (_LONGEST_STEP / longest)


def covariance(hessian: Array) -> Array:
    """Inverse of the negative Hessian; NaN where the data say nothing about a direction."""
    curvature, directions = np.linalg.eigh(-hessian)
    if curvature.min() <= 1e-12 * max(float(curvature.max()), 1e-300):
        return np.full_like(hessian, np.nan)
    return np.asarray((directions / curvature) @ directions.T)
