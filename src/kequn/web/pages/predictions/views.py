"""Model cards, from the same function as the report."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from kequn.reading.model_cards import short
from kequn.web.accounts.permissions import needs
from kequn.web.accounts.scope import scope_of
from kequn.web.published import chosen_scheme, language, remembered, said, schemes
from kequn.web.serving import Reader
from kequn.web.ui import charts, numbers
from kequn.web.ui.charts import Chart


@require_safe
@needs("aggregates.view")
def index(request: HttpRequest) -> HttpResponse:
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    scheme = chosen_scheme(reader, request.GET.get("scheme"))
    everyone = scope_of(request.user).everyone
    key = f"predictions:{scheme.name if scheme and everyone else ''}"
    found = remembered(reader, key, lambda: _read(reader, scheme.name if scheme and everyone else None))
    cards = [_card(place, card) for place, card in enumerate(found["cards"])]
    return render(request, "predictions/index.html", {
        "cards": [card for card in cards if card["judged"] or not card["ok"]],
        "parts": [card for card in cards if not card["judged"] and card["ok"]],
        "gap": _words(found["gap"]), "scheme": scheme, "schemes": list(schemes(reader).values()),
        "by_segment": _by_segment(found["by_segment"]), "sensitivity": _sensitivity(found["sensitivity"]) if everyone else None, "offers": found["offers"] if everyone else [], "everyone": everyone,
    })  # fmt: skip


def _read(reader: Reader, scheme: str | None) -> dict[str, Any]:
    from kequn.report.predictions import predictions
    from kequn.report.source import Source

    with reader.limited():
        return predictions(Source(reader.connection, said(reader)), scheme)


def _words(text: Any) -> str:
    return str(text.get(language()) or "") if isinstance(text, dict) else str(text or "")


def _card(place: int, card: dict[str, Any]) -> dict[str, Any]:
    gate, words = card["gate"], _words(card["model"])
    title = short(words)
    return {
        "id": f"model-{place}", "title": title, "about": words.removeprefix(title).strip(" ()（）"), "published": card["published"], "used": _words(card["used"]),
        "ok": gate["ok"], "gate": _words(gate["text"]), "window": card["window"], "judged": card["judged"], "rival": short(_words(card["rival"])),
        "measures": [
            {"name": _words(one["name"]), "model": _measure(one["kind"], one["model"]), "baseline": _measure(one["kind"], one["baseline"]), "better": one["better"]}
            for one in card["measures"]
        ],
        "bands": [{**band, "title": _words(band["title"])} for band in card["bands"]],
        "notes": [_words(note) for note in card["notes"]],
        "coefficients": [_coefficient(row) for row in card["coefficients"]],
        "chart": _reliability(place, card),
    }  # fmt: skip


def _measure(kind: str, value: Any) -> str:
    if value is None:
        return numbers.DASH
    return {"percent": numbers.percent(value), "money": numbers.compact(value)}.get(kind) or numbers.number(
        value, 3
    )


def _coefficient(row: dict[str, Any]) -> dict[str, Any]:
    """What a covariate does: factors, and each coefficient with its standard error."""
    shown = {}
    for effect in ("rate", "leaving"):
        value, error = row[effect]["value"], row[effect]["error"]
        spread = "" if error is None else f" ± {numbers.number(error, 2)}"
        shown[effect] = numbers.number(row[effect]["factor"], 2)
        shown[f"{effect}_detail"] = numbers.number(value, 2) + spread
    return {"title": _words(row["title"]), **shown}


def _reliability(place: int, card: dict[str, Any]) -> Chart | None:
    """What was said beside what came true, in tenths of the customers."""
    points = [
        point
        for point in card["reliability"]
        if isinstance(point, dict) and {"predicted", "observed"} <= set(point)
    ]
    if not points:
        return None
    names = [str(index) for index in range(1, len(points) + 1)]
    return charts.lines(
        f"reliability-{place}", _("预测与实际"), _("按预测从低到高分十份"), names,
        {_("预测值"): [point["predicted"] for point in points], _("实际值"): [point["observed"] for point in points]},
        kind="percent", size="small", note=_words(card["model"]),
    )  # fmt: skip


def _sensitivity(found: dict[str, Any] | None) -> dict[str, Any] | None:
    """Value of all customers by horizon and discount rate; the cell of the settings in use is marked."""
    if not found:
        return None
    return {
        "margin": found["margin"],
        "rates": found["rates"],
        "rows": [
            {
                "horizon": numbers.number(row["horizon"]),
                "cells": [
                    {"value": numbers.number(value, 0), "chosen": [row["horizon"], rate] == found["chosen"]}
                    for rate, value in zip(found["rates"], row["values"], strict=True)
                ],
            }
            for row in found["rows"]
        ],
    }


def _by_segment(found: dict[str, Any] | None) -> dict[str, Any] | None:
    if not found:
        return None
    write = {
        "money": numbers.compact,
        "percent": numbers.percent,
        "number": lambda value: numbers.number(value, 1),
    }
    kinds = [column["kind"] for column in found["columns"]]
    return {
        "columns": [_words(column["title"]) for column in found["columns"]],
        "rows": [
            {"title": _words(row["title"]), "customers": row["customers"], "values": [write[kind](value) for kind, value in zip(kinds, row["values"], strict=True)]}
            for row in found["rows"]
        ],
    }  # fmt: skip
