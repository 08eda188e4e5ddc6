"""IDENTIFY: data standard, sources, mapping, checks, quarantine, identity, consent.

`load_sources` reads sources.yaml; `load_facts` turns the sources into canonical Parquet; `standard.TABLES` says which
tables and columns there are. Only light modules are loaded here; DuckDB and Arrow come with the first load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kequn.data.facts import Facts, FactSettings, FactTable, load_facts, sweep_facts
    from kequn.data.model_needs import ModelReadiness, readiness, unlocks
    from kequn.data.quarantine import Counts, MoneySum, SourceReport
    from kequn.data.sources import Source, Sources, load_sources, parse_sources
    from kequn.data.stage import Notice
    from kequn.data.standard import SHAPES, TABLES, Column, Table

_HOMES = {
    "Column": "standard",
    "Counts": "quarantine",
    "FactSettings": "facts",
    "FactTable": "facts",
    "Facts": "facts",
    "ModelReadiness": "model_needs",
    "MoneySum": "quarantine",
    "Notice": "stage",
    "SHAPES": "standard",
    "Source": "sources",
    "SourceReport": "quarantine",
    "Sources": "sources",
    "TABLES": "standard",
    "Table": "standard",
    "load_facts": "facts",
    "load_sources": "sources",
    "parse_sources": "sources",
    "readiness": "model_needs",
    "sweep_facts": "facts",
    "unlocks": "model_needs",
}


def __getattr__(name: str) -> Any:
    """Load a name of this face from its module when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    module = importlib.import_module(f"kequn.data.{_HOMES[name]}")
    return getattr(module, name)


__all__ = [
    "SHAPES",
    "TABLES",
    "Column",
    "Counts",
    "FactSettings",
    "FactTable",
    "Facts",
    "ModelReadiness",
    "MoneySum",
    "Notice",
    "Source",
    "SourceReport",
    "Sources",
    "Table",
    "load_facts",
    "load_sources",
    "parse_sources",
    "readiness",
    "sweep_facts",
    "unlocks",
]
