"""What SQL can't do: facts read closer (places, agents, questionnaires, companies) into tables that features are built on."""

from kequn.profile.enrich.run import enrich, foreseen
from kequn.profile.enrich.tables import ENRICHED, Enriched, EnrichedTable, EnrichSettings, register_enriched

__all__ = [
    "ENRICHED",
    "EnrichSettings",
    "Enriched",
    "EnrichedTable",
    "enrich",
    "foreseen",
    "register_enriched",
]
