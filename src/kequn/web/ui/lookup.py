"""What the search box finds: pages by Chinese, English or pinyin, then whatever pages offer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from django.urls import reverse
from django.utils import translation
from pypinyin import Style, lazy_pinyin

from kequn.web import navigation
from kequn.web.navigation import Hit

MOST = 8


@cache
def spellings(text: str) -> str:
    """A text as people may type it: itself, its pinyin and the first letters of its pinyin, in lower case."""
    full = "".join(lazy_pinyin(text))
    initials = "".join(lazy_pinyin(text, style=Style.FIRST_LETTER))
    return f"{text} {full} {initials}".lower()


def _page_words(page: navigation.Page) -> str:
    with translation.override("zh-hans"):
        chinese = str(page.title)
    with translation.override("en"):
        english = str(page.title)
    return f"{spellings(chinese)} {english.lower()} {page.keywords.lower()}"


def hits(request: Any, text: str) -> list[tuple[str, list[Hit]]]:
    """Groups of (title, hits) for `text`, best group first; only what this person may open."""
    wanted = text.lower().replace(" ", "")
    open_pages = [page for page in navigation.pages() if page.open_to(request.user)]
    found = [page for page in open_pages if page.title and wanted in _page_words(page).replace(" ", "")]
    groups: list[tuple[str, list[Hit]]] = []
    for page in open_pages:
        offered = list(_at_most(page.search(request, text), MOST)) if page.search else []
        if offered:
            groups.append((str(page.title), offered))
    if found:
        groups.append(
            (translation.gettext("页面"), [Hit(str(p.title), reverse(p.view), p.icon) for p in found[:MOST]])
        )
    return groups


def _at_most(offered: Any, most: int) -> Iterator[Hit]:
    for index, hit in enumerate(offered):
        if index == most:
            return
        yield hit
