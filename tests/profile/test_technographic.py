"""Devices from user agents, platforms, activity, and who takes up new things early."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.profile.enriching import AS_OF, ago, on_duckdb

pytest.importorskip("ua_parser")

from datetime import date

from kequn.profile.enrich.agents import Agent, read_agent

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1"
WECHAT = (
    "Mozilla/5.0 (Linux; Android 13; 2211133C Build/TKQ1) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/107.0 "
    "Mobile Safari/537.36 MicroMessenger/8.0.40 miniProgram/wx123"
)
DESKTOP = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
TABLET = "Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.0 Mobile/15E148 Safari/604.1"
BOT = "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (IPHONE, Agent("phone", "iOS", "Mobile Safari", "web")),
        (WECHAT, Agent("phone", "Android", "WeChat", "mini_program")),
        (DESKTOP, Agent("desktop", "Windows", "Chrome", "web")),
        (TABLET, Agent("tablet", "iOS", "Mobile Safari", "web")),
        ("", Agent()),
        ("\x00\x01\x02", Agent()),
        ("随便写的", Agent()),
    ],
)
def test_user_agents_are_read(text: str, expected: Agent) -> None:
    assert read_agent(text) == expected


def test_a_crawler_is_a_bot() -> None:
    assert read_agent(BOT).device == "bot"


def test_an_endless_user_agent_is_cut_not_parsed_whole() -> None:
    assert read_agent(DESKTOP + "x" * 100_000) == read_agent(DESKTOP)
    assert read_agent("(" * 100_000) == Agent()


def test_what_an_event_says_itself_outranks_its_user_agent(tmp_path: Path) -> None:
    events = [
        {
            "customer_id": "a",
            "occurred_at": ago(1),
            "type": "view",
            "user_agent": IPHONE,
            "device": None,
            "platform": None,
        },
        {
            "customer_id": "a",
            "occurred_at": ago(2),
            "type": "view",
            "user_agent": IPHONE + "y" * 600,
            "device": None,
            "platform": "app",
        },
        {
            "customer_id": "a",
            "occurred_at": ago(40),
            "type": "view",
            "user_agent": DESKTOP,
            "device": "tablet",
            "platform": None,
        },
        {
            "customer_id": "a",
            "occurred_at": ago(-1),
            "type": "view",
            "user_agent": DESKTOP,
            "device": None,
            "platform": None,
        },
        {
            "customer_id": "b",
            "occurred_at": ago(3),
            "type": "view",
            "user_agent": None,
            "device": None,
            "platform": None,
        },
        {
            "customer_id": "b",
            "occurred_at": ago(3),
            "type": "cart",
            "user_agent": "\x7f乱码",
            "device": None,
            "platform": None,
        },
    ]
    customers = [{"customer_id": name} for name in "abc"]
    rows, found = on_duckdb(tmp_path, {"customers": customers, "events": events})
    a, b, c = rows["a"], rows["b"], rows["c"]
    assert (a["preferred_device"], a["mobile_share"], a["devices_used"], a["preferred_os"]) == (
        "phone",
        pytest.approx(2 / 3),
        2,
        "iOS",
    )
    assert (a["preferred_platform"], a["app_share"]) == ("web", pytest.approx(1 / 3))
    assert (a["events_30d"], a["events_90d"], a["online_days_90d"], a["event_recency_days"]) == (2, 3, 3, 1)
    assert (b["preferred_device"], b["events_30d"], b["online_days_90d"]) == (None, 2, 1)
    assert (c["events_30d"], c["event_recency_days"], c["mobile_share"]) == (0, None, None)
    assert found.report == {"agents": 4, "agents_unread": 1}
    assert [warning.code for warning in found.warnings] == ["enrich.agents_unread"]


def test_adoption_is_earlier_for_those_who_buy_new_products_sooner(tmp_path: Path) -> None:
    def line(customer: str, product: str, days: int) -> dict[str, object]:
        return {"order_id": f"{customer}{product}{days}", "line_no": 1, "product_id": product, "quantity": 1, "amount": 100,
                "customer_id": customer, "ordered_at": ago(days), "status": None, "category": "茶"}  # fmt: skip

    lines = [
        line("first", "new", 100),
        line("late", "new", 25),
        line("late", "new", 5),
        line("first", "old", 500),
        line("old", "old", 10),
    ]
    customers = [{"customer_id": name} for name in ("first", "late", "old")]
    rows, _ = on_duckdb(tmp_path, {"customers": customers, "order_lines": lines})
    assert (rows["first"]["new_products_used"], rows["first"]["adoption_earliness"]) == (1, 1.0)
    assert (rows["late"]["new_products_used"], rows["late"]["adoption_earliness"]) == (1, 0.25)
    assert (rows["old"]["new_products_used"], rows["old"]["adoption_earliness"]) == (0, None)
    short, _ = on_duckdb(
        tmp_path / "short", {"customers": customers, "order_lines": lines}, start=date(2026, 5, 1)
    )
    assert short["first"]["adoption_earliness"] is None


def test_the_price_level_compares_with_the_lower_median_of_the_category(tmp_path: Path) -> None:
    products = [
        {"product_id": f"p{price}", "category": "茶", "price": price}
        for price in (1_000, 2_000, 3_000, 9_000)
    ] + [{"product_id": "x", "category": None, "price": 5}]
    base = {"line_no": 1, "ordered_at": ago(5), "status": None, "category": "茶"}
    lines = [
        {**base, "order_id": "1", "product_id": "p9000", "quantity": 2, "amount": 18_000, "customer_id": "a"},
        {**base, "order_id": "2", "product_id": "p1000", "quantity": 1, "amount": 1_000, "customer_id": "b"},
        {**base, "order_id": "3", "product_id": "x", "quantity": 1, "amount": 1_000, "customer_id": "c"},
    ]
    customers = [{"customer_id": name} for name in "abc"]
    rows, _ = on_duckdb(tmp_path, {"customers": customers, "order_lines": lines, "products": products})
    assert [rows[name]["price_index"] for name in "abc"] == [4.5, 0.5, None]
    assert AS_OF.year == 2026
