"""What SQL can't do: facts read closer (places, agents, questionnaires, companies) into tables that features are built on."""

from typing import TYPE_CHECKING, Any

from kequn.profile.enrich.tables import ENRICHED, Enriched, EnrichedTable, EnrichSettings, register_enriched

if TYPE_CHECKING:
    from kequn.profile.enrich.run import enrich, foreseen

__all__ = [
    "ENRICHED",
    "EnrichSettings",
    "Enriched",
    "EnrichedTable",
    "enrich",
    "foreseen",
    "register_enriched",
]


def __getattr__(name: str) -> Any:
    """The steps are loaded by those who take them: who only plans a profile needs the tables."""
    if name in ("enrich", "foreseen"):
        from kequn.profile.enrich import run

        return getattr(run, name)
    raise AttributeError(name)
