"""Searching customers, and one customer's card. The parts that take longer (why, history) are fetched after the card."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from kequn.reading.customer import places, prospects
from kequn.reading.grid import grid_of
from kequn.web.accounts import masking
from kequn.web.accounts.permissions import needs
from kequn.web.contacts import PERSONAL, contact_of
from kequn.web.customer_list import SORTS, Filters, find
from kequn.web.pages.customers import follow_up, tagging
from kequn.web.pages.customers.card import Card, headline
from kequn.web.pages.customers.seeing import seen_customer, seen_row
from kequn.web.pages.rfm.views import cell_filter, chosen_cells
from kequn.web.published import language, personal_columns, remembered, runs, said, schemes
from kequn.web.serving import Reader
from kequn.web.tags.changing import all_titles, carriers

SHOWN_OPEN = 3  # schemes whose reasons stand open on the card


@require_safe
@needs("customers.view")
def index(request: HttpRequest) -> HttpResponse:
    """The list; every filter stands in the address."""
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    asked = request.GET
    text = asked.get("q", "").strip()[:80]
    known = schemes(reader)
    pairs = [tuple(pair.split("/", 1)) for pair in asked.getlist("in")[:6] if "/" in pair]
    chosen = tuple((a, b) for a, b in pairs if a in known and b in dict(known[a].segments))
    grid = grid_of(said(reader), asked["grid"]) if asked.get("cells") and asked.get("grid") in known else None
    cells = chosen_cells(grid, asked["cells"]) if grid else frozenset()
    limit = cell_filter(grid, cells) if grid and cells else Filters()
    tag = asked.get("tag", "")[:40]
    sort = asked.get("sort", "value") if asked.get("sort") in SORTS else "value"
    page = asked.get("page", "1")
    shown = asked.get("scheme", "")
    scheme = shown if shown in known else chosen[0][0] if chosen else next(iter(known), "")
    found = find(
        request, Filters(text, chosen, limit.condition, limit.values, carriers(tag) if tag else None), page=int(page[:6]) if page.isdecimal() else 1,
        sort=sort, scheme=scheme,
    )  # fmt: skip
    chips = [
        {
            "title": f"{known[a].title} · {known[a].segment_title(b)}",
            "url": _without(request, "in", f"{a}/{b}"),
        }
        for a, b in chosen
    ]
    chips += (
        [
            {
                "title": f"{known[grid.scheme].title} · {asked['cells'][:60]}",
                "url": _without(request, "cells", asked["cells"]),
            }
        ]
        if grid and cells
        else []
    )
    chips += (
        [{"title": _("标签：%(tag)s") % {"tag": tag}, "url": _without(request, "tag", tag)}] if tag else []
    )
    return render(request, "customers/index.html", {
        "found": found, "text": text, "chips": chips, "schemes": list(known.values()), "scheme": known.get(scheme), "sort": sort,
        "sorts": [("value", _("消费从高到低")), ("recent", _("最近购买")), ("orders", _("购买次数")), ("id", _("编号"))],
        "tags": all_titles(), "tag": tag, "kept": [(key, value) for key in ("in", "cells", "grid") for value in asked.getlist(key)],
    })  # fmt: skip


def _without(request: HttpRequest, name: str, value: str) -> str:
    kept = [
        (key, one)
        for key, values in request.GET.lists()
        for one in values
        if (key, one) != (name, value) and key != "page"
    ]
    return "?" + urlencode(kept)


@require_safe
@needs("customers.view")
def card(request: HttpRequest, customer_id: str) -> HttpResponse:
    """Header, figures, next action, predictions, orders: what takes milliseconds."""
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    customer, row = seen_row(request, customer_id)
    row |= contact_of(reader, customer_id)
    personal = (personal_columns(reader) | PERSONAL) & set(row)
    profile = masking.masked_row(request, customer_id, row, personal)
    found = prospects(lambda table: reader.rows_of(table, customer_id))
    view = Card(reader, profile, dict(customer.segments), found)
    may_unmask = request.user.has_perm("customers.unmask", customer) and bool(personal)  # type: ignore[union-attr]
    return render(request, "customers/card.html", {
        **tagging.shown(request, customer), "id": customer_id, "card": view, "heading": headline(profile) or customer_id, "may_unmask": may_unmask,
        "shown": masking.is_shown(request, customer_id), "several_runs": len(runs(reader)) > 1,
        **follow_up.shown(request, customer),
    })  # fmt: skip


@require_safe
@needs("customers.view")
def why(request: HttpRequest, customer_id: str) -> HttpResponse:
    """The reasons, scheme by scheme, clause by clause."""
    from kequn.reading.why import RunRules, customer_row, reasons, segment_worth

    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    seen_customer(request, customer_id)
    manifest = said(reader)
    if not manifest.get("schemes"):
        return render(request, "customers/why.html", {"groups": []})
    rules = remembered(reader, "rules", lambda: RunRules.of(manifest, segment_worth(reader.connection)))
    row = customer_row(reader.connection, manifest, customer_id)
    placed = {item["scheme"]: item for item in places(reader.connection, customer_id, reader.tables)}
    groups = []
    for scheme in schemes(reader).values():
        if scheme.name in rules.usable and scheme.name in placed:
            reason = reasons(rules, scheme.name, row, language())
            place = placed[scheme.name]
            groups.append({
                "scheme": scheme, "segment": place["segment"], "title": scheme.segment_title(place["segment"]), "colour": scheme.colour(place["segment"]),
                "since": place["since"], "share": place["share"], "playbook": scheme.playbooks.get(place["segment"], ""), **reason,
            })  # fmt: skip
    telling = [group for group in groups if group["segment"] not in ("unknown", "other")]
    others = telling[SHOWN_OPEN:] + [group for group in groups if group not in telling]
    return render(
        request, "customers/why.html", {"groups": telling[:SHOWN_OPEN], "others": others, "id": customer_id}
    )


@require_safe
@needs("customers.view")
def history(request: HttpRequest, customer_id: str) -> HttpResponse:
    """Where the customer stood in each run."""
    from kequn.reading.movement import customer_history

    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    seen_customer(request, customer_id)
    known = runs(reader)[-8:]  # oldest first, to tell what changed; shown newest first
    found = customer_history(known, customer_id)
    days = [run.manifest.as_of for run in known]
    stood = {(row["scheme"], row["as_of"]): row["segment"] for row in found}
    rows = []
    for scheme in schemes(reader).values():
        line: list[dict[str, Any]] = []
        for day in days:
            segment = stood.get((scheme.name, day))
            changed = bool(line) and line[-1]["segment"] != segment
            line.append(
                {
                    "segment": segment,
                    "title": scheme.segment_title(segment),
                    "colour": scheme.colour(segment),
                    "changed": changed,
                }
            )
        if any(item["segment"] for item in line):
            rows.append(
                {"title": scheme.title, "cells": line, "changed": any(item["changed"] for item in line)}
            )
    for row in rows:
        row["cells"].reverse()
    return render(request, "customers/history.html", {
        "days": days[::-1], "changed": [row for row in rows if row["changed"]], "same": [row for row in rows if not row["changed"]],
    })  # fmt: skip


@require_POST
@needs("customers.unmask")
def unmask(request: HttpRequest, customer_id: str) -> HttpResponse:
    """Show the personal data for a quarter of an hour; the reason is recorded."""
    customer = seen_customer(request, customer_id)
    reason = request.POST.get("reason", "").strip()
    if len(reason) < 2:
        messages.error(request, _("请写明查看的理由"))
        return redirect("customers:card", customer_id=customer_id)
    try:
        masking.unmask(request, customer, reason)
    except masking.TooManyUnmasked:
        messages.error(request, _("今天查看的明文太多，已到上限；如确有需要请联系管理员"))
    else:
        until = time.strftime("%H:%M", time.localtime(time.time() + masking.SHOWN_SECONDS))
        messages.success(request, _("已显示明文，%(until)s 前有效，本次查看已记入审计") % {"until": until})
    return redirect("customers:card", customer_id=customer_id)
