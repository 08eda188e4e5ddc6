"""All enrichments in a row: each looks at what the facts deliver and adds its table, or nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from kequn.engine import Engine
from kequn.profile.enrich.agents import enrich_agents
from kequn.profile.enrich.companies import enrich_companies
from kequn.profile.enrich.geography import enrich_geography
from kequn.profile.enrich.products import enrich_products
from kequn.profile.enrich.searches import enrich_searches
from kequn.profile.enrich.tables import Enriched, EnrichSettings, Facts, Job, register_enriched
from kequn.profile.enrich.traits import enrich_traits

STEPS = (enrich_companies, enrich_products, enrich_agents, enrich_geography, enrich_traits, enrich_searches)


def enrich(
    engine: Engine, delivered: Facts, as_of: date, folder: Path, settings: EnrichSettings | None = None
) -> Enriched:
    """Work out every enriched table that the facts before `as_of` allow, write them under `folder`, name them in the engine.

    The engine must have a view of each table of the standard (`register_facts`). Plan the profile with
    `{**delivered, **enriched.delivered}` and a Registry that also holds `enriched.features`. Raises KequnError for a
    questionnaire that is written wrongly; what is wrong with data becomes `warnings`.
    """
    job = Job(engine, delivered, as_of, folder, settings or EnrichSettings())
    found = Enriched()
    for step in STEPS:
        found = found.with_(step(job))
    register_enriched(engine, found, {**delivered, **found.delivered})
    return found


__all__ = ["enrich"]
