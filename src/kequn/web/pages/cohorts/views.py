"""Retention by month of first order, for everybody in scope or for one segment; the choice stands in the address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from kequn.errors import SnapshotError
from kequn.reading.cohorts import Cohort, average, retention
from kequn.web.accounts.permissions import needs
from kequn.web.accounts.scope import scope_of
from kequn.web.customer_list import Filters, condition
from kequn.web.published import remembered, scheme_or_404, schemes
from kequn.web.serving import Reader
from kequn.web.ui import charts, numbers
from kequn.web.ui.charts import Chart

SHOWN = 13  # months after the first one that the table is wide
LARGE = 8


@require_safe
@needs("aggregates.view")
def index(request: HttpRequest) -> HttpResponse:
    """`in=scheme/segment` limits it to a segment; `show` is customers or money."""
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    scheme, slash, segment = request.GET.get("in", "").partition("/")
    info = scheme_or_404(reader, scheme) if slash else None
    chosen = info is not None and segment in dict(info.segments)
    money = request.GET.get("show") == "money"
    try:
        cohorts = _cohorts(request, reader, ((scheme, segment),) if chosen else ())
    except SnapshotError as error:
        if error.code != "reading.no_orders":
            raise
        cohorts = []
    whole = average(cohorts)
    return render(request, "cohorts/index.html", {
        "cohorts": cohorts, "schemes": list(schemes(reader).values()), "chosen": f"{scheme}/{segment}" if chosen else "", "money": money,
        "title": f"{info.title} · {info.segment_title(segment)}" if chosen and info else "",
        "after": [(n, whole[n]) for n in (1, 3, 6, 12) if n < len(whole)], "customers": sum(one.customers for one in cohorts),
        "grid": grid_chart(cohorts, money), "curve": curve_chart(whole), "scoped": not scope_of(request.user).everyone,
    })  # fmt: skip


def _cohorts(request: HttpRequest, reader: Reader, segments: tuple[tuple[str, str], ...]) -> list[Cohort]:
    where, values = condition(request, reader, Filters(segments=segments))

    def counted() -> list[Cohort]:
        with reader.limited():
            return retention(reader.connection, reader.manifest.as_of, where, values)

    return remembered(reader, f"cohorts:{scope_of(request.user).key}:{segments}", counted)


def grid_chart(cohorts: Sequence[Cohort], money: bool) -> Chart:
    """One row per cohort, one column per month after its first order; money also in the month of the first order."""
    start = 0 if money else 1
    shown = [one for one in cohorts if len(one.active) > start]
    last = min(max((len(one.active) for one in shown), default=start), SHOWN)
    across = [_("第 %(n)s 个月") % {"n": n} for n in range(start, last)]
    down = [f"{one.month:%Y-%m} · {numbers.compact(one.customers)}" for one in shown]
    cells: list[list[Any]] = []
    for one in shown:
        known = [float(value) / one.customers for value in one.money] if money else list(one.retention)
        cells.append([*known[start:last], *[None] * last][: last - start])
    return charts.heat(
        "cohort-grid", _("每批新客的留存"), across, down, cells, labels=(_("首购月份与人数"), _("首购后"), _("人均消费") if money else _("留存率")),
        kind="money" if money else "percent", size="large" if len(shown) > LARGE else "medium",
        note=_("每月消费除以这批客户的人数") if money else _("首购当月的全部客户 = 100%"),
    )  # fmt: skip


def curve_chart(whole: Sequence[float | None]) -> Chart:
    """All cohorts together."""
    names = [_("第 %(n)s 个月") % {"n": n} for n in range(1, min(len(whole), SHOWN))]
    return charts.lines(
        "cohort-curve", _("平均留存曲线"), _("首购后"), names, {_("留存率"): list(whole[1 : len(names) + 1])} if names else {}, kind="percent",
        note=_("按人数加权，只算已满该月的批次"), size="small",
    )  # fmt: skip
