"""What came of calls, told by another system such as a dialler: kept only for customers that the key's owner may see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from django.conf import settings
from django.http import HttpRequest

from kequn.act.outcomes import Outcome, Result
from kequn.errors import DataError
from kequn.web.api.access import scoped
from kequn.web.api.failures import ApiError
from kequn.web.outcomes import keep, local_now, todays_list
from kequn.workspace import Workspace

MOST = 200
NAMED = 5


class Given(Protocol):
    """One outcome as it is sent."""

    customer_id: str
    result: Result
    contacted_at: datetime | None
    campaign_id: str | None
    channel: str
    offer_id: str | None
    order_id: str | None
    cost: Decimal | None


def recorded(request: HttpRequest, given: Sequence[Given]) -> dict[str, Any]:
    """Keep all of them or none: `recorded` says how many.

    Raises ApiError 404 for customers that aren't there or out of scope, which look the same; DataError `act.bad_outcome`.
    """
    _find_all(request, [one.customer_id for one in given])
    now = local_now()
    outcomes = [
        Outcome(
            one.campaign_id or todays_list(request), one.customer_id, _local(one.contacted_at, now), one.channel, one.result,
            one.offer_id, one.cost, None, one.order_id,
        )
        for one in given
    ]  # fmt: skip
    keep(request, outcomes)
    return {"recorded": len(outcomes)}


def _find_all(request: HttpRequest, customer_ids: Sequence[str]) -> None:
    where, values = scoped(request)
    sql = f"SELECT customer_id FROM profile WHERE list_contains(?, customer_id) AND {where}"
    there = {row["customer_id"] for row in request.snapshot.dicts(sql, [list(customer_ids), *values])}  # type: ignore[attr-defined]
    missing = sorted({*customer_ids} - there)
    if missing:
        raise ApiError(404, "api.no_customers", count=len(missing), ids=", ".join(missing[:NAMED]))


def _local(at: datetime | None, now: datetime) -> datetime:
    """A time in the workspace's zone; without an offset it is taken to be there already. Not in the future."""
    if at is None:
        return now
    try:
        if at.tzinfo is not None:
            at = at.astimezone(Workspace.open(settings.WORKSPACE).settings.zone).replace(tzinfo=None)
    except OverflowError:
        raise DataError("act.bad_outcome", field="contacted_at", found=at.isoformat()) from None
    if at > now:
        raise DataError("act.bad_outcome", field="contacted_at", found=at.isoformat())
    return at


__all__ = ["MOST", "recorded"]
