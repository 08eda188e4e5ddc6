"""The overview: totals, what needs attention, value by segment, RFM, moves, tiers."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from kequn.web.accounts.permissions import needs
from kequn.web.accounts.scope import scope_of
from kequn.web.pages.migration.views import changes
from kequn.web.pages.overview.todos import todos
from kequn.web.pages.rfm.views import heat_chart
from kequn.web.pages.segments.charts import size_sparks, trend_chart, value_chart
from kequn.web.pages.tiers.views import pyramid_chart
from kequn.web.published import (
    chosen_scheme,
    money_title,
    runs,
    schemes,
    segment_rows,
    totals,
    unknown_money,
)
from kequn.web.serving import Reader
from kequn.web.ui import numbers


@require_safe
@needs("aggregates.view")
def index(request: HttpRequest) -> HttpResponse:
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    scope = scope_of(request.user)
    scheme = chosen_scheme(reader, request.GET.get("scheme"))
    rows = segment_rows(reader, scope, scheme) if scheme else []
    sparks = size_sparks(reader, scope, scheme) if scheme else {}
    for row in rows:
        row["sizes"] = sizes = sparks.get(row["segment"])
        row["growth"] = sizes[-1] / sizes[-2] - 1 if sizes and len(sizes) > 1 and sizes[-2] else None
    trend = trend_chart(reader, scope, scheme) if scheme else None
    tiers = chosen_scheme(reader, None, "tiers")
    return render(request, "overview/index.html", {
        "totals": _totals(reader, totals(reader, scope)), "money_title": money_title(reader), "reader": reader, "scheme": scheme, "schemes": list(schemes(reader).values()),
        "rows": rows, "has_sparks": any(len(sizes) > 1 for sizes in sparks.values()), "value_chart": trend or (value_chart(reader, rows) if rows else None), "todos": todos(reader, scope, request.user),
        "heat": heat_chart(reader, scope, chosen_scheme(reader, None, "grid")),
        "changes": changes(reader, scope, scheme) if scheme and len(runs(reader)) > 1 else None,
        "pyramid": pyramid_chart(reader, scope, tiers) if tiers else None, "tiers": tiers, "scoped": not scope.everyone,
    })  # fmt: skip


def _totals(reader: Reader, found: dict[str, Any]) -> dict[str, Any]:
    def ratio(a: Any, b: Any) -> Any:
        return float(a) / float(b) if a is not None and b else None

    def change(name: str) -> Any:
        share = ratio(found[f"{name}_90d"], found[f"{name}_prev_90d"])
        return None if share is None else share - 1

    spent = found["revenue_12m"] if "revenue_12m" not in unknown_money(reader) else found["revenue"]
    return {
        **found,
        "buyers_words": "" if found["buyers"] is None else _("%(people)s 位买过") % {"people": numbers.compact(found["buyers"])},
        "spent": spent, "revenue_each": ratio(spent, found["customers"]),
        "active_share": ratio(found["active_90d"], found["customers"]),
        "order_value": ratio(found["revenue_90d"], found["orders_90d"]),
        "revenue_change": change("revenue"), "orders_change": change("orders"), "buyers_change": change("buyers"),
    }  # fmt: skip
