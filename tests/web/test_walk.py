"""Every page as everyone meets it: analyst, sales person, segment owner, administrator, stranger; zh and en; wide and phone.

A page that is added is walked without being named here. Each visit must be free of console errors, CSP refusals and sideways
scrolling; axe looks at each page in each language and size as administrator, and once per role.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import need
from tests.web.shop import build
from tests.web.site import Site, Visit, browser, running, visiting

from kequn.web import navigation
from kequn.web.accounts.roles import may

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]
WIDE, PHONE = (1440, 900), (390, 844)
ROLES = ("analyst", "sales", "segment_owner", "administrator")
# what lies behind the pages of the sidebar, with the permission that its page asks for
DEEPER = {
    "/segments/?scheme=rfm&against=value_tier": "aggregates.view", "/segments/rfm/champions/": "aggregates.view",
    "/segments/rfm/champions/members/": "customers.view", "/segments/rfm/champions/moves/": "customers.view",
    "/rfm/?cells=55,54": "aggregates.view", "/migration/?scheme=rfm": "aggregates.view", "/cohorts/?show=money": "aggregates.view",
    "/rules/?mode=text&rule=recency_dayz": "aggregates.view", "/audiences/upload/": "audiences.edit",
    "/editor/schemes/rfm/": "schemes.edit", "/quality/readiness/": "aggregates.view", "/quality/metrics/": "aggregates.view",
    "/sources/quarantine/": "data.import", "/system/audit/": "system.manage", "/system/roles/": "system.manage",
    "/system/keys/": "system.manage", "/system/users/new/": "system.manage", "/account/security/": "", "/account/keys/": "api_keys.own",
}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need(shutil.which("chromium"), "Chromium")
    folder: Path = build(tmp_path_factory.mktemp("walk") / "shop")
    with running(folder) as up:
        yield up


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as opened:
        yield opened


def paths() -> dict[str, str]:
    """Every page of the sidebar and what lies behind, with the permission each asks for."""
    shown = [page for page in navigation.pages() if page.title and page.package.startswith("kequn.")]
    return {f"/{page.path}": page.permission for page in shown} | DEEPER


def wrong_with(tab: Visit, sizes: tuple[tuple[int, int], ...], axe: tuple[tuple[int, int], ...]) -> list[str]:
    """What is wrong with the open page in each size; the window is left in the first one."""
    found = []
    for size in (*sizes[1:], sizes[0]):
        tab.page.set_viewport_size({"width": size[0], "height": size[1]})
        if tab.overflow() > 0:
            found.append(f"wider than {size[0]} by {tab.overflow()} px")
        found += tab.violations() if size in axe else []
    found += tab.complaints
    tab.complaints.clear()
    return found


@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
@pytest.mark.parametrize("role", ROLES)
def test_every_page_is_walked_by_every_role(chromium: Any, site: Site, role: str, language: str) -> None:
    chinese = language == "zh-CN"
    axe = (WIDE, PHONE) if role == "administrator" else (WIDE,) if chinese else (PHONE,)
    wrong: dict[str, list[str]] = {}
    with visiting(chromium, site, language, WIDE, dark=not chinese) as tab:
        tab.sign_in(role)
        tab.go("/customers/")
        mine = tab.page.locator(".k-customers tbody a.k-strong").first.get_attribute("href")
        for path, permission in (paths() | {str(mine): "customers.view"}).items():
            answer = tab.page.goto(site.url + path)
            tab.page.wait_for_load_state("networkidle")
            allowed = not permission or may(role, permission)
            if answer.status != (200 if allowed else 403):
                wrong[path] = [f"status {answer.status}"]
                continue
            if not allowed:
                tab.complaints.clear()  # the browser notes the 403 itself
                continue
            wrong[path] = wrong_with(tab, (WIDE, PHONE), axe)
        assert tab.page.get_attribute("html", "lang") == ("zh-CN" if chinese else "en")
    assert {path: lines for path, lines in wrong.items() if lines} == {}


@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_a_stranger_is_asked_to_sign_in_on_every_page(chromium: Any, site: Site, language: str) -> None:
    with visiting(chromium, site, language, WIDE) as tab:
        for path in (*paths(), "/customers/00001/", "/api/v1/segments"):
            answer = tab.page.request.get(site.url + path, max_redirects=0)
            assert answer.status in (302, 401), (path, answer.status)
            assert answer.status == 401 or answer.headers["location"].startswith("/login/")
        tab.go("/customers/00001/")
        assert "/login/" in tab.page.url and tab.page.locator(".k-side").count() == 0
        assert wrong_with(tab, (WIDE, PHONE), (WIDE, PHONE)) == []


def test_a_click_on_a_cell_chooses_it_and_a_second_click_lets_go(chromium: Any, site: Site) -> None:
    with visiting(chromium, site) as tab:
        tab.sign_in("analyst")
        tab.go("/rfm/")
        tab.page.click("a.k-cell >> nth=0")
        tab.page.wait_for_url(lambda url: "cells=" in url, wait_until="commit")
        tab.page.wait_for_selector("#rule")
        assert "cells=" in tab.page.url and tab.page.inner_text("#rule") != ""
        tab.page.click(".k-cell[aria-current]")
        tab.page.wait_for_selector("#rule", state="detached")
        assert tab.page.locator("#rule").count() == 0
        assert tab.complaints == []
