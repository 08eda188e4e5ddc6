"""Moves between two runs: Sankey, matrix, and the customers behind one move."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from kequn.snapshot import Snapshot
from kequn.web.accounts.permissions import needs
from kequn.web.accounts.scope import Scope, scope_of
from kequn.web.customer_list import Filters, find
from kequn.web.published import SchemeInfo, chosen_scheme, remembered, runs, schemes
from kequn.web.serving import Reader
from kequn.web.ui import charts
from kequn.web.ui.charts import Chart

OUTSIDE = "~"  # how "outside the scheme" stands in an address
MOST_FLOWS = 40


@require_safe
@needs("aggregates.view")
def index(request: HttpRequest) -> HttpResponse:
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    scope = scope_of(request.user)
    known = runs(reader)
    scheme = chosen_scheme(reader, request.GET.get("scheme"))
    if scheme is None or len(known) < 2:
        return render(request, "migration/none.html", {"runs": known})
    before, after = pair_of(known, request.GET.get("from"), request.GET.get("to"))
    found = moves(reader, scope, scheme, before, after)
    base = {"scheme": scheme.name, "from": before.run_id, "to": after.run_id}
    move = _move(scheme, request.GET.get("move", ""))
    context = {
        "scheme": scheme, "schemes": list(schemes(reader).values()), "runs": known, "before": before, "after": after,
        "sankey": sankey_chart(scheme, found, f"{before.manifest.as_of} → {after.manifest.as_of}"), "matrix": matrix(scheme, found, base, move),
        "summary": summary(found), "redefined": _redefined(scheme.name, before, after), "base": base,
    }  # fmt: skip
    if move:
        context |= _who(request, reader, scope, scheme, before, after, move)
    return render(request, "migration/index.html", context)


def pair_of(known: list[Snapshot], first: str | None, second: str | None) -> tuple[Snapshot, Snapshot]:
    """The two runs that the address names (404 for others), else the last two, the older one first."""
    by_id = {run.run_id: run for run in known}
    if (first and first not in by_id) or (second and second not in by_id):
        raise Http404
    after = by_id[second] if second else known[-1]
    older = [run for run in known if run.manifest.as_of < after.manifest.as_of]
    before = by_id[first] if first else older[-1] if older else known[0]
    return (before, after) if before.manifest.as_of <= after.manifest.as_of else (after, before)


def seen_ids(reader: Reader, scope: Scope) -> list[str] | None:
    """The ids that a person may see; None for everybody."""
    if scope.everyone:
        return None
    where, values = reader.scoped(scope)
    return [row[0] for row in reader.rows(f"SELECT customer_id FROM profile WHERE {where}", values)]


def moves(
    reader: Reader, scope: Scope, scheme: SchemeInfo, before: Snapshot, after: Snapshot
) -> list[dict[str, Any]]:
    """`kequn.reading.movement.moves` for customers in scope (today's scope: who left it is not shown)."""
    from kequn.reading.movement import moves as counted

    if not (scheme.name in before.manifest.digests and scheme.name in after.manifest.digests):
        return []
    key = f"moves:{scheme.name}:{before.run_id}:{after.run_id}:{scope.key}"
    return remembered(reader, key, lambda: counted(before, after, scheme.name, seen_ids(reader, scope)))


def changes(reader: Reader, scope: Scope, scheme: SchemeInfo) -> Chart | None:
    """The moves since the run before, for the overview; None when nobody moved."""
    known = runs(reader)
    before, after = pair_of(known, None, None)
    chart = sankey_chart(
        scheme,
        moves(reader, scope, scheme, before, after),
        f"{before.manifest.as_of} → {after.manifest.as_of}",
    )
    return None if chart.empty else chart


def summary(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Customers who stayed, moved, came in and left, and the share of those in both runs who moved."""
    sums = {"stayed": 0, "moved": 0, "entered": 0, "left": 0}
    for row in found:
        source, target = row["from_segment"], row["to_segment"]
        kind = (
            "stayed"
            if source == target
            else "entered"
            if source is None
            else "left"
            if target is None
            else "moved"
        )
        sums[kind] += row["customers"]
    both = sums["stayed"] + sums["moved"]
    return {**sums, "share": sums["moved"] / both if both else None}


def sankey_chart(scheme: SchemeInfo, found: list[dict[str, Any]], note: str) -> Chart:
    """Only those who changed, the largest flows first."""
    outside = _("方案之外")
    moved = [row for row in found if row["from_segment"] != row["to_segment"]]
    moved.sort(key=lambda row: -row["customers"])
    order = [name for name, _title in scheme.segments]
    place = {name: index for index, name in enumerate(order)}
    shown = sorted(
        moved[:MOST_FLOWS],
        key=lambda row: (place.get(row["from_segment"], 99), place.get(row["to_segment"], 99)),
    )
    flows = [
        (
            scheme.segment_title(row["from_segment"]) or outside,
            scheme.segment_title(row["to_segment"]) or outside,
            row["customers"],
        )
        for row in shown
    ]
    return charts.sankey(
        "moves", _("群体迁移"), flows, labels=(_("原客户群"), _("现客户群"), _("客户数")), note=_("%(runs)s，只画有变化的客户") % {"runs": note},
        size="large" if len(order) > 6 else "medium",
    )  # fmt: skip


def matrix(
    scheme: SchemeInfo, found: list[dict[str, Any]], base: dict[str, str], move: Any
) -> dict[str, Any]:
    """Rows = segment before, columns = segment after; each cell links to the customers behind it."""
    cells = {(row["from_segment"], row["to_segment"]): row["customers"] for row in found}
    names: list[str | None] = [
        name for name, _title in scheme.segments if any(name in pair for pair in cells)
    ]
    names += [None] if any(None in pair for pair in cells) else []
    most = max((count for (a, b), count in cells.items() if a != b), default=1)
    rows = []
    for source in names:
        whole = sum(count for (a, _b), count in cells.items() if a == source)
        line = []
        for target in names:
            count = cells.get((source, target), 0)
            line.append({
                "count": count, "share": count / whole if whole else None, "same": source == target, "on": move == (source, target),
                "level": 0 if source == target or not count else max(1, round(6 * count / most)),
                "url": "?" + urlencode({**base, "move": f"{source or OUTSIDE}:{target or OUTSIDE}"}) + "#who",
            })  # fmt: skip
        rows.append(
            {
                "title": scheme.segment_title(source) or _("方案之外"),
                "colour": scheme.colour(source),
                "whole": whole,
                "cells": line,
            }
        )
    return {"heads": [scheme.segment_title(name) or _("方案之外") for name in names], "rows": rows}


def _move(scheme: SchemeInfo, text: str) -> tuple[str | None, str | None] | None:
    """`lost:new` as a pair of segments; None for anything that isn't one."""
    source, colon, target = text.partition(":")
    known = {name for name, _title in scheme.segments} | {OUTSIDE}
    if not colon or source not in known or target not in known:
        return None
    return (None if source == OUTSIDE else source, None if target == OUTSIDE else target)


def _who(
    request: HttpRequest, reader: Reader, scope: Scope, scheme: SchemeInfo, before: Snapshot, after: Snapshot, move: tuple[str | None, str | None]
) -> dict[str, Any]:  # fmt: skip
    from kequn.reading.movement import movers

    key = f"movers:{scheme.name}:{before.run_id}:{after.run_id}:{move}:{scope.key}"
    ids = remembered(reader, key, lambda: movers(before, after, scheme.name, move, seen_ids(reader, scope)))
    page = request.GET.get("page", "1")
    found = find(
        request, Filters(ids=tuple(ids)), page=int(page) if page.isdigit() else 1, scheme=scheme.name
    )
    titles = [scheme.segment_title(name) or _("方案之外") for name in move]
    return {"found": found, "move_titles": titles, "list": True}


def _redefined(scheme: str, before: Snapshot, after: Snapshot) -> bool:
    prints = [
        (getattr(run.manifest, "schemes", None) or {}).get(scheme, {}).get("fingerprint")
        for run in (before, after)
    ]
    return None not in prints and prints[0] != prints[1]
