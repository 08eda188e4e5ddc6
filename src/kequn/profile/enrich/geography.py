"""Where customers live and where they are now: region, position, and what is near."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kequn.errors import KequnError
from kequn.language import Type, portable
from kequn.profile.enrich.locating import Surroundings, locate
from kequn.profile.enrich.regions import gazetteer
from kequn.profile.enrich.tables import Enriched, Facts, Job, has

if TYPE_CHECKING:
    import pyarrow as pa

    from kequn.profile.declaration import FeatureFile
    from kequn.profile.enrich.distances import Places

HOME = (
    "country",
    "province",
    "city",
    "district",
    "address",
    "city_tier",
    "climate_zone",
    "latitude",
    "longitude",
)
KNOWN_KINDS = ("store", "station", "resort")
SLUG = re.compile(r"^[a-z][a-z0-9_]{0,30}$")
MOST_KINDS = 12
PLACES = portable(
    "SELECT place_id, kind, latitude, longitude FROM places WHERE latitude IS NOT NULL AND longitude IS NOT NULL"
)
REGIONS = portable("SELECT code, province, city, tier, density, climate_zone FROM regions")
NOW = (
    "SELECT customer_id, latitude, longitude, occurred_at, ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY occurred_at DESC, "
    "latitude, longitude) AS place FROM events WHERE occurred_at < DATE '{as_of}' AND customer_id IS NOT NULL "
    "AND latitude IS NOT NULL AND longitude IS NOT NULL"
)
PEOPLE = (
    "SELECT c.customer_id AS customer_id, {home}, n.latitude AS now_latitude, n.longitude AS now_longitude, n.occurred_at AS now_at "
    "FROM customers AS c LEFT JOIN (SELECT customer_id, latitude, longitude, occurred_at FROM ({now}) AS e WHERE place = 1) AS n "
    "ON c.customer_id = n.customer_id"
)


def enrich_geography(job: Job) -> Enriched:
    """One row per customer. Names that match no region and positions that can't be right are counted and reported."""
    parts = _parts(job.facts)
    if not any(parts.values()):
        return Enriched()
    around = _surroundings(job)
    columns = geography_columns(job.facts, list(around.places))
    home = ", ".join(f"c.{name} AS {name}" for name in HOME)
    query = portable(PEOPLE.format(home=home, now=NOW.format(as_of=job.as_of.isoformat())))
    schema = _schema(columns)

    def located(batch: pa.RecordBatch) -> pa.RecordBatch:
        return locate(batch, around, schema)

    folder = job.folder / "enriched_geo"
    job.engine.map_arrow(query, located, schema, folder)
    extra = {
        name: kind for name, kind in columns.items() if name.startswith(("distance_km_", "places_near_"))
    }
    table = job.deliver("enriched_geo", list(columns), extra)
    report = _report(table.files, **parts)
    return Enriched(
        {"enriched_geo": table}, (_kind_features(around),), tuple(_warnings(report)), {"geography": report}
    )


def _surroundings(job: Job) -> Surroundings:
    from kequn.profile.enrich.distances import by_kind, position_states

    known = gazetteer()
    by_code: dict[str, Mapping[str, Any]] = {}
    by_name: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row in job.engine.rows(REGIONS) if job.has("regions.code") else []:
        code = re.sub(r"(00)+$", "", str(row["code"])) if re.fullmatch(r"\d{2,6}", str(row["code"])) else ""
        code = code + "0" * (len(code) % 2)
        found = known.match(row["province"], row["city"], None, None)
        if code in known.places or found.code:
            by_code[code if code in known.places else str(found.code)] = row
        by_name[row["province"] or "", row["city"] or ""] = row
    places: dict[str, Places] = {}
    if job.has("places.latitude", "places.longitude"):
        import numpy as np

        rows = job.engine.rows(PLACES)
        lat, lon = (
            np.array([row[name] for row in rows], dtype=np.float64) for name in ("latitude", "longitude")
        )
        good = position_states(lat, lon, np.zeros(len(rows), dtype=bool)) == "ok"
        places = by_kind([row for row, fine in zip(rows, good, strict=True) if fine])
        kinds = [kind for kind in places if kind and SLUG.match(kind)][:MOST_KINDS]
        places = {kind: places[kind] for kind in ["", *kinds]}
    return Surroundings(known, by_code, by_name, places, job.settings.near_km)


def _parts(facts: Facts) -> dict[str, bool]:
    """Whether the facts name regions, place homes, and follow people."""
    return {
        "named": any(has(facts, f"customers.{name}") for name in ("province", "city", "district", "address")),
        "placed": has(facts, "customers.latitude", "customers.longitude"),
        "moving": has(facts, "events.latitude", "events.longitude"),
    }


