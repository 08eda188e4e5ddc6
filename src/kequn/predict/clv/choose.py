"""Which purchase model to believe: gates first, then the likelihood, then a fallback for fits that ran away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from numpy.typing import ArrayLike

from kequn.errors import ModelError
from kequn.predict.clv import beta_geometric_fit as beta_geometric
from kequn.predict.clv import bg_bb
from kequn.predict.clv import pareto_nbd_fit as pareto
from kequn.predict.clv.beta_geometric import BgNbd, MbgNbd
from kequn.predict.clv.fit import Fit, WeakPrior
from kequn.predict.clv.gate import Gate, purchase_gates
from kequn.predict.clv.history import History
from kequn.predict.clv.nbd import fit_nbd_history
from kequn.predict.clv.periodic import PERIODS, fit_periodic
from kequn.predict.clv.special import Array

MONTH = PERIODS["month"]
AUTOMATIC = ("bg_nbd", "mbg_nbd", "pareto_nbd")


class PurchaseModel(Protocol):
    """What scoring asks of a purchase model; see `BgNbd` for the meaning of each."""

    @property
    def kind(self) -> str: ...
    def p_alive(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array: ...
    def mean_if_alive(self, t: ArrayLike, x: ArrayLike, T: ArrayLike) -> Array: ...
    def expected_purchases(self, t: ArrayLike, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array: ...
    def expected_from_start(self, t: ArrayLike) -> Array: ...
    def pmf(self, n: ArrayLike, t: ArrayLike) -> Array: ...
    def purchase_probability(
        self, n: ArrayLike, t: ArrayLike, x: ArrayLike, t_x: ArrayLike, T: ArrayLike
    ) -> Array: ...
    def wait(self, probability: ArrayLike, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array: ...


Fitter = Callable[[History, WeakPrior | None, float], Fit[Any]]
_FITTERS: dict[str, tuple[Fitter, WeakPrior]] = {
    "bg_nbd": (lambda h, p, _: beta_geometric.fit_history(BgNbd, h, p), beta_geometric.WEAK),
    "mbg_nbd": (lambda h, p, _: beta_geometric.fit_history(MbgNbd, h, p), beta_geometric.WEAK),
    "pareto_nbd": (lambda h, p, _: pareto.fit_pareto_history(h, p), pareto.WEAK),
    "nbd": (lambda h, p, _: fit_nbd_history(h, p), WeakPrior({"r": 0.5, "alpha": 0.3})),
    "bg_bb": (lambda h, p, days: fit_periodic(h, days, p), bg_bb.WEAK),
}
MODELS = ("auto", *_FITTERS)


@dataclass(frozen=True)
class Choice:
    """The fit to use (None: no gate is open), every fit tried, every gate looked at, and codes of what was decided."""

    fit: Fit[PurchaseModel] | None
    tried: tuple[Fit[PurchaseModel], ...]
    gates: tuple[Gate, ...]
    warnings: tuple[str, ...]


def choose_purchase_model(history: History, wanted: str = "auto", opportunity_days: float = MONTH) -> Choice:
    """Fits `wanted` ("auto": the likeliest of BG/NBD, MBG/NBD and Pareto/NBD) on a history in days, or what is simpler.

    `opportunity_days`: how long an opportunity of the BG/BB lasts; its history has whole opportunities, in days.

    - A closed gate rules a model out; NBD needs less than the others; with that closed too there is no fit.
    - A fit that ran away without dropout is an NBD, so NBD is used; also where one model denies dropout and the best of
      the others can't prove it. One that ran away otherwise is fitted again with weak priors.

    Raises ModelError `predict.clv_unknown_model`; `predict.clv_not_converged` if even the last resort fails.
    """
    if wanted not in MODELS:
        raise ModelError("predict.clv_unknown_model", name=wanted, known=list(MODELS))
    names = AUTOMATIC if wanted == "auto" else (wanted,)
    gates = [gate for name in names for gate in purchase_gates(name, history, opportunity_days)]
    open_names = [name for name in names if all(g.ok for g in gates if g.model == name)]
    tried: list[Fit[PurchaseModel]] = []
    warnings: list[str] = []
    for name in open_names:
        try:
            tried.append(_FITTERS[name][0](history, None, opportunity_days))
        except ModelError as error:
            warnings.append(error.code)
    inside = [fit for fit in tried if not fit.boundary]
    denied = any("predict.clv_no_dropout" in fit.warnings for fit in tried)
    best = max(inside or tried, key=lambda fit: fit.log_likelihood, default=None)
    if best is not None and inside and not (denied and "predict.clv_dropout_unproven" in best.warnings):
        return Choice(best, tuple(tried), tuple(gates), _once(*warnings, *best.warnings))
    if best is not None and not denied:
        fit, weak = _FITTERS[best.kind]
        held = fit(history, weak, opportunity_days)
        held = replace(held, warnings=(*best.warnings, "predict.clv_weak_prior"))
        return Choice(held, (*tried, held), tuple(gates), _once(*warnings, *held.warnings))
    if wanted == "nbd":
        return Choice(None, tuple(tried), tuple(gates), _once(*warnings))
    return _steady(history, tried, gates, warnings)


def _steady(
    history: History, tried: list[Fit[PurchaseModel]], gates: list[Gate], warnings: list[str]
) -> Choice:
    """The NBD as a fallback, if its own gate is open."""
    warnings = [*warnings, *(code for fit in tried for code in fit.warnings)]
    gates = gates + list(purchase_gates("nbd", history))
    if not all(g.ok for g in gates if g.model == "nbd"):
        return Choice(None, tuple(tried), tuple(gates), _once(*warnings))
    fit: Fit[PurchaseModel] = fit_nbd_history(history)
    return Choice(fit, (*tried, fit), tuple(gates), _once(*warnings, "predict.clv_used_nbd"))


def _once(*codes: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(codes))
