"""Two parts of the customer card: recording what came of a call (into the same file as the command line), and what moved
the chances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from kequn.act.outcomes import RESULTS, Outcome, read_outcomes, result_named
from kequn.errors import DataError
from kequn.i18n import explain, say
from kequn.web.accounts.permissions import needs
from kequn.web.accounts.scope import Customer
from kequn.web.outcomes import keep, local_now, todays_list
from kequn.web.pages.customers.seeing import seen_customer
from kequn.web.published import language, said
from kequn.web.serving import Reader
from kequn.web.ui import numbers

SHOWN = 5


def choices() -> list[tuple[str, str]]:
    """Results with their words."""
    return [(code, say(f"act.result_{code}", language())) for code in RESULTS]


def made(customer_id: str) -> list[dict[str, Any]]:
    """The latest outcomes of this customer, newest first."""
    own = read_outcomes(settings.WORKSPACE, customer_id)
    own.sort(key=lambda row: row["sent_at"], reverse=True)
    return [{**row, "words": say(f"act.result_{row['result']}", language())} for row in own[:SHOWN]]


def shown(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    """What the card's form needs: whether this person may record an outcome, the results, and the latest outcomes."""
    may = request.user.has_perm("customers.follow_up", customer)  # type: ignore[union-attr]
    return {"may_follow_up": may, "results": choices(), "outcomes": made(customer.customer_id)}


@require_POST
@needs("customers.follow_up")
def outcome(request: HttpRequest, customer_id: str) -> HttpResponse:
    """Keep what came of a call; the next run reads it as a touch."""
    customer = seen_customer(request, customer_id)
    if not request.user.has_perm("customers.follow_up", customer):  # type: ignore[union-attr]
        raise Http404
    try:
        _keep(request, customer_id, request.POST)
    except DataError as error:
        messages.error(request, explain(error, language()))  # type: ignore[arg-type]
    else:
        messages.success(request, _("已记录跟进结果，下次运行会作为营销触达读入"))
    return redirect("customers:card", customer_id=customer_id)


def _keep(request: HttpRequest, customer_id: str, form: Mapping[str, str]) -> None:
    result = result_named(form.get("result", ""))
    order, offer = form.get("order", "").strip()[:100], form.get("offer", "")[:200]
    keep(request, [
        Outcome(todays_list(request), customer_id, local_now(), "phone", result, offer or None, None, None, order or None)  # type: ignore[arg-type]
    ])  # fmt: skip


@require_safe
@needs("customers.view")
def drivers(request: HttpRequest, customer_id: str) -> HttpResponse:
    """What moved the chances of churn and purchase: contributions of the features, computed now."""
    from kequn.reading.forecast import what_moved

    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    seen_customer(request, customer_id)
    found = what_moved(reader.connection, reader.folder, said(reader), customer_id, language())
    for one in found:
        most = max((abs(reason["contribution"]) for reason in one["reasons"]), default=1)
        for reason in one["reasons"]:
            value = reason["value"]
            reason["share"] = round(100 * abs(reason["contribution"]) / most)
            reason["shown"] = (
                numbers.DASH if value is None else numbers.number(value, 0 if value == round(value) else 1)
            )
    return render(request, "customers/drivers.html", {"found": found})
