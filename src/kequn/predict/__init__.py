"""What customers will do: lifetime value, churn, next purchase, next best offer.

Names load their module on first use: importing the package loads neither LightGBM nor scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kequn.predict.card import ModelCard
    from kequn.predict.columns import PREDICTION_COLUMNS
    from kequn.predict.gates import Gate
    from kequn.predict.propensity import Propensity
    from kequn.predict.reasons import Reason, reasons
    from kequn.predict.recommend.rules import OfferRules
    from kequn.predict.run import PredictInputs, PredictResult, PredictSettings, load_model, predict

_HOME = {
    "card": ("ModelCard",),
    "columns": ("PREDICTION_COLUMNS",),
    "gates": ("Gate",),
    "propensity": ("Propensity",),
    "reasons": ("Reason", "reasons"),
    "recommend.rules": ("OfferRules",),
    "run": ("PredictInputs", "PredictResult", "PredictSettings", "load_model", "predict"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


__all__ = [
    "PREDICTION_COLUMNS",
    "Gate",
    "ModelCard",
    "OfferRules",
    "PredictInputs",
    "PredictResult",
    "PredictSettings",
    "Propensity",
    "Reason",
    "load_model",
    "predict",
    "reasons",
]
