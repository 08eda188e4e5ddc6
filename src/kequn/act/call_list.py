"""Whom to call first: ranked by calibrated probability times value, cut to capacity, with what to offer and why.

Widening shows what the next calls would add and at which expected conversion. The offer is the customer's next best offer
of the run, the same for every channel.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from kequn.act.call_candidates import (
    CallRequest,
    CallTables,
    Reach,
    chosen_probability,
    count_candidates,
    find_candidates,
    reachable,
    register,
    worth,
)
from kequn.act.call_words import Playbooks, sentence
from kequn.errors import DataError


@dataclass(frozen=True)
class Call:
    """One row: a customer, the chance of a purchase, what it is worth and what to say. Money as in the profile's files."""

    rank: int
    customer_id: str
    account_manager: str | None
    segment: str | None
    probability: float
    value: float
    expected_value: float
    product_id: str | None
    offer: str | None
    sentence: str


@dataclass(frozen=True)
class Widening:
    """What the list would gain by going on to `calls`: `added` customers, their mean probability (`conversion`), the
    orders and money expected from them, and the totals up to there."""

    calls: int
    added: int
    conversion: float
    added_orders: float
    added_value: float
    total_orders: float
    total_value: float


@dataclass(frozen=True)
class CallList:
    """The list and what stands behind it."""

    calls: tuple[Call, ...]
    widening: tuple[Widening, ...]
    reach: Reach
    probability: str
    value: str

    def as_dict(self) -> dict[str, Any]:
        """For `--json` and pages."""
        return asdict(self)


def call_list(
    tables: CallTables,
    request: CallRequest,
    as_of: date,
    lang: str = "zh",
    playbooks: Playbooks | None = None,
) -> CallList:
    """The ranked list of a segment, an owner or everybody.

    Order: probability × value, then probability, then id. Consents are those given before `as_of`, the latest word wins,
    and a customer without a row has not agreed.

    Raises DataError `act.bad_capacity`, `act.no_column`, `act.no_segments`; ModelError `act.no_probability`.
    """
    if request.capacity < 1:
        raise DataError("act.bad_capacity", found=request.capacity)
    import duckdb

    with duckdb.connect(config={"memory_limit": "2GB", "threads": 2}) as connection:
        register(connection, tables)
        probability = chosen_probability(connection, request)
        value, shown = worth(connection, request)
        find_candidates(connection, request, probability, value)
        reach = reachable(connection, tables, request, as_of)
        widening = _widening(connection, request.capacity)
        rows = _rows(connection, request.capacity, bool(tables.recommendation))
    books = playbooks or Playbooks()
    calls = tuple(_call(place, row, books, lang) for place, row in enumerate(rows, start=1))
    return CallList(calls, widening, reach, probability, shown)


_ORDER = "expected_value DESC, probability DESC, customer_id"


def _widening(connection: Any, capacity: int) -> tuple[Widening, ...]:
    """The list cut at its capacity, then 1.5, 2, 3, 5 and 10 times as long, then at its end."""
    total = count_candidates(connection)
    lengths = [math.ceil(capacity * factor) for factor in (1, 1.5, 2, 3, 5, 10)]
    lengths = sorted({min(length, total) for length in lengths if length - capacity < total} | {total})
    connection.execute(
        f"""CREATE TEMP TABLE ranked AS
            SELECT *, ROW_NUMBER() OVER (ORDER BY {_ORDER}) AS place FROM candidate"""
    )
    found, start, orders, money = [], 0, 0.0, 0.0
    for length in lengths:
        if length <= start:
            continue
        p, v = connection.execute(
            """SELECT SUM(CAST(probability AS DECIMAL(18, 6))), SUM(CAST(expected_value AS DECIMAL(30, 4)))
               FROM ranked WHERE place > ? AND place <= ?""",
            [start, length],
        ).fetchone()
        added, orders, money = length - start, orders + float(p), money + float(v)
        found.append(
            Widening(
                length,
                added,
                round(float(p) / added, 6),
                round(float(p), 4),
                round(float(v), 2),
                round(orders, 4),
                round(money, 2),
            )
        )
        start = length
    return tuple(found)


def _rows(connection: Any, capacity: int, with_offers: bool) -> list[tuple[Any, ...]]:
    """The first rows with the offer of rank 1 and the names of the products."""
    offer = (
        "CAST(r.product_id AS VARCHAR), CAST(r.reason_product_id AS VARCHAR)" if with_offers else "NULL, NULL"
    )
    rows: list[tuple[Any, ...]] = connection.execute(
        f"""WITH named AS (SELECT product_id, MAX(CAST(name AS VARCHAR)) AS name FROM products GROUP BY product_id)
            SELECT c.customer_id, c.account_manager, c.segment, c.probability, c.value, c.expected_value, {offer},
              CAST(o.name AS VARCHAR), CAST(w.name AS VARCHAR)
            FROM (SELECT * FROM ranked WHERE place <= ?) c
              LEFT JOIN (SELECT * FROM recommendation WHERE rank = 1) r USING (customer_id)
              LEFT JOIN named o ON o.product_id = r.product_id
              LEFT JOIN named w ON w.product_id = r.reason_product_id
            ORDER BY c.place""",
        [capacity],
    ).fetchall()
    return rows


def _call(place: int, row: tuple[Any, ...], books: Playbooks, lang: str) -> Call:
    customer, manager, segment, probability, value, expected, product, reason, product_name, reason_name = row
    offer = product_name or product
    return Call(
        place,
        str(customer),
        manager,
        segment,
        round(float(probability), 6),
        round(float(value), 2),
        round(float(expected), 2),
        product,
        offer,
        sentence(
            offer,
            reason_name or reason,
            product is not None and product == reason,
            books.say(segment, lang),
            lang,
        ),
    )


def call_rows(found: CallList) -> list[dict[str, Any]]:
    """The calls as rows for `write_rows`."""
    return [asdict(call) for call in found.calls]


__all__ = ["Call", "CallList", "Widening", "call_list", "call_rows"]
