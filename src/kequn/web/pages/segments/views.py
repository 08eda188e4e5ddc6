"""Segments beside each other, and one of them in depth."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from kequn.reading.values import value_title
from kequn.web.accounts.models import SegmentOwner
from kequn.web.accounts.permissions import needs
from kequn.web.accounts.scope import Scope, scope_of
from kequn.web.customer_list import SORTS, Filters, find
from kequn.web.jobs import lifecycle
from kequn.web.pages.segments.charts import size_chart, size_sparks, value_chart
from kequn.web.pages.segments.discovery import discovery
from kequn.web.published import (
    SchemeInfo,
    chosen_scheme,
    language,
    money_title,
    remembered,
    said,
    scheme_or_404,
    schemes,
    segment_rows,
    value_titles,
)
from kequn.web.serving import Reader
from kequn.web.ui import charts
from kequn.web.ui.charts import Chart

FORMATS = {"csv": "CSV", "xlsx": "Excel", "parquet": "Parquet"}
SIDES = 14  # values shown in a portrait


@require_safe
@needs("aggregates.view")
def index(request: HttpRequest) -> HttpResponse:
    """One scheme's segments; `against` crosses it with a second scheme."""
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    scope = scope_of(request.user)
    scheme = chosen_scheme(reader, request.GET.get("scheme"))
    if scheme is None:
        return render(request, "segments/none.html", {})
    other = request.GET.get("against", "")
    against = scheme_or_404(reader, other) if other and other != scheme.name else None
    rows = segment_rows(reader, scope, scheme)
    sparks = size_sparks(reader, scope, scheme)
    owners = {
        (one.scheme, one.segment): one.user
        for one in SegmentOwner.objects.select_related("user").filter(scheme=scheme.name)
    }
    for row in rows:
        row["sizes"] = sparks.get(row["segment"])
        row["owner"] = owners.get((scheme.name, row["segment"]))
    return render(request, "segments/index.html", {
        "scheme": scheme, "schemes": list(schemes(reader).values()), "rows": rows, "against": against,
        "overlap": overlap_chart(reader, scope, scheme, against) if against else None, "chart": value_chart(reader, [row for row in rows if row["customers"]]),
        "people": sum(row["customers"] for row in rows), "has_sparks": any(sparks.values()),
        "found": discovery(said(reader), scheme.name, language()) if scope.everyone else None,
    })  # fmt: skip


def overlap_chart(reader: Reader, scope: Scope, scheme: SchemeInfo, against: SchemeInfo) -> Chart:
    """Customers in each pair of segments of two schemes, as a share of the first one's segment."""

    def counted() -> dict[tuple[str, str], int]:
        where, values = reader.scoped(scope)
        a, b = f'"seg_{scheme.name}"', f'"seg_{against.name}"'
        with reader.limited():
            rows = reader.rows(
                f"SELECT {a}, {b}, count(*) FROM profile WHERE {where} AND {a} IS NOT NULL AND {b} IS NOT NULL GROUP BY ALL",
                values,
            )
        return {(x, y): n for x, y, n in rows}

    found = remembered(reader, f"overlap:{scheme.name}:{against.name}:{scope.key}", counted)
    down = [pair for pair in scheme.segments if any(pair[0] == x for x, _y in found)]
    across = [pair for pair in against.segments if any(pair[0] == y for _x, y in found)]
    whole = {name: sum(n for (x, _y), n in found.items() if x == name) for name, _t in down}
    cells = [[found.get((x, y), 0) / whole[x] if whole[x] else None for y, _t in across] for x, _u in down]
    return charts.heat(
        "overlap", _("与「%(scheme)s」的重叠") % {"scheme": against.title}, [t for _n, t in across], [t for _n, t in down], cells,
        labels=(scheme.title, against.title, _("占本行客户")), kind="percent", note=_("每行合计为全部"), size="large" if len(down) > 6 else "medium",
    )  # fmt: skip


def segment_or_404(
    request: HttpRequest, scheme: str, segment: str
) -> tuple[Reader, SchemeInfo, dict[str, Any]]:
    """The segment's row within the person's scope; 404 for an unknown one and for somebody else's."""
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    info = scheme_or_404(reader, scheme)
    for row in segment_rows(reader, scope_of(request.user), info):
        if row["segment"] == segment:
            return reader, info, row
    raise Http404


