"""The workbench as people meet it: a real server, a real Chromium, axe looking on."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import need
from tests.web.site import Site, Visit, browser, running, visiting

pytestmark = pytest.mark.browser
PAGES = [
    "/tasks/", "/account/", "/account/security/", "/account/security/two-step/", "/account/keys/", "/system/", "/system/users/new/",
    "/system/users/1/", "/system/roles/", "/system/audit/", "/system/keys/", "/gallery/", "/nowhere/",
]  # fmt: skip
PHONE, WIDE = (390, 844), (1440, 900)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need(shutil.which("chromium"), "Chromium")
    workspace = tmp_path_factory.mktemp("site")
    (workspace / "kequn.yaml").write_text("name: {zh: 沐光美妆, en: Muguang}\n", encoding="utf-8")
    with running(workspace) as up:
        yield up


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as opened:
        yield opened


@pytest.fixture
def visit(chromium: Any, site: Site) -> Iterator[Visit]:
    """A wide Chinese tab."""
    with visiting(chromium, site) as tab:
        yield tab


@pytest.mark.parametrize(
    ("language", "size", "dark"),
    [("zh-CN", WIDE, False), ("en-US", WIDE, True), ("zh-CN", PHONE, True), ("en-US", PHONE, False)],
    ids=["zh-wide-light", "en-wide-dark", "zh-phone-dark", "en-phone-light"],
)
def test_every_page_is_accessible_quiet_and_fits(
    chromium: Any, site: Site, language: str, size: tuple[int, int], dark: bool
) -> None:
    wrong: dict[str, list[str]] = {}
    with visiting(chromium, site, language, size, dark) as tab:

        def look(path: str) -> None:
            found = tab.violations() + tab.complaints
            if tab.overflow() > 0:
                found.append(f"wider than the window by {tab.overflow()} px")
            wrong[path] = [line for line in found if "status of 404" not in line]
            tab.complaints.clear()

        for path in ("/login/", "/login/forgot/"):
            tab.go(path)
            look(path)
        tab.sign_in("administrator")
        for path in PAGES:
            tab.go(path)
            look(path)
        assert tab.page.get_attribute("html", "lang") == ("zh-CN" if language.startswith("zh") else "en")
    assert {path: lines for path, lines in wrong.items() if lines} == {}


def test_the_first_page_weighs_at_most_600_kb_and_the_next_60(chromium: Any, site: Site) -> None:
    with visiting(chromium, site) as tab:
        tab.sign_in("administrator")
        sent = "performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation')).reduce((sum, e) => sum + e.transferSize, 0)"
        tab.page.context.new_cdp_session(tab.page).send("Network.clearBrowserCache")
        tab.go("/gallery/")
        first = tab.page.evaluate(sent)
        tab.go("/system/")
        later = tab.page.evaluate(sent)
    assert 100_000 < first <= 600 * 1024, first
    assert later <= 60 * 1024, later


def test_keys_open_search_and_walk_its_hits(visit: Visit) -> None:
    visit.sign_in("administrator")
    page = visit.page
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("xtgl")
    page.wait_for_selector("#hits a")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/system/")
    assert visit.complaints == []


def test_the_first_tab_stop_skips_to_the_content(visit: Visit) -> None:
    visit.sign_in("viewer")
    visit.go("/tasks/")
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("document.activeElement.className") == "k-skip"
    visit.page.keyboard.press("Enter")
    assert visit.page.evaluate("document.activeElement.id") == "main"


def test_on_a_phone_the_drawer_opens_takes_the_focus_and_gives_it_back(chromium: Any, site: Site) -> None:
    with visiting(chromium, site, size=PHONE) as tab:
        tab.sign_in("administrator")
        page = tab.page
        assert not page.is_visible("#sidebar .k-nav")
        page.click(".k-burger")
        page.wait_for_selector("#sidebar .k-nav", state="visible")
        page.wait_for_selector(".k-side-close:focus")
        assert page.get_attribute(".k-burger", "aria-expanded") == "true" and tab.violations() == []
        page.keyboard.press("Escape")
        page.wait_for_selector("#sidebar .k-nav", state="hidden")
        assert page.evaluate("document.activeElement.classList.contains('k-burger')")


def test_a_chart_shows_its_table_answers_the_mouse_and_downloads(visit: Visit, tmp_path: Path) -> None:
    visit.sign_in("viewer")
    visit.go("/gallery/")
    page, chart = visit.page, visit.page.locator("#trend")
    page.wait_for_selector("#trend canvas")
    chart.locator("canvas").hover(position={"x": 200, "y": 150})
    chart.locator("[data-chart-table]").click()
    assert chart.locator("table").is_visible() and chart.locator("tbody tr").count() == 12
    assert visit.violations() == []
    with page.expect_download() as csv:
        chart.locator("[data-chart-csv]").click()
    csv.value.save_as(tmp_path / "trend.csv")
    assert (tmp_path / "trend.csv").read_text(encoding="utf-8-sig").splitlines()[1].startswith("1月,4000000,")
    with page.expect_download() as png:
        chart.locator("[data-chart-png]").click()
    png.value.save_as(tmp_path / "trend.png")
    assert (tmp_path / "trend.png").read_bytes().startswith(b"\x89PNG")
    assert visit.complaints == []


def test_language_and_theme_switch_without_leaving_the_page(visit: Visit) -> None:
    visit.sign_in("analyst")
    visit.go("/tasks/?state=failed")
    page = visit.page
    page.click(".k-menu summary")
    page.click("button[name=theme][value=dark]")
    assert page.get_attribute("html", "data-bs-theme") == "dark" and page.url.endswith("/tasks/?state=failed")
    page.click("button[name=language]")
    assert page.inner_text("h1") == "Jobs and alerts"
    page.click("button[name=language]")
    assert page.inner_text("h1") == "任务与提醒"


def test_a_job_is_watched_to_its_end_and_its_file_fetched(visit: Visit) -> None:
    visit.sign_in("administrator")
    visit.go("/system/audit/")
    page = visit.page
    page.click("text=导出 CSV")
    page.wait_for_selector(".k-badge-good:has-text('已完成')", timeout=30_000)
    with page.expect_download() as fetched:
        page.click("a.btn-primary:has-text('下载')")
    assert re.fullmatch(r"audit-\d{8}\.csv", fetched.value.suggested_filename)
    assert visit.complaints == []


def test_a_running_job_shows_progress_and_stops_when_cancelled(visit: Visit) -> None:
    visit.sign_in("viewer")
    visit.go("/gallery/")
    page = visit.page
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("button:has-text('slow')")
    page.wait_for_selector("progress:not([value='0'])", timeout=30_000)
    page.click("text=取消任务")
    page.wait_for_selector(".k-badge:has-text('已取消')", timeout=30_000)


def test_a_job_whose_process_is_killed_says_so_and_the_worker_lives_on(visit: Visit) -> None:
    visit.sign_in("viewer")
    visit.go("/gallery/")
    visit.page.click("button:has-text('killed')")
    visit.page.wait_for_selector("text=任务进程被系统终止", timeout=30_000)
    visit.go("/tasks/")
    assert visit.page.locator("text=Killed job").count() >= 1


def test_a_stranger_sees_the_sign_in_page_and_no_more(visit: Visit) -> None:
    visit.go("/system/")
    assert "/login/" in visit.page.url and visit.page.locator(".k-side").count() == 0
