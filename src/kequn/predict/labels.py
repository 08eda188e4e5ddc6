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


def flags(customer_ids: Any, among: Any) -> NDArray[np.bool_]:
    """One flag per customer: whether the id stands in `among`."""
    import pyarrow.compute as pc

    return np.asarray(pc.is_in(customer_ids, value_set=among).to_numpy(zero_copy_only=False), dtype=bool)


__all__ = ["NOT_AN_ORDER", "arrow", "buyers_between", "columns_of", "connect", "flags", "is_order", "paths"]
