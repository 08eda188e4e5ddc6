"""Inputs of the grades: accounts, usage and payment, holdings, contribution, occasions; each against a count by hand."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from tests.profile.enriching import ago, on_duckdb


def test_the_newest_complete_month_of_an_account_counts(tmp_path: Path) -> None:
    def month(
        customer: str, first: date, assets: int | None, score: int | None, rate: str, **more: object
    ) -> dict[str, object]:
        return {"customer_id": customer, "month": first, "assets": assets, "credit_score": score, "return_rate": rate and __import__("decimal").Decimal(rate),
                "statements_complete": True, "risk_assessed": True, "guarantee": False, **more}  # fmt: skip

    accounts = [
        month("a", date(2026, 8, 1), 100, 600, "-0.010"),
        month("a", date(2026, 9, 1), 200, 650, "0.020"),
        month("a", date(2026, 10, 1), 300, 700, "0.030"),
        month("a", date(2026, 11, 1), 999, 1, "0.9"),
        month("b", date(2026, 10, 1), None, 700, "0.030", statements_complete=False),
    ]
    customers = [
        {"customer_id": name, "customer_kind": kind}
        for name, kind in (("a", "company"), ("b", "person"), ("c", None))
    ]
    rows, _ = on_duckdb(tmp_path, {"customers": customers, "accounts": accounts})
    a, b, c = (rows[name] for name in "abc")
    assert (a["account_assets"], float(a["credit_score"]), float(a["account_return_rate"]), a["loss_months_12m"], a["account_months"]) == (
        300, 700.0, 0.03, 1, 3,
    )  # fmt: skip
    assert (a["statements_in_order"], b["statements_complete"], b["statements_in_order"]) == (
        True,
        False,
        True,
    )
    assert (a["bank_missing"], b["bank_missing"]) == ("", "assets ")
    assert c["bank_missing"] == "assets credit_score statements_complete risk_assessed return_rate guarantee "


def test_bills_are_late_a_month_after_their_period(tmp_path: Path) -> None:
    def bill(customer: str, period: date, due: int, paid: int | None, at: object) -> dict[str, object]:
        return {
            "customer_id": customer,
            "period": period,
            "quantity": 10,
            "amount_due": due,
            "amount_paid": paid,
            "paid_at": at,
        }

    usage = [
        bill("a", date(2026, 10, 1), 5_000, None, None),
        bill("a", date(2026, 9, 1), 6_000, 6_000, ago(20)),
        bill("a", date(2026, 8, 1), 4_000, 4_000, ago(20)),
        bill("a", date(2026, 7, 1), 3_000, 1_000, ago(80)),
        bill("a", date(2026, 6, 1), 3_000, None, None),
        bill("a", date(2026, 11, 1), 9_000, None, None),
        bill("b", date(2025, 6, 1), 0, None, None),
    ]
    rows, _ = on_duckdb(tmp_path, {"customers": [{"customer_id": name} for name in "abc"], "usage": usage})
    a, b, c = (rows[name] for name in "abc")
    assert (a["usage_periods"], a["bill_3m"], a["bill_6m"], a["bill_mean_6m"]) == (5, 15_000, 21_000, 4_200)
    assert (a["late_payments_12m"], a["unpaid_amount"]) == (2, 5_000 + 2_000 + 3_000)
    assert (a["usage_3m"], a["usage_prev_3m"], a["usage_trend"]) == (30, 20, 1.5)
    assert (
        b["late_payments_12m"],
        b["bill_6m"],
        b["bill_mean_6m"],
        c["usage_periods"],
        c["unpaid_amount"],
    ) == (0, 0, None, 0, 0)


def test_holdings_count_what_is_held_now(tmp_path: Path) -> None:
    def held(customer: str, product: str, start: date, end: date | None, value: int) -> dict[str, object]:
        return {"customer_id": customer, "product_id": product, "from": start, "to": end, "value": value}

    holdings = [
        held("a", "p1", date(2024, 11, 1), None, 100), held("a", "p1", date(2025, 11, 1), date(2027, 1, 1), 50),
        held("a", "p2", date(2025, 1, 1), date(2026, 10, 31), 7), held("a", "p3", date(2026, 1, 1), date(2026, 11, 1), 5),
        held("b", "p2", date(2026, 12, 1), None, 9),
    ]  # fmt: skip
    products = [
        {"product_id": "p1", "name": "定期", "category": "存款"}, {"product_id": "p2", "name": "信用卡", "category": None},
        {"product_id": "p3", "name": "活期", "category": "存款"},
    ]  # fmt: skip
    rows, _ = on_duckdb(
        tmp_path,
        {"customers": [{"customer_id": name} for name in "ab"], "holdings": holdings, "products": products},
    )
    a, b = rows["a"], rows["b"]
    assert (
        a["products_held"],
        a["kinds_held"],
        a["holding_value"],
        a["products_ended"],
        a["months_held"],
    ) == (2, 1, 155, 1, 23)
    assert (b["products_held"], b["holding_value"], b["months_held"]) == (0, 0, None)


def test_contribution_and_occasions_are_counted_from_orders_and_touches(tmp_path: Path) -> None:
    def order(number: int, customer: str, days: int, occasion: str | None) -> dict[str, object]:
        return {
            "order_id": str(number),
            "customer_id": customer,
            "ordered_at": ago(days),
            "amount": 1_000,
            "cost": 600,
            "occasion": occasion,
        }

    orders = [
        order(1, "a", 1, "life_event"), order(2, "a", 400, "festival"), order(3, "b", 400, None),
        order(4, "c", 5, None), {**order(5, "c", 0, None), "ordered_at": ago(356)},
    ]  # fmt: skip
    touches = [
        {"campaign_id": "k", "customer_id": "a", "sent_at": ago(3), "cost": 150, "arm": "treatment"},
        {"campaign_id": "k", "customer_id": "a", "sent_at": ago(2), "cost": 150, "arm": "control"},
    ]
    rows, _ = on_duckdb(
        tmp_path,
        {"customers": [{"customer_id": name} for name in "abc"], "orders": orders, "touches": touches},
    )
    assert (rows["a"]["contact_cost"], rows["a"]["margin"], rows["a"]["net_contribution"]) == (150, 800, 650)
    assert (rows["b"]["net_contribution"], rows["a"]["life_event_share"], rows["a"]["festival_share"]) == (
        400,
        0.5,
        0.5,
    )
    assert [rows[name]["is_retained"] for name in "abc"] == [True, False, None]
    assert rows["c"]["sale_day_orders"] == 1
