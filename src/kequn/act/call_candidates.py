"""Who can be called: customers of a segment or an owner with a chance and a worth, less those who can't or must not be.

Everything works on one DuckDB connection: the tables as views, the candidates as the temporary table `candidate`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from kequn.errors import DataError, ModelError

PROBABILITIES = ("p_purchase_30d", "p_purchase_90d", "p_purchase")
"""Probabilities that a list may be ranked by, in order of preference."""


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
class Reach:
    """How the list came down to its length. `consent_known` is False where there is no table of consents."""

    wanted: int
    unpredicted: int
    contacted_lately: int
    not_granted: int
    listed: int
    consent_known: bool


_OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "profile": ("customer_id", "account_manager", "average_order_value", "margin_rate"),
    "assignment": ("customer_id", "scheme", "segment"),
    "recommendation": ("customer_id", "rank", "product_id", "reason_product_id"),
    "products": ("product_id", "name"),
    "consents": ("customer_id", "channel", "purpose", "changed_at", "granted"),
    "touches": ("customer_id", "sent_at", "arm"),
    "outcomes": ("customer_id", "sent_at"),
}


def register(connection: Any, tables: CallTables) -> None:
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


def chosen_probability(connection: Any, request: CallRequest) -> str:
    """The wanted probability, or the first that the run has figures for."""
    have = _columns(connection, "prediction")
    asked = (request.probability,) if request.probability else PROBABILITIES
    for name in asked:
        if name in have and (name in PROBABILITIES):
            count = connection.execute(f'SELECT COUNT("{name}") FROM prediction').fetchone()[0]
            if count:
                return name
    raise ModelError("act.no_probability", asked=list(asked))


def worth(connection: Any, request: CallRequest) -> tuple[str, str]:
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


def find_candidates(connection: Any, request: CallRequest, probability: str, value: str) -> None:
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


def reachable(connection: Any, tables: CallTables, request: CallRequest, as_of: date) -> Reach:
    """Take out who can't or must not be called, counting each cause; who has two causes counts with the first."""
    wanted = count_candidates(connection)
    connection.execute("DELETE FROM candidate WHERE expected_value IS NULL")
    predicted = count_candidates(connection)
    if (tables.touches or tables.outcomes) and request.quiet_days > 0:
        connection.execute(
            """DELETE FROM candidate WHERE customer_id IN (
                 SELECT customer_id FROM touches
                 WHERE sent_at < $as_of AND sent_at >= $since AND COALESCE(arm <> 'control', TRUE) AND customer_id IS NOT NULL
                 UNION ALL SELECT customer_id FROM outcomes WHERE sent_at >= $since AND customer_id IS NOT NULL)""",
            {"as_of": as_of, "since": as_of - timedelta(days=request.quiet_days)},
        )
    rested = count_candidates(connection)
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
    left = count_candidates(connection)
    return Reach(
        wanted,
        wanted - predicted,
        predicted - rested,
        rested - left,
        min(left, request.capacity),
        bool(tables.consents),
    )


def count_candidates(connection: Any) -> int:
    return int(connection.execute("SELECT COUNT(*) FROM candidate").fetchone()[0])


__all__ = [
    "PROBABILITIES",
    "CallRequest",
    "CallTables",
    "Reach",
    "chosen_probability",
    "count_candidates",
    "find_candidates",
    "reachable",
    "register",
    "worth",
]
