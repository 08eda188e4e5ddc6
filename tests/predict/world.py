"""A small invented shop: customers who buy at their own pace and leave, products in two tastes. Seeded, written as facts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

START = date(2025, 1, 1)
AS_OF = date(2026, 1, 1)


@dataclass(frozen=True)
class Shop:
    """Fact files and the profile of any day."""

    folder: Path

    @property
    def orders(self) -> tuple[Path, ...]:
        return (self.folder / "orders.parquet",)

    @property
    def lines(self) -> tuple[Path, ...]:
        return (self.folder / "order_lines.parquet",)

    @property
    def products(self) -> tuple[Path, ...]:
        return (self.folder / "products.parquet",)

    @property
    def facts(self) -> dict[str, tuple[Path, ...]]:
        return {"orders": self.orders, "order_lines": self.lines, "products": self.products}

    def profile_at(
        self, day: date, *, name: str = "profile", order: str = "customer_id", money: str = "BIGINT"
    ) -> Path:
        """A naive profile as known before `day`."""
        folder = self.folder / f"{name}-{day}"
        if not folder.exists():
            folder.mkdir()
            cast = f"CAST({{}} AS {money})" if money == "BIGINT" else "CAST({} / 100.0 AS DECIMAL(18, 2))"
            with duckdb.connect() as con:
                con.execute(_PROFILE.format(
                    orders=self.orders[0], lines=self.lines[0], day=day, start=START, order=order,
                    out=folder / "part-00000.parquet", monetary=cast.format("monetary"), aov=cast.format("monetary // frequency"),
                    r90=cast.format("revenue_90d"),
                ))  # fmt: skip
        return folder


_PROFILE = """
COPY (
  WITH o AS (SELECT customer_id, CAST(ordered_at AS DATE) AS day, amount,
      DATE '{day}' - CAST(ordered_at AS DATE) AS age FROM '{orders}' WHERE ordered_at < DATE '{day}' AND customer_id IS NOT NULL),
    d AS (SELECT customer_id, day - LAG(day) OVER (PARTITION BY customer_id ORDER BY day) AS gap
      FROM (SELECT DISTINCT customer_id, day FROM o)),
    g AS (SELECT customer_id, COUNT(gap) AS gaps, AVG(gap) AS gap_mean_days FROM d GROUP BY customer_id),
    c AS (SELECT customer_id, COUNT(DISTINCT category) AS distinct_categories FROM '{lines}'
      WHERE ordered_at < DATE '{day}' GROUP BY customer_id),
    p AS (SELECT customer_id, COUNT(*) AS frequency, CAST(SUM(amount) AS BIGINT) AS monetary, MIN(age) AS recency_days,
      MAX(age) AS tenure_days, MAX(day) AS last_order_at, COUNT(*) FILTER (WHERE age <= 30) AS orders_30d,
      COUNT(*) FILTER (WHERE age <= 90) AS orders_90d, COUNT(*) FILTER (WHERE age > 90 AND age <= 180) AS orders_prev_90d,
      CAST(COALESCE(SUM(amount) FILTER (WHERE age <= 90), 0) AS BIGINT) AS revenue_90d FROM o GROUP BY customer_id),
    everybody AS (SELECT DISTINCT customer_id FROM '{orders}' WHERE customer_id IS NOT NULL UNION SELECT 'never')
  SELECT customer_id, COALESCE(frequency, 0) AS frequency, {monetary} AS monetary, {aov} AS average_order_value, recency_days,
    tenure_days, last_order_at, orders_30d, orders_90d,
    CASE WHEN DATE '{day}' - DATE '{start}' >= 180 THEN orders_prev_90d END AS orders_prev_90d, {r90} AS revenue_90d,
    COALESCE(gaps + 1, 0) AS purchase_days, gap_mean_days, recency_days / gap_mean_days AS overdue_ratio, distinct_categories,
    'M' || (LENGTH(customer_id) + COALESCE(frequency, 0)) % 3 AS account_manager,
    hash(customer_id) % 1000 / 1000.0 AS x_luck
  FROM everybody LEFT JOIN p USING (customer_id) LEFT JOIN g USING (customer_id) LEFT JOIN c USING (customer_id)
  ORDER BY {order}
) TO '{out}' (FORMAT parquet)
"""


def open_shop(folder: Path, customers: int = 900, seed: int = 7, products: int = 60) -> Shop:
    """Orders of a year: Poisson at a gamma rate until an exponential end; each customer keeps to one of two tastes."""
    rng = np.random.default_rng(seed)
    orders: dict[str, list[object]] = {
        name: [] for name in ("order_id", "customer_id", "ordered_at", "amount", "status")
    }
    lines: dict[str, list[object]] = {
        name: []
        for name in (
            "order_id",
            "line_no",
            "product_id",
            "customer_id",
            "ordered_at",
            "amount",
            "category",
            "cost",
        )
    }
    half = products // 2
    weights = 1 / np.arange(1, half + 1)
    weights /= weights.sum()
    for number in range(customers):
        key, taste = f"c{number:05d}", number % 2
        rate, ends = rng.gamma(1.2, 1 / 35), rng.exponential(300)
        day = float(rng.uniform(0, 250))
        last = min(day + ends, 365)
        while day < last:
            when = START + timedelta(days=int(day))
            order_id = f"{key}-{len(orders['order_id'])}"
            total = 0
            for line in range(1, int(rng.integers(2, 5))):
                place = int(rng.choice(half, p=weights)) + taste * half
                amount = 500 + 50 * place
                total += amount
                for name, value in zip(
                    lines,
                    (order_id, line, f"p{place:03d}", key, when, amount, f"k{place % 6}", amount // 2),
                    strict=True,
                ):
                    lines[name].append(value)
            for name, value in zip(orders, (order_id, key, when, total, "completed"), strict=True):
                orders[name].append(value)
            day += rng.exponential(1 / rate)
    folder.mkdir(parents=True, exist_ok=True)
    stamp = pa.timestamp("us")
    for name, table in (("orders", orders), ("order_lines", lines)):
        arrow = pa.table(table)
        place = arrow.schema.get_field_index("ordered_at")
        arrow = arrow.set_column(
            place, "ordered_at", arrow.column("ordered_at").cast(pa.date32()).cast(stamp)
        )
        pq.write_table(arrow, folder / f"{name}.parquet")
    goods = [f"p{place:03d}" for place in range(products)]
    pq.write_table(
        pa.table(
            {"product_id": goods, "name": [f"商品{key}" for key in goods], "stock": [None] * products}
        ).cast(pa.schema([("product_id", pa.string()), ("name", pa.string()), ("stock", pa.float64())])),
        folder / "products.parquet",
    )
    return Shop(folder)


__all__ = ["AS_OF", "START", "Shop", "open_shop"]
