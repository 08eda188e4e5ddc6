"""Small random facts, seeded: canonical Parquet tables as the data room writes them, for tests of every room below it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kequn.data.standard import TABLES
from kequn.engine import Engine, Parquet
from kequn.language import Type
from kequn.profile import Delivered, table_view

ARROW: Mapping[str, pa.DataType] = {
    "money": pa.int64(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "decimal": pa.decimal128(18, 3),
    "text": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "boolean": pa.bool_(),
}
AS_OF = date(2026, 11, 1)


@dataclass(frozen=True)
class SomeFacts:
    """Tables as lists of rows, and which columns each delivers."""

    tables: Mapping[str, list[dict[str, Any]]]

    @property
    def delivered(self) -> Delivered:
        return {
            name: {column: self._type(name, column) for column in (rows[0] if rows else ())}
            for name, rows in self.tables.items()
        }

    def _type(self, table: str, column: str) -> Type:
        return TABLES[table].columns[column].type

    def register(self, engine: Engine, folder: Path) -> None:
        """Write the tables and name them in the engine, with all columns of the standard."""
        for name in TABLES:
            rows = self.tables.get(name)
            if rows:
                kinds = self.delivered[name]
                schema = pa.schema([(column, ARROW[kind]) for column, kind in kinds.items()])
                folder.mkdir(parents=True, exist_ok=True)
                pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / f"{name}.parquet")
                engine.view(f"raw_{name}", Parquet((folder / f"{name}.parquet",)))
            engine.view(name, table_view(name, self.delivered if rows else {}, f"raw_{name}"))


def random_facts(seed: int, customers: int = 40, days: int = 800) -> SomeFacts:
    """Customers with and without orders, ties, refunds, returns, NULLs, unpaid orders and odd ids."""
    rng = random.Random(seed)
    ids = [f"C{n:03d}" for n in range(customers - 3)] + ["007", " 客户 7", "x'; DROP TABLE"]
    people = [
        {
            "customer_id": key,
            "gender": rng.choice(["male", "female", None]),
            "birth_date": rng.choice([date(1990, 2, 28), date(2000, 11, 1), date(1960, 12, 31), None]),
            "income": rng.choice([None, 0, 1_200_000, 5_000_000]),
            "city_tier": rng.choice(["一线", "二线", None]),
            "acquisition_channel": rng.choice(["referral", "advertising", None]),
            "referred_by": rng.choice([None, None, ids[0]]),
        }
        for key in ids
    ]
    products = {
        f"P{n}": rng.choice([("女装", "甲"), ("男装", "乙"), ("童装", None), (None, "丙")]) for n in range(12)
    }
    orders: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    for key in [*ids[: customers - 4], ids[-1]]:
        for number in range(min(int(rng.paretovariate(0.9)), 25)):
            _random_order(rng, key, f"{key}-{number}", days, products, orders, lines)
    touches = [
        {
            "campaign_id": f"K{rng.randrange(3)}",
            "customer_id": rng.choice(ids),
            "sent_at": datetime.combine(AS_OF, datetime.min.time())
            - timedelta(hours=rng.randrange(-48, 9000)),
            "arm": rng.choice(["treatment", "control", None]),
            "responded_at": rng.choice([None, datetime(2026, 10, 1), datetime(2026, 12, 1)]),
        }
        for _ in range(60)
    ]
    return SomeFacts({"customers": people, "orders": orders, "order_lines": lines, "touches": touches})


def _random_order(
    rng: random.Random, key: str, order_id: str, days: int, products: Mapping[str, tuple[str | None, str | None]],
    orders: list[dict[str, Any]], lines: list[dict[str, Any]],
) -> None:  # fmt: skip
    at = datetime.combine(AS_OF, datetime.min.time()) - timedelta(
        days=rng.choice([1, 30, 90, rng.randrange(-5, days)]),
        seconds=-rng.choice([0, 0, 3600 * rng.randrange(24)]),
    )
    status = rng.choice(["completed", "completed", None, "pending", "cancelled", "returned"])
    total = 0
    for number in range(1, rng.randrange(2, 5)):
        product = rng.choice(list(products))
        amount = rng.choice([100, 100, 2_599, 10_000]) * (-1 if status == "returned" else 1)
        total += amount
        category, brand = products[product]
        lines.append(
            {
                "order_id": order_id, "line_no": number, "product_id": product, "quantity": rng.randrange(1, 4),
                "amount": amount, "customer_id": key, "ordered_at": at, "status": status, "category": category, "brand": brand,
            }
        )  # fmt: skip
    discount = rng.choice([0, 0, 50, None])
    refunded = status == "completed" and rng.random() < 0.2
    orders.append(
        {
            "order_id": order_id, "customer_id": key if rng.random() > 0.03 else None, "ordered_at": at, "amount": total,
            "list_amount": None if discount is None else abs(total) + discount, "discount": discount,
            "cost": rng.choice([None, total // 2]), "coupon_id": rng.choice([None, "券1"]),
            "channel": rng.choice(["app", "门店", None]), "store_id": rng.choice(["S1", "S2", None]), "occasion": rng.choice(["gift", None]),
            "status": status, "refunded_at": at + timedelta(days=3) if refunded else None,
            "refunded_amount": total // 3 if refunded else None,
        }
    )  # fmt: skip


__all__ = ["AS_OF", "SomeFacts", "random_facts"]
