"""Figures over all fact tables that a run and its reports need, and references that lead nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kequn.data.convert import identifier, literal

if TYPE_CHECKING:
    from kequn.data.facts import FactTable

_REFERENCES = (
    ("events", "customer_id", "customers"),
    ("touches", "customer_id", "customers"),
    ("responses", "customer_id", "customers"),
    ("notes", "customer_id", "customers"),
    ("deals", "customer_id", "customers"),
    ("activities", "customer_id", "customers"),
    ("consents", "customer_id", "customers"),
    ("attribute_states", "customer_id", "customers"),
    ("customers", "company_id", "companies"),
    ("order_lines", "product_id", "products"),
    ("orders", "store_id", "places"),
)
_KEYS = {
    "customers": "customer_id",
    "companies": "company_id",
    "products": "product_id",
    "places": "place_id",
}


def summarise(tables: Mapping[str, FactTable]) -> dict[str, Any]:
    """History, anonymous and returned orders, rounding, and unknown references, as plain values for JSON."""
    import duckdb

    with duckdb.connect() as con:
        data = {
            **_orders(con, tables),
            "rounding": str(_rounding(tables)),
            "notices": _unknown_references(con, tables),
        }
    if data["anonymous_orders"]:
        data["notices"].append(
            {"code": "data.anonymous_orders", "fields": {"orders": data["anonymous_orders"]}}
        )
    if data["returned_orders"]:
        data["notices"].append(
            {"code": "data.returned_orders", "fields": {"orders": data["returned_orders"]}}
        )
    for name, table in tables.items():
        if table.rows == 0:
            data["notices"].append({"code": "data.no_rows", "fields": {"table": name}})
        if table.counts.quarantined:
            fields = {"table": name, "rows": table.counts.quarantined, "read": table.counts.read}
            data["notices"].append({"code": "data.rows_quarantined", "fields": fields})
        if table.counts.duplicates:
            data["notices"].append(
                {"code": "data.rows_duplicate", "fields": {"table": name, "rows": table.counts.duplicates}}
            )
    return data


def _scan(table: FactTable) -> str:
    return f"read_parquet([{', '.join(literal(file) for file in table.files)}])"


def _orders(con: Any, tables: Mapping[str, FactTable]) -> dict[str, Any]:
    names = (
        "history_start",
        "last_order_at",
        "anonymous_orders",
        "anonymous_amount",
        "returned_orders",
        "returned_amount",
    )
    if "orders" not in tables:
        return dict(zip(names, (None, None, 0, 0, 0, 0), strict=True))
    orders = _scan(tables["orders"])
    row = con.execute(
        "SELECT MIN(ordered_at), MAX(ordered_at), COUNT(*) FILTER (WHERE customer_id IS NULL),"
        " CAST(COALESCE(SUM(amount) FILTER (WHERE customer_id IS NULL), 0) AS BIGINT), COUNT(*) FILTER (WHERE status = 'returned'),"
        f" CAST(COALESCE(SUM(amount) FILTER (WHERE status = 'returned'), 0) AS BIGINT) FROM {orders}"
    ).fetchone()
    values = [
        row[0].isoformat() if row[0] else None,
        row[1].isoformat() if row[1] else None,
        *map(int, row[2:]),
    ]
    return dict(zip(names, values, strict=True))


def _rounding(tables: Mapping[str, FactTable]) -> Decimal:
    """What rounding took off the amounts of sales; other money columns report theirs by source."""
    sales = [tables[name] for name in ("orders", "order_lines") if name in tables]
    money = [
        one for table in sales for report in table.sources for one in report.money if one.column == "amount"
    ]
    total = sum((one.rounding for one in money), Decimal(0))
    return total.normalize() if total else Decimal(0)


def _unknown_references(con: Any, tables: Mapping[str, FactTable]) -> list[dict[str, Any]]:
    found = []
    for name, column, other in _REFERENCES:
        if name not in tables or other not in tables or column not in tables[name].columns:
            continue
        key = _KEYS[other]
        row = con.execute(
            f"SELECT COALESCE(SUM(rows), 0), COUNT(*) FROM (SELECT {identifier(column)} AS id, COUNT(*) AS rows FROM {_scan(tables[name])}"
            f" WHERE {identifier(column)} IS NOT NULL GROUP BY 1) AS a ANTI JOIN {_scan(tables[other])} AS b ON a.id = b.{key}"
        ).fetchone()
        if row[1]:
            fields = {
                "table": name,
                "column": column,
                "other": other,
                "rows": int(row[0]),
                "ids": int(row[1]),
            }
            found.append({"code": "data.unknown_references", "fields": fields})
    return found


__all__ = ["summarise"]