def geography_columns(facts: Facts, kinds: Sequence[str] | None = None) -> dict[str, Type]:
    """The columns of `enriched_geo` that the facts allow, with their types; `kinds` of places ("" for all), once they are known."""
    parts = _parts(facts)
    if not any(parts.values()):
        return {}
    named, placed, moving = parts.values()
    if kinds is None:
        kinds = ["", *KNOWN_KINDS] if has(facts, "places.latitude", "places.longitude") else []
    columns: dict[str, Type] = {"customer_id": "text"}
    if named:
        columns |= dict.fromkeys(
            ("province", "city", "district", "region_code", "region_match", "great_region"), "text"
        )
    for name, source in (("city_tier", "tier"), ("climate_zone", "climate_zone")):
        if has(facts, f"customers.{name}") or (named and has(facts, f"regions.{source}")):
            columns[name] = "text"
    if named and has(facts, "regions.density"):
        columns["density"] = "decimal"
    if placed:
        columns |= {"latitude": "number", "longitude": "number", "position_state": "text"}
        for kind in kinds:
            columns[f"distance_km_{kind}" if kind else "distance_km"] = "number"
            columns[f"places_near_{kind}" if kind else "places_near"] = "integer"
        if kinds:
            columns |= {"nearest_place": "text"}
    if moving:
        columns |= {
            "now_latitude": "number",
            "now_longitude": "number",
            "now_at": "timestamp",
            "now_state": "text",
        }
        if kinds:
            columns |= {"now_distance_km": "number", "now_nearest_place": "text"}
    return columns


def _schema(columns: Mapping[str, Type]) -> pa.Schema:
    import pyarrow as pa

    kinds = {
        "text": pa.string(),
        "number": pa.float64(),
        "integer": pa.int64(),
        "timestamp": pa.timestamp("us"),
        "decimal": pa.decimal128(18, 3),
    }
    return pa.schema([(name, kinds[kind]) for name, kind in columns.items()])


def _report(files: Iterable[Any], **parts: bool) -> dict[str, Any]:
    """How many customers stand where: levels of match, states of positions, the unmatched names that occur most."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    counted = [
        name
        for name, wanted in zip(("region_match", "position_state", "now_state"), parts.values(), strict=True)
        if wanted
    ]
    found: dict[str, dict[str, int]] = {name: {} for name in counted}
    unmatched: dict[str, int] = {}
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(
            columns=[*counted, *(("province", "city") if parts["named"] else ())]
        ):
            for name in counted:
                for entry in batch.column(name).value_counts().to_pylist():
                    found[name][str(entry["values"])] = (
                        found[name].get(str(entry["values"]), 0) + entry["counts"]
                    )
            if "unmatched" in found.get("region_match", {}):
                lost = pa.Table.from_batches([batch]).filter(pc.field("region_match") == "unmatched")
                for entry in lost.group_by(["province", "city"]).aggregate([([], "count_all")]).to_pylist():
                    name = " ".join(filter(None, (entry["province"], entry["city"]))) or "-"
                    unmatched[name] = unmatched.get(name, 0) + entry["count_all"]
    most = sorted(unmatched.items(), key=lambda entry: (-entry[1], entry[0]))[:10]
    return {**{name: dict(sorted(counts.items())) for name, counts in found.items()}, "unmatched": dict(most)}


def _warnings(report: Mapping[str, Any]) -> Iterable[KequnError]:
    levels = report.get("region_match", {})
    if levels.get("unmatched"):
        yield KequnError(
            "enrich.regions_unmatched", customers=levels["unmatched"], names=list(report["unmatched"])[:5]
        )
    if levels.get("conflict"):
        yield KequnError("enrich.regions_conflict", customers=levels["conflict"])
    for name in ("position_state", "now_state"):
        wrong = {
            state: count for state, count in report.get(name, {}).items() if state not in ("ok", "missing")
        }
        if wrong:
            yield KequnError(
                "enrich.positions",
                rows=sum(wrong.values()),
                reasons=[f"{state} {count}" for state, count in wrong.items()],
            )


def _kind_features(around: Surroundings) -> FeatureFile:
    """Distance and count for each kind of place that the library doesn't declare."""
    from kequn.profile.declaration import FeatureFile

    kinds = [kind for kind in around.places if kind and kind not in KNOWN_KINDS]
    features: list[dict[str, Any]] = []
    for kind in kinds:
        titles = {"zh": f"距最近的 {kind}", "en": f"Distance to the nearest {kind}"}
        features.append(
            {
                "name": f"distance_km_{kind}",
                "from": "enriched_geo",
                "sql": f"MIN(distance_km_{kind})",
                "unit": "km",
                "title": titles,
            }
        )
        titles = {"zh": f"附近的 {kind} 数", "en": f"{kind} near"}
        features.append(
            {
                "name": f"places_near_{kind}",
                "from": "enriched_geo",
                "sql": f"MAX(places_near_{kind})",
                "unit": "places",
                "title": titles,
            }
        )
    return FeatureFile.model_validate({"model": "geographic", "basis": "external", "features": features})


__all__ = ["enrich_geography", "geography_columns"]
