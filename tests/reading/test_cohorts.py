"""Retention against a few orders whose answer can be told by looking."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import duckdb
import pytest

from kequn.errors import SnapshotError
from kequn.reading.cohorts import average, retention

AS_OF = dt.date(2026, 4, 15)
ORDERS = """
('a', '2026-01-03', 10, 'completed'), ('a', '2026-01-20', 5, NULL), ('a', '2026-03-01', 7, NULL),
('b', '2026-01-31', 20, NULL), ('b', '2026-02-01', 1, 'cancelled'), ('b', '2026-04-02', 9, NULL),
('c', '2026-02-10', 30, NULL), ('c', '2026-03-31 23:59:59', 4, NULL), ('c', '2026-05-01', 4, NULL),
('d', '2026-04-01', 8, NULL), ('e', '2026-03-05', 3, 'returned'), ('gone', '2026-01-01', 1, NULL)
"""


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute("CREATE TABLE profile AS SELECT unnest(['a', 'b', 'c', 'd', 'e']) AS customer_id")
        opened.execute(
            "CREATE TABLE orders AS SELECT customer_id, ordered_at::TIMESTAMP AS ordered_at, amount::DECIMAL(18,2) AS amount, status "
            f"FROM (VALUES {ORDERS}) AS t(customer_id, ordered_at, amount, status)"
        )
        yield opened


def test_cohorts_count_who_bought_again_in_each_month_that_is_over(con: duckdb.DuckDBPyConnection) -> None:
    january, february = retention(con, AS_OF)
    assert (january.month, january.customers) == (dt.date(2026, 1, 1), 2)
    assert january.active == (2, 0, 1) and january.retention == (1.0, 0.0, 0.5)
    assert january.money == (Decimal(35), Decimal(0), Decimal(7))
    assert (february.month, february.active, february.money) == (
        dt.date(2026, 2, 1),
        (1, 1),
        (Decimal(30), Decimal(4)),
    )
    assert average([january, february]) == [1.0, 1 / 3, 0.5]


def test_a_condition_limits_the_customers_and_a_day_at_the_month_s_begin_closes_the_month(
    con: duckdb.DuckDBPyConnection,
) -> None:
    (only,) = retention(con, dt.date(2026, 3, 1), "customer_id = ?", ["a"])
    assert only.active == (1, 0)
    assert retention(con, dt.date(2026, 1, 31)) == []
    assert average([]) == []


def test_a_run_without_orders_says_so() -> None:
    with duckdb.connect() as empty, pytest.raises(SnapshotError, match=r"reading\.no_orders"):
        retention(empty, AS_OF)
