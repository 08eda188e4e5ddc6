"""SEGMENT: scheme kinds, built-in library, assignment, explanation, portrait."""

from kequn.scheme.assignment import Assignment, Previous, SchemeResult, assign, bind
from kequn.scheme.editing import with_parameters
from kequn.scheme.explanation import Explainer, Explanation, explain
from kequn.scheme.kind import Bound, Scheme
from kequn.scheme.library import Offer, offer
from kequn.scheme.loading import arrange, available, load_scheme, load_schemes, possible, with_schemes
from kequn.scheme.spec import SchemeSpec, SegmentSpec

__all__ = [
    "Assignment",
    "Bound",
    "Explainer",
    "Explanation",
    "Offer",
    "Previous",
    "Scheme",
    "SchemeResult",
    "SchemeSpec",
    "SegmentSpec",
    "arrange",
    "assign",
    "available",
    "bind",
    "explain",
    "load_scheme",
    "load_schemes",
    "offer",
    "possible",
    "with_parameters",
    "with_schemes",
]
