"""Reconciliation and completeness, readiness by model, the metric dictionary."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from kequn.errors import SnapshotError
from kequn.i18n import say, title
from kequn.metrics import metrics
from kequn.web.accounts.permissions import needs
from kequn.web.jobs import lifecycle
from kequn.web.pages.quality.figures import column_title, filled_columns, table_title
from kequn.web.pages.quality.readiness import latest
from kequn.web.pages.runs.views import language
from kequn.web.serving import serving


def _tabs(here: str) -> list[tuple[str, str, bool]]:
    names = {"index": _("质量与对账"), "readiness": _("数据就绪度"), "metrics": _("指标口径")}
    return [(reverse(f"quality:{name}"), words, name == here) for name, words in names.items()]


def _context(request: HttpRequest, here: str, **more: Any) -> dict[str, Any]:
    checked = latest()
    at = datetime.fromisoformat(checked["checked_at"]) if checked else None
    return {
        "tabs": _tabs(here),
        "checked_at": at,
        "may_check": request.user.may("data.import") and (settings.WORKSPACE / "sources.yaml").is_file(),
        **more,
    }


@needs("aggregates.view")
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Rows read, kept, quarantined and duplicate by table; how full each column is; what was noticed."""
    lang, checked = language(), latest() or {}
    tables = [
        {**table, "name": table["table"], "title": table_title(table["table"], lang)}
        for table in checked.get("tables", [])
    ]
    totals = {
        key: sum(table[key] for table in tables) for key in ("read", "kept", "quarantined", "duplicates")
    }
    warnings = [
        say(item["code"], lang, **{key: value for key, value in item.items() if key != "code"})
        for item in checked.get("warnings", [])
    ]
    more = {
        "tables": [table for table in tables if table["read"]],
        "totals": totals,
        "kept_share": totals["kept"] / totals["read"] if totals["read"] else None,
        "filled": [
            {
                **table,
                "partly": [column for column in table["columns"] if column["share"] != 1],
                "whole": [column["title"] for column in table["columns"] if column["share"] == 1],
            }
            for table in filled_columns(lang)
        ],
        "warnings": warnings,
        "quarantine_url": reverse("sources:quarantine") if request.user.may("data.import") else "",
    }
    return render(request, "quality/index.html", _context(request, "index", **more))


@needs("aggregates.view")
@require_safe
def readiness(request: HttpRequest) -> HttpResponse:
    """For each of the seven models what the data allow and what more data would unlock."""
    lang = language()
    models = [
        {
            "title": say(f"model.{model['model']}", lang),
            "available": model["available"],
            "whole": model["available"] + model["unavailable"],
            "schemes": model["schemes"],
            "unlocks": [
                {
                    "missing": _missing(unlock["missing"], lang),
                    "features": [title(t, lang) for t in unlock["features"]],
                }
                for unlock in model["unlocks"]
            ],
        }
        for model in (latest() or {}).get("models", [])
    ]
    return render(request, "quality/readiness.html", _context(request, "readiness", models=models))


def _missing(names: str, lang: str) -> str:
    """`orders.cost, products` as words."""
    words = []
    for name in names.split(", "):
        table, dot, column = name.partition(".")
        words.append(
            f"{table_title(table, lang)} · {column_title(table, column, lang)}"
            if dot
            else table_title(table, lang)
        )
    return ("、" if lang == "zh" else ", ").join(words)


UNITS = {
    "share": gettext_lazy("占比"), "money": gettext_lazy("金额"), "score": gettext_lazy("分数"), "ratio": gettext_lazy("比值"),
    "months": gettext_lazy("月"), "people": gettext_lazy("人"),
}  # fmt: skip


@needs("aggregates.view")
@require_safe
def dictionary(request: HttpRequest) -> HttpResponse:
    """Every figure with its formula, and every column of the profile with its source."""
    lang, wanted = language(), request.GET.get("q", "").strip()[:80]
    figures = [
        {"name": item.id, "title": title(dict(item.title), lang), "formula": title(dict(item.formula), lang), "unit": UNITS[item.unit]}
        for item in metrics().values()
    ]  # fmt: skip
    columns = [
        {"name": item["name"], "title": title(item["title"], lang), "type": item["type"], "unit": item.get("unit") or "",
         "privacy": item.get("privacy", "none")}
        for item in _profile_columns() if not item.get("hidden")
    ]  # fmt: skip
    if wanted:
        low = wanted.lower()
        figures = [
            item for item in figures if low in f"{item['name']} {item['title']} {item['formula']}".lower()
        ]
        columns = [item for item in columns if low in f"{item['name']} {item['title']}".lower()]
    return render(
        request,
        "quality/metrics.html",
        _context(request, "metrics", figures=figures, columns=columns, text=wanted),
    )


def _profile_columns() -> list[dict[str, Any]]:
    try:
        with serving().pin() as reader:
            found: list[dict[str, Any]] = reader.manifest.model_dump(mode="json").get("columns", [])
            return found
    except SnapshotError:
        return []


@needs("data.import")
@require_POST
def check(request: HttpRequest) -> HttpResponse:
    """Check again, as a job."""
    return redirect("tasks:detail", pk=lifecycle.start(request, "check").pk)
