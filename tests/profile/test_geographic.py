"""Regions matched from words, believable positions, and distances against a naive search."""

from __future__ import annotations

import math
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profile.enriching import ago, on_duckdb

from kequn.profile.enrich.distances import EARTH_KM, Places, haversine_km, position_states
from kequn.profile.enrich.regions import gazetteer, great_region
from kequn.profile.enrich.tables import EnrichSettings


@pytest.mark.parametrize(
    ("written", "level", "code"),
    [
        (("广东", "深圳", None, None), "city", "4403"),
        (("广东省", "深圳市", "南山区", None), "district", "440305"),
        (("广西", None, None, None), "province", "45"),
        (("内蒙古", "呼和浩特", None, None), "city", "1501"),
        ((None, "苏州", "吴中区", None), "district", "320506"),
        (("北京市", "北京市", "海淀区", None), "district", "110108"),
        (("江苏", "昆山", None, None), "district", "320583"),
        (("湖北省", "仙桃市", None, None), "district", "429004"),
        (("吉林", None, None, None), "province", "22"),
        (("吉林", "吉林市", None, None), "city", "2202"),
        (("浙江", "深圳", None, None), "conflict", "33"),
        ((None, None, None, "广东省深圳市南山区科技园1号"), "district", "440305"),
        ((None, None, None, "内蒙古呼和浩特市新城区某路"), "district", "150102"),
        ((None, None, None, "长春路12号"), "unmatched", None),
        ((None, None, "鼓楼区", None), "unmatched", None),
        (("火星", None, None, None), "unmatched", None),
        ((None, None, None, None), "missing", None),
        (("香港", None, None, None), "province", "81"),
        (("广东省深圳市", None, None, None), "city", "4403"),
        (("  广东 ", " ", None, ""), "province", "44"),
    ],
)
def test_regions_are_found_from_what_people_write(
    written: tuple[str | None, ...], level: str, code: str | None
) -> None:
    found = gazetteer().match(*written)
    assert (found.level, found.code) == (level, code)


def test_every_shipped_place_is_found_by_its_own_full_name() -> None:
    known = gazetteer()
    lost = []
    for region in known.places.values():
        top = known.places[region.code[:2]].name
        city = (
            known.places[region.code[:4]].name
            if region.code[:4] in known.places and len(region.code) > 2
            else None
        )
        district = region.name if len(region.code) == 6 else None
        if district and city is None:
            city, district = (None, district) if top.endswith("市") else (district, None)
        if known.match(top, city, district, None).code != region.code:
            lost.append(region)
    assert lost == []
    assert len(known.places) > 3_000


def test_every_province_lies_in_one_great_region() -> None:
    regions = {great_region(code) for code in gazetteer().places}
    assert regions == {"north", "northeast", "east", "central", "south", "southwest", "northwest", "hk_mo_tw"}
    assert [great_region(code) for code in ("11", "3101", "440305", "50", "65", "23", "42", "81")] == [
        "north", "east", "south", "southwest", "northwest", "northeast", "central", "hk_mo_tw",
    ]  # fmt: skip


def test_positions_that_cannot_be_right_are_told_apart() -> None:
    nan, inf = math.nan, math.inf
    cases = [
        (31.2, 121.5, True, "ok"), (121.5, 31.2, False, "swapped"), (87.6, 43.8, True, "swapped"), (0.0, 0.0, False, "zero"),
        (48.85, 2.35, True, "outside_country"), (48.85, 2.35, False, "ok"), (95.0, 200.0, False, "out_of_range"), (nan, nan, True, "missing"),
        (31.2, nan, True, "half"), (inf, 10.0, False, "not_a_number"), (-200.0, 10.0, False, "out_of_range"),
    ]  # fmt: skip
    lat, lon = (np.array([case[place] for case in cases]) for place in (0, 1))
    china = np.array([case[2] for case in cases])
    assert position_states(lat, lon, china).tolist() == [case[3] for case in cases]


def naive_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """The spherical law of cosines by way of the angle between vectors: another formula than the product's."""
    one, two = (
        (
            math.cos(math.radians(p)) * math.cos(math.radians(q)),
            math.cos(math.radians(p)) * math.sin(math.radians(q)),
            math.sin(math.radians(p)),
        )
        for p, q in (a, b)
    )
    cross = math.hypot(
        one[1] * two[2] - one[2] * two[1],
        one[2] * two[0] - one[0] * two[2],
        one[0] * two[1] - one[1] * two[0],
    )
    return EARTH_KM * math.atan2(cross, sum(x * y for x, y in zip(one, two, strict=True)))


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.floats(-89.9, 89.9), st.floats(-180, 180)] * 2))
def test_haversine_equals_another_formula(points: tuple[float, float, float, float]) -> None:
    found = float(haversine_km(*(np.array([value]) for value in points))[0])
    assert found == pytest.approx(naive_km(points[:2], points[2:]), abs=0.002, rel=1e-7)


