"""What happened after a cut-off: who ordered between two days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOT_AN_ORDER = ("pending", "cancelled", "returned")
"""Order states that are no purchase, as in the profile's grains."""


def connect(memory_limit: str = "2GB", threads: int = 2) -> Any:
    """A DuckDB connection in memory with bounded use of the machine."""
    import duckdb

    return duckdb.connect(config={"memory_limit": memory_limit, "threads": threads})


def arrow(connection: Any, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
    """The answer of a query as an Arrow table; parameters by place (`?`) or by name (`$name`)."""
    return connection.sql(sql, params=parameters).to_arrow_table()


def columns_of(connection: Any, files: Sequence[Path]) -> set[str]:
    """Names of the columns that the files of a table hold."""
    rows = connection.execute(
        "DESCRIBE SELECT * FROM read_parquet(?, union_by_name = true)", [paths(files)]
    ).fetchall()
    return {row[0] for row in rows}


def paths(files: Sequence[Path]) -> list[str]:
    """Paths as DuckDB takes them."""
    return [str(file) for file in files]


def is_order(columns: set[str]) -> str:
    """The condition that a row of `orders` or `order_lines` is a purchase by a known customer."""
    terms = ["customer_id IS NOT NULL"]
    if "status" in columns:
        states = ", ".join(f"'{state}'" for state in NOT_AN_ORDER)
        terms.append(f"COALESCE(status NOT IN ({states}), TRUE)")
    if "amount" in columns:
        terms.append("amount >= 0")
    return " AND ".join(terms)


def buyers_between(orders: Sequence[Path], start: date, end: date) -> Any:
    """Customers with an order on a day in [start, end): an Arrow array of ids, sorted, each once.

    With a profile as of `start` (which knows only days before it) this is the window (t, t + h] of the literature.
    """
    import pyarrow as pa

    with connect() as connection:
        table = arrow(
            connection,
            f"""SELECT DISTINCT customer_id FROM read_parquet(?, union_by_name = true)
                WHERE ordered_at >= ? AND ordered_at < ? AND {is_order(columns_of(connection, orders))}
                ORDER BY customer_id""",
            [paths(orders), start, end],
        )
    return table.column(0).cast(pa.string()).combine_chunks()


def totals_between(orders: Sequence[Path], start: date, end: date, period_days: float = 1.0) -> Any:
    """Purchase days and money (minor units) of each customer on the days [start, end), sorted by customer_id.

    With longer periods `days` counts the periods with a purchase, the first one beginning at `start`.
    """
    with connect() as connection:
        return arrow(
            connection,
            f"""SELECT customer_id, COUNT(DISTINCT FLOOR(DATE_DIFF('day', CAST($start AS DATE), CAST(ordered_at AS DATE)) / $period)) AS days,
                  CAST(SUM(amount) AS BIGINT) AS amount
                FROM read_parquet($files, union_by_name = true)
                WHERE ordered_at >= $start AND ordered_at < $end AND {is_order(columns_of(connection, orders))}
                GROUP BY customer_id ORDER BY customer_id""",
            {"files": paths(orders), "start": start, "end": end, "period": period_days},
        )


def periods_before(orders: Sequence[Path], day: date, period_days: float) -> Any:
    """Periods with a purchase of each customer, counted back from `day` (0: the one that ends there), sorted by customer_id.

    Columns: `first` and `last`, the earliest and the latest of them, and `used`, how many there are.
    """
    with connect() as connection:
        return arrow(
            connection,
            f"""WITH sale AS (
                  SELECT customer_id, FLOOR((DATE_DIFF('day', CAST(ordered_at AS DATE), CAST($day AS DATE)) - 1) / $period) AS back
                  FROM read_parquet($files, union_by_name = true)
                  WHERE ordered_at < $day AND {is_order(columns_of(connection, orders))})
                SELECT customer_id, CAST(MAX(back) AS BIGINT) AS first, CAST(MIN(back) AS BIGINT) AS last,
                  COUNT(DISTINCT back) AS used FROM sale GROUP BY customer_id ORDER BY customer_id""",
            {"files": paths(orders), "day": day, "period": period_days},
        )


def repeat_orders_by_month(orders: Sequence[Path], end: date) -> tuple[date | None, list[int]]:
    """Orders after a customer's first, per whole calendar month before `end`: the first month, and counts from it on."""
    with connect() as connection:
        table = arrow(
            connection,
            f"""WITH sale AS (
                  SELECT CAST(ordered_at AS DATE) AS day,
                    ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY ordered_at, amount) AS place
                  FROM read_parquet($files, union_by_name = true)
                  WHERE ordered_at < $end AND {is_order(columns_of(connection, orders))}),
                span AS (SELECT DATE_TRUNC('month', MIN(day)) AS first FROM sale),
                month AS (SELECT UNNEST(GENERATE_SERIES(first, DATE_TRUNC('month', $end) - INTERVAL 1 MONTH,
                  INTERVAL 1 MONTH)) AS month FROM span WHERE first IS NOT NULL)
                SELECT CAST(month AS DATE) AS month, COUNT(day) FILTER (WHERE place > 1) AS orders
                FROM month LEFT JOIN sale ON DATE_TRUNC('month', day) = month GROUP BY month ORDER BY month""",
            {"files": paths(orders), "end": end},
        )
    months = table.column("month").to_pylist()
    return (months[0] if months else None), table.column("orders").to_pylist()


def flags(customer_ids: Any, among: Any) -> NDArray[np.bool_]:
    """One flag per customer: whether the id stands in `among`."""
    import pyarrow.compute as pc

    return np.asarray(pc.is_in(customer_ids, value_set=among).to_numpy(zero_copy_only=False), dtype=bool)


__all__ = [
    "NOT_AN_ORDER",
    "arrow",
    "buyers_between",
    "columns_of",
    "connect",
    "flags",
    "is_order",
    "paths",
    "periods_before",
    "repeat_orders_by_month",
    "totals_between",
]
