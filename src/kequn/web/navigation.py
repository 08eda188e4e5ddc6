"""Pages announce themselves here; the sidebar, the address list and the search box read it.

A page is a package in `kequn.web.pages` (or one named in KEQUN_PAGES) with `PAGE = Page(…)` in its `__init__`, a `urls`
module, and its templates. Nothing else has to be edited to add one.
"""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from django.utils.translation import gettext_lazy as _

# The five steps of the loop, in order; "" stands above them, "system" below.
STEPS: dict[str, Any] = {
    "": "",
    "identify": _("识别"),
    "segment": _("细分"),
    "position": _("定位"),
    "act": _("行动"),
    "learn": _("优化"),
    "system": "",
}


@dataclass(frozen=True)
class Hit:
    """One line of the search box."""

    title: str
    url: str
    icon: str = "file-text"
    note: str = ""


@dataclass(frozen=True)
class Alert:
    """Something that somebody should do, shown on the tasks page. `level`: warn or bad."""

    title: str
    text: str
    url: str = ""
    level: str = "warn"


@dataclass(frozen=True)
class Page:
    """A page as the shell knows it.

    `path` is its folder under `/`; `start` the name of its first view (in the namespace `name`). Without `title` it
    isn't in the sidebar. `search(request, text)` offers hits to the search box; `badge(request)` a number in the sidebar;
    `alerts(user)` what they should do.
    """

    name: str
    path: str
    title: Any = ""
    icon: str = "file-text"
    step: str = ""
    order: int = 100
    start: str = "index"
    permission: str = ""
    keywords: str = ""
    search: Callable[[Any, str], Iterable[Hit]] | None = None
    badge: Callable[[Any], int] | None = None
    alerts: Callable[[Any], Iterable[Alert]] | None = None
    package: str = ""

    @property
    def view(self) -> str:
        """The name that `{% url %}` takes."""
        return f"{self.name}:{self.start}"

    def open_to(self, user: Any) -> bool:
        """Whether this person may open the page."""
        return not self.permission or (user.is_authenticated and user.may(self.permission))


@cache
def discover() -> tuple[Page, ...]:
    """All pages in sidebar order; imports each page's package once."""
    packages = [
        f"kequn.web.pages.{found.name}" for found in pkgutil.iter_modules(_pages_folder()) if found.ispkg
    ]
    packages += [name for name in os.environ.get("KEQUN_PAGES", "").split(",") if name]
    found = [_page(import_module(package), package) for package in packages]
    steps = list(STEPS)
    return tuple(sorted(found, key=lambda page: (steps.index(page.step), page.order, page.name)))


def _pages_folder() -> list[str]:
    return list(import_module("kequn.web.pages").__path__)


def _page(module: ModuleType, package: str) -> Page:
    page: Page = module.PAGE
    if page.step not in STEPS:
        raise ValueError(f"{package}: no step is called {page.step!r}")
    return replace(page, package=package)


def pages() -> tuple[Page, ...]:
    """The same as `discover`."""
    return discover()


def import_if_there(name: str) -> ModuleType | None:
    """Import a module that a page may or may not have."""
    return import_module(name) if find_spec(name) else None


@dataclass(frozen=True)
class Section:
    """One step of the loop with the pages that this person may open."""

    step: str
    title: Any
    number: int
    pages: tuple[Page, ...]


def sections(user: Any) -> list[Section]:
    """The sidebar for `user`: steps without an open page are left out; their numbers stay."""
    shown = [page for page in pages() if page.title and page.open_to(user)]
    found = []
    for number, (step, title) in enumerate(STEPS.items()):
        mine = tuple(page for page in shown if page.step == step)
        if mine:
            found.append(Section(step, title, number if title else 0, mine))
    return found


def alerts(user: Any) -> list[Alert]:
    """What the pages that this person may open say should be done."""
    return [found for page in pages() if page.alerts and page.open_to(user) for found in page.alerts(user)]


def home(user: Any) -> Page | None:
    """The first page this person may open."""
    return next((page for section in sections(user) for page in section.pages), None)
