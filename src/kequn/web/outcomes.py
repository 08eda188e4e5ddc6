"""What came of calls, kept for somebody who is signed in or calls with a key: the same file as the command line, and the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.http import HttpRequest

from kequn.act.outcomes import Outcome, record_outcomes
from kequn.web.audit.record import record
from kequn.workspace import Workspace


def local_now() -> datetime:
    """The present in the workspace's time zone, to the second, without the zone: how outcomes are dated."""
    return datetime.now(Workspace.open(settings.WORKSPACE).settings.zone).replace(tzinfo=None, microsecond=0)


def todays_list(request: HttpRequest) -> str:
    """The campaign that calls belong to when nobody names one: the call list of the published run."""
    return f"calls-{request.snapshot.manifest.as_of.isoformat()}"  # type: ignore[attr-defined]


def keep(request: HttpRequest, outcomes: Sequence[Outcome]) -> None:
    """Keep all of them or none, each with a line in the log; the next run reads them as touches.

    Raises DataError `act.bad_outcome` naming the field.
    """
    record_outcomes(settings.WORKSPACE, outcomes)
    for outcome in outcomes:
        target = ("customer", outcome.customer_id)
        record("outcome.recorded", request=request, target=target, result=outcome.result)


__all__ = ["keep", "local_now", "todays_list"]
