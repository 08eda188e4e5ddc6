"""Companies behind contacts: sizes by the published bands, groups, roll-ups, deals and follow-up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.profile.enriching import AS_OF, ago, on_duckdb

from kequn.profile import Registry
from kequn.profile.enrich import EnrichSettings
from kequn.profile.enrich.companies import company_groups, industry_class, size_cn, size_eu


@pytest.mark.parametrize(
    ("kind", "employees", "wan", "assets_wan", "expected"),
    [
        ("agriculture", None, 20000, None, "large"),
        ("agriculture", None, 499, None, "small"),
        ("agriculture", None, 49, None, "micro"),
        ("industry", 1000, 40000, None, "large"),
        ("industry", 5000, 39999, None, "medium"),
        ("industry", 299, 40000, None, "small"),
        ("industry", 19, 40000, None, "micro"),
        ("construction", None, 80000, 80000, "large"),
        ("construction", None, 80000, 79999, "medium"),
        ("wholesale", 20, 5000, None, "medium"),
        ("retail", 49, 20000, None, "small"),
        ("software", 100, 1000, None, "medium"),
        ("software", 10, 50, None, "small"),
        ("real_estate", None, 1000, 5000, "medium"),
        ("property", 300, 1000, None, "medium"),
        ("business_services", 300, None, 120000, "large"),
        ("other", 9, None, None, "micro"),
        ("industry", 1000, None, None, None),
        ("construction", None, 80000, None, None),
        ("finance", 1000, 40000, 40000, None),
        (None, 1000, 40000, 40000, None),
    ],
)
def test_chinese_sizes_follow_the_published_table(
    kind: str | None, employees: int | None, wan: int | None, assets_wan: int | None, expected: str | None
) -> None:
    revenue = None if wan is None else wan * 10_000.0
    assets = None if assets_wan is None else assets_wan * 10_000.0
    assert size_cn(kind, employees, revenue, assets) == expected


@pytest.mark.parametrize(
    ("employees", "revenue", "assets", "expected"),
    [
        (9, 2e6, None, "micro"), (9, 2.1e6, 3e6, "small"), (9, 2.1e6, 2e6, "micro"), (10, 1e6, None, "small"),
        (49, 11e6, 10e6, "small"), (249, 50e6, 99e6, "medium"), (249, 51e6, 44e6, "large"), (250, 1e6, 1e6, "large"),
        (None, 1e6, 1e6, None), (9, None, None, None),
    ],
)  # fmt: skip
def test_european_sizes_follow_the_recommendation(
    employees: int | None, revenue: float | None, assets: float | None, expected: str | None
) -> None:
    assert size_eu(employees, revenue, assets) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("汽车零部件制造业", "industry"), ("Software", "software"), ("technolgy", "software"), ("连锁零售", "retail"),
        ("农产品批发", "wholesale"), ("medical", "health"), ("  ", None), (None, None), ("占星", "other"),
    ],
)  # fmt: skip
def test_industries_are_read_from_free_text(written: str | None, expected: str | None) -> None:
    assert industry_class(written) == expected


def test_companies_that_own_each_other_are_one_group_and_never_loop() -> None:
    parents = {"a": "b", "b": "c", "c": "a", "d": "a", "e": None, "f": "e", "g": "g", "h": "elsewhere"}
    groups, circles = company_groups(parents)
    assert groups == {"a": "a", "b": "a", "c": "a", "d": "a", "e": "e", "f": "e", "g": "g", "h": "elsewhere"}
    assert circles == [("a", "b", "c")]


def test_a_long_chain_of_owners_is_followed_without_recursion() -> None:
    parents: dict[str, str | None] = {str(n): str(n + 1) for n in range(50_000)} | {"50000": None}
    groups, circles = company_groups(parents)
    assert set(groups.values()) == {"50000"}
    assert circles == []


TABLES: dict[str, list[dict[str, Any]]] = {
    "customers": [
        {"customer_id": "ann", "company_id": "k1"}, {"customer_id": "bob", "company_id": "k1"},
        {"customer_id": "cem", "company_id": "k2"}, {"customer_id": "dan", "company_id": None}, {"customer_id": "eve", "company_id": "gone"},
    ],
    "companies": [
        {"company_id": "k1", "name": "甲厂", "industry": "机械制造", "employees": 1200, "annual_revenue": 50_000_000_000, "ownership": "state_owned",
         "country": "中国", "language": "zh", "total_assets": None, "parent_company_id": "k2"},
        {"company_id": "k2", "name": "乙", "industry": None, "employees": 5, "annual_revenue": 10_000_000, "ownership": "sme",
         "country": "DE", "language": "de", "total_assets": None, "parent_company_id": "k1"},
    ],
    "orders": [
        {"order_id": "1", "customer_id": "ann", "ordered_at": ago(10), "amount": 1_000},
        {"order_id": "2", "customer_id": "bob", "ordered_at": ago(400), "amount": 500},
        {"order_id": "3", "customer_id": "dan", "ordered_at": ago(5), "amount": 7},
    ],
    "deals": [
        {"deal_id": "d1", "customer_id": "ann", "stage": "报价", "stage_at": ago(20), "intent": "hesitant", "hesitation": "price",
         "amount": 90_000, "opened_at": ago(40), "closed_at": None, "won": None},
        {"deal_id": "d1", "customer_id": "ann", "stage": "初步接触", "stage_at": ago(40), "intent": "latent", "hesitation": None,
         "amount": 80_000, "opened_at": ago(40), "closed_at": None, "won": None},
        {"deal_id": "d2", "customer_id": "bob", "stage": "赢单", "stage_at": ago(100), "intent": "clear", "hesitation": None,
         "amount": 10_000, "opened_at": ago(200), "closed_at": ago(100), "won": True},
        {"deal_id": "d3", "customer_id": "bob", "stage": "谈判", "stage_at": ago(9), "intent": "clear", "hesitation": None,
         "amount": 20_000, "opened_at": ago(30), "closed_at": ago(-3), "won": True},
        {"deal_id": "d4", "customer_id": "cem", "stage": "输单", "stage_at": ago(7), "intent": "refused", "hesitation": "competitor",
         "amount": 5_000, "opened_at": ago(30), "closed_at": ago(7), "won": False},
    ],
    "activities": [{"customer_id": "ann", "at": ago(9), "type": "电话"}, {"customer_id": "ann", "at": ago(60), "type": "拜访"}],
}  # fmt: skip


def test_a_contact_carries_the_company_its_orders_and_its_deals(tmp_path: Path) -> None:
    rows, found = on_duckdb(tmp_path, TABLES, EnrichSettings(per_eur=1.0))
    ann, bob, cem, dan, eve = (rows[name] for name in ("ann", "bob", "cem", "dan", "eve"))
    assert (ann["industry"], ann["industry_class"], ann["company_size_cn"], ann["company_size_eu"]) == (
        "机械制造", "industry", "large", "large",
    )  # fmt: skip
    assert (cem["industry_class"], cem["company_size_cn"], cem["company_size_eu"]) == (None, None, "micro")
    assert (
        ann["company_contacts"],
        ann["company_orders"],
        ann["company_revenue"],
        ann["company_revenue_12m"],
    ) == (2, 2, 1_500, 1_000)
    assert bob["company_recency_days"] == 10
    assert (dan["company_name"], dan["company_contacts"], eve["company_name"], eve["company_contacts"]) == (
        None,
        None,
        None,
        1,
    )
    assert (ann["company_open_deals"], ann["company_won_deals"], ann["company_largest_deal"]) == (
        2,
        1,
        90_000,
    )
    assert ann["budget_shown"] == 90_000
    assert (ann["company_group"], cem["company_group"], cem["company_group_size"]) == ("k1", "k1", 2)
    assert [warning.code for warning in found.warnings] == ["enrich.company_circle"]


def test_bands_in_another_currency_need_a_declared_rate(tmp_path: Path) -> None:
    """25 million of turnover: small in yuan at 8 to the euro, medium in euros, nothing without a rate."""
    sized = [{**row, "annual_revenue": 2_500_000_000} for row in TABLES["companies"]]
    tables = {**TABLES, "companies": sized}
    in_yuan, found = on_duckdb(tmp_path / "a", tables, EnrichSettings(per_eur=None))
    assert "company_size_eu" not in in_yuan["cem"]
    warned = [warning for warning in found.warnings if warning.code == "enrich.size_needs_rate"]
    assert [warning.fields["currency"] for warning in warned] == ["EUR"]
    by_rate, found = on_duckdb(tmp_path / "b", tables, EnrichSettings(per_eur=8.0))
    assert by_rate["cem"]["company_size_eu"] == "small"
    assert "enrich.size_needs_rate" not in [warning.code for warning in found.warnings]
    in_euros, found = on_duckdb(tmp_path / "c", tables, EnrichSettings(per_eur=1.0, per_cny=None))
    assert in_euros["cem"]["company_size_eu"] == "medium"
    assert "company_size_cn" not in in_euros["ann"]
    assert in_euros["ann"]["industry_class"] == "industry"


def test_deals_are_seen_as_they_stood_at_the_date(tmp_path: Path) -> None:
    rows, _ = on_duckdb(tmp_path, TABLES, EnrichSettings(per_eur=1.0))
    ann, bob, cem = (rows[name] for name in ("ann", "bob", "cem"))
    assert (ann["deal_stage"], ann["deal_intent"], ann["deal_hesitation"], ann["deal_amount"]) == (
        "报价",
        "hesitant",
        "price",
        90_000,
    )
    assert (bob["open_deals"], bob["won_deals"], bob["open_deal_amount"], bob["deal_stage"]) == (
        1,
        1,
        20_000,
        "谈判",
    )
    assert (cem["open_deals"], cem["lost_deals"], cem["deal_intent"]) == (0, 1, "refused")
    assert (ann["activities_30d"], ann["activities_90d"], ann["activity_recency_days"]) == (1, 2, 9)
    assert (ann["follow_up_days"], ann["follow_up_due_days"]) == (7, -2)
    assert (bob["follow_up_due_days"], rows["dan"]["follow_up_days"], rows["dan"]["open_deals"]) == (
        None,
        None,
        0,
    )


def test_without_companies_the_features_say_what_would_unlock_them() -> None:
    plan = Registry().plan({"customers": {"customer_id": "text"}}, AS_OF, None)
    missing = {item.name: item.missing for item in plan.unavailable}
    assert missing["industry"] == ("companies", "companies.industry", "customers.company_id")
    assert missing["company_size_cn"] == ("companies", "companies.industry", "customers.company_id")
    assert missing["great_region"] == ("customers.province",)
    assert not any(name.startswith("enriched_") for names in missing.values() for name in names)
