"""What the shell around every page needs to know."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from kequn.errors import SnapshotError
from kequn.web import navigation
from kequn.web.environment import workspace_facts
from kequn.web.jobs import lifecycle
from kequn.web.serving import serving

THEMES = ("auto", "light", "dark")


def shell(request: HttpRequest) -> dict[str, Any]:
    """Theme and workspace for every page; sidebar, snapshot and bell for people who are signed in."""
    user = getattr(request, "user", None)
    known = bool(user is not None and user.is_authenticated)
    theme = user.theme if known else request.COOKIES.get("kequn_theme", "auto")
    found: dict[str, Any] = {
        "workspace": workspace_facts(settings.WORKSPACE),
        "theme": theme if theme in THEMES else "auto",
        "layout": "layout.html" if known else "bare.html",
    }
    if known and not getattr(request, "htmx", False):
        found |= {
            "sections": navigation.sections(user),
            "here": request.resolver_match.namespace if request.resolver_match else "",
            "published_day": _day(request),
            "published_run": _run(request),
            "failed_jobs": lifecycle.unseen(user),
        }
    return found


def _day(request: HttpRequest) -> Any:
    """The date that the published run looks at; None without one."""
    try:
        return request.snapshot.manifest.as_of  # type: ignore[attr-defined]
    except (AttributeError, SnapshotError):
        return None


def _run(request: HttpRequest) -> str | None:
    """The run that this page was made from; what is published now when it read none."""
    pinned = getattr(request, "pinned", None)
    return str(pinned[0].run_id) if pinned else serving().current_run()
