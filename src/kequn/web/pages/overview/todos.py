"""What needs somebody: alerts of the pages, valuable customers about to go, data that would unlock more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from kequn.web import navigation
from kequn.web.accounts.scope import Scope
from kequn.web.pages.segments.charts import history
from kequn.web.published import SchemeInfo, said, schemes, segment_rows
from kequn.web.serving import Reader
from kequn.web.ui import numbers

LEAVING = ("cant_lose", "at_risk", "lapsed")  # segments of the library that stand for customers about to go
MOST = 4
TONES = ("bad", "warn", "accent")


@dataclass(frozen=True)
class Todo:
    """One line of "needs you": what, how much, where to go."""

    title: str
    text: str
    url: str
    action: str
    icon: str
    tone: str = "accent"


def todos(reader: Reader, scope: Scope, user: Any) -> list[Todo]:
    """The worst few, worst first."""
    found = [
        Todo(alert.title, alert.text, alert.url, _("去处理"), "alert-triangle", alert.level)
        for alert in navigation.alerts(user)
    ]
    for scheme in schemes(reader).values():
        if scheme.name in ("rfm", "transaction_type"):
            found += _leaving(reader, scope, scheme)
    if scope.everyone:
        found += _about_data(reader)
    return sorted(found, key=lambda item: TONES.index(item.tone))[:MOST]


def _leaving(reader: Reader, scope: Scope, scheme: SchemeInfo) -> list[Todo]:
    sizes: dict[str, list[int]] = {}
    for row in history(reader, scope, scheme):
        sizes.setdefault(row["segment"], []).append(row["customers"])
    found = []
    for row in segment_rows(reader, scope, scheme):
        if row["segment"] not in LEAVING or not row["customers"]:
            continue
        words = _("%(people)s 位") % {"people": numbers.number(row["customers"])}
        if len(sizes.get(row["segment"], ())) > 1:
            change = sizes[row["segment"]][-1] - sizes[row["segment"]][-2]
            words += _("，比上次%(change)s") % {"change": f"{change:+,}"} if change else ""
        if row["value_share"] is not None:
            words += _("，占消费的 %(share)s") % {"share": numbers.percent(row["value_share"])}
        url = reverse("segments:members", args=[scheme.name, row["segment"]])
        tone = "bad" if row["segment"] == "cant_lose" else "warn"
        title = _("联系「%(segment)s」") % {"segment": row["title"]}
        text = _("%(words)s。%(playbook)s") % {"words": words, "playbook": row["playbook"]}
        found.append(Todo(title, text, url, _("查看名单"), "user-heart", tone))
    return found


def _about_data(reader: Reader) -> list[Todo]:
    found = []
    about = said(reader)
    weak = [card for card in about.get("models") or () if not (card.get("gate") or {}).get("ok", True)]
    if weak:
        text = _("%(count)s 个预测因数据不够而没有发布，卡片上写明还差多少。") % {"count": len(weak)}
        url = reverse("predictions:index")
        found.append(Todo(_("有预测没有发布"), text, url, _("查看原因"), "chart-dots"))
    missing = about.get("schemes_unavailable") or {}
    if missing:
        text = _("还有 %(count)s 个细分方案缺数据。看看补哪一列能用上哪些方案。") % {"count": len(missing)}
        url = reverse("quality:readiness")
        found.append(Todo(_("补充数据可解锁更多方案"), text, url, _("查看缺什么"), "database-import"))
    return found
