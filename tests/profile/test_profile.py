"""The profile: against a naive calculation, on both engines, with zero differing cells."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.factory import AS_OF, SomeFacts, random_facts

from kequn.engine import Engine, EngineSettings, open_engine
from kequn.errors import ConfigError, RuleError
from kequn.language import compile_rule
from kequn.profile import FeatureFile, ProfilePlan, Registry, catalog_of

START = date(2023, 1, 1)


def build(engine: Engine, facts: SomeFacts, folder: Path, plan: ProfilePlan) -> dict[str, dict[str, Any]]:
    facts.register(engine, folder)
    rows = engine.sql(plan.query).to_pylist()
    return {row["customer_id"]: row for row in rows}


def plan_of(facts: SomeFacts, *, start: date | None = START, registry: Registry | None = None) -> ProfilePlan:
    return (registry or Registry()).plan(facts.delivered, AS_OF, start)


def counted(facts: SomeFacts, key: str) -> list[dict[str, Any]]:
    """The orders that count for a customer, with the net amount, by naive reading of the rules."""
    found = []
    for order in facts.tables["orders"]:
        if (
            order["customer_id"] != key
            or order["ordered_at"].date() >= AS_OF
            or order["status"] in ("pending", "cancelled")
        ):
            continue
        refunded = order["refunded_at"] is not None and order["refunded_at"].date() < AS_OF
        net = order["amount"] - (order["refunded_amount"] if refunded else 0)
        real = order["amount"] >= 0 and order["status"] != "returned"
        found.append(
            {
                **order,
                "net": net,
                "real": real,
                "age": (AS_OF - order["ordered_at"].date()).days,
                "refunded": refunded,
            }
        )
    return found


def naive(facts: SomeFacts, key: str) -> dict[str, Any]:
    orders = counted(facts, key)
    real = sorted(
        (order for order in orders if order["real"]),
        key=lambda order: (order["ordered_at"], order["order_id"]),
    )
    days = sorted({order["ordered_at"].date() for order in real})
    gaps = [(later - earlier).days for earlier, later in pairwise(days)]
    expected: dict[str, Any] = {
        "frequency": len(real),
        "monetary": sum(order["net"] for order in orders),
        "recency_days": min((order["age"] for order in real), default=None),
        "tenure_days": max((order["age"] for order in real), default=None),
        "gaps": len(gaps),
        "gap_sum_days": sum(gaps),
        "gap_mean_days": sum(gaps) / len(gaps) if gaps else None,
        "purchase_days": len(days),
        "weekend_orders": sum(order["ordered_at"].isoweekday() >= 6 for order in real),
        "evening_orders": sum(order["ordered_at"].hour >= 18 for order in real),
        "promotion_orders": sum((order["discount"] or 0) > 0 for order in real),
        "first_channel": real[0]["channel"] if real else None,
        "refunds": sum(
            (order["refunded"] and order["refunded_amount"] > 0) or not order["real"] for order in orders
        ),
        "active_months_365d": len(
            {(o["ordered_at"].year, o["ordered_at"].month) for o in real}
            & {(o["ordered_at"].year, o["ordered_at"].month) for o in real if o["age"] <= 365}
        ),
        "referrals": sum(person["referred_by"] == key for person in facts.tables["customers"]),
    }
    for width in (30, 90, 180, 365):
        expected[f"revenue_{width}d"] = sum(order["net"] for order in orders if order["age"] <= width)
        expected[f"orders_prev_{width}d"] = sum(width < order["age"] <= 2 * width for order in real)
    channels = Counter(order["channel"] for order in real if order["channel"])
    money = Counter[str]()
    for order in real:
        if order["channel"]:
            money[order["channel"]] += order["net"]
    expected["preferred_channel"] = min(
        channels, key=lambda c: (-channels[c], -money[c], c.encode()), default=None
    )
    categories = Counter[str]()
    for line in facts.tables["order_lines"]:
        wanted = line["customer_id"] == key and line["ordered_at"].date() < AS_OF
        if wanted and line["status"] not in ("pending", "cancelled", "returned") and line["category"]:
            categories[line["category"]] += line["amount"]
    expected["top_category"] = min(categories, key=lambda c: (-categories[c], c.encode()), default=None)
    expected["distinct_categories"] = len(categories)
    return expected


@pytest.mark.parametrize("seed", range(4))
def test_features_equal_a_naive_calculation(seed: int, tmp_path: Path) -> None:
    facts = random_facts(seed)
    engine = open_engine(EngineSettings(threads=1))
    rows = build(engine, facts, tmp_path, plan_of(facts))
    engine.close()
    assert len(rows) == len(facts.tables["customers"])
    for key, row in rows.items():
        expected = naive(facts, key)
        assert {name: row[name] for name in expected} == expected, key


@pytest.mark.spark
def test_spark_and_duckdb_give_the_same_cells(spark_engine: Engine, tmp_path: Path) -> None:
    facts = random_facts(11, customers=60)
    rule = "orders(category = '女装', days = 400) >= 1 AND revenue(channel = 'app') > 5 AND days_since(orders, brand = '甲') > 3 AND category_share('女装') > 0.1"
    plan = plan_of(facts)
    catalog = catalog_of(plan.columns, facts.delivered, AS_OF)
    terms = compile_rule(rule, catalog).terms.values()
    plan = Registry().plan(facts.delivered, AS_OF, START, terms=terms)
    assert sum(item.hidden for item in plan.columns) == 4
    duck = open_engine(EngineSettings(threads=2))
    there = build(spark_engine, facts, tmp_path / "spark", plan)
    here = build(duck, facts, tmp_path / "duck", plan)
    duck.close()
    differing = [(key, name) for key in here for name in here[key] if here[key][name] != there[key][name]]
    assert here.keys() == there.keys()
    assert differing == []


def test_best_customer_rows_do_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    facts = random_facts(5)
    shuffled = SomeFacts({name: rows[::-1] for name, rows in facts.tables.items()})
    engine = open_engine(EngineSettings(threads=2))
    plan = plan_of(facts)
    assert build(engine, facts, tmp_path / "a", plan) == build(engine, shuffled, tmp_path / "b", plan)
    engine.close()


def test_money_over_orders_rounds_half_up_to_whole_minor_units(tmp_path: Path) -> None:
    orders = [
        {"order_id": str(n), "customer_id": "a", "ordered_at": _days_ago(n), "amount": amount}
        for n, amount in ((2, 100), (3, 101))
    ]
    facts = SomeFacts({"customers": [{"customer_id": "a"}], "orders": orders})
    engine = open_engine(EngineSettings())
    row = build(engine, facts, tmp_path, plan_of(facts))["a"]
    engine.close()
    assert row["average_order_value"] == 101
    assert row["gap_std_days"] is None


def test_a_window_that_begins_before_the_first_fact_is_null(tmp_path: Path) -> None:
    facts = SomeFacts(
        {
            "customers": [{"customer_id": "a"}],
            "orders": [{"order_id": "1", "customer_id": "a", "ordered_at": _days_ago(100), "amount": 500}],
        }
    )
    plan = plan_of(facts, start=AS_OF - timedelta(days=100))
    engine = open_engine(EngineSettings())
    row = build(engine, facts, tmp_path, plan)["a"]
    engine.close()
    assert row["revenue_90d"] == 0
    assert row["revenue_180d"] is None
    assert row["revenue_12m"] is None
    assert {item.name for item in plan.columns if item.null_reason == "history"} >= {
        "revenue_180d",
        "revenue_prev_90d",
    }


def test_a_customer_without_orders_has_zero_orders_and_no_recency(tmp_path: Path) -> None:
    facts = random_facts(2)
    buyers = {order["customer_id"] for order in facts.tables["orders"]}
    engine = open_engine(EngineSettings())
    rows = build(engine, facts, tmp_path, plan_of(facts))
    engine.close()
    never = next(key for key in rows if key not in buyers)
    assert (rows[never]["frequency"], rows[never]["monetary"], rows[never]["recency_days"]) == (0, 0, None)


def test_missing_columns_make_features_unavailable_and_say_what_is_missing() -> None:
    facts = SomeFacts(
        {
            "customers": [{"customer_id": "a"}],
            "orders": [{"order_id": "1", "customer_id": "a", "ordered_at": _days_ago(1), "amount": 1}],
        }
    )
    plan = plan_of(facts)
    names = {item.name for item in plan.columns}
    missing = {item.name: item.missing for item in plan.unavailable}
    assert "margin" not in names
    assert missing["margin"] == ("orders.cost",)
    assert missing["margin_rate"] == ("orders.cost",)
    assert "order_lines" in missing["top_category"]
    assert {"recency_days", "frequency", "monetary", "revenue_90d"} <= names


def test_users_declare_their_own_features_over_their_own_grains(tmp_path: Path) -> None:
    extra = FeatureFile.model_validate(
        {
            "grains": {"gift_order": "SELECT customer_id, amount FROM order_total WHERE occasion = 'gift'"},
            "features": [
                {
                    "name": "gift_total",
                    "from": "gift_order",
                    "sql": "SUM(amount)",
                    "empty": 0,
                    "title": {"zh": "送礼金额", "en": "Gifts"},
                },
                {"name": "gift_rate", "from": "profile", "sql": "gift_total / monetary"},
            ],
        }
    )
    facts = random_facts(3)
    engine = open_engine(EngineSettings())
    rows = build(engine, facts, tmp_path, plan_of(facts, registry=Registry((extra,))))
    engine.close()
    for key, row in rows.items():
        assert row["gift_total"] == sum(
            order["net"] for order in counted(facts, key) if order["occasion"] == "gift"
        )


@pytest.mark.parametrize(
    ("feature", "error"),
    [
        ({"name": "a", "from": "order_total", "sql": "SUM(nothing)"}, RuleError),
        ({"name": "a", "from": "nowhere", "sql": "COUNT(*)"}, RuleError),
        ({"name": "a", "from": "profile", "sql": "b + 1"}, ConfigError),
        ({"name": "A b", "from": "order_total", "sql": "COUNT(*)"}, ConfigError),
        ({"name": "a", "from": "order_total", "sql": "COUNT(*)", "type": "text"}, ConfigError),
        ({"name": "a", "from": "order_total", "sql": "AVG(amount)"}, RuleError),
    ],
)
def test_a_wrong_declaration_is_refused(feature: dict[str, Any], error: type[Exception]) -> None:
    facts = random_facts(1)
    with pytest.raises(error):
        plan_of(facts, registry=Registry((FeatureFile.model_validate({"features": [feature]}),)))


def test_the_library_declares_at_least_sixty_features_with_both_titles() -> None:
    from kequn.profile.declaration import all_declarations

    _, features = all_declarations()
    assert len({item.name for item in features}) >= 60
    assert [item.name for item in features if not item.title.get("zh") or not item.title.get("en")] == []
    assert [item.name for item in features if item.model is None] == []


def _days_ago(days: int) -> Any:
    from datetime import datetime

    return datetime.combine(AS_OF - timedelta(days=days), datetime.min.time())
