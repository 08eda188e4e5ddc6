"""Companies read closer: class of industry, size by China's and the EU's bands, and the group they belong to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from sqlglot import exp

from kequn.errors import KequnError
from kequn.language.typer import column
from kequn.profile.enrich.tables import Enriched, EnrichSettings, Facts, Job, has, packaged

CLASSES = ("large", "medium", "small")
WAN = 10_000
WANTED = ("industry", "employees", "annual_revenue", "total_assets", "parent_company_id")


def enrich_companies(job: Job) -> Enriched:
    """One row per company: class, sizes, group. Companies that own each other in a circle are one group, and reported."""
    import pyarrow as pa

    if not job.has("companies.company_id"):
        return Enriched()
    query = exp.select(*(column(name) for name in ("company_id", *WANTED))).from_("companies")
    rows = job.engine.rows(query)
    settings, unit = job.settings, 10**job.settings.minor_unit_digits
    units = {"cny": unit * (settings.per_cny or 1), "eur": unit * (settings.per_eur or 1)}
    parents = {row["company_id"]: row["parent_company_id"] for row in rows}
    groups, circles = company_groups(parents)
    sizes = Counter(groups.values())
    made = [_read(row, units, groups, sizes) for row in sorted(rows, key=lambda row: str(row["company_id"]))]
    kinds = {name: pa.string() for name in ("company_id", "industry_class", "size_cn", "size_eu", "group_id")}
    schema = pa.schema([*kinds.items(), ("group_companies", pa.int64())])
    table = job.write("enriched_company", pa.Table.from_pylist(made, schema=schema))
    allowed = company_columns(job.facts, settings)
    kept = {name: kind for name, kind in table.columns.items() if name in allowed}
    warnings = list(_unsized(job.facts, settings))
    if circles:
        warnings.append(
            KequnError("enrich.company_circle", circles=len(circles), first=list(circles[0])[:10])
        )
    return Enriched({"enriched_company": type(table)(table.files, kept)}, warnings=tuple(warnings))


def _unsized(facts: Facts, settings: EnrichSettings) -> Iterator[KequnError]:
    """Bands are in yuan and euros: without a rate, amounts in another currency aren't held against them."""
    able = company_columns(facts, replace(settings, per_cny=1.0, per_eur=1.0))
    for column_name, rate, currency in (
        ("size_cn", settings.per_cny, "CNY"),
        ("size_eu", settings.per_eur, "EUR"),
    ):
        if rate is None and column_name in able:
            yield KequnError("enrich.size_needs_rate", bands=column_name, currency=currency)


def company_columns(facts: Facts, settings: EnrichSettings) -> list[str]:
    """The columns of `enriched_company` that the facts and the known exchange rates allow."""
    if not has(facts, "companies.company_id"):
        return []
    columns = ["company_id"]
    if has(facts, "companies.industry"):
        columns += ["industry_class", *(["size_cn"] if settings.per_cny else [])]
    if (
        settings.per_eur
        and has(facts, "companies.employees")
        and (has(facts, "companies.annual_revenue") or has(facts, "companies.total_assets"))
    ):
        columns.append("size_eu")
    if has(facts, "companies.parent_company_id"):
        columns += ["group_id", "group_companies"]
    return columns


def _read(
    row: Mapping[str, Any], units: Mapping[str, float], groups: Mapping[str, str], sizes: Mapping[str, int]
) -> dict[str, Any]:
    def amounts(currency: str) -> tuple[float | None, float | None]:
        revenue, assets = (row[name] for name in ("annual_revenue", "total_assets"))
        return (
            None if revenue is None else revenue / units[currency],
            None if assets is None else assets / units[currency],
        )

    kind = industry_class(row["industry"])
    return {
        "company_id": row["company_id"],
        "industry_class": kind,
        "size_cn": size_cn(kind, row["employees"], *amounts("cny")),
        "size_eu": size_eu(row["employees"], *amounts("eur")),
        "group_id": groups[row["company_id"]],
        "group_companies": sizes[groups[row["company_id"]]],
    }


@cache
def _bands() -> dict[str, Any]:
    bands: dict[str, Any] = packaged("sizes.yaml")
    return bands


def industry_class(industry: str | None) -> str | None:
    """The class of industry whose word stands in `industry` (zh or en), `other` where none does, None for nothing.

    >>> industry_class("汽车零部件制造"), industry_class("Software"), industry_class("占星")
    ('industry', 'software', 'other')
    """
    if industry is None or not industry.strip():
        return None
    lowered = industry.lower()
    for name, words in _bands()["industries"].items():
        if any(word in lowered for word in words):
            return "industry" if name == "mining_energy" else str(name)
    return "other"


def size_cn(
    kind: str | None, employees: int | None, revenue: float | None, assets: float | None
) -> str | None:
    """large, medium, small or micro by 统计上大中小微型企业划分办法 (2017); amounts in 元.

    None where the class has no bands (finance, public bodies) or an indicator that it needs is unknown.

    >>> size_cn("industry", 1000, 400_000_000, None), size_cn("industry", 1000, 399_999_999, None)
    ('large', 'medium')
    """
    bands = _bands()["cn"].get(kind)
    if bands is None:
        return None
    given = {
        "employees": employees,
        "revenue": None if revenue is None else revenue / WAN,
        "assets": None if assets is None else assets / WAN,
    }
    for place, name in enumerate(CLASSES):
        values = [(given[indicator], bounds[place]) for indicator, bounds in bands.items()]
        if any(value is None for value, _ in values):
            return None
        if all(value is not None and value >= bound for value, bound in values):
            return name
    return "micro"


def size_eu(employees: int | None, revenue: float | None, assets: float | None) -> str | None:
    """micro, small, medium or large by Recommendation 2003/361/EC, annex, article 2; amounts in EUR.

    >>> size_eu(249, 60e6, 43e6), size_eu(249, 60e6, 44e6)
    ('medium', 'large')
    """
    if employees is None or (revenue is None and assets is None):
        return None
    for name, most in _bands()["eu"].items():
        rich = (revenue is None or revenue > most["revenue"]) and (assets is None or assets > most["assets"])
        if employees < most["employees"] and not rich:
            return str(name)
    return "large"


def company_groups(parents: Mapping[str, str | None]) -> tuple[dict[str, str], list[tuple[str, ...]]]:
    """For each company the one at the top, and the circles in which companies own each other.

    A circle's top is its smallest id. A parent that isn't among the companies is the top itself.
    """
    top: dict[str, str] = {}
    circles: list[tuple[str, ...]] = []
    for start in parents:
        path: list[str] = []
        place: dict[str, int] = {}
        at: str = start
        while at not in top and at not in place:
            place[at] = len(path)
            path.append(at)
            above = parents.get(at)
            if not above:
                top[at] = at
            else:
                at = above
        if at not in top:
            circle = path[place[at] :]
            if len(circle) > 1:
                circles.append(tuple(sorted(circle)))
            top.update(dict.fromkeys(circle, min(circle)))
        for name in reversed(path):
            if name not in top:
                above = parents[name]
                assert above is not None
                top[name] = top[above]
    return {name: top[name] for name in parents}, sorted(circles)


__all__ = ["company_columns", "company_groups", "enrich_companies", "industry_class", "size_cn", "size_eu"]
