"""The two models behind lifetime value, chosen and fitted on one set of statistics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kequn.errors import ModelError
from kequn.predict.clv.choose import MONTH, Choice, PurchaseModel, choose_purchase_model
from kequn.predict.clv.fit import Fit
from kequn.predict.clv.gamma_gamma import WEAK, GammaGamma, fit_gamma_gamma
from kequn.predict.clv.gate import Gate, spend_gate
from kequn.predict.clv.packing import distinct
from kequn.predict.clv.statistics import Statistics
from kequn.predict.clv.tailored import Tailoring, tailor


@dataclass(frozen=True)
class Models:
    """The models of one set of statistics: fit once, score any horizon. `tailoring`: what came of covariates, if there were any."""

    choice: Choice
    spend: Fit[GammaGamma] | None
    gates: tuple[Gate, ...]
    warnings: tuple[str, ...]
    tailoring: Tailoring | None = None

    @property
    def fit(self) -> Fit[Any] | None:
        """The fit in use; None where no gate is open."""
        tailored = self.tailoring.tailored if self.tailoring else None
        return tailored.fit if tailored else self.choice.fit

    def model(self, pattern: NDArray[np.int64]) -> PurchaseModel | None:
        """The purchase model of rows with these covariate patterns (which models without covariates don't look at)."""
        if self.tailoring is not None and self.tailoring.tailored is not None:
            return self.tailoring.tailored.of(pattern)
        return self.choice.fit.model if self.choice.fit is not None else None


def fit_models(statistics: Statistics, model: str = "auto", opportunity_days: float = MONTH) -> Models:
    """Chooses and fits the purchase model and Gamma-Gamma, gates first.

    With covariates `auto` means BG/NBD, the model that can use them. Gamma-Gamma learns from customers with two or more
    priced purchases and a mean above 0; who has none is counted by a warning, not guessed.
    """
    history, _ = distinct(statistics.x, statistics.t_x, statistics.T)
    given, tailoring = statistics.covariates, None
    wanted = "bg_nbd" if given is not None and model == "auto" else model
    choice = choose_purchase_model(history, wanted, opportunity_days)
    if given is not None:
        tailoring = tailor(statistics, given, choice.fit)
    spend, gate, codes = _fit_spend(statistics)
    gates = (*choice.gates, *([tailoring.gate] if tailoring else ()), gate)
    warnings = (*choice.warnings, *(tailoring.warnings if tailoring else ()), *codes)
    return Models(choice, spend, gates, tuple(dict.fromkeys(warnings)), tailoring)


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
