"""Next best offers: recommenders compared on a held-out window, calibrated, ranked by probability × margin."""

from kequn.predict.recommend.fit import Recommendations, RecommendSettings, fit_recommendations
from kequn.predict.recommend.interactions import CatalogueSettings, Sales
from kequn.predict.recommend.rules import OfferRules, offered_lately

__all__ = [
    "CatalogueSettings",
    "OfferRules",
    "RecommendSettings",
    "Recommendations",
    "Sales",
    "fit_recommendations",
    "offered_lately",
]
