"""Probabilities that mean what they say, and the measures that show it.

Calibration is fitted on a later window than the model, so that it also corrects what has changed since. Sources: Platt
(1999) for the sigmoid, Zadrozny & Elkan (2002) for isotonic regression, Brier (1950) for the score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kequn.predict.extra import load

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

ISOTONIC_MINIMUM = 1000
"""Cases of the rarer outcome from which isotonic regression is used; below it would follow noise."""
EDGE = 1e-6


@dataclass(frozen=True)
class Calibration:
    """A non-decreasing map from a raw probability to a calibrated one.

    `sigmoid`: expit(intercept + slope · logit p) with `knots` (intercept,), `heights` (slope,); `isotonic`: linear between
    knots, flat outside them.
    """

    kind: Literal["isotonic", "sigmoid", "none"]
    knots: tuple[float, ...] = ()
    heights: tuple[float, ...] = ()

    def apply(self, p: Array) -> Array:
        """Calibrated probabilities of raw ones, within (0, 1)."""
        if self.kind == "isotonic":
            return np.clip(np.interp(p, self.knots, self.heights), EDGE, 1 - EDGE)
        if self.kind == "sigmoid":
            return np.clip(expit(self.knots[0] + self.heights[0] * logit(p)), EDGE, 1 - EDGE)
        return np.clip(p, EDGE, 1 - EDGE)

    def as_dict(self) -> dict[str, Any]:
        """For a model file."""
        return {"kind": self.kind, "knots": list(self.knots), "heights": list(self.heights)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Calibration:
        """The inverse of `as_dict`."""
        return cls(stored["kind"], tuple(stored["knots"]), tuple(stored["heights"]))


def logit(p: Array) -> Array:
    """ln(p / (1 - p)), with p held away from 0 and 1."""
    held = np.clip(p, EDGE, 1 - EDGE)
    return np.asarray(np.log(held / (1 - held)))


def expit(z: Array) -> Array:
    """1 / (1 + e^-z), for any z."""
    half = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + half), half / (1 + half))


def fit_calibration(raw: Array, happened: Flags, kind: str = "auto") -> Calibration:
    """Fit the map from raw probabilities [n] to what happened [n] on a window the model has not seen.

    With one class only, or where the outcome falls as the raw probability rises, nothing but a constant is known: the
    rate with one case added to each side (Laplace).
    """
    hits = int(np.count_nonzero(happened))
    constant = Calibration("isotonic", (0.0, 1.0), ((hits + 1) / (len(raw) + 2),) * 2)
    if hits in (0, len(raw)) or np.ptp(raw) < 1e-12:
        return constant
    if kind == "auto":
        kind = "isotonic" if min(hits, len(raw) - hits) >= ISOTONIC_MINIMUM else "sigmoid"
    return _isotonic(raw, happened) if kind == "isotonic" else _sigmoid(raw, happened) or constant


def _isotonic(raw: Array, happened: Flags) -> Calibration:
    model = load("sklearn.isotonic").IsotonicRegression(out_of_bounds="clip")
    model.fit(raw, happened.astype(np.float64))
    # the ends of isotonic regression are 0 and 1 exactly, which no finite window proves
    floor = 1 / (len(raw) + 2)
    heights = np.clip(model.y_thresholds_, floor, 1 - floor)
    return Calibration("isotonic", tuple(map(float, model.X_thresholds_)), tuple(map(float, heights)))


def _sigmoid(raw: Array, happened: Flags) -> Calibration | None:
    """Platt's two parameters with his smoothed targets; None for a slope that is not positive."""
    from scipy.optimize import minimize

    z = logit(raw)
    hits = np.count_nonzero(happened)
    target = np.where(happened, (hits + 1) / (hits + 2), 1 / (len(raw) - hits + 2))

    def loss(beta: Array) -> tuple[float, Array]:
        line = beta[0] + beta[1] * z
        gap = expit(line) - target
        value = np.mean(np.logaddexp(0, line) - target * line)
        return float(value), np.array([np.mean(gap), np.mean(gap * z)])

    found = minimize(loss, np.array([0.0, 1.0]), jac=True, method="BFGS", options={"gtol": 1e-9}).x
    if not np.all(np.isfinite(found)) or found[1] <= 0:
        return None
    return Calibration("sigmoid", (float(found[0]),), (float(found[1]),))


def log_losses(p: Array, happened: Flags) -> Array:
    """-ln of the probability given to what happened, per case."""
    held = np.clip(p, EDGE, 1 - EDGE)
    return np.asarray(-np.where(happened, np.log(held), np.log1p(-held)))


def lift_at(p: Array, happened: Flags, share: float = 0.1) -> float:
    """Rate among the top `share` by probability over the rate of all; ties count with their mean, NaN without a case."""
    count = max(1, round(len(p) * share))
    order = np.argsort(-p, kind="stable")
    edge = p[order[count - 1]]
    sure, tied = p > edge, p == edge
    hits = np.count_nonzero(happened[sure]) + (count - np.count_nonzero(sure)) * np.mean(happened[tied])
    base = np.mean(happened)
    return float(hits / count / base) if base > 0 else float("nan")


def reliability(p: Array, happened: Flags, bins: int = 10) -> list[dict[str, float]]:
    """The reliability curve: bins of about equal size by probability, equal values never split.

    Returns one row per bin: customers, mean probability, observed rate.
    """
    order = np.argsort(p, kind="stable")
    sorted_p, outcome = p[order], happened[order]
    rows, start = [], 0
    for place in range(1, bins + 1):
        end = round(len(p) * place / bins)
        while end < len(p) and end > 0 and sorted_p[end] == sorted_p[end - 1]:
            end += 1
        if end > start:
            rows.append(
                {
                    "customers": float(end - start),
                    "predicted": float(np.mean(sorted_p[start:end])),
                    "observed": float(np.mean(outcome[start:end])),
                }
            )
            start = end
    return rows


def quality(p: Array, happened: Flags) -> dict[str, Any]:
    """Brier score, log-loss, AUC (NaN with one class), lift in the top 10 %, and the reliability curve."""
    one_class = bool(np.all(happened) or not np.any(happened))
    auc = float("nan") if one_class else float(load("sklearn.metrics").roc_auc_score(happened, p))
    return {
        "customers": len(p),
        "base_rate": float(np.mean(happened)),
        "mean_probability": float(np.mean(p)),
        "brier": float(np.mean((p - happened) ** 2)),
        "log_loss": float(np.mean(log_losses(p, happened))),
        "auc": auc,
        "lift_10": lift_at(p, happened),
        "reliability": reliability(p, happened),
    }


def beats(challenger: Array, baseline: Array, happened: Flags) -> bool:
    """Whether the challenger's log-loss is lower than the baseline's by more than one standard error of the difference.

    Both are probabilities [n] of the same cases; a tie goes to the simpler model.
    """
    gain = log_losses(baseline, happened) - log_losses(challenger, happened)
    if len(gain) < 2:
        return False
    return bool(np.mean(gain) > np.std(gain, ddof=1) / np.sqrt(len(gain)))


def rounded(p: Sequence[float] | Array) -> Array:
    """Probabilities as published: six decimals."""
    return np.asarray(np.round(np.asarray(p, dtype=np.float64), 6), dtype=np.float64)


__all__ = [
    "Calibration",
    "beats",
    "expit",
    "fit_calibration",
    "lift_at",
    "log_losses",
    "logit",
    "quality",
    "reliability",
    "rounded",
]
