"""What may be offered to whom: eligibility, exclusions, stock and fatigue.

Rules speak of ids; compiling rule texts into ids is the pipeline's work. There is no channel here on purpose: a customer
gets the same offer everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kequn.predict.labels import arrow, columns_of, connect, paths
from kequn.predict.recommend.candidates import Scored
from kequn.predict.recommend.interactions import Catalogue


@dataclass(frozen=True)
class OfferRules:
    """`products`: only these may be offered (None = all); `excluded_products` and `excluded_customers` never.

    `eligible`: for the products named, only these customers. `fatigue_days`: a product offered to a customer within so many
    days is not offered again (0 = no limit).
    """

    products: frozenset[str] | None = None
    excluded_products: frozenset[str] = frozenset()
    excluded_customers: frozenset[str] = frozenset()
    eligible: Mapping[str, frozenset[str]] = field(default_factory=dict)
    fatigue_days: int = 30


def blocked_products(goods: Catalogue, rules: OfferRules) -> NDArray[np.bool_]:
    """One flag per product: out of stock, excluded or not among those allowed."""
    ids = goods.product_ids.to_pylist()
    barred = np.array(
        [
            key in rules.excluded_products or (rules.products is not None and key not in rules.products)
            for key in ids
        ],
        dtype=bool,
    )
    return np.asarray(barred | ~goods.in_stock)


def offered_lately(touches: Sequence[Path], as_of: date, days: int) -> frozenset[tuple[str, str]]:
    """(customer_id, offer_id) of touches on the last `days` days before `as_of`; empty when offers aren't recorded."""
    if not touches or days <= 0:
        return frozenset()
    with connect() as connection:
        if "offer_id" not in columns_of(connection, touches):
            return frozenset()
        table = arrow(
            connection,
            """SELECT DISTINCT customer_id, offer_id FROM read_parquet($files, union_by_name = true)
               WHERE offer_id IS NOT NULL AND customer_id IS NOT NULL AND sent_at < $as_of AND sent_at >= $since""",
            {"files": paths(touches), "as_of": as_of, "since": as_of - timedelta(days=days)},
        )
    return frozenset(zip(table.column(0).to_pylist(), table.column(1).to_pylist(), strict=True))


def permitted(
    found: Scored, customer_ids: Any, goods: Catalogue, rules: OfferRules, tired: frozenset[tuple[str, str]]
) -> NDArray[np.bool_]:
    """One flag per candidate: whether the rules let this customer have this product now."""
    allowed = np.ones(len(found), dtype=bool)
    customers, products = customer_ids.to_pylist(), goods.product_ids.to_pylist()
    row_of = {key: row for row, key in enumerate(customers)}
    item_of = {key: item for item, key in enumerate(products)}
    if rules.excluded_customers:
        out = np.array([key in rules.excluded_customers for key in customers], dtype=bool)
        allowed &= ~out[found.rows]
    shared: dict[frozenset[str], list[int]] = {}  # products of one category share their customers: asked once
    for product, who in rules.eligible.items():
        if product in item_of:
            shared.setdefault(who, []).append(item_of[product])
    for who, items in shared.items():
        among = np.array([key in who for key in customers], dtype=bool)
        allowed &= ~np.isin(found.items, np.array(items)) | among[found.rows]
    pairs = [
        row_of[customer] * len(products) + item_of[product]
        for customer, product in tired
        if customer in row_of and product in item_of
    ]
    if pairs:
        allowed &= ~np.isin(found.rows * len(products) + found.items, np.array(pairs))
    return allowed


__all__ = ["OfferRules", "blocked_products", "offered_lately", "permitted"]
