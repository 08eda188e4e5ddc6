"""The data pages in a real Chromium: axe, console, CSP and width on each, in both languages, wide and on a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from tests.conftest import need
from tests.web.shop import build
from tests.web.site import Site, browser, running, visiting

pytestmark = pytest.mark.browser
PHONE, WIDE = (390, 844), (1440, 900)
PAGES = [
    "/overview/", "/customers/", "/customers/00001/", "/segments/?scheme=rfm&against=value_tier", "/segments/rfm/champions/",
    "/segments/rfm/champions/members/", "/rfm/?cells=55,54", "/migration/?scheme=rfm", "/segments/rfm/champions/moves/", "/cohorts/", "/cohorts/?show=money", "/tiers/", "/predictions/",
]  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need(shutil.which("chromium"), "Chromium")
    with running(build(tmp_path_factory.mktemp("site") / "shop")) as up:
        yield up


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as opened:
        yield opened


@pytest.mark.parametrize(
    ("language", "size", "dark", "role"),
    [
        ("zh-CN", WIDE, False, "administrator"), ("en-US", WIDE, True, "analyst"),
        ("zh-CN", PHONE, True, "analyst"), ("en-US", PHONE, False, "viewer"),
    ],
    ids=["zh-wide-light", "en-wide-dark", "zh-phone-dark", "en-phone-light"],
)  # fmt: skip
def test_every_data_page_is_accessible_quiet_and_fits(
    chromium: Any, site: Site, language: str, size: tuple[int, int], dark: bool, role: str
) -> None:
    wrong: dict[str, list[str]] = {}
    with visiting(chromium, site, language, size, dark) as tab:
        tab.sign_in(role)
        for path in PAGES:
            tab.go(path)
            found = tab.violations() + tab.complaints
            if tab.overflow() > 0:
                found.append(f"wider than the window by {tab.overflow()} px")
            wrong[path] = found[:]
            tab.complaints.clear()
    assert {path: lines for path, lines in wrong.items() if lines} == {}


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
