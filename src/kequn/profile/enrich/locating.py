"""Region, position and what is near, for one batch of customers at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kequn.profile.enrich.regions import Gazetteer, Match, great_region

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from kequn.profile.enrich.distances import Places

WORDS = ("country", "province", "city", "district", "address", "city_tier", "climate_zone")
CHINA_NAMES = {"中国", "china", "cn", "chn", "prc", "中华人民共和国"}


@dataclass(frozen=True)
class Surroundings:
    """What every batch is measured against: the gazetteer, the user's own facts by region code or by names, and places."""

    gazetteer: Gazetteer
    by_code: Mapping[str, Mapping[str, Any]]
    by_name: Mapping[tuple[str, str], Mapping[str, Any]]
    places: Mapping[str, Places] = field(default_factory=dict)
    near_km: float = 5.0

    def facts(self, found: Match, province: str | None, city: str | None) -> Mapping[str, Any]:
        """Tier, density and climate of a place: of the district, else its city, else its province."""
        for size in (6, 4, 2):
            if found.code and len(found.code) >= size and found.code[:size] in self.by_code:
                return self.by_code[found.code[:size]]
        return self.by_name.get((province or "", city or ""), {})


def locate(batch: pa.RecordBatch, around: Surroundings, schema: pa.Schema) -> pa.RecordBatch:
    """The columns of `schema` for a batch of customers."""
    import pyarrow as pa

    wanted = set(schema.names)
    made: dict[str, Any] = {"customer_id": batch.column("customer_id"), "now_at": batch.column("now_at")}
    named, chinese = _named(batch, around, schema)
    made |= named
    for head, state in (("", "position_state"), ("now_", "now_state")):
        if state in wanted:
            made |= _position(batch, around, head, state, chinese)
    arrays = [_as(made[item.name], item.type) for item in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _named(
    batch: pa.RecordBatch, around: Surroundings, schema: pa.Schema
) -> tuple[dict[str, pa.Array], NDArray[np.bool_]]:
    """Region, tier and climate of each customer, and whether they live in China. What many customers share is looked up once."""
    import numpy as np

    wanted = set(schema.names)
    if not wanted & {"region_match", "city_tier", "density", "climate_zone", "position_state"}:
        return {}, np.zeros(batch.num_rows, dtype=bool)
    distinct, back = _distinct(batch.select(list(WORDS)))
    words = {name: distinct.column(name).to_pylist() for name in WORDS}
    matches = _matches(words, around)
    chinese = np.array(
        [
            str(country or "").strip().lower() in CHINA_NAMES or (country is None and found.code is not None)
            for country, found in zip(words["country"], matches, strict=True)
        ],
        dtype=bool,
    )
    columns = {
        name: _as(values, schema.field(name).type).take(back)
        for name, values in _named_columns(words, matches, around).items()
        if name in wanted
    }
    return columns, chinese[np.asarray(back)]


def _distinct(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.Array]:
    """The distinct rows of a batch of texts, and for each row the place of its like among them."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    codes, kinds = np.zeros(batch.num_rows, dtype=np.int64), 1
    for column in batch.columns:
        coded = column.cast(pa.string()).dictionary_encode()
        size = len(coded.dictionary) + 1
        codes = codes * size + np.asarray(pc.fill_null(coded.indices, size - 1))
        kinds *= size
        if kinds > 2**31:  # before the codes overflow
            codes = np.asarray(pa.array(codes).dictionary_encode().indices, dtype=np.int64)
            kinds = batch.num_rows
    alike = pa.array(codes).dictionary_encode()  # no sorting: which of those alike stands for them is all one
    example = np.zeros(len(alike.dictionary), dtype=np.int64)
    example[np.asarray(alike.indices)] = np.arange(batch.num_rows)
    return batch.take(pa.array(example)), alike.indices


def _position(
    batch: pa.RecordBatch, around: Surroundings, head: str, state: str, box: NDArray[np.bool_]
) -> dict[str, Any]:
    """Position, its state and what is near; `head` is "now_" for where customers are now, "" for their home."""
    import numpy as np
    import pyarrow as pa

    from kequn.profile.enrich.distances import position_states

    lat, lon = (_floats(batch.column(f"{head}{name}")) for name in ("latitude", "longitude"))
    states = position_states(lat, lon, np.zeros_like(box) if head else box)
    lat, lon = np.where(states == "ok", lat, np.nan), np.where(states == "ok", lon, np.nan)
    made: dict[str, Any] = {
        f"{head}latitude": _nullable(lat),
        f"{head}longitude": _nullable(lon),
        state: states,
    }
    kinds = list(around.places.items())
    for kind, places in kinds[:1] if head else kinds:
        found = places.nearest(lat, lon, around.near_km)
        tail = f"_{kind}" if kind else ""
        made[f"{head}distance_km{tail}"] = _nullable(found.km)
        if not head:
            made[f"places_near{tail}"] = pa.array(found.near, mask=np.isnan(found.km))
        if not kind:
            made[f"{head}nearest_place"] = [
                places.ids[place] if place >= 0 else None for place in found.index.tolist()
            ]
    return made


def _as(values: Any, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, type=kind)


def _matches(words: Mapping[str, list[Any]], around: Surroundings) -> list[Match]:
    columns = zip(
        *(words[name] for name in ("country", "province", "city", "district", "address")), strict=True
    )
    return [
        Match("abroad")
        if country and str(country).strip().lower() not in CHINA_NAMES
        else around.gazetteer.match(*given)
        for country, *given in columns
    ]


def _named_columns(
    words: Mapping[str, list[Any]], matches: list[Match], around: Surroundings
) -> dict[str, list[Any]]:
    rows = list(zip(matches, words["province"], words["city"], words["district"], strict=False))
    facts = [around.facts(found, province, city) for found, province, city, _ in rows]
    density = [row.get("density") for row in facts]
    return {
        "province": [found.province or province for found, province, _, _ in rows],
        "city": [found.city or city for found, _, city, _ in rows],
        "district": [found.district or district for found, _, _, district in rows],
        "region_code": [found.code for found, *_ in rows],
        "region_match": [found.level for found, *_ in rows],
        "great_region": [great_region(found.code) if found.code else None for found, *_ in rows],
        "city_tier": [said or row.get("tier") for said, row in zip(words["city_tier"], facts, strict=False)],
        "climate_zone": [
            said or row.get("climate_zone") for said, row in zip(words["climate_zone"], facts, strict=False)
        ],
        "density": [None if value is None else Decimal(value) for value in density],
    }


def _floats(values: pa.Array) -> Any:
    import numpy as np

    return np.asarray(values.cast("float64").to_numpy(zero_copy_only=False), dtype=np.float64)


def _nullable(values: Any) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    return pa.array(values, mask=np.isnan(values))


__all__ = ["WORDS", "Surroundings", "locate"]
