"""Random profiles for tests of schemes: ties, NULLs, zeros, odd ids; and the catalog of everything that could exist."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kequn.engine import Engine, Parquet
from kequn.language import Catalog, Column
from kequn.profile import Registry, catalog_of
from kequn.scheme import Assignment, assign, load_schemes

AS_OF = date(2026, 11, 1)
Row = dict[str, Any]
ARROW = {
    "money": pa.int64(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "decimal": pa.decimal128(18, 3),
    "text": pa.string(),
    "date": pa.date32(),
    "boolean": pa.bool_(),
}
EXTRA = {
    name: Column(name, kind, {"zh": name, "en": name})  # type: ignore[arg-type]
    for name, kind in {"clv_12m": "money", "score": "number", "grade": "text", "weight": "decimal"}.items()
}


@cache
def everything() -> Catalog:
    """All columns that a workspace could have."""
    delivered = Registry().all_tables()
    plan = Registry().plan(delivered, AS_OF, date(2020, 1, 1))
    catalog = catalog_of(plan.columns, delivered, AS_OF)
    return Catalog({**catalog.columns, **EXTRA}, {}, catalog.behaviours, AS_OF)


def catalog_for(rows: Sequence[Row]) -> Catalog:
    """The columns that the rows have."""
    names = [name for name in rows[0] if name in everything().columns]
    return Catalog({name: everything().columns[name] for name in names}, {}, everything().behaviours, AS_OF)


def write(engine: Engine, folder: Path, rows: Sequence[Row], relation: str = "profile") -> None:
    """Name the rows `relation` in the engine."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = [
        (name, ARROW[everything().columns[name].type] if name != "customer_id" else pa.string())
        for name in rows[0]
    ]
    pq.write_table(pa.Table.from_pylist(list(rows), pa.schema(kinds)), folder / f"{relation}.parquet")
    engine.view(relation, Parquet((folder / f"{relation}.parquet",)))


def run(
    engine: Engine, folder: Path, rows: Sequence[Row], texts: Mapping[str, str] | Iterable[str], **more: Any
) -> Assignment:
    """Assign the schemes of `texts` to the rows."""
    named = (
        dict(texts) if isinstance(texts, Mapping) else {f"s{n}.yaml": text for n, text in enumerate(texts)}
    )
    write(engine, folder, rows)
    schemes = load_schemes(named, everything())
    settings = {"as_of": AS_OF, **more}
    return assign(
        engine,
        "profile",
        schemes,
        catalog_for(rows),
        settings.pop("as_of"),
        folder / "assignment",
        work=folder / "work",
        **settings,
    )


def members(folder: Path, scheme: str, column: str = "segment") -> dict[str, Any]:
    """What the assignment file says, by customer."""
    table = pq.read_table(folder / "assignment" / f"{scheme}-00000.parquet")
    return dict(zip(table.column("customer_id").to_pylist(), table.column(column).to_pylist(), strict=True))


def random_people(seed: int, count: int = 120) -> list[Row]:
    """Customers as a full profile shows them: buyers with ties, people who never bought, unknown attributes."""
    rng = random.Random(seed)
    ids = [f"C{n:04d}" for n in range(count - 2)] + ["007", "顾客 '7', x"]
    rng.shuffle(ids)
    return [_person(rng, key) for key in ids]


def _maybe(rng: random.Random, *values: Any, missing: float = 0.2) -> Any:
    return None if rng.random() < missing else rng.choice(values)


def _person(rng: random.Random, key: str) -> Row:
    buyer = rng.random() > 0.15
    frequency = rng.choice([1, 1, 1, 2, 2, 3, 5, 8, 13]) if buyer else 0
    row: Row = {
        "customer_id": key,
        "frequency": frequency,
        "monetary": rng.choice([100, 100, 2_599, 10_000, rng.randrange(-500, 900_000)]) if buyer else 0,
        "recency_days": rng.choice([1, 1, 30, 95, 180, 181, rng.randrange(1, 800)]) if buyer else None,
        "orders_365d": min(frequency, rng.choice([0, 1, 2, 3, 9])) if buyer else 0,
        "revenue_12m": rng.choice([0, 100, 5_000, rng.randrange(100_000)]) if buyer else 0,
        "profit_12m": _maybe(rng, 0, 50, 50, rng.randrange(-100, 40_000)) if buyer else 0,
        "active_months_365d": rng.randrange(13) if buyer else 0,
        "quantity_365d": float(rng.choice([1, 2, 2, 2.5, 7])) if buyer else 0.0,
        "customer_kind": _maybe(rng, "person", "person", "company", "government"),
        "referrals": rng.choice([0, 0, 0, 1, 5, 9]),
        "is_referred": _maybe(rng, True, False, False),
        "age_band": _maybe(rng, "0-17", "18-24", "19-24", "25-34", "35-44", "45-54", "55-64", "65+"),
        "life_stage": _maybe(
            rng,
            "single",
            "couple",
            "new_family",
            "young_family",
            "mature_family",
            "empty_nest",
            "retired",
            missing=0.7,
        ),
        "marital_status": _maybe(rng, "single", "married", "divorced"),
        "household_size_band": _maybe(rng, "1", "2", "3", "4", "5+"),
        "children": _maybe(rng, 0, 0, 1, 3),
        "home_ownership": _maybe(rng, "Homeowner", "Renter"),
        "urban_rural": _maybe(rng, "urban", "rural"),
        "income": _maybe(rng, 0, 1_200_000, 1_200_000, 5_000_000, 9_900_000),
        "income_band": _maybe(rng, "Under 15K", "50-74K", "250K+", "?"),
        "province": _maybe(rng, "上海市", "广东", "河南省", "火星"),
        "city_tier": _maybe(rng, "一线", "2", "Tier 3", "县城", "?"),
        "preferred_channel": _maybe(rng, "门店", "app", "天猫", "小程序", "官网", "电话", "信鸽"),
    }
    row["tenure_days"] = row["recency_days"] + rng.choice([0, 0, 40, 400]) if buyer else None
    for share in (
        "promotion_share",
        "price_paid_ratio",
        "coupon_order_share",
        "preferred_channel_share",
        "preferred_store_share",
        "top_brand_share",
    ):
        row[share] = _maybe(rng, 0.0, 0.25, 0.5, 0.6, 0.8, 1.0) if buyer else None
    row["standard_price_share"] = None if row["promotion_share"] is None else 1 - row["promotion_share"]
    parts = [rng.choice([0.0, 0.1, 1.0, 1.0, 5.0]) for _ in range(4)]
    for season, part in zip(("spring", "summer", "autumn", "winter"), parts, strict=True):
        row[f"{season}_share"] = part / sum(parts) if buyer and sum(parts) else None
    return row


__all__ = ["AS_OF", "Row", "catalog_for", "everything", "members", "random_people", "run", "write"]