@require_safe
@needs("aggregates.view")
def detail(request: HttpRequest, scheme: str, segment: str) -> HttpResponse:
    """Figures, portrait, trend, playbook."""
    reader, info, row = segment_or_404(request, scheme, segment)
    scope = scope_of(request.user)
    owns = scope.everyone or (scheme, segment) in scope.segments
    portrait = portrait_rows(reader, info, segment) if owns else []
    return render(request, "segments/detail.html", {
        **common(reader, scope_of(request.user), info, row), "tab": "portrait", "portrait": portrait, "portrait_chart": portrait_chart(portrait) if portrait else None,
        "trend": size_chart(reader, scope, info, segment), "owns": owns,
        "owner": SegmentOwner.objects.select_related("user").filter(scheme=scheme, segment=segment).first(),
    })  # fmt: skip


@require_safe
@needs("customers.view")
def members(request: HttpRequest, scheme: str, segment: str) -> HttpResponse:
    """The customers of the segment that this person may see."""
    reader, info, row = segment_or_404(request, scheme, segment)
    page, sort = request.GET.get("page", "1"), request.GET.get("sort", "value")
    found = find(
        request, Filters(request.GET.get("q", "").strip()[:80], ((scheme, segment),)), page=int(page[:6]) if page.isdecimal() else 1,
        sort=sort if sort in SORTS else "value", scheme=scheme,
    )  # fmt: skip
    return render(request, "segments/members.html", {
        **common(reader, scope_of(request.user), info, row), "tab": "members", "found": found, "text": request.GET.get("q", ""),
        "may_export": request.user.has_perm("members.export", (scheme, segment)), "formats": FORMATS,  # type: ignore[union-attr]
        "personal": request.user.has_perm("members.export_personal", (scheme, segment)),  # type: ignore[union-attr]
    })  # fmt: skip


@require_POST
@needs("members.export")
def export(request: HttpRequest, scheme: str, segment: str) -> HttpResponse:
    """Start the export; the file waits on the job's page."""
    reader, _info, _row = segment_or_404(request, scheme, segment)
    kind = request.POST.get("format", "")
    if kind not in FORMATS:
        raise Http404
    personal = request.POST.get("personal") == "on"
    user: Any = request.user
    if not user.has_perm("members.export", (scheme, segment)) or (
        personal and not user.has_perm("members.export_personal", (scheme, segment))
    ):
        raise Http404
    job = lifecycle.start(
        request,
        "members.export",
        run=reader.run_id,
        scheme=scheme,
        segment=segment,
        format=kind,
        personal=personal,
        lang=language(),
    )
    return redirect("tasks:detail", pk=job.pk)


def common(reader: Reader, scope: Scope, info: SchemeInfo, row: dict[str, Any]) -> dict[str, Any]:
    """What the head of a segment's pages shows."""
    sizes = size_sparks(reader, scope, info).get(row["segment"]) or []
    growth = sizes[-1] / sizes[-2] - 1 if len(sizes) > 1 and sizes[-2] else None
    return {"scheme": info, "row": row, "growth": growth, "money_title": money_title(reader)}


def portrait_rows(reader: Reader, info: SchemeInfo, segment: str) -> list[dict[str, Any]]:
    """What sets the segment apart, from `kequn.reading.segment_portrait`: title, value, share here and among the rest."""
    from kequn.reading.overview import segment_portrait

    if not {"portrait", "segment"} <= reader.tables:
        return []

    def read() -> list[dict[str, Any]]:
        return segment_portrait(reader.connection, info.name, segment, limit=SIDES)

    rows = remembered(reader, f"portrait:{info.name}:{segment}", read)
    english, values = language() == "en", value_titles(reader)
    return [
        {
            **row,
            "title": (row["title_en"] if english else row["title_zh"]) or row["dimension"],
            "value": value_title(values, row["dimension"], row["value"], language()),
            "times": row["lift"],
        }
        for row in rows
    ]


def portrait_chart(rows: list[dict[str, Any]]) -> Chart:
    """Share in the segment beside share among the rest, the most telling first."""
    names = [f"{row['title']} {row['value']}" for row in rows]
    chart = charts.bars(
        "portrait", _("画像对比"), _("特征"), names, {_("本群"): [row["share"] for row in rows], _("其余客户"): [row["rest_share"] for row in rows]},
        kind="percent", horizontal=True, note=_("与其余客户差别最大、且统计上显著的特征"), size="large",
    )  # fmt: skip
    charts.pin_colours(chart, ("--k-c1", "--k-c7"))
    return chart
