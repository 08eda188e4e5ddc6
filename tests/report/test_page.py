"""The file: self-contained, safe against names in the data, whole or absent; and in a browser, drawn without an error."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import need
from tests.report.conftest import HOSTILE

from kequn.errors import SnapshotError
from kequn.i18n import catalogue
from kequn.report import write_report
from kequn.report.page import as_json
from kequn.snapshot import Snapshot


@pytest.fixture(scope="module")
def file(snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(snapshot, tmp_path_factory.mktemp("page") / "out" / "report.html", "zh")


def test_names_in_the_data_cannot_close_the_script_they_stand_in(file: Path) -> None:
    page = file.read_text(encoding="utf-8")
    assert HOSTILE not in page and "<img src=x" not in page
    assert len(re.findall(r"</script", page, re.IGNORECASE)) == len(re.findall(r"<script", page)) == 3
    island = re.search(r'<script type="application/json" id="content">(.*?)</script>', page, re.DOTALL)
    assert island and json.loads(island[1])["cover"]["workspace"]["zh"] == f"小店{HOSTILE}"


def test_the_file_names_no_address_but_licences_and_namespaces(file: Path) -> None:
    hosts = set(re.findall(r"https?://([\w.-]+)", file.read_text(encoding="utf-8")))
    assert hosts <= {"www.w3.org", "www.apache.org", "echarts.apache.org", "github.com"}
    assert not re.search(r"""(src|href)=["']?(https?:|//)""", file.read_text(encoding="utf-8"))


def test_the_policy_allows_two_scripts_and_no_connection(file: Path) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', file.read_text(encoding="utf-8"))
    assert policy and "default-src &#x27;none&#x27;" in policy[1]
    assert len(re.findall("sha256-", policy[1])) == 2 and "connect-src" not in policy[1]


def test_both_languages_stand_in_one_file(file: Path) -> None:
    page = file.read_text(encoding="utf-8")
    assert "客户细分报告" in page and "Customer segmentation report" in page


def test_json_islands_hold_no_markup_and_read_back_the_same() -> None:
    value = {"a": "</ScRiPt><!--", "b": ["&lt;", "\u2028", "客户"]}
    assert not set("<>&\u2028") & set(as_json(value))
    assert json.loads(as_json(value)) == value
    with pytest.raises(ValueError, match="JSON"):
        as_json(float("nan"))


def test_a_report_that_cannot_be_written_leaves_the_old_one(snapshot: Snapshot, tmp_path: Path) -> None:
    blocked = tmp_path / "report.html"
    blocked.mkdir()
    with pytest.raises(SnapshotError) as failed:
        write_report(snapshot, blocked)
    assert failed.value.code == "report.cannot_write" and blocked.is_dir()
    assert [item.name for item in tmp_path.iterdir() if item.name.endswith(".part")] == []


def test_every_word_that_the_page_asks_for_is_in_the_catalogue() -> None:
    script = resources.files("kequn.report").joinpath("report.js").read_text(encoding="utf-8")
    asked = set(re.findall(r'word\("([\w.]+)"', script))
    assert len(asked) > 80
    assert sorted(code for code in asked if f"report.{code}" not in catalogue()) == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    need(find_spec("playwright") and shutil.which("chromium"), "Chromium with Playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
        )
        yield started
        started.close()


def _open(browser: Any, file: Path, width: int, scheme: str = "light") -> tuple[Any, list[str]]:
    page = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on(
        "request",
        lambda request: heard.append(request.url) if not request.url.startswith(("file:", "data:")) else None,
    )
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    return page, heard


@pytest.mark.browser
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_draws_in_both_languages_without_error_or_overflow(
    browser: Any, file: Path, width: int, scheme: str
) -> None:
    page, heard = _open(browser, file, width, scheme)
    for button, heading in (("中文", "总览"), ("English", "Overview")):
        page.get_by_role("button", name=button, exact=True).click()
        assert page.locator("#overview h2").inner_text() == heading
        charts = page.locator(".chart").count()
        assert charts >= 4 and page.locator(".chart svg").count() == charts
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert (
            "undefined" not in page.locator("main").inner_text()
            and "NaN" not in page.locator("main").inner_text()
        )
        assert page.evaluate("document.querySelectorAll('img').length") == 0
        assert HOSTILE.rstrip("\u2028") in page.evaluate("document.querySelector('#segments').textContent")
    assert heard == []


@pytest.mark.browser
def test_a_chart_gives_way_to_its_data_table_and_comes_back(browser: Any, file: Path) -> None:
    page, _ = _open(browser, file, 1440)
    tiers = page.locator("#tiers .card").first
    tiers.get_by_role("button").click()
    assert tiers.locator("table").is_visible() and not tiers.locator(".chart").is_visible()
    tiers.get_by_role("button").click()
    assert tiers.locator(".chart svg").is_visible() and not tiers.locator("table").is_visible()


@pytest.mark.browser
def test_paper_unfolds_everything_and_puts_it_back(browser: Any, file: Path) -> None:
    page, heard = _open(browser, file, 390, "dark")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 0
    assert len(page.pdf()) > 20_000 and heard == []
