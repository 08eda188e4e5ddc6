"""Personal data is masked until somebody asks to see it and the log says so."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from kequn.web.accounts.roles import Role
from kequn.web.accounts.scope import Customer
from kequn.web.audit.record import record
from kequn.web.throttle import within

HIDDEN = "••••"
SHOWN_SECONDS = 15 * 60
UNMASK_PER_DAY = 200
NAME_IN_CLEAR = frozenset({Role.MARKETER, Role.SALES, Role.SEGMENT_OWNER, Role.ADMINISTRATOR})


class TooManyUnmasked(PermissionDenied):
    """This person asked for more customers in clear today than anyone needs."""


def mask_phone(text: str) -> str:
    """138****6027: the first three and last four digits of a long number, less of a short one.

    >>> mask_phone("13812346027"), mask_phone("+86 138 1234 6027"), mask_phone("1234")
    ('138****6027', '+86****6027', '••••')
    """
    digits = "".join(sign for sign in text if sign.isdigit() or sign == "+")
    return f"{digits[:3]}****{digits[-4:]}" if len(digits) >= 9 else HIDDEN


def mask_email(text: str) -> str:
    """The first letter and the domain.

    >>> mask_email("lin@example.com")
    'l***@example.com'
    """
    name, at, domain = text.partition("@")
    return f"{name[:1]}***@{domain}" if at and name else HIDDEN


def mask_name(text: str) -> str:
    """The first character only.

    >>> mask_name("胡佳怡"), mask_name("Ann Lee")
    ('胡**', 'A**')
    """
    return f"{text[:1]}**" if text else ""


def mask(column: str, value: Any) -> Any:
    """`value` of a personal column in the form that anyone in scope may see; None stays None."""
    if value is None or value == "":
        return value
    if column == "phone":
        return mask_phone(str(value))
    if column == "email":
        return mask_email(str(value))
    if column == "name":
        return mask_name(str(value))
    if isinstance(value, date):
        return f"{value.year}-**-**"
    return HIDDEN


def masked_row(
    request: HttpRequest, customer_id: str, row: Mapping[str, Any], personal: Iterable[str]
) -> dict[str, Any]:
    """`row` with its `personal` columns masked, unless this person unmasked this customer a moment ago.

    The name stays readable for the roles that talk to customers.
    """
    if is_shown(request, customer_id):
        return dict(row)
    clear_name = getattr(request.user, "role", "") in NAME_IN_CLEAR
    hidden = {column for column in personal if not (column == "name" and clear_name)}
    return {column: mask(column, value) if column in hidden else value for column, value in row.items()}


def is_shown(request: HttpRequest, customer_id: str) -> bool:
    """Whether this session unmasked this customer within the last quarter of an hour."""
    return float(request.session.get("unmasked", {}).get(customer_id, 0)) > time.time()


def unmask(request: HttpRequest, customer: Customer, reason: str) -> None:
    """Show this customer's personal data to this session for a quarter of an hour, and record who asked and why.

    Raises PermissionDenied when the role or the scope forbids it, TooManyUnmasked after 200 customers in a day.
    """
    user = request.user
    if not user.has_perm("customers.unmask", customer):
        raise PermissionDenied
    if not within(f"unmask:{user.pk}", UNMASK_PER_DAY, 86_400):
        raise TooManyUnmasked
    record(
        "customer.unmasked", request=request, target=("customer", customer.customer_id), reason=reason[:200]
    )
    now = time.time()
    shown = {key: until for key, until in request.session.get("unmasked", {}).items() if float(until) > now}
    request.session["unmasked"] = {**shown, customer.customer_id: now + SHOWN_SECONDS}
