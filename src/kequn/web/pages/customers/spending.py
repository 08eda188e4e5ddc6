"""What a customer spent month by month over the last year, fetched after the card."""

from __future__ import annotations

import datetime as dt

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from kequn.web.accounts.permissions import needs
from kequn.web.pages.customers.seeing import seen_customer
from kequn.web.serving import Reader
from kequn.web.ui import charts

MONTHS = 12


@require_safe
@needs("customers.view")
def chart(request: HttpRequest, customer_id: str) -> HttpResponse:
    """The twelve months up to the day of the run, the last one perhaps unfinished."""
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    seen_customer(request, customer_id)
    months = last_months(reader.manifest.as_of)
    sums = {}
    if {"amount", "ordered_at"} <= reader.columns("orders").keys():
        sql = (
            "SELECT strftime(ordered_at, '%Y-%m') AS month, sum(amount) FROM orders "
            "WHERE customer_id = ? AND ordered_at >= ? GROUP BY 1"
        )
        sums = dict(reader.rows(sql, [customer_id, dt.datetime.fromisoformat(f"{months[0]}-01")]))
    spent = [float(sums.get(month) or 0) for month in months]
    drawn = charts.bars(
        "spending", _("消费走势"), _("月份"), months if any(spent) else [], {_("消费"): spent if any(spent) else []},
        kind="money", note=_("近 12 个月"), size="small",
    )  # fmt: skip
    return render(request, "ui/chart.html", {"chart": drawn})


def last_months(day: dt.date) -> list[str]:
    """The last twelve months up to the one of `day`, oldest first.

    >>> last_months(dt.date(2026, 2, 3))[::11]
    ['2025-03', '2026-02']
    """
    last = day.year * 12 + day.month - 1
    return [f"{month // 12:04d}-{month % 12 + 1:02d}" for month in range(last - MONTHS + 1, last + 1)]
