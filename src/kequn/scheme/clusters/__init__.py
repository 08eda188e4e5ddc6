"""Groups found in the data: encoding, fitting, number of groups, names, rules, and the same identity next month."""

from kequn.scheme.clusters.fit import Before, fit_and_label
from kequn.scheme.clusters.methods import missing_libraries
from kequn.scheme.clusters.result import ClusterResult, Model
from kequn.scheme.clusters.settle import with_groups, with_stored_groups

__all__ = [
    "Before",
    "ClusterResult",
    "Model",
    "fit_and_label",
    "missing_libraries",
    "with_groups",
    "with_stored_groups",
]
