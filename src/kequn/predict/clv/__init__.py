"""Customer lifetime value: purchase and money models fitted by maximum likelihood, on numpy and scipy alone.

Names load their module on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kequn.predict.clv.beta_geometric import BgNbd, MbgNbd
    from kequn.predict.clv.beta_geometric_fit import fit_bg_nbd, fit_mbg_nbd
    from kequn.predict.clv.bg_bb import BgBb, fit_bg_bb
    from kequn.predict.clv.choose import Choice, PurchaseModel, choose_purchase_model
    from kequn.predict.clv.covariates import CovariateModel, fit_bg_nbd_covariates
    from kequn.predict.clv.fit import Fit, WeakPrior
    from kequn.predict.clv.gamma_gamma import GammaGamma, fit_gamma_gamma
    from kequn.predict.clv.gate import Gate
    from kequn.predict.clv.history import History
    from kequn.predict.clv.models import Models, fit_models
    from kequn.predict.clv.nbd import Nbd, fit_nbd
    from kequn.predict.clv.packing import aggregate
    from kequn.predict.clv.pareto_nbd import ParetoNbd
    from kequn.predict.clv.pareto_nbd_fit import fit_pareto_nbd
    from kequn.predict.clv.quality import Quality, Score, backtest, holdout_quality
    from kequn.predict.clv.season import Season, estimate_season
    from kequn.predict.clv.settings import ValueSettings
    from kequn.predict.clv.statistics import Covariates, Purchases, Statistics
    from kequn.predict.clv.value import LifetimeValue, lifetime_value, sensitivity

_HOME = {
    "beta_geometric": ("BgNbd", "MbgNbd"),
    "beta_geometric_fit": ("fit_bg_nbd", "fit_mbg_nbd"),
    "bg_bb": ("BgBb", "fit_bg_bb"),
    "choose": ("Choice", "PurchaseModel", "choose_purchase_model"),
    "covariates": ("CovariateModel", "fit_bg_nbd_covariates"),
    "fit": ("Fit", "WeakPrior"),
    "gamma_gamma": ("GammaGamma", "fit_gamma_gamma"),
    "gate": ("Gate",),
    "history": ("History",),
    "models": ("Models", "fit_models"),
    "nbd": ("Nbd", "fit_nbd"),
    "packing": ("aggregate",),
    "pareto_nbd": ("ParetoNbd",),
    "pareto_nbd_fit": ("fit_pareto_nbd",),
    "quality": ("Quality", "Score", "backtest", "holdout_quality"),
    "season": ("Season", "estimate_season"),
    "statistics": ("Covariates", "Purchases", "Statistics"),
    "settings": ("ValueSettings",),
    "value": ("LifetimeValue", "lifetime_value", "sensitivity"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


__all__ = [
    "BgBb",
    "BgNbd",
    "Choice",
    "CovariateModel",
    "Covariates",
    "Fit",
    "GammaGamma",
    "Gate",
    "History",
    "LifetimeValue",
    "MbgNbd",
    "Models",
    "Nbd",
    "ParetoNbd",
    "PurchaseModel",
    "Purchases",
    "Quality",
    "Score",
    "Season",
    "Statistics",
    "ValueSettings",
    "WeakPrior",
    "aggregate",
    "backtest",
    "choose_purchase_model",
    "estimate_season",
    "fit_bg_bb",
    "fit_bg_nbd",
    "fit_bg_nbd_covariates",
    "fit_gamma_gamma",
    "fit_mbg_nbd",
    "fit_models",
    "fit_nbd",
    "fit_pareto_nbd",
    "holdout_quality",
    "lifetime_value",
    "sensitivity",
]
