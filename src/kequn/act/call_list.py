"""Whom to call first: ranked by calibrated probability times value, cut to capacity, with what to offer and why.

Widening shows what the next calls would add and at which expected conversion. The offer is the customer's next best offer
of the run, the same for every channel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from kequn.errors import DataError, ModelError
from kequn.i18n import say

PROBABILITIES = ("p_purchase_30d", "p_purchase_90d", "p_purchase")
"""Probabilities that a list may be ranked by, in order of preference."""
TITLES = (
    "rank",
    "customer_id",
    "account_manager",
    "probability",
    "value",
    "expected_value",
    "offer",
    "sentence",
)


@dataclass(frozen=True)
class CallRequest:
    """Which list is wanted.

    `scheme` and `segment`: only those customers; `owner`: only those of this account manager; `capacity`: calls that can
    be made; `channel` and `purposes`: what consent is asked for; `quiet_days`: who was contacted within so many days is
    left out; `value`: the column of `profile` or `prediction` that a purchase is worth (None: average order, times the
    margin rate where it is known for all).
    """

    capacity: int = 50
    scheme: str | None = None
    segment: str | None = None
    owner: str | None = None
    probability: str | None = None
    value: str | None = None
    channel: str = "phone"
    purposes: tuple[str, ...] = ("marketing", "营销", "all", "全部")
    quiet_days: int = 7


@dataclass(frozen=True)
class CallTables:
    """Parquet files by table.

    `profile` and `prediction` are needed; `assignment` for a segment; `recommendation` and `products` for offers;
    `consents` () means that reach is unknown; `touches` and `outcomes` (those on record, also since the run) for who
    was contacted lately.
    """

    profile: Sequence[Path]
    prediction: Sequence[Path]
    assignment: Sequence[Path] = ()
    recommendation: Sequence[Path] = ()
    products: Sequence[Path] = ()
    consents: Sequence[Path] = ()
    touches: Sequence[Path] = ()
    outcomes: Sequence[Path] = ()


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
class Reach:
    """How the list came down to its length. `consent_known` is False where there is no table of consents."""

    wanted: int
    unpredicted: int
    contacted_lately: int
    not_granted: int
    listed: int
    consent_known: bool


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


@dataclass(frozen=True)
class Playbooks:
    """What to do in each segment of the list's scheme: {segment: {zh, en} or text}."""

    texts: Mapping[str, Any] = field(default_factory=dict)

    def say(self, segment: str | None, lang: str) -> str | None:
        """The text for a segment, None when there is none."""
        from kequn.i18n import title

        text = self.texts.get(segment) if segment is not None else None
        return title(text, lang) or None if text is not None else None


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
        _register(connection, tables)
        probability = _probability(connection, request)
        value, shown = _value(connection, request)
        _candidates(connection, request, probability, value)
        reach = _reach(connection, tables, request, as_of)
        widening = _widening(connection, request.capacity)
        rows = _rows(connection, request.capacity, bool(tables.recommendation))
    books = playbooks or Playbooks()
    calls = tuple(_call(place, row, books, lang) for place, row in enumerate(rows, start=1))
    return CallList(calls, widening, reach, probability, shown)


_OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "profile": ("customer_id", "account_manager", "average_order_value", "margin_rate"),
    "assignment": ("customer_id", "scheme", "segment"),
    "recommendation": ("customer_id", "rank", "product_id", "reason_product_id"),
    "products": ("product_id", "name"),
    "consents": ("customer_id", "channel", "purpose", "changed_at", "granted"),
    "touches": ("customer_id", "sent_at", "arm"),
    "outcomes": ("customer_id", "sent_at"),
}


