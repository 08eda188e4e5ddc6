"""Who entered or left a segment since an earlier run: how many from where, who, and what changed about each."""

from __future__ import annotations

from collections import Counter
from typing import Any

import duckdb
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from kequn.errors import KequnError
from kequn.snapshot import Snapshot
from kequn.web.accounts.permissions import needs
from kequn.web.accounts.scope import Scope, scope_of
from kequn.web.customer_list import Filters, find
from kequn.web.pages.migration.views import pair_of, seen_ids
from kequn.web.pages.segments.views import common, segment_or_404
from kequn.web.published import SchemeInfo, language, remembered, runs, said
from kequn.web.serving import Reader

SIDES = ("in", "out")
OUTSIDE = "~"


@require_safe
@needs("customers.view")
def index(request: HttpRequest, scheme: str, segment: str) -> HttpResponse:
    """`side` in or out, `other` the segment on the far side, `from` the earlier run; all in the address."""
    reader, info, row = segment_or_404(request, scheme, segment)
    known = [run for run in runs(reader) if scheme in run.manifest.digests]
    context = common(reader, scope_of(request.user), info, row) | {"tab": "moves", "several": len(known) > 1}
    if len(known) < 2:
        return render(request, "segments/moves.html", context)
    before, after = pair_of(known, request.GET.get("from"), None)
    moved = _moved(reader, scope_of(request.user), info, segment, before, after)
    side = "out" if request.GET.get("side") == "out" else "in"
    base = {"from": before.run_id}
    sides = {name: _side(info, moved[name], {**base, "side": name}) for name in SIDES}
    other = request.GET.get("other", "")
    chosen = {
        customer: far for customer, far in moved[side].items() if not other or (far or OUTSIDE) == other
    }
    page = request.GET.get("page", "1")
    found = find(
        request, Filters(ids=tuple(chosen)), page=int(page[:6]) if page.isdecimal() else 1, scheme=scheme
    )
    reasons = _reasons(reader, info, before, [item["customer_id"] for item in found.rows])
    for item in found.rows:
        far = chosen.get(item["customer_id"])
        item["far"], item["far_colour"] = _title(info, far), info.colour(far)
        item["reasons"] = reasons.get(item["customer_id"])
    return render(request, "segments/moves.html", context | {
        "before": before, "after": after, "runs": known[:-1], "side": side, "sides": sides, "other": other, "found": found,
        "far_title": _title(info, None if other == OUTSIDE else other) if other else "", "base": {**base, "side": side},
    })  # fmt: skip


def _title(info: SchemeInfo, segment: str | None) -> str:
    return info.segment_title(segment) if segment else _("方案之外")


def _moved(
    reader: Reader, scope: Scope, info: SchemeInfo, segment: str, before: Snapshot, after: Snapshot
) -> dict[str, dict[str, str | None]]:
    """For each side the customers in scope with the segment on the far side."""
    from kequn.reading.moved import entered_or_left

    def counted() -> dict[str, dict[str, str | None]]:
        rows = entered_or_left(before, after, info.name, segment, seen_ids(reader, scope))
        entered = {row["customer_id"]: row["from_segment"] for row in rows if row["to_segment"] == segment}
        left = {row["customer_id"]: row["to_segment"] for row in rows if row["from_segment"] == segment}
        return {"in": entered, "out": left}

    key = f"moved:{info.name}/{segment}:{before.run_id}:{after.run_id}:{scope.key}"
    return remembered(reader, key, counted)


def _side(info: SchemeInfo, moved: dict[str, str | None], base: dict[str, str]) -> dict[str, Any]:
    """How many came from (or went to) each other segment, most first."""
    counts = Counter(moved.values())
    rows = [
        {
            "title": _title(info, far), "colour": info.colour(far), "customers": count, "share": count / len(moved),
            "other": far or OUTSIDE, "url": "?" + urlencode({**base, "other": far or OUTSIDE}) + "#who",
        }
        for far, count in counts.most_common()
    ]  # fmt: skip
    return {"customers": len(moved), "rows": rows, "url": "?" + urlencode(base) + "#who"}


def _reasons(
    reader: Reader, info: SchemeInfo, before: Snapshot, customers: list[str]
) -> dict[str, list[dict[str, str]]]:
    """What changed about each; customers of whom the earlier run keeps nothing are left out."""
    from kequn.reading.moved import why_moved
    from kequn.reading.why import customer_row

    manifest = said(reader)
    try:
        if not customers or before.serving is None or not manifest.get("schemes"):
            return {}
        old = before.manifest.model_dump(mode="json")
        now_rules = remembered(
            reader, f"rules:{reader.run_id}:{info.name}", lambda: _rules_of(manifest, info.name)
        )
        old_rules = remembered(
            reader, f"rules:{before.run_id}:{info.name}", lambda: _rules_of(old, info.name)
        )
        found = {}
        with duckdb.connect(str(before.serving), read_only=True, config={"threads": 1}) as con:
            there = {
                row[0]
                for row in con.execute(
                    "SELECT customer_id FROM profile WHERE customer_id IN (SELECT unnest(?::VARCHAR[]))", [customers]
                ).fetchall()
            }  # fmt: skip
            for customer in customers:
                now = (now_rules, customer_row(reader.connection, manifest, customer))
                was = (old_rules, customer_row(con, old, customer)) if customer in there else None
                found[customer] = why_moved(was, now, info.name, language())
        return found
    except (KequnError, duckdb.Error):  # an earlier run whose files are damaged explains nothing
        return {}


def _rules_of(manifest: dict[str, Any], scheme: str) -> Any:
    """The rules of one scheme of a run; of all its schemes (a second or two) where this one builds on others."""
    from kequn.reading.why import RunRules

    only = f"schemes/{scheme}.yaml"
    kept = {
        path: item
        for path, item in manifest["definitions"].items()
        if path == only or not path.startswith("schemes/")
    }
    try:
        return RunRules.of({**manifest, "definitions": kept})
    except KequnError:
        return RunRules.of(manifest)
