"""Tiers and grades: the pyramid, what each contributes and gets, and the boundaries that were used."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from kequn.web.accounts.permissions import needs
from kequn.web.accounts.scope import Scope, scope_of
from kequn.web.published import SchemeInfo, chosen_scheme, column_title, said, schemes, segment_rows
from kequn.web.serving import Reader
from kequn.web.ui import charts, numbers
from kequn.web.ui.charts import Chart

KINDS = ("tiers", "scorecard", "bands")


@require_safe
@needs("aggregates.view")
def index(request: HttpRequest) -> HttpResponse:
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    scope = scope_of(request.user)
    known = sorted(
        (one for one in schemes(reader).values() if one.kind in KINDS), key=lambda one: KINDS.index(one.kind)
    )
    wanted = request.GET.get("scheme") or (known[0].name if known else None)
    scheme = chosen_scheme(reader, wanted, *KINDS) if known else None
    if scheme is None:
        return render(request, "tiers/none.html", {})
    rows = segment_rows(reader, scope, scheme)
    edges = boundaries(reader, scheme)
    return render(request, "tiers/index.html", {
        "scheme": scheme, "schemes": known, "rows": [{**row, "edge": edges.get(row["segment"], "")} for row in rows],
        "chart": pyramid_chart(reader, scope, scheme), "ranked_by": _ranked_by(reader, scheme), "shares": share_chart(rows),
    })  # fmt: skip


def pyramid_chart(reader: Reader, scope: Scope, scheme: SchemeInfo) -> Chart:
    """The tiers from the top down, each with its people and its share of the money."""
    rows = [row for row in segment_rows(reader, scope, scheme) if row["customers"]]
    notes = [
        _("%(people)s 人 · 贡献 %(share)s")
        % {"people": numbers.compact(row["customers"]), "share": numbers.percent(row["value_share"])}
        for row in rows
    ]
    return charts.pyramid(
        "pyramid", _("客户分级金字塔"), [(row["title"], row["customers"]) for row in rows], labels=(_("等级"), _("客户数")),
        notes=notes, note=scheme.title,
    )  # fmt: skip


def share_chart(rows: list[dict[str, Any]]) -> Chart:
    """Share of customers beside share of money."""
    shown = [row for row in rows if row["customers"]]
    return charts.bars(
        "shares", _("人数占比与贡献占比"), _("等级"), [row["title"] for row in shown],
        {_("人数占比"): [row["share"] for row in shown], _("消费占比"): [row["value_share"] for row in shown]}, kind="percent",
    )  # fmt: skip


def _tier_cuts(reader: Reader, scheme: SchemeInfo) -> dict[str, Any]:
    return (said(reader).get("cuts") or {}).get(scheme.name, {}).get("tiers") or {}


def _ranked_by(reader: Reader, scheme: SchemeInfo) -> list[str]:
    return [_measure(reader, name) for name in _tier_cuts(reader, scheme).get("columns") or ()]


def _measure(reader: Reader, name: str) -> str:
    """A column in words; the score of a scheme by the scheme's own name."""
    scored = schemes(reader).get(name.removeprefix("score_")) if name.startswith("score_") else None
    return _("%(scheme)s得分") % {"scheme": scored.title} if scored else column_title(reader, name)


def boundaries(reader: Reader, scheme: SchemeInfo) -> dict[str, str]:
    """What the last customer of each tier has, in words; empty for schemes that aren't ranked."""
    cuts = _tier_cuts(reader, scheme)
    unit = 10 ** int(said(reader).get("minor_unit_digits", 2))
    found = {}
    for (segment, _title), edge in zip(scheme.segments, cuts.get("boundaries") or (), strict=False):
        value = edge[0] / unit if cuts["types"][0] == "money" else edge[0]
        found[segment] = f"≥ {numbers.compact(round(value))}"
    return found
