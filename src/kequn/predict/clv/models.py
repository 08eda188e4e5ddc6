"""The two models behind lifetime value, chosen and fitted on one set of statistics."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kequn.errors import ModelError
from kequn.predict.clv.choose import Choice, choose_purchase_model
from kequn.predict.clv.fit import Fit
from kequn.predict.clv.gamma_gamma import WEAK, GammaGamma, fit_gamma_gamma
from kequn.predict.clv.gate import Gate, spend_gate
from kequn.predict.clv.packing import distinct
from kequn.predict.clv.statistics import Statistics


@dataclass(frozen=True)
class Models:
    """The models of one set of statistics: fit once, score any horizon."""

    choice: Choice
    spend: Fit[GammaGamma] | None
    gates: tuple[Gate, ...]
    warnings: tuple[str, ...]


def fit_models(statistics: Statistics, model: str = "auto") -> Models:
    """Chooses and fits the purchase model and Gamma-Gamma, gates first.

    Gamma-Gamma learns from customers with two or more priced purchases and a mean above 0; who has none is counted by a
    warning, not guessed.
    """
    history, _ = distinct(statistics.x, statistics.t_x, statistics.T)
    choice = choose_purchase_model(history, model)
    spend, gate, codes = _fit_spend(statistics)
    gates = choice.gates if gate is None else (*choice.gates, gate)
    return Models(choice, spend, gates, tuple(dict.fromkeys((*choice.warnings, *codes))))


def _fit_spend(statistics: Statistics) -> tuple[Fit[GammaGamma] | None, Gate, list[str]]:
    mean = statistics.mean_spend
    codes = [] if bool(np.all(mean > 0)) else ["predict.clv_unpriced_customers"]
    usable = (statistics.orders >= 2) & np.isfinite(mean) & (mean > 0)
    gate = spend_gate(int(usable.sum()))
    if not gate.ok:
        return None, gate, codes
    # distinct statistics are defined on whole minor units, on every engine
    count, money = statistics.orders[usable], np.maximum(np.rint(mean[usable]), 1)
    try:
        fit = fit_gamma_gamma(count, money)
        if fit.boundary:
            fit = replace(
                fit_gamma_gamma(count, money, prior=WEAK), warnings=(*fit.warnings, "predict.clv_weak_prior")
            )
    except ModelError as error:
        return None, gate, [*codes, error.code]
    if not np.isfinite(fit.model.mean):
        return None, gate, [*codes, *fit.warnings]
    return fit, gate, [*codes, *fit.warnings]
