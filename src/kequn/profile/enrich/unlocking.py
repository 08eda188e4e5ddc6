"""Which facts would bring what an enrichment gives: said to users instead of the name of an enriched table."""

from __future__ import annotations

from collections.abc import Iterable

TABLES = {
    "enriched_company": ("companies",),
    "enriched_agent": ("events.user_agent",),
    "enriched_search": ("events", "products.category"),
    "enriched_product": ("order_lines",),
    "enriched_traits": ("responses",),
    "enriched_festival": ("orders", "kequn.yaml: festivals"),
    "enriched_local_day": ("orders", "calendar/*.yaml"),
    "enriched_geo": (),
}
COLUMNS = {
    "enriched_company.industry_class": ("companies.industry",),
    "enriched_company.size_cn": ("companies.industry",),
    "enriched_company.size_eu": ("companies.employees", "companies.annual_revenue"),
    "enriched_company.group": ("companies.parent_company_id",),
    "enriched_product.median_price": ("products.price", "products.category"),
    "enriched_geo.city_tier": ("regions.tier",),
    "enriched_geo.density": ("regions.density",),
    "enriched_geo.climate_zone": ("regions.climate_zone",),
    "enriched_geo.now_at": ("events.latitude", "events.longitude"),
    "enriched_geo.now_distance": ("events.latitude", "events.longitude", "places"),
    "enriched_geo.now_nearest": ("events.latitude", "events.longitude", "places"),
    "enriched_geo.now_l": ("events.latitude", "events.longitude"),
    "enriched_geo.distance_km": ("customers.latitude", "customers.longitude", "places"),
    "enriched_geo.places_near": ("customers.latitude", "customers.longitude", "places"),
    "enriched_geo.nearest_place": ("customers.latitude", "customers.longitude", "places"),
    "enriched_geo.l": ("customers.latitude", "customers.longitude"),
    "enriched_geo.position_state": ("customers.latitude", "customers.longitude"),
    "enriched_geo.": ("customers.province",),
}


def in_facts(missing: Iterable[str]) -> tuple[str, ...]:
    """`missing` with enriched names replaced by the facts that bring them.

    >>> in_facts(["enriched_geo", "enriched_geo.distance_km_store", "orders.cost"])
    ('customers.latitude', 'customers.longitude', 'orders.cost', 'places')
    """
    found: set[str] = set()
    for name in missing:
        table, _, column = name.partition(".")
        if table not in TABLES:
            found.add(name)
        elif not column:
            found.update(TABLES[table])
        else:
            heads = [head for head in COLUMNS if name.startswith(head)]
            found.update(COLUMNS[max(heads, key=len)] if heads else TABLES[table])
    return tuple(sorted(found))


__all__ = ["in_facts"]
