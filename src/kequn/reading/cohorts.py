"""Retention by cohort: of the customers who first bought in a month, how many bought again in each month after."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kequn.errors import SnapshotError
from kequn.reading.rows import has_table, rows

if TYPE_CHECKING:
    import duckdb

MOST = 24
"""Cohorts that are listed at most, the latest ones."""
_BOUGHT = """
WITH bought AS (
  SELECT customer_id, CAST(date_trunc('month', ordered_at) AS DATE) AS month, sum(amount) AS money
  FROM orders WHERE amount >= 0 AND ordered_at < CAST(? AS DATE) AND {kept}
    AND customer_id IN (SELECT customer_id FROM profile WHERE {where}) GROUP BY ALL
),
first AS (SELECT customer_id, min(month) AS cohort FROM bought GROUP BY 1)
SELECT cohort, month, count(*) AS customers, sum(money) AS money
FROM bought JOIN first USING (customer_id) GROUP BY ALL ORDER BY ALL
"""
"""Grain: one row per cohort and month in which somebody of it bought. Pending, cancelled and returned orders don't count."""


@dataclass(frozen=True)
class Cohort:
    """Customers whose first order fell in `month`. `active[n]` and `money[n]` (major units) are those of n months later;
    only months that were over on the day of the run are there."""

    month: dt.date
    customers: int
    active: tuple[int, ...]
    money: tuple[Decimal, ...]

    @property
    def retention(self) -> tuple[float, ...]:
        """Share of the cohort that bought n months later; 1 in its own month."""
        return tuple(count / self.customers for count in self.active)


def retention(
    con: duckdb.DuckDBPyConnection, as_of: dt.date, where: str = "TRUE", values: Sequence[Any] = ()
) -> list[Cohort]:
    """The cohorts of the customers that `where` (SQL of ours over the profile, with ? for `values`) chooses, oldest first.

    Reads the orders of `serving.duckdb`. The month in which `as_of` falls isn't over and is left out.
    Raises SnapshotError (`reading.no_orders`) when the run serves no orders.
    """
    if not has_table(con, "orders"):
        raise SnapshotError("reading.no_orders")
    there = {row["column_name"] for row in rows(con, "DESCRIBE orders")}
    if not {"amount", "ordered_at"} <= there:
        raise SnapshotError("reading.no_orders")
    kept = (
        "coalesce(status NOT IN ('pending', 'cancelled', 'returned'), TRUE)" if "status" in there else "TRUE"
    )
    sql = _BOUGHT.format(kept=kept, where=where)
    found = rows(con, sql, [as_of, *values])
    return _cohorts(found, as_of.replace(day=1))[-MOST:]


def _cohorts(found: Sequence[dict[str, Any]], open_month: dt.date) -> list[Cohort]:
    by_cohort: dict[dt.date, dict[dt.date, dict[str, Any]]] = {}
    for row in found:
        by_cohort.setdefault(row["cohort"], {})[row["month"]] = row
    cohorts = []
    for month, later in by_cohort.items():
        if month >= open_month:
            continue
        months = [_after(month, n) for n in range(_between(month, open_month))]
        active = tuple(later[one]["customers"] if one in later else 0 for one in months)
        money = tuple(Decimal(later[one]["money"]) if one in later else Decimal(0) for one in months)
        cohorts.append(Cohort(month, active[0], active, money))
    return cohorts


def _between(first: dt.date, last: dt.date) -> int:
    return (last.year - first.year) * 12 + last.month - first.month


def _after(month: dt.date, count: int) -> dt.date:
    years, rest = divmod(month.month - 1 + count, 12)
    return dt.date(month.year + years, rest + 1, 1)


def average(cohorts: Sequence[Cohort]) -> list[float | None]:
    """Retention n months later over all cohorts that are old enough, each customer counting once."""
    found: list[float | None] = []
    for n in range(max((len(one.active) for one in cohorts), default=0)):
        old = [one for one in cohorts if len(one.active) > n]
        whole = sum(one.customers for one in old)
        found.append(sum(one.active[n] for one in old) / whole if whole else None)
    return found


__all__ = ["Cohort", "average", "retention"]
