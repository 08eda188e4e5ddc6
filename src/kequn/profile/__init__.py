"""One row per customer: grains and declared features."""

from kequn.profile.declaration import FeatureFile, load_features
from kequn.profile.plan import ProfileColumn, ProfilePlan, Unavailable
from kequn.profile.published import inward, published
from kequn.profile.ranges import CustomerRange, customer_ranges
from kequn.profile.registry import Delivered, Registry, catalog_of, table_view

__all__ = [
    "CustomerRange",
    "Delivered",
    "FeatureFile",
    "ProfileColumn",
    "ProfilePlan",
    "Registry",
    "Unavailable",
    "catalog_of",
    "customer_ranges",
    "inward",
    "load_features",
    "published",
    "table_view",
]
