"""Named lists that may overlap: by rule, by segment, by upload."""

from kequn.audience.build import Audience, audience_terms, load_audiences, write_audiences
from kequn.audience.forgetting import ListsCleaned, forget_in_lists
from kequn.audience.spec import AudienceSpec

__all__ = [
    "Audience",
    "AudienceSpec",
    "ListsCleaned",
    "audience_terms",
    "forget_in_lists",
    "load_audiences",
    "write_audiences",
]
