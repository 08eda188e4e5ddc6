"""Tags and filters that every template has without loading them."""

from __future__ import annotations

import re
import secrets
from functools import cache
from typing import Any

from django import forms, template
from django.conf import settings
from django.template.loader import render_to_string
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext

from kequn.i18n import say
from kequn.web.environment import workspace_facts
from kequn.web.ui import numbers
from kequn.web.ui.templatetags.steady import at_root

register = template.Library()
DRAWINGS_KEPT = 500
_drawn: dict[tuple[Any, ...], SafeString] = {}
TOKEN, ADDRESS = secrets.token_hex(16), secrets.token_hex(16)
"""What stands in a kept drawing for the form's token and the address of the page; nobody can guess and write it."""
ICONS = settings.BASE / "static/vendor/tabler-icons"

register.filter("number", numbers.number)
register.filter("compact", numbers.compact)
register.filter("percent", numbers.percent)
register.filter("change", numbers.change)
register.filter("duration", numbers.duration)


@register.filter
def money(value: Any) -> str:
    """An amount in the workspace's currency, short."""
    return numbers.money(value, workspace_facts(settings.WORKSPACE).currency)


@register.filter
def money_exact(value: Any) -> str:
    """An amount in the workspace's currency, in full."""
    return numbers.money_exact(value, workspace_facts(settings.WORKSPACE).currency)


@register.filter
def money_whole(value: Any) -> str:
    """An amount of one customer in the workspace's currency, in full, without cents."""
    return numbers.money_exact(value, workspace_facts(settings.WORKSPACE).currency, 0)


@register.filter
def worded(text: str) -> str:
    """A Chinese source string that was kept as data (a job's step, an action's name), in the reader's language."""
    return gettext(text) if text else ""


@register.simple_tag
def sentence(code: str, fields: dict[str, Any] | None = None) -> str:
    """A sentence of the core's catalogue by its code."""
    return say(code, "en" if (get_language() or "").startswith("en") else "zh", **(fields or {}))


@cache
def _drawing(name: str) -> str:
    svg = (ICONS / f"{name}.svg").read_text(encoding="utf-8")
    return re.sub(
        r"\s+", " ", re.sub(r"^.*?<svg[^>]*>|</svg>\s*$|<path stroke=\"none\"[^>]*/>", "", svg, flags=re.S)
    ).strip()


@register.simple_tag
@cache
def icon(name: str, size: int = 18, label: str = "") -> SafeString:
    """An icon drawn inline. Decorative unless `label` says what it means."""
    meaning = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true" focusable="false"'
    return mark_safe(
        f'<svg class="k-icon" width="{size}" height="{size}" viewBox="0 0 24 24" fill="none" stroke="currentColor"'
        f' stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" {meaning}>{_drawing(name)}</svg>'
    )


@register.simple_tag(takes_context=True)
def sidebar(context: Any) -> SafeString:
    """The sidebar, drawn once per process for all who see the same: its thirty links cost a fifth of a page."""
    shown = {name: context.get(name) for name in ("sections", "here", "failed_jobs", "workspace")}
    pages = tuple(page.name for section in shown["sections"] or () for page in section.pages)
    return _once(
        "shell/sidebar.html", shown, (pages, shown["here"], shown["failed_jobs"], shown["workspace"].key)
    )


@register.simple_tag(takes_context=True)
def topbar(context: Any) -> SafeString:
    """The bar above the page, drawn once for a person and run; the form's token and the address are filled in."""
    user, request = context["user"], context["request"]
    shown = {name: context.get(name) for name in ("published_run", "published_day", "failed_jobs", "theme")}
    filled = {"user": user, "csrf_token": TOKEN, "request": {"get_full_path": ADDRESS}}
    kept = _once("shell/topbar.html", {**shown, **filled}, (user.pk, str(user), user.role, *shown.values()))
    address = escape(request.get_full_path())
    return mark_safe(kept.replace(TOKEN, str(context["csrf_token"])).replace(ADDRESS, address))


def _once(name: str, shown: dict[str, Any], key: tuple[Any, ...]) -> SafeString:
    """The template with `shown`, drawn once per process, language and `key`."""
    if not at_root():
        return render_to_string(name, shown)
    key = (name, get_language(), *key)
    if key not in _drawn:
        if len(_drawn) >= DRAWINGS_KEPT:
            _drawn.clear()
        _drawn[key] = render_to_string(name, shown)
    return _drawn[key]


@register.simple_tag
def sparkline(values: Any, width: int = 84, height: int = 24) -> SafeString:
    """A small line without axes; None leaves it out. The figures must stand in words beside it."""
    points = [float(value) for value in values or () if value is not None]
    if len(points) < 2:
        return mark_safe("")
    low, high = min(points), max(points)
    span = (high - low) or 1.0
    step = (width - 4) / (len(points) - 1)
    drawn = " ".join(
        f"{2 + i * step:.1f},{height - 3 - (v - low) / span * (height - 6):.1f}" for i, v in enumerate(points)
    )
    return mark_safe(
        f'<svg class="k-spark" width="{width}" height="{height}" viewBox="0 0 {width} {height}" aria-hidden="true">'
        f'<polyline points="{drawn}" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round"/></svg>'
    )


@register.simple_tag
def segment_of(scheme: Any, segment: str) -> SafeString:
    """A segment as its colour and its title."""
    return format_html(
        '<i class="k-swatch k-sw-{}"></i> {}', scheme.colour(segment), scheme.segment_title(segment)
    )


@register.simple_tag
def share_bar(share: Any, colour: int = 1) -> SafeString:
    """A share (0 to 1) as a small bar; the figure must stand in words beside it."""
    width = 0.0 if share is None else max(0.0, min(float(share), 1.0)) * 72
    return format_html(
        '<svg class="k-share" width="72" height="6" viewBox="0 0 72 6" aria-hidden="true"><rect width="72" height="6" rx="3"/>'
        '<rect class="k-fill-{}" width="{}" height="6" rx="3"/></svg>',
        colour,
        f"{width:.1f}",
    )


@register.inclusion_tag("ui/field.html")
def field(bound: Any, wide: bool = False) -> dict[str, Any]:
    """A form field with label, help and errors."""
    widget = bound.field.widget
    kind = "control"
    if isinstance(widget, forms.CheckboxInput):
        kind = "check"
    elif isinstance(widget, forms.CheckboxSelectMultiple | forms.RadioSelect):
        kind = "choices"
    css = {"check": "form-check-input", "choices": ""}.get(kind, "form-control")
    if isinstance(widget, forms.Select) and kind == "control":
        css = "form-select"
    if bound.errors and kind == "control":
        css += " is-invalid"
    control = bound.as_widget(attrs={"class": css}) if css else bound.as_widget()
    return {"field": bound, "control": control, "kind": kind, "wide": wide}


@register.filter
def initial(name: str) -> str:
    """The letter of an avatar."""
    return str(name).strip()[:1].upper() or "?"
