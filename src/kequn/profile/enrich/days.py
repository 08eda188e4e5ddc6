"""Which days belong to a festival, and which to a local event, where: what orders are joined to."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from kequn.errors import KequnError
from kequn.language import portable
from kequn.profile.calendar import Occasion, festivals, occasions
from kequn.profile.enrich.regions import gazetteer
from kequn.profile.enrich.tables import Enriched, EnrichSettings, Facts, Job, has

SPAN = "SELECT CAST(MIN(ordered_at) AS DATE) AS first FROM orders WHERE ordered_at < DATE '{as_of}'"


def enrich_days(job: Job) -> Enriched:
    """One row per day of a festival; one row per day, place and event that the workspace declared."""
    columns = day_columns(job.facts, job.settings)
    if not columns:
        return Enriched()
    import pyarrow as pa

    first = job.engine.scalar(portable(SPAN.format(as_of=job.as_of.isoformat())))
    last = job.as_of - timedelta(days=1)
    made, warnings = Enriched(), []
    if "enriched_festival" in columns:
        days = _festival_days(first, last) if first else {}
        rows = [{"day": day, "festival": name} for day, name in sorted(days.items())]
        schema = pa.schema([("day", pa.date32()), ("festival", pa.string())])
        table = job.write("enriched_festival", pa.Table.from_pylist(rows, schema=schema))
        made = made.with_(Enriched({"enriched_festival": table}))
    if "enriched_local_day" in columns:
        rows, unknown = _local_days(occasions(job.settings.calendar), first, last)
        schema = pa.schema(
            [("day", pa.date32()), *((name, pa.string()) for name in ("event", "code", "name"))]
        )
        table = job.write("enriched_local_day", pa.Table.from_pylist(rows, schema=schema))
        if unknown:
            warnings.append(KequnError("enrich.calendar_regions", names=unknown[:5]))
        made = made.with_(Enriched({"enriched_local_day": table}, warnings=tuple(warnings)))
    return made


def day_columns(facts: Facts, settings: EnrichSettings) -> dict[str, list[str]]:
    """The tables of days that facts and settings allow, with their columns."""
    if not has(facts, "orders.ordered_at"):
        return {}
    found = {"enriched_festival": ["day", "festival"]} if settings.festivals else {}
    if settings.calendar:
        found["enriched_local_day"] = ["day", "event", "code", "name"]
    return found


def _festival_days(first: date, last: date) -> dict[date, str]:
    found: dict[date, str] = {}
    for festival in festivals():
        for day in festival.days(first, last):
            found.setdefault(day, festival.occasion)
    return found


def _local_days(
    declared: tuple[Occasion, ...], first: date | None, last: date
) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows of the table, and names of regions that no gazetteer knows: those are compared as they are written."""
    rows: list[dict[str, Any]] = []
    unknown: list[str] = []
    for each in declared:
        places: list[tuple[str | None, str | None]] = [("", None)] if not each.regions else []
        for region in each.regions:
            code = _code(region)
            places.append((code, None if code else region))
            unknown += [] if code else [region]
        days = each.days(first, last) if first else []
        rows += [
            {"day": day, "event": each.occasion, "code": code, "name": name}
            for day in days
            for code, name in places
        ]
    return rows, unknown


def _code(region: str) -> str | None:
    """The code of a region of China by its name; the widest reading of the name comes first."""
    known = gazetteer()
    for found in (known.match(region, None, None, None), known.match(None, region, None, None)):
        if found.code:
            return found.code
    return known.match(None, None, region, None).code


__all__ = ["day_columns", "enrich_days"]
