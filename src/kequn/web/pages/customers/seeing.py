"""Whether a person may see a customer: asked by every view of one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.http import Http404, HttpRequest

from kequn.web.accounts.scope import Customer, scope_of
from kequn.web.serving import Reader


def seen_row(
    request: HttpRequest, customer_id: str, wanted: Collection[str] = ()
) -> tuple[Customer, dict[str, Any]]:
    """The customer with the wanted columns of the profile, when this person may see them; 404 otherwise, so that ids tell nothing.

    `Customer.segments` holds those of the wanted columns `seg_…` and of the schemes in which this person owns a segment.
    """
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    needed = {*wanted, "account_manager", *(f"seg_{scheme}" for scheme, _ in scope_of(request.user).segments)}  # type: ignore[arg-type]
    read = [name for name in reader.columns("profile") if name in needed]
    listed = ", ".join('"{}"'.format(name.replace('"', '""')) for name in ("customer_id", *read))
    row = reader.one(f"SELECT {listed} FROM profile WHERE customer_id = ?", [customer_id])
    if row is None:
        raise Http404
    pairs = {name.removeprefix("seg_"): row.pop(name) for name in read if name.startswith("seg_")}
    placed = frozenset((scheme, segment) for scheme, segment in pairs.items() if segment)
    customer = Customer(customer_id, row.get("account_manager"), placed)
    if not request.user.has_perm("customers.view", customer):  # type: ignore[union-attr]
        raise Http404
    return customer, row


def seen_customer(request: HttpRequest, customer_id: str) -> Customer:
    """The customer, when this person may see them; 404 otherwise."""
    return seen_row(request, customer_id)[0]
