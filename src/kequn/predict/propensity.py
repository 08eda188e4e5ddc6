"""Will this customer buy within N days? Churn is the same question with the answer turned round.

Four models of growing complexity (overall rate, table by recency and frequency, logistic regression, boosted trees) are
trained on earlier cut-offs, calibrated on a later one and compared on the last held-out window. A more complex model is
published only when it beats the simpler one by more than chance; the winner is then refitted one window later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from kequn.predict.calibration import Calibration, Flags, beats, fit_calibration, quality, rounded
from kequn.predict.card import ModelCard, note
from kequn.predict.features import Array, FeatureMatrix
from kequn.predict.gates import MINIMUM, Gate, check, first_failing, rarer
from kequn.predict.learners import SEED, THREADS, Boosted, Learner, Logit, RateTable, learner_from
from kequn.predict.past import Past, Window, stack, usable

LADDER = ("base_rate", "table", "logit", "lightgbm")
"""From the simplest up; each must beat the best below it."""


@dataclass(frozen=True)
class PropensitySettings:
    """How to fit: number of training cut-offs, seed, threads of the boosted trees."""

    training_windows: int = 2
    seed: int = SEED
    threads: int = THREADS


@dataclass(frozen=True)
class Propensity:
    """A fitted, calibrated model of P(an order within `horizon_days`)."""

    name: str
    horizon_days: int
    learner: Learner
    calibration: Calibration

    def score(self, matrix: FeatureMatrix) -> Array:
        """Calibrated probabilities, six decimals, one per customer of `matrix`."""
        return rounded(self.calibration.apply(self.learner.raw(matrix)))

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_dict` reads them back."""
        return {
            "name": self.name,
            "horizon_days": self.horizon_days,
            "learner": self.learner.as_dict(),
            "calibration": self.calibration.as_dict(),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Propensity:
        """The model that `as_dict` described."""
        return cls(
            stored["name"],
            stored["horizon_days"],
            learner_from(stored["learner"]),
            Calibration.from_dict(stored["calibration"]),
        )


@dataclass(frozen=True)
class PropensityFit:
    """The model to score with (None where the data don't carry one) and its card."""

    model: Propensity | None
    card: ModelCard


def fit_propensity(
    past: Past,
    horizon_days: int,
    scoring: FeatureMatrix,
    name: str,
    settings: PropensitySettings | None = None,
) -> PropensityFit:
    """Fit P(an order within `horizon_days`) and say how far it can be trusted.

    `scoring` holds the customers to be scored, as of `past.as_of`: only features known there and at every cut-off are used.
    """
    settings = settings or PropensitySettings()
    lead = lead_days(horizon_days)
    cutoffs = past.cutoffs(horizon_days, lead, 2 + settings.training_windows) if past.orders else []
    windows = [past.window(cutoff, horizon_days) for cutoff in cutoffs]
    gate = _gate(past, windows, horizon_days)
    names = usable([scoring, *(w.matrix for w in windows)]) if windows and len(scoring) else ()
    if gate.ok and names:
        return _fit_ladder(windows, names, gate, name, settings)
    return _fit_table(past.as_of, windows, gate, name, horizon_days)


def lead_days(horizon_days: int) -> int:
    """Days of history before a cut-off for its features to mean something."""
    return int(np.clip(horizon_days, 30, 90))


def _gate(past: Past, windows: Sequence[Window], horizon_days: int) -> Gate:
    needed = 3 * horizon_days + lead_days(horizon_days)
    found = (past.as_of - past.start).days
    if len(windows) < 3:
        return Gate(False, "predict.gate_history_days", needed, min(found, needed - 1) if past.orders else 0)
    parts = [windows[0], windows[1]]
    gates = [_counted("propensity", part) for part in parts]
    train = np.concatenate([window.bought for window in windows[2:]])
    gates.append(check(MINIMUM["propensity"], buyers=len(train), rarer_outcome=rarer(train)))
    return (
        min(gates, key=lambda gate: gate.found / gate.needed)
        if all(g.ok for g in gates)
        else first_failing(gates)
    )


def _counted(kind: str, window: Window) -> Gate:
    repeat = int(np.count_nonzero(window.matrix.column("frequency") > 1))
    return check(
        MINIMUM[kind], buyers=len(window.matrix), repeat_buyers=repeat, rarer_outcome=rarer(window.bought)
    )


def _fit_ladder(
    windows: list[Window], names: tuple[str, ...], gate: Gate, name: str, settings: PropensitySettings
) -> PropensityFit:
    test = windows[0]
    tried: dict[str, Array] = {}
    winner = LADDER[0]
    for kind in LADDER:
        tried[kind] = _fit_one(kind, windows[2:], windows[1], names, name, settings).score(test.matrix)
        if kind != winner and beats(tried[kind], tried[winner], test.bought):
            winner = kind
    final = _fit_one(winner, windows[1:], windows[0], names, name, settings)
    measured = {kind: quality(p, test.bought) for kind, p in tried.items()}
    card = ModelCard(
        name,
        gate,
        parameters={
            "horizon_days": test.horizon_days,
            "features": list(names),
            "training_cutoffs": [w.cutoff for w in windows[1:]],
            "calibration_cutoff": windows[0].cutoff,
            "calibration": final.calibration.kind,
            "seed": settings.seed,
        },
        log_likelihood=-measured[LADDER[-1]]["log_loss"] * len(test.bought),
        quality={
            "name": LADDER[-1],
            "window": test.cutoff,
            **measured[LADDER[-1]],
            "candidates": measured,
        },
        baseline={"name": "logit", "window": test.cutoff, **measured["logit"]},
        published=winner == LADDER[-1],
        used=winner,
        fitted_on=windows[0].cutoff,
        notes=() if winner == LADDER[-1] else (note("predict.note_simpler_model", used=winner),),
    )
    return PropensityFit(final, card)


def _fit_one(
    kind: str,
    train: Sequence[Window],
    calibrate: Window,
    names: tuple[str, ...],
    name: str,
    settings: PropensitySettings,
) -> Propensity:
    matrix, bought = stack(train, names)
    learner = _learn(kind, matrix, bought, settings)
    calibration = fit_calibration(learner.raw(calibrate.matrix), calibrate.bought)
    return Propensity(name, calibrate.horizon_days, learner, calibration)


def _learn(kind: str, matrix: FeatureMatrix, bought: Flags, settings: PropensitySettings) -> Learner:
    if kind == "base_rate":
        return RateTable((), (), (float(np.mean(bought)),))
    if kind == "table":
        return RateTable.fit(matrix, bought)
    if kind == "logit":
        return Logit.fit(matrix, bought)
    return Boosted.fit(matrix, bought, seed=settings.seed, threads=settings.threads)


def _fit_table(as_of: date, windows: list[Window], gate: Gate, name: str, horizon_days: int) -> PropensityFit:
    """Below the gate: the observed rates by recency and frequency, where there are enough customers for them.

    Where an earlier window allows a test and the table is no better than the overall rate, that one is used.
    """
    if not windows or not _counted("rate_table", windows[0]).ok:
        return PropensityFit(None, ModelCard(name, gate, parameters={"horizon_days": horizon_days}))
    latest = windows[0]
    measured = rival = None
    used = "table"
    if len(windows) > 1 and _counted("rate_table", windows[1]).ok:
        measured, rival = (_measured(kind, windows[1], latest) for kind in ("table", "base_rate"))
        if measured["log_loss"] >= rival["log_loss"]:
            used = "base_rate"
    learner = _learn(used, latest.matrix, latest.bought, PropensitySettings())
    notes = [note("predict.note_simpler_model", used=used)]
    if measured is None:
        notes.append(note("predict.note_untested"))
    card = ModelCard(
        name,
        gate,
        parameters={"horizon_days": horizon_days, "training_cutoffs": [latest.cutoff]},
        quality=measured,
        baseline=rival,
        used=used,
        fitted_on=latest.cutoff,
        notes=tuple(notes),
    )
    return PropensityFit(Propensity(name, horizon_days, learner, Calibration("none")), card)


def _measured(kind: str, earlier: Window, latest: Window) -> dict[str, Any]:
    """How good a model of the earlier window is on the latest one."""
    learner = _learn(kind, earlier.matrix, earlier.bought, PropensitySettings())
    found = quality(rounded(learner.raw(latest.matrix)), latest.bought)
    return {"name": kind, "window": latest.cutoff, **found}


__all__ = ["LADDER", "Propensity", "PropensityFit", "PropensitySettings", "fit_propensity", "lead_days"]
