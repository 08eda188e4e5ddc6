"""Festivals by the lunar calendar and local events: known dates, what was bought before them, both engines, wrong files."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.profile.enriching import AS_OF, enriched_profile, on_duckdb

from kequn.engine import Engine
from kequn.errors import ConfigError
from kequn.profile.calendar import Days, Occasion, festivals, occasions
from kequn.profile.enrich import EnrichSettings

FAIR = """
occasion: temple_fair
title: {zh: 庙会, en: Temple fair}
when: [{lunar: 03-03, days: 2}]
before: 1
regions: [成都, 伦敦]
"""
MARATHON = """
occasion: marathon
title: {zh: 马拉松, en: Marathon}
when: [{from: 2026-10-18, to: 2026-10-19}]
"""


def festival(name: str) -> Occasion:
    return next(each for each in festivals() if each.occasion == name)


@pytest.mark.parametrize(
    ("name", "day"),
    [  # as published by the State Council and the observatory of Hong Kong
        ("spring_festival", date(2025, 1, 29)), ("spring_festival", date(2026, 2, 17)), ("spring_festival", date(2023, 1, 22)),
        ("dragon_boat", date(2025, 5, 31)), ("dragon_boat", date(2026, 6, 19)), ("qixi", date(2025, 8, 29)),
        ("mid_autumn", date(2025, 10, 6)), ("mid_autumn", date(2026, 9, 25)), ("lantern", date(2025, 2, 12)),
        ("double_ninth", date(2025, 10, 29)), ("qingming", date(2025, 4, 4)), ("laba", date(2026, 1, 26)),
        ("dragon_boat", date(2020, 6, 25)), ("mid_autumn", date(2020, 10, 1)),  # 2020 has a second fourth month
    ],
)  # fmt: skip
def test_a_festival_falls_on_its_published_day(name: str, day: date) -> None:
    starts = [
        start
        for year in (day.year - 1, day.year)
        for when in festival(name).when
        for start, _ in when.spans(year)
    ]
    assert [start for start in starts if start.year == day.year] == [day]


def test_the_days_before_a_festival_count_and_end_with_it() -> None:
    days = festival("mid_autumn").days(date(2026, 8, 1), date(2026, 10, 31))
    assert (days[0], days[-1], len(days)) == (date(2026, 9, 4), date(2026, 9, 25), 22)


def test_the_thirtieth_of_a_short_month_is_its_last_day() -> None:
    eve = Days(lunar="12-30")
    assert [span[0] for year in (2023, 2024, 2025) for span in eve.spans(year)] == [
        date(2024, 2, 9), date(2025, 1, 28), date(2026, 2, 16),
    ]  # fmt: skip


def test_a_year_without_29_february_has_no_such_day() -> None:
    leap = Days(every="02-29")
    assert list(leap.spans(2023)) == []
    assert list(leap.spans(2024)) == [(date(2024, 2, 29), date(2024, 2, 29))]


def tables() -> dict[str, list[dict[str, Any]]]:
    customers = [
        {"customer_id": "ann", "province": "四川", "city": "成都市"},
        {"customer_id": "bob", "province": None, "city": "伦敦"},
        {"customer_id": "cem", "province": "广东", "city": "深圳"},
        {"customer_id": "dan", "province": None, "city": None},
    ]
    bought = [
        ("ann", date(2026, 2, 10), 600), ("ann", date(2026, 9, 20), 300), ("ann", date(2026, 7, 1), 100),
        ("ann", date(2026, 4, 19), 50), ("bob", date(2026, 4, 20), 70), ("cem", date(2026, 4, 19), 80),
        ("cem", date(2025, 10, 2), 20), ("dan", date(2026, 10, 19), 40),
    ]  # fmt: skip
    orders = [
        {"order_id": f"o{place}", "customer_id": who, "ordered_at": datetime(day.year, day.month, day.day, 12), "amount": paid, "status": "completed"}
        for place, (who, day, paid) in enumerate(bought)
    ]  # fmt: skip
    return {"customers": customers, "orders": orders}


OWN = EnrichSettings(calendar={"calendar/fair.yaml": FAIR, "calendar/marathon.yaml": MARATHON})


def test_spend_before_festivals_and_at_local_events_is_what_the_calendar_says(tmp_path: Path) -> None:
    assert date(2026, 10, 19) < AS_OF
    rows, found = on_duckdb(tmp_path, tables(), OWN)
    ann, bob, cem, dan = (rows[name] for name in ("ann", "bob", "cem", "dan"))
    assert (ann["spring_festival_revenue"], ann["mid_autumn_revenue"], ann["festive_revenue"]) == (
        600,
        300,
        900,
    )
    assert ann["festive_share"] == pytest.approx(900 / 1050)
    assert ann["top_festival"] == "spring_festival"
    assert (cem["festive_orders"], cem["top_festival"]) == (
        1,
        "mid_autumn",
    )  # 2 October 2025: before Mid-Autumn, not National Day
    assert (bob["festive_orders"], bob["top_festival"]) == (0, None)
    # the fair is on the third of the third month (19 April 2026) in Chengdu and London, the marathon everywhere
    assert [row["local_event_orders"] for row in (ann, bob, cem, dan)] == [1, 1, 0, 1]
    assert ann["local_event_share"] == pytest.approx(50 / 1050)
    assert [warning.code for warning in found.warnings if "calendar" in warning.code] == [
        "enrich.calendar_regions"
    ]
    assert found.warnings[-1].fields["names"] == ["伦敦"]


def test_without_names_of_regions_events_everywhere_still_count(tmp_path: Path) -> None:
    bare = [{"customer_id": row["customer_id"]} for row in tables()["customers"]]
    rows, _ = on_duckdb(tmp_path, {**tables(), "customers": bare}, OWN)
    assert {who: row["local_event_orders"] for who, row in rows.items()} == {
        "ann": 0,
        "bob": 0,
        "cem": 0,
        "dan": 1,
    }


def test_a_workspace_elsewhere_has_no_chinese_festivals(tmp_path: Path) -> None:
    rows, found = on_duckdb(tmp_path, tables(), EnrichSettings(festivals=False))
    assert "enriched_festival" not in found.tables
    assert "festive_share" not in rows["ann"]


@pytest.mark.spark
def test_both_engines_see_the_same_days(spark_engine: Engine, tmp_path: Path) -> None:
    one, _ = on_duckdb(tmp_path / "duckdb", tables(), OWN)
    other, _ = enriched_profile(spark_engine, tmp_path / "spark", tables(), OWN)
    names = (
        "festive_orders",
        "festive_revenue",
        "festive_share",
        "top_festival",
        "local_event_orders",
        "local_event_share",
    )
    assert {who: [row[name] for name in names] for who, row in one.items()} == {
        who: [row[name] for name in names] for who, row in other.items()
    }


@pytest.mark.parametrize(
    ("when", "code"),
    [
        ("[{lunar: 03-03, every: 03-03}]", "enrich.calendar_when"),
        ("[{days: 3}]", "enrich.calendar_when"),
        ("[{to: 2026-01-01, every: 01-01}]", "enrich.calendar_when"),
        ("[{from: 2026-05-03, to: 2026-05-01}]", "enrich.calendar_span"),
        ("[{from: 2026-01-01, to: 2026-12-31}]", "enrich.calendar_span"),
        ("[{lunar: 13-01}]", None), ("[{every: 05-32}]", None), ("[{term: 谷雨前}]", None), ("[]", None),
    ],
)  # fmt: skip
def test_an_event_that_cannot_be_is_refused_with_its_place(when: str, code: str | None) -> None:
    text = f"occasion: odd\ntitle: {{zh: 怪, en: Odd}}\nwhen: {when}\n"
    with pytest.raises(ConfigError) as caught:
        occasions({"calendar/odd.yaml": text})
    assert caught.value.fields["line"] == 3
    assert code is None or caught.value.code == code


def test_two_events_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        occasions({"calendar/a.yaml": MARATHON, "calendar/b.yaml": MARATHON})
    assert caught.value.code == "enrich.calendar_twice"
