"""All enrichments in a row: each looks at what the facts deliver and adds its table, or nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from kequn.engine import Engine
from kequn.language import Type
from kequn.profile.enrich.agents import agent_columns, enrich_agents
from kequn.profile.enrich.companies import company_columns, enrich_companies
from kequn.profile.enrich.days import day_columns, enrich_days
from kequn.profile.enrich.geography import enrich_geography, geography_columns
from kequn.profile.enrich.products import enrich_products, product_columns
from kequn.profile.enrich.searches import enrich_searches, search_columns
from kequn.profile.enrich.tables import ENRICHED, Enriched, EnrichSettings, Facts, Job, register_enriched
from kequn.profile.enrich.traits import enrich_traits, trait_columns

STEPS = (
    enrich_companies,
    enrich_products,
    enrich_agents,
    enrich_geography,
    enrich_days,
    enrich_traits,
    enrich_searches,
)


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
    register_enriched(engine, found)
    return found


def foreseen(delivered: Facts, settings: EnrichSettings | None = None) -> dict[str, dict[str, Type]]:
    """Which enriched tables and columns the facts would allow, without reading any: for `check` and `init`."""
    declared, settings = ENRICHED(), settings or EnrichSettings()
    named = {
        "enriched_company": company_columns(delivered, settings),
        "enriched_product": product_columns(delivered),
        "enriched_agent": agent_columns(delivered),
        "enriched_search": search_columns(delivered),
        **day_columns(delivered, settings),
    }
    typed: dict[str, dict[str, Type]] = {
        **{table: {name: declared[table][name] for name in columns} for table, columns in named.items()},
        "enriched_geo": geography_columns(delivered),
        "enriched_traits": {
            name: kind
            for name, kind in trait_columns(delivered, settings.questionnaires).items()
            if name in declared["enriched_traits"]
        },
    }
    return {table: columns for table, columns in typed.items() if columns}


__all__ = ["enrich", "foreseen"]
