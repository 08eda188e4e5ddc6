"""SEGMENT: scheme kinds, built-in library, assignment, explanation, portrait."""

from typing import TYPE_CHECKING, Any

from kequn.scheme.assignment import Assignment, Previous, SchemeResult, assign, bind
from kequn.scheme.editing import with_parameters
from kequn.scheme.kind import Bound, Scheme
from kequn.scheme.library import Offer, offer
from kequn.scheme.loading import arrange, available, load_scheme, load_schemes, possible, with_schemes
from kequn.scheme.spec import SchemeSpec, SegmentSpec

if TYPE_CHECKING:
    from kequn.scheme.explanation import Explainer, Explanation, explain

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


def __getattr__(name: str) -> Any:
    """Explaining is loaded by those who explain: a run does without."""
    if name in ("Explainer", "Explanation", "explain"):
        from kequn.scheme import explanation

        return getattr(explanation, name)
    raise AttributeError(name)
