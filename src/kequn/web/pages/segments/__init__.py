"""Pages 7 and 8: the segments of each scheme beside each other, and one segment in depth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from kequn.web.navigation import Hit, Page


def search(request: Any, text: str) -> Iterator[Hit]:
    """Segments whose title or pinyin fits."""
    from kequn.web.published import schemes
    from kequn.web.serving import NoSnapshot
    from kequn.web.ui.lookup import spellings

    wanted = text.lower().replace(" ", "")
    try:
        known = schemes(request.snapshot)
    except NoSnapshot:
        return
    for scheme in known.values():
        for name, title in scheme.segments:
            if wanted in f"{spellings(title)} {name}".replace(" ", ""):
                yield Hit(
                    title, reverse("segments:detail", args=[scheme.name, name]), "users-group", scheme.title
                )


PAGE = Page(
    "segments", "segments/", _("客户群"), icon="chart-pie", step="segment", order=10,
    permission="aggregates.view", keywords="segment groups", search=search,
)  # fmt: skip
