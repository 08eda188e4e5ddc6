"""The overview: totals, what needs attention, value by segment, RFM, moves, tiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from kequn.web.accounts.permissions import needs
from kequn.web.accounts.scope import scope_of
from kequn.web.pages.migration.views import changes
from kequn.web.pages.rfm.views import heat_chart
from kequn.web.pages.segments.charts import trend_chart, value_chart
from kequn.web.pages.tiers.views import pyramid_chart
from kequn.web.published import chosen_scheme, runs, said, schemes, segment_rows, totals
from kequn.web.serving import Reader
from kequn.web.ui import numbers

LEAVING = ("cant_lose", "at_risk", "lapsed")  # segments of the library that stand for customers about to go


@dataclass(frozen=True)
class Todo:
    """One line of "needs you": what, how much, where to go."""

    title: str
    text: str
    url: str
    action: str
    icon: str
    tone: str = "accent"


@require_safe
@needs("aggregates.view")
def index(request: HttpRequest) -> HttpResponse:
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    scope = scope_of(request.user)
    scheme = chosen_scheme(reader, request.GET.get("scheme"))
    rows = segment_rows(reader, scope, scheme) if scheme else []
    trend = trend_chart(reader, scope, scheme) if scheme else None
    tiers = chosen_scheme(reader, None, "tiers")
    return render(request, "overview/index.html", {
        "totals": _totals(reader, totals(reader, scope)), "reader": reader, "scheme": scheme, "schemes": list(schemes(reader).values()),
        "rows": rows, "value_chart": trend or (value_chart(rows) if rows else None), "todos": todos(reader, scope),
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

    return {
        **found,
        "buyers_words": "" if found["buyers"] is None else _("%(people)s 位买过") % {"people": numbers.compact(found["buyers"])},
        "revenue_each": ratio(found["revenue_12m"], found["customers"]),
        "active_share": ratio(found["active_90d"], found["customers"]),
        "order_value": ratio(found["revenue_90d"], found["orders_90d"]),
        "revenue_change": change("revenue"), "orders_change": change("orders"), "buyers_change": change("buyers"),
    }  # fmt: skip


def todos(reader: Reader, scope: Any) -> list[Todo]:
    """What needs somebody: valuable customers about to go, groups that shrink, data that is missing. Worst first."""
    found: list[Todo] = []
    for scheme in schemes(reader).values():
        if scheme.name not in ("rfm", "transaction_type"):
            continue
        for row in segment_rows(reader, scope, scheme):
            if row["segment"] in LEAVING and row["customers"]:
                share = (
                    numbers.percent(row["value_share"]) if row["value_share"] is not None else numbers.DASH
                )
                text = _("共 %(people)s 位，贡献近 12 个月消费的 %(share)s。%(playbook)s") % {
                    "people": numbers.number(row["customers"]), "share": share, "playbook": row["playbook"],
                }  # fmt: skip
                url = reverse("segments:detail", args=[scheme.name, row["segment"]])
                weight = "bad" if row["segment"] == "cant_lose" else "warn"
                found.append(
                    Todo(
                        _("联系「%(segment)s」") % {"segment": row["title"]},
                        text,
                        url,
                        _("查看名单"),
                        "user-heart",
                        weight,
                    )
                )
    found = sorted(found, key=lambda item: item.tone)[:3]
    if scope.everyone:
        found += _about_data(reader)
    return found


def _about_data(reader: Reader) -> list[Todo]:
    said_ = said(reader)
    found = []
    weak = [card for card in said_.get("models") or () if not (card.get("gate") or {}).get("ok", True)]
    if weak:
        text = _("%(count)s 个预测因数据不够而没有发布，卡片上写明还差多少。") % {"count": len(weak)}
        found.append(
            Todo(_("有预测没有发布"), text, reverse("predictions:index"), _("查看原因"), "chart-dots")
        )
    missing = said_.get("schemes_unavailable") or {}
    if missing:
        names = sorted({column for columns in missing.values() for column in columns})[:4]
        text = _("缺少 %(columns)s，%(count)s 个方案暂时用不上。") % {
            "columns": "、".join(names),
            "count": len(missing),
        }
        found.append(
            Todo(
                _("补充数据可解锁更多方案"), text, reverse("segments:index"), _("查看方案"), "database-import"
            )
        )
    return found
