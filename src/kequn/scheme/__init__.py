"""SEGMENT: scheme kinds, built-in library, assignment, explanation, portrait."""

from kequn.scheme.assignment import Assignment, Previous, SchemeResult, assign
from kequn.scheme.kind import Bound, Scheme
from kequn.scheme.loading import arrange, available, load_scheme, load_schemes, possible, with_schemes
from kequn.scheme.spec import SchemeSpec, SegmentSpec

__all__ = [
    "Assignment",
    "Bound",
    "Previous",
    "Scheme",
    "SchemeResult",
    "SchemeSpec",
    "SegmentSpec",
    "arrange",
    "assign",
    "available",
    "load_scheme",
    "load_schemes",
    "possible",
    "with_schemes",
]
