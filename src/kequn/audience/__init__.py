"""Named lists that may overlap: by rule, by segment, by upload."""

from kequn.audience.build import Audience, audience_terms, load_audiences, write_audiences
from kequn.audience.spec import AudienceSpec

__all__ = ["Audience", "AudienceSpec", "audience_terms", "load_audiences", "write_audiences"]
