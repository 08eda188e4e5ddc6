"""Names, phones and e-mails: they stand apart from the profile, are found only by those who may see them, and are masked.

Whoever may not see names in clear can't look for them either, or a search would tell what the mask hides. Phones and
e-mails are found in full only, by people who may unmask, and so often an hour: nobody can try out numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpRequest

from kequn.errors import SnapshotError
from kequn.snapshot.contacts import COLUMNS, digits, searched
from kequn.web.accounts.masking import NAME_IN_CLEAR
from kequn.web.serving import Reader
from kequn.web.throttle import within

TABLE = "contact"
PERSONAL = frozenset(COLUMNS)
PHONE = re.compile(r"\+?[\d\s()-]{5,24}")
SEARCHES_PER_HOUR = 300


class TooManySearches(SnapshotError):
    """This person looked for more phones or e-mails in an hour than anyone needs."""


def shown_columns(reader: Reader) -> tuple[str, ...]:
    """Which of name, phone and e-mail the run knows."""
    there = reader.columns(TABLE)
    return tuple(name for name in COLUMNS if name in there)


def contacts_of(reader: Reader, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Name, phone and e-mail of some customers, in clear: mask them before anyone sees them."""
    shown = shown_columns(reader)
    if not shown or not ids:
        return {}
    marks = ", ".join("?" * len(ids))
    found = reader.rows(
        f"SELECT customer_id, {', '.join(shown)} FROM {TABLE} WHERE customer_id IN ({marks})", list(ids)
    )
    return {row[0]: dict(zip(shown, row[1:], strict=True)) for row in found}


def contact_of(reader: Reader, customer_id: str) -> dict[str, Any]:
    """Name, phone and e-mail of one customer, in clear: mask them before anyone sees them."""
    found = next(iter(reader.rows_of(TABLE, customer_id)), {})
    return {name: found.get(name) for name in shown_columns(reader)}


def with_contacts(reader: Reader, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows that have a `customer_id`, each with its contact data in clear: mask them before anyone sees them."""
    listed = list(rows)
    found = contacts_of(reader, [row["customer_id"] for row in listed])
    nothing = dict.fromkeys(shown_columns(reader))
    return [{**row, **found.get(row["customer_id"], nothing)} for row in listed]


def condition(request: HttpRequest, reader: Reader, text: str) -> tuple[str, list[Any]]:
    """What this person may find customers by, besides the id: a condition on `customer_id` with its values; "" for nothing.

    Raises TooManySearches.
    """
    there = reader.columns(TABLE)
    clauses: list[str] = []
    values: list[Any] = []
    if "name" in there and getattr(request.user, "role", "") in NAME_IN_CLEAR:
        found, wanted = searched(text, there)
        clauses, values = clauses + found, values + wanted
    sought = _whole(text, there) if request.user.may("customers.unmask") else None  # type: ignore[union-attr]
    if sought:
        if not within(f"contact:{request.user.pk}", SEARCHES_PER_HOUR, 3600):
            raise TooManySearches("web.too_many_searches", most=SEARCHES_PER_HOUR)
        clauses.append(sought)
        values.append(text.strip())
    if not clauses:
        return "", []
    return f"customer_id IN (SELECT customer_id FROM {TABLE} WHERE {' OR '.join(clauses)})", values


def _whole(text: str, there: Iterable[str]) -> str:
    """The condition for a whole phone number or e-mail address, when the text looks like one."""
    if "phone_digits" in there and PHONE.fullmatch(text.strip()):
        return f"phone_digits = {digits('CAST(? AS VARCHAR)')}"
    if "email" in there and "@" in text:
        return "lower(email) = lower(?)"
    return ""


__all__ = [
    "PERSONAL",
    "TooManySearches",
    "condition",
    "contact_of",
    "contacts_of",
    "shown_columns",
    "with_contacts",
]
