"""One customer as everyone sees them: profile, segments with what to do, predictions, offers, recent orders."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from kequn.errors import SnapshotError
from kequn.reading.rows import rows, table_names

if TYPE_CHECKING:
    import duckdb

ORDERS_SHOWN, OFFERS_SHOWN = 10, 5
PLACE = (("segment", "seg"), ("sub_segment", "sub"), ("since", "since"), ("rule_segment", "rule"))


def find_customer(con: duckdb.DuckDBPyConnection, customer_id: str) -> dict[str, Any]:
    """The profile row of a customer, hidden columns left out. Raises SnapshotError with ids that begin alike."""
    found = rows(con, "SELECT * FROM profile WHERE customer_id = ?", [customer_id])
    if not found:
        alike = rows(
            con,
            "SELECT customer_id FROM profile WHERE starts_with(customer_id, ?) ORDER BY 1 LIMIT 3",
            [customer_id[:4].strip()],
        )
        raise SnapshotError(
            "reading.no_customer", id=customer_id[:80], near=[row["customer_id"] for row in alike]
        )
    return {name: value for name, value in found[0].items() if not name.startswith(("_t_", "seg_"))}


def customer_card(
    con: duckdb.DuckDBPyConnection, customer_id: str, tables: Collection[str] | None = None
) -> dict[str, Any]:
    """Everything known of one customer. Money in major units. `tables` are those of the run, for callers who know them.

    Returns `profile`, `segments` (one row per scheme with titles, since), `prediction`, `recommendations`, `orders`.
    """
    there = table_names(con) if tables is None else tables
    return {
        "customer_id": customer_id,
        "profile": find_customer(con, customer_id),
        "segments": places(con, customer_id, there),
        **prospects(lambda table: customer_rows(con, table, customer_id) if table in there else []),
    }


def places(
    con: duckdb.DuckDBPyConnection, customer_id: str, tables: Collection[str] | None = None
) -> list[dict[str, Any]]:
    """Where the customer stands: one row per scheme with titles, since, and the size of the segment."""
    there = table_names(con) if tables is None else tables
    if "membership" in there:
        return _placed(con, customer_id, there)
    return rows(
        con,
        "SELECT a.scheme, a.segment, a.sub_segment, a.since, a.rule_segment, s.title_zh, s.title_en, s.customers, s.share "
        "FROM assignment AS a JOIN segment AS s ON s.scheme = a.scheme AND s.segment = a.segment "
        "WHERE a.customer_id = ? ORDER BY a.scheme",
        [customer_id],
    )


RowsOf = Callable[[str], list[dict[str, Any]]]
"""The rows of one customer in a table of the run; none when it has no such table."""


def prospects(rows_of: RowsOf) -> dict[str, Any]:
    """`prediction` (a row or None), `recommendations` by rank, and the latest `orders`, newest first."""
    offers = sorted(rows_of("recommendation"), key=lambda row: row["rank"])
    orders = sorted(rows_of("orders"), key=lambda row: row["order_id"])
    orders.sort(key=lambda row: row["ordered_at"], reverse=True)
    return {
        "prediction": next(iter(rows_of("prediction")), None),
        "recommendations": offers[:OFFERS_SHOWN],
        "orders": orders[:ORDERS_SHOWN],
    }


def customer_rows(
    con: duckdb.DuckDBPyConnection, table: str, customer_id: str, columns: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The customer's rows of a table that is there, all columns or some; of orders the latest."""
    listed = ", ".join('"{}"'.format(name.replace('"', '""')) for name in columns) or "*"
    last = f" ORDER BY ordered_at DESC, order_id LIMIT {ORDERS_SHOWN}" if table == "orders" else ""
    return rows(con, f"SELECT {listed} FROM {table} WHERE customer_id = ?{last}", [customer_id])


def _placed(con: duckdb.DuckDBPyConnection, customer_id: str, there: Collection[str]) -> list[dict[str, Any]]:
    """The same rows from the one wide row of `membership`: an eighth of the time of asking the long table."""
    found = rows(con, "SELECT * FROM membership WHERE customer_id = ?", [customer_id])
    kept_names = "scheme, segment, title_zh, title_en, customers, share"
    listed = rows(con, f"SELECT {kept_names} FROM segment") if found and "segment" in there else []
    known = {(row["scheme"], row["segment"]): row for row in listed}
    shown = []
    for name in sorted(
        name.removeprefix("seg_") for name in (found[0] if found else {}) if name.startswith("seg_")
    ):
        own = known.get((name, found[0][f"seg_{name}"]), {})
        if found[0][f"seg_{name}"] is not None:
            place = {key: found[0][f"{short}_{name}"] for key, short in PLACE}
            kept = {key: own.get(key) for key in ("title_zh", "title_en", "customers", "share")}
            shown.append({"scheme": name, **place, **kept})
    return shown


__all__ = ["customer_card", "customer_rows", "find_customer", "places", "prospects"]
