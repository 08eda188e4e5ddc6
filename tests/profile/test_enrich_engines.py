"""Enrichments and what is built on them: the same cells on both engines."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.profile.enriching import ago, enriched_profile, on_duckdb
from tests.profile.test_firmographic import TABLES

from kequn.engine import Engine
from kequn.profile.enrich import EnrichSettings
from kequn.profile.enrich.unlocking import in_facts


def everything_at_once() -> dict[str, list[dict[str, Any]]]:
    customers = [
        {**row, "province": province, "city": city, "latitude": lat, "longitude": lon}
        for row, (province, city, lat, lon) in zip(
            TABLES["customers"],
            [
                ("广东", "深圳", 22.54, 114.06),
                ("火星", None, 0.0, 0.0),
                (None, "苏州", 31.3, 120.6),
                ("上海", None, 121.5, 31.2),
                (None,) * 4,
            ],
            strict=True,
        )
    ]
    lines = [
        {"order_id": str(number), "line_no": 1, "product_id": f"p{number % 3}", "quantity": 1 + number % 2, "amount": 700 + 13 * number, "customer_id": who,
         "ordered_at": ago(5 + 20 * number), "status": None, "category": "茶" if number % 3 else "咖啡"}
        for number, who in enumerate(("ann", "bob", "ann", "cem", "dan", "bob", "ann"))
    ]  # fmt: skip
    events = [
        {"customer_id": who, "occurred_at": ago(3, number), "type": "view", "product_id": f"p{number % 3}", "user_agent": agent, "latitude": 22.0 + number,
         "longitude": 114.0, "search_text": None}
        for number, (who, agent) in enumerate((("ann", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/120.0"), ("ann", "\x7f"), ("bob", None)))
    ]  # fmt: skip
    answers = [
        {"customer_id": who, "questionnaire": "lifestyle", "item": f"price{item}", "answered_at": ago(9), "value": Decimal(value), "state": None}
        for who, values in (("ann", (5, 4, 4, 1)), ("bob", (2, 3, 2, 5))) for item, value in enumerate(values, start=1)
    ]  # fmt: skip
    places = [
        {"place_id": "s1", "kind": "store", "latitude": 22.55, "longitude": 114.06},
        {"place_id": "s2", "kind": "store", "latitude": 31.2, "longitude": 121.4},
    ]
    products = [
        {"product_id": f"p{number}", "category": "茶" if number else "咖啡", "price": 500 + 100 * number}
        for number in range(3)
    ]
    more = {
        "order_lines": lines,
        "events": events,
        "responses": answers,
        "places": places,
        "products": products,
    }
    return {**TABLES, "customers": customers, **more}


@pytest.mark.spark
def test_spark_and_duckdb_enrich_alike(spark_engine: Engine, tmp_path: Path) -> None:
    pytest.importorskip("ua_parser")
    tables = everything_at_once()
    event = "occasion: fair\ntitle: {zh: 庙会, en: Fair}\nwhen: [{from: 2026-01-01, to: 2026-02-20}]\nregions: [深圳]\n"
    settings = EnrichSettings(per_eur=8.0, calendar={"calendar/fair.yaml": event})
    here, found = on_duckdb(tmp_path / "duck", tables, settings)
    there, same = enriched_profile(spark_engine, tmp_path / "spark", tables, settings)
    assert here.keys() == there.keys()
    assert [(key, name) for key in here for name in here[key] if here[key][name] != there[key][name]] == []
    assert found.report == same.report
    assert found.delivered == same.delivered
    assert len(found.tables) == 8


def test_what_is_missing_is_said_in_facts() -> None:
    assert in_facts(["enriched_company", "enriched_company.size_eu"]) == (
        "companies",
        "companies.annual_revenue",
        "companies.employees",
    )
    assert in_facts(["enriched_geo", "enriched_geo.province"]) == ("customers.province",)
    assert in_facts(["orders.cost"]) == ("orders.cost",)