def test_the_nearest_place_and_the_places_near_equal_a_search_through_all(tmp_path: Path) -> None:
    rng = random.Random(7)
    stores = [(f"s{n:02d}", rng.uniform(-89, 89), rng.uniform(-180, 180)) for n in range(60)] + [
        ("east", 10.0, 179.99),
        ("twin", 10.0, 179.99),
    ]
    places = Places(
        [name for name, *_ in stores], *(np.array([store[at] for store in stores]) for at in (1, 2))
    )
    people = [(rng.uniform(-90, 90), rng.uniform(-180, 180)) for _ in range(300)] + [(10.0, -179.99)]
    found = places.nearest(*(np.array([person[at] for person in people]) for at in (0, 1)), 900.0)
    for number, person in enumerate(people):
        distances = {name: naive_km(person, (lat, lon)) for name, lat, lon in stores}
        assert found.km[number] == pytest.approx(min(distances.values()), abs=0.002)
        assert distances[places.ids[found.index[number]]] == pytest.approx(min(distances.values()), abs=0.002)
        assert found.near[number] == sum(km <= 900.0 for km in distances.values())
    assert places.ids[found.index[-1]] == "east"


def test_home_region_and_surroundings_come_into_the_profile(tmp_path: Path) -> None:
    def person(name: str, **more: Any) -> dict[str, Any]:
        empty = dict.fromkeys(
            ("country", "province", "city", "address", "city_tier", "latitude", "longitude")
        )
        return {"customer_id": name, **empty, **more}

    customers = [
        person("a", province="广东", city="深圳", latitude=22.54, longitude=114.06),
        person("b", address="上海市浦东新区世纪大道1号", latitude=121.5, longitude=31.2),
        person("c", province="火星", latitude=0.0, longitude=0.0),
        person(
            "d",
            country="France",
            province="Île-de-France",
            city="Paris",
            latitude=48.85,
            longitude=2.35,
            city_tier="一线",
        ),
        person("e"),
    ]
    regions = [
        {
            "code": "440300",
            "province": "广东省",
            "city": "深圳市",
            "tier": "一线",
            "density": Decimal("8792.5"),
            "climate_zone": "亚热带",
        },
        {
            "code": "fr-75",
            "province": "Île-de-France",
            "city": "Paris",
            "tier": None,
            "density": Decimal("20000"),
            "climate_zone": "温带",
        },
        {
            "code": "310000",
            "province": "上海市",
            "city": None,
            "tier": "一线",
            "density": None,
            "climate_zone": None,
        },
    ]
    places = [
        {"place_id": "p1", "kind": "store", "latitude": 22.55, "longitude": 114.06}, {"place_id": "p2", "kind": "depot", "latitude": 22.54, "longitude": 114.07},
        {"place_id": "bad", "kind": "store", "latitude": 0.0, "longitude": 0.0},
    ]  # fmt: skip
    events = [
        {"customer_id": "a", "occurred_at": ago(2), "type": "view", "latitude": 22.55, "longitude": 114.06},
        {"customer_id": "a", "occurred_at": ago(9), "type": "view", "latitude": 1.0, "longitude": 1.0},
        {"customer_id": "a", "occurred_at": ago(-1), "type": "view", "latitude": 5.0, "longitude": 5.0},
    ]
    rows, found = on_duckdb(
        tmp_path,
        {"customers": customers, "regions": regions, "places": places, "events": events},
        EnrichSettings(near_km=2.0),
    )
    a, b, c, d, e = (rows[name] for name in "abcde")
    assert (a["province"], a["city"], a["region_code"], a["great_region"], a["city_tier"]) == (
        "广东省",
        "深圳市",
        "4403",
        "south",
        "一线",
    )
    assert (float(a["population_density"]), a["climate_zone"], a["distance_km_store"], a["places_near"]) == (
        8792.5,
        "亚热带",
        1.112,
        2,
    )
    assert (a["nearest_place"], a["distance_km_depot"], a["places_near_depot"]) == ("p2", 1.027, 1)
    assert (a["now_age_days"], a["now_distance_km"], a["now_nearest_place"]) == (2, 0.0, "p1")
    assert (b["district"], b["city_tier"], b["position_state"], b["distance_km"], b["places_near"]) == (
        "浦东新区",
        "一线",
        "swapped",
        None,
        None,
    )
    assert (c["province"], c["region_match"], c["great_region"], c["position_state"]) == (
        "火星",
        "unmatched",
        None,
        "zero",
    )
    assert (d["region_match"], d["city_tier"], d["climate_zone"], d["position_state"]) == (
        "abroad",
        "一线",
        "温带",
        "ok",
    )
    assert (e["region_match"], e["position_state"], e["now_age_days"]) == ("missing", "missing", None)
    assert [warning.code for warning in found.warnings] == ["enrich.regions_unmatched", "enrich.positions"]
    assert found.report["geography"]["region_match"] == {
        "abroad": 1,
        "city": 1,
        "district": 1,
        "missing": 1,
        "unmatched": 1,
    }
    assert found.report["geography"]["unmatched"] == {"火星": 1}
