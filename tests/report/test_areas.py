"""The tile map: every province once, every customer in one tile or counted as unknown."""

from __future__ import annotations

import duckdb

from kequn.profile.enrich.regions import gazetteer
from kequn.report.areas import TILES, areas
from kequn.report.source import Source


def source_of(codes: list[str | None]) -> Source:
    con = duckdb.connect()
    con.execute("CREATE TABLE profile (customer_id VARCHAR, region_code VARCHAR, revenue_12m DECIMAL(18, 2))")
    con.executemany("INSERT INTO profile VALUES (?, ?, 10)", [[str(n), code] for n, code in enumerate(codes)])
    return Source(con, {})


def test_every_tile_has_a_place_of_its_own_and_a_code_of_a_province() -> None:
    assert len({(x, y) for x, y, _, _ in TILES.values()}) == len(TILES) == 34
    assert {code for code in gazetteer().places if len(code) == 2} <= set(TILES)
    assert all(
        gazetteer().places[code].name.startswith(zh)
        for code, (_, _, zh, _) in TILES.items()
        if code in gazetteer().places
    )


def test_customers_are_counted_in_the_province_of_their_code() -> None:
    found = areas(source_of(["440305", "4401", "44", "11", "3101", "510107", None, None]))
    assert found is not None
    there = {
        tile["title"]["en"]: (tile["customers"], tile["revenue"])
        for tile in found["tiles"]
        if tile["customers"]
    }
    assert there == {
        "Guangdong": (3, 30.0),
        "Beijing": (1, 10.0),
        "Shanghai": (1, 10.0),
        "Sichuan": (1, 10.0),
    }
    assert (found["known"], found["unknown"]) == (6, 2)
    assert sum(tile["share"] for tile in found["tiles"]) == 1


def test_a_business_in_one_town_has_no_map() -> None:
    assert areas(source_of(["5101"] * 40 + ["50", None])) is None