def _register(connection: Any, tables: CallTables) -> None:
    """Each table as a view; a table or column that no source delivers reads as NULL."""
    for name in ("profile", "prediction", *_OPTIONAL):
        files = [str(file) for file in getattr(tables, name)]
        wanted = _OPTIONAL.get(name, ())
        if not files:
            empty = ", ".join(f"NULL AS {column}" for column in wanted) or "NULL AS customer_id"
            connection.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT {empty} WHERE FALSE")
            continue
        listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        source = f"read_parquet([{listed}], union_by_name = true)"
        have = {row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
        lacking = "".join(f", NULL AS {column}" for column in wanted if column not in have)
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT *{lacking} FROM {source}")


def _columns(connection: Any, view: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE {view}").fetchall()}


def _probability(connection: Any, request: CallRequest) -> str:
    """The wanted probability, or the first that the run has figures for."""
    have = _columns(connection, "prediction")
    asked = (request.probability,) if request.probability else PROBABILITIES
    for name in asked:
        if name in have and (name in PROBABILITIES):
            count = connection.execute(f'SELECT COUNT("{name}") FROM prediction').fetchone()[0]
            if count:
                return name
    raise ModelError("act.no_probability", asked=list(asked))


def _value(connection: Any, request: CallRequest) -> tuple[str, str]:
    """What a purchase is worth: an SQL expression over p (profile) and m (prediction), and its name."""
    profile, prediction = _columns(connection, "profile"), _columns(connection, "prediction")
    if request.value is not None:
        side = "p" if request.value in profile else "m" if request.value in prediction else None
        kind = (profile | prediction).get(request.value, "")
        if side is None or not kind.startswith(
            ("BIGINT", "INTEGER", "DOUBLE", "DECIMAL", "FLOAT", "HUGEINT")
        ):
            raise DataError("act.no_column", name=request.value)
        return f'CAST({side}."{request.value}" AS DOUBLE)', request.value
    asked = "SELECT COUNT(average_order_value), COUNT(margin_rate) FROM profile"
    orders, margins = connection.execute(asked).fetchone()
    if not orders:
        raise DataError("act.no_column", name="average_order_value")
    own = "CAST(p.average_order_value AS DOUBLE)"
    if margins == orders:
        return f"{own} * CAST(p.margin_rate AS DOUBLE)", "average_order_value * margin_rate"
    return own, "average_order_value"


def _candidates(connection: Any, request: CallRequest, probability: str, value: str) -> None:
    if request.segment is not None and request.scheme is None:
        raise DataError("act.no_segments", scheme=None)
    where, given = ["TRUE"], {"scheme": request.scheme}
    if request.scheme is not None:
        found = connection.execute(
            "SELECT COUNT(*) FROM assignment WHERE scheme = ?", [request.scheme]
        ).fetchone()
        if not found[0]:
            raise DataError("act.no_segments", scheme=request.scheme)
        where.append("a.customer_id IS NOT NULL")
    if request.segment is not None:
        where.append("a.segment = $segment")
        given["segment"] = request.segment
    if request.owner is not None:
        where.append("p.account_manager = $owner")
        given["owner"] = request.owner
    # not GREATEST, which takes 0 for NULL: what a purchase is worth must stay unknown
    connection.execute(
        f"""CREATE TEMP TABLE candidate AS
            SELECT customer_id, account_manager, segment, probability, value, probability * value AS expected_value
            FROM (
              SELECT p.customer_id, CAST(p.account_manager AS VARCHAR) AS account_manager, CAST(a.segment AS VARCHAR) AS segment,
                m."{probability}" AS probability, CASE WHEN {value} < 0 THEN 0 ELSE {value} END AS value
              FROM profile p LEFT JOIN prediction m USING (customer_id)
                LEFT JOIN (SELECT customer_id, segment FROM assignment WHERE scheme = $scheme) a USING (customer_id)
              WHERE {" AND ".join(where)})""",
        given,
    )


def _reach(connection: Any, tables: CallTables, request: CallRequest, as_of: date) -> Reach:
    """Take out who can't or must not be called, counting each cause; who has two causes counts with the first."""
    wanted = _count(connection)
    connection.execute("DELETE FROM candidate WHERE expected_value IS NULL")
    predicted = _count(connection)
    if (tables.touches or tables.outcomes) and request.quiet_days > 0:
        connection.execute(
            """DELETE FROM candidate WHERE customer_id IN (
                 SELECT customer_id FROM touches
                 WHERE sent_at < $as_of AND sent_at >= $since AND COALESCE(arm <> 'control', TRUE) AND customer_id IS NOT NULL
                 UNION ALL SELECT customer_id FROM outcomes WHERE sent_at >= $since AND customer_id IS NOT NULL)""",
            {"as_of": as_of, "since": as_of - timedelta(days=request.quiet_days)},
        )
    rested = _count(connection)
    if tables.consents:
        connection.execute(
            """DELETE FROM candidate WHERE customer_id NOT IN (
                 SELECT customer_id FROM (
                   SELECT customer_id, BOOL_AND(granted) AS granted FROM (
                     SELECT customer_id, granted, changed_at,
                       MAX(changed_at) OVER (PARTITION BY customer_id) AS latest
                     FROM consents WHERE changed_at < $as_of AND channel IN ($channel, 'all')
                       AND LOWER(purpose) IN (SELECT UNNEST($purposes)) AND customer_id IS NOT NULL)
                   WHERE changed_at = latest GROUP BY customer_id)
                 WHERE granted)""",
            {
                "as_of": as_of,
                "channel": request.channel,
                "purposes": [purpose.lower() for purpose in request.purposes],
            },
        )
    left = _count(connection)
    return Reach(
        wanted,
        wanted - predicted,
        predicted - rested,
        rested - left,
        min(left, request.capacity),
        bool(tables.consents),
    )


def _count(connection: Any) -> int:
    return int(connection.execute("SELECT COUNT(*) FROM candidate").fetchone()[0])


_ORDER = "expected_value DESC, probability DESC, customer_id"


def _widening(connection: Any, capacity: int) -> tuple[Widening, ...]:
    """The list cut at its capacity, then 1.5, 2, 3, 5 and 10 times as long, then at its end."""
    total = _count(connection)
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


def call_titles(lang: str = "zh") -> dict[str, str]:
    """Columns of a call list with their headings."""
    return {name: say(f"act.column_{name}", lang) for name in TITLES}


def sentence(
    offer: str | None, reason: str | None, usual: bool, playbook: str | None, lang: str = "zh"
) -> str:
    """What to offer and why, in one sentence, followed by what the segment's playbook asks for.

    `offer` and `reason` are names of products: "bought `reason`; people who buy it buy `offer`"; `usual` means that the
    customer buys the offer anyway.
    """
    if offer is None:
        return playbook or say("act.call_no_offer", lang)
    if usual:
        first = say("act.call_usual", lang, product=offer)
    elif reason is not None:
        first = say("act.call_because", lang, product=offer, reason=reason)
    else:
        first = say("act.call_popular", lang, product=offer)
    return f"{first}{playbook}" if playbook and lang == "zh" else f"{first} {playbook}" if playbook else first


__all__ = [
    "PROBABILITIES",
    "TITLES",
    "Call",
    "CallList",
    "CallRequest",
    "CallTables",
    "Playbooks",
    "Reach",
    "Widening",
    "call_list",
    "call_rows",
    "call_titles",
    "sentence",
]
