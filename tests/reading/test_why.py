"""Which way is up: the nearest change that a card proposes leads to customers who are worth more."""

from __future__ import annotations

from decimal import Decimal

import duckdb

from kequn.reading.why import nearest_change, segment_worth
from kequn.scheme import Explanation
from kequn.scheme.explanation import Change


def explanation(segment: str, *changes: Change) -> Explanation:
    found = {change.segment: change for change in changes}
    return Explanation("s", "C1", True, segment, segment, None, (), {}, (), {**found, "far": None})


def change(segment: str, value: float, needed: float) -> Change:
    return Change(segment, "monetary", {}, value, needed, "up" if needed > value else "down")


WORTH = {"low": 10.0, "middle": 100.0, "high": 1000.0}


def test_the_nearest_change_leads_to_customers_who_are_worth_more() -> None:
    found = explanation("middle", change("low", 100, 99), change("high", 100, 400))
    nearest = nearest_change(found, WORTH)
    assert nearest is not None and nearest.segment == "high"


def test_the_best_customers_are_not_told_how_to_fall() -> None:
    assert nearest_change(explanation("high", change("middle", 900, 800)), WORTH) is None


def test_a_segment_of_unknown_worth_is_no_way_up() -> None:
    assert nearest_change(explanation("middle", change("empty", 100, 101)), WORTH) is None


def test_without_any_worth_the_smallest_change_counts() -> None:
    found = explanation("middle", change("low", 100, 99), change("high", 100, 400))
    nearest = nearest_change(found)
    assert nearest is not None and nearest.segment == "low"


def test_worth_is_the_mean_lifetime_value_else_revenue_of_a_segment_with_customers() -> None:
    con = duckdb.connect()
    con.execute(
        "CREATE TABLE segment AS SELECT * FROM (VALUES ('s', 'a', 4, 100.00::DECIMAL(18,2), 10.00::DECIMAL(18,2)), "
        "('s', 'empty', 0, NULL, NULL)) AS t(scheme, segment, customers, revenue_12m, clv_12m)"
    )
    assert segment_worth(con) == {"s": {"a": 2.5}}
    con.execute("ALTER TABLE segment DROP COLUMN clv_12m")
    assert segment_worth(con) == {"s": {"a": float(Decimal("25"))}}
    con.execute("ALTER TABLE segment DROP COLUMN revenue_12m")
    assert segment_worth(con) == {}
