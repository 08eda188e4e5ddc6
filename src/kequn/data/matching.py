"""Which canonical table a file is, and which of its headers fill which columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kequn.data.column_content import Content
from kequn.data.content_fit import content_alone, content_bonus
from kequn.data.headers import (
    Header,
    Platform,
    find_platform,
    fold_header,
    left_alone,
    name_rank,
    name_score,
    platform_columns,
)
from kequn.data.standard import SHAPES, TABLES, Column, Table

ENOUGH = 0.55
"""Confidence from which a header is taken for a column."""
SURE = 0.75
"""Confidence below which a required column is asked about."""
PLATFORM = 0.98
_NOT_FROM_FILES = {"identities", "attribute_states"}
# Columns of other tables in a file speak against the table: an order's number in it makes a file no list of customers.
_FOREIGN = {
    "customers": (
        "orders.order_id",
        "deals.deal_id",
        "touches.campaign_id",
        "events.type",
        "usage.period",
        "accounts.month",
        "companies.employees",
    ),
    "companies": ("orders.order_id", "deals.deal_id", "order_lines.product_id"),
    "products": (
        "orders.order_id",
        "customers.customer_id",
        "flat_orders.ordered_at",
        "order_lines.quantity",
    ),
    "regions": ("orders.order_id", "customers.customer_id"),
    "order_lines": ("flat_orders.ordered_at", "orders.customer_id"),
    "orders": ("deals.deal_id", "deals.stage"),
    "holdings": ("orders.order_id", "deals.deal_id"),
}
# Columns of which at least one must be there for a table to be what it seems.
_MARKS = {
    "companies": ("industry", "employees", "annual_revenue", "ownership", "credit_rating"),
    "products": ("name", "category", "brand", "price", "cost", "stock", "subcategory"),
    "regions": ("province", "city", "tier", "density", "climate_zone", "population"),
    "usage": ("quantity", "amount_due", "amount_paid"),
    "accounts": ("assets", "balance", "credit_score", "risk_level", "guarantee", "risk_assessed"),
    "responses": ("value", "text", "state"),
    "deals": ("stage", "amount", "won", "intent"),
}


@dataclass(frozen=True)
class Match:
    """A header that fills a column. `reasons` are codes of sentences: by platform, name, ending, content, overlap.

    `sql` is set where the column is computed from the header.
    """

    column: str
    header: str
    confidence: float
    reasons: tuple[str, ...]
    rivals: tuple[str, ...] = ()
    sql: str | None = None


@dataclass(frozen=True)
class Fit:
    """A file taken for one table. `score` is 0 to 1; `missing` are required columns that no header fills."""

    table: str
    score: float
    matches: Mapping[str, Match]
    missing: tuple[str, ...]
    platform: Platform | None = field(default=None, compare=False)


def best_fits(headers: Sequence[str], contents: Mapping[str, Content]) -> list[Fit]:
    """The file taken for each table that it may be, best first."""
    platform = find_platform(headers)
    folded = {header: fold_header(header) for header in headers if header in contents}
    tables = [owner for owner in (*TABLES.values(), *SHAPES.values()) if owner.name not in _NOT_FROM_FILES]
    fits = [fit(owner, folded, contents, platform) for owner in tables]
    return sorted((one for one in fits if one.score > 0), key=lambda one: -one.score)


def fit(
    owner: Table, headers: Mapping[str, Header], contents: Mapping[str, Content], platform: Platform | None
) -> Fit:
    """Take a file for `owner`: give each column the header that suits it best, each header to one column only."""
    by_platform = platform if platform is not None and platform.table == owner.name else None
    matches = _by_platform(by_platform, headers, contents)
    taken = {match.header for match in matches.values()}
    if by_platform:
        taken |= left_alone(by_platform, list(headers))
    candidates = [
        (score, header, column.name, reasons)
        for header, folded in headers.items()
        if header not in taken
        for column in owner.mappable.values()
        if column.name not in matches
        for score, reasons in [suits(owner, column, folded, contents[header])]
        if score >= ENOUGH
    ]
    order = {header: place for place, header in enumerate(headers)}
    required = set(owner.required)

    def precedence(one: tuple[float, str, str, tuple[str, ...]]) -> tuple[float, bool, int, int, str]:
        score, header, name, _ = one
        return (
            -round(score, 1),
            name not in required,
            name_rank(owner, name, headers[header]),
            order[header],
            name,
        )

    for score, header, name, reasons in sorted(candidates, key=precedence):
        if name in matches:
            known = matches[name]
            if score >= known.confidence - 0.08 and known.confidence < PLATFORM and header not in taken:
                matches[name] = Match(
                    name, known.header, known.confidence, known.reasons, (*known.rivals, header)
                )
        elif header not in taken:
            matches[name] = Match(name, header, min(score, 0.99), reasons)
            taken.add(header)
    _name_as_key(owner, matches, contents)
    missing = tuple(
        name for name in owner.required if name not in matches and not _spared(owner, name, matches)
    )
    score = _score(owner, matches, missing, headers, contents, by_platform)
    return Fit(owner.name, score, matches, missing, by_platform)


def _name_as_key(owner: Table, matches: dict[str, Match], contents: Mapping[str, Content]) -> None:
    """A list of companies or products without numbers is keyed by their names, where these are unique."""
    key = owner.key[0] if len(owner.key) == 1 else ""
    name = matches.get("name")
    if key and key not in matches and name is not None and contents[name.header].unique:
        matches[key] = Match(key, name.header, 0.8, ("weak_name", "unique"))
        del matches["name"]


def suits(owner: Table, column: Column, header: Header, content: Content) -> tuple[float, tuple[str, ...]]:
    """Confidence that a header fills a column, by its name and then by its content, with the reasons."""
    name = name_score(owner, column.name, header)
    reasons = [] if not name else ["name" if name >= 0.9 else "weak_name"]
    bonus, seen = content_bonus(column, content)
    if not name:
        name = content_alone(column, content)
        return (name, ("content",)) if name else (0.0, ())
    if content.filled == 0:
        return name - 0.2, tuple(reasons)
    if seen:
        reasons.append("content")
    if (
        name < 0.9
        and column.name in owner.key
        and len(owner.key) == 1
        and content.unique
        and _id_like(content)
    ):
        bonus += 0.2
        reasons.append("unique")
    return max(0.0, name + bonus), tuple(reasons)


def _score(
    owner: Table,
    matches: Mapping[str, Match],
    missing: Sequence[str],
    headers: Mapping[str, Header],
    contents: Mapping[str, Content],
    platform: Platform | None,
) -> float:
    needed = [name for name in owner.required if not _spared(owner, name, matches)]
    if owner.name == "flat_orders" and not _priced(matches):
        missing = (*missing, "amount")
    marks = _MARKS.get(owner.name)
    if marks and not any(mark in matches for mark in marks):
        return 0.0
    if all(name not in matches for name in owner.key or owner.required):
        return 0.4 * sum(match.confidence >= 0.75 for match in matches.values()) / max(1, len(headers))
    found = [matches[name].confidence if name in matches else 0.0 for name in needed]
    sure = sum(match.confidence for match in matches.values() if match.confidence >= 0.6)
    score = (
        0.6 * sum(found) / max(1, len(found)) + 0.3 * sure / max(1, len(headers)) + 0.02 * min(len(needed), 5)
    )
    score -= 0.15 * len(missing)
    if platform is not None:
        score += 0.25
    key = owner.key[0] if owner.key else ""
    others = [match.confidence for name, match in matches.items() if name not in owner.key]
    if len(owner.key) == 1 and matches[key].confidence <= 0.8 and max(others, default=0.0) < 0.75:
        # Nearly every table has some `id` or `code`: something else must say what the rows are.
        score -= 0.4
    score -= 0.3 * sum(
        _holds(foreign, headers, contents, matches) for foreign in _FOREIGN.get(owner.name, ())
    )
    return max(0.0, score + _shape(owner, matches, contents))


def _shape(owner: Table, matches: Mapping[str, Match], contents: Mapping[str, Content]) -> float:
    """Whether the rows repeat or not as the grain of the table demands."""
    score = 0.0
    if len(owner.key) == 1 and owner.key[0] in matches:
        key = contents[matches[owner.key[0]].header]
        repeats = key.filled > 0 and key.distinct < 0.9 * key.filled
        if repeats and owner.name in ("customers", "companies", "products", "orders", "places", "regions"):
            score -= 0.35
        elif not key.unique and owner.name in ("customers", "companies", "products"):
            score -= 0.1
        elif key.unique and key.rows > 1:
            score += 0.05
    if owner.name == "flat_orders" and {"product_id", "order_id"} <= matches.keys():
        order = contents[matches["order_id"].header]
        score += 0.1 if order.distinct < 0.98 * order.filled else 0.0
        score -= (
            0.2
            if matches["product_id"].confidence < SURE and not {"quantity", "price"} & matches.keys()
            else 0.0
        )
    return score


def _holds(
    foreign: str, headers: Mapping[str, Header], contents: Mapping[str, Content], matches: Mapping[str, Match]
) -> bool:
    """Whether a header clearly names a column of another table and isn't used better in this one."""
    name, column = foreign.split(".")
    owner = TABLES.get(name) or SHAPES[name]
    used = {match.header for match in matches.values() if match.confidence >= 0.9}
    return any(
        header not in used and suits(owner, owner.columns[column], folded, contents[header])[0] >= 0.9
        for header, folded in headers.items()
    )


def _by_platform(
    platform: Platform | None, headers: Mapping[str, Header], contents: Mapping[str, Content]
) -> dict[str, Match]:
    if platform is None:
        return {}
    found: dict[str, Match] = {}
    for column, choices in platform_columns(platform, list(headers)).items():
        # An export has all its columns even where a shop doesn't use them: take the first that is filled.
        free = [header for header in choices if header not in {match.header for match in found.values()}]
        filled = [header for header in free if contents[header].filled >= 0.5 * contents[header].rows]
        for header in (filled or free)[:1]:
            found[column] = Match(column, header, PLATFORM, ("platform",))
    return found


def _spared(owner: Table, name: str, matches: Mapping[str, Match]) -> bool:
    """The amount of a line may be price × quantity."""
    return name == "amount" and owner.name == "order_lines" and {"price", "quantity"} <= matches.keys()


def _priced(matches: Mapping[str, Match]) -> bool:
    return "amount" in matches or {"price", "quantity"} <= matches.keys()


def _id_like(content: Content) -> bool:
    return (
        content.date < 0.8 and content.length <= 64 and not (content.number >= 0.9 and content.integer < 0.5)
    )


__all__ = ["ENOUGH", "SURE", "Fit", "Match", "best_fits", "fit", "suits"]
