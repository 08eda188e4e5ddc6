"""Whether a person may see a customer: asked by every view of one."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest

from kequn.web.accounts.scope import Customer
from kequn.web.serving import Reader


def seen_row(request: HttpRequest, customer_id: str) -> tuple[Customer, dict[str, Any]]:
    """The customer with what the card shows of the profile, when this person may see them; 404 otherwise, so that ids tell nothing."""
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    row = next(iter(reader.rows_of("profile", customer_id)), None)
    if row is None:
        raise Http404
    pairs = {name.removeprefix("seg_"): row.pop(name) for name in list(row) if name.startswith("seg_")}
    placed = frozenset((scheme, segment) for scheme, segment in pairs.items() if segment)
    customer = Customer(customer_id, row.get("account_manager"), placed)
    if not request.user.has_perm("customers.view", customer):  # type: ignore[union-attr]
        raise Http404
    return customer, row


def seen_customer(request: HttpRequest, customer_id: str) -> Customer:
    """The customer, when this person may see them; 404 otherwise."""
    return seen_row(request, customer_id)[0]
