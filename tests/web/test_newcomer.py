"""Somebody new, in a real browser, without a terminal: two files become segments."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import need
from tests.web.site import Site, Visit, browser, running, visiting
from tests.web.test_import import customers_csv, orders_csv

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need(shutil.which("chromium"), "Chromium")
    workspace = tmp_path_factory.mktemp("newcomer")
    (workspace / "kequn.yaml").write_text("name: {zh: 沐光美妆, en: Muguang}\n", encoding="utf-8")
    with running(workspace) as up:
        yield up


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as opened:
        yield opened


def _accessible(tab: Visit) -> None:
    assert tab.violations() == [] and tab.overflow() <= 0 and tab.complaints == []


def test_two_files_are_imported_mapped_and_run_without_a_terminal(
    chromium: Any, site: Site, tmp_path: Path
) -> None:
    """`KEQUN_PICTURES` names a folder for pictures of the pages."""
    import os

    pictures = os.environ.get("KEQUN_PICTURES")
    (tmp_path / "orders.csv").write_bytes(orders_csv())
    (tmp_path / "customers.csv").write_bytes(customers_csv())
    with visiting(chromium, site) as tab:
        tab.sign_in("analyst")
        page = tab.page

        def picture(name: str) -> None:
            if pictures:
                page.screenshot(path=f"{pictures}/workbench-{name}-zh.png")

        tab.go("/sources/")
        assert page.is_visible("text=还没有数据源")
        _accessible(tab)
        page.set_input_files("#id_files", [str(tmp_path / "orders.csv"), str(tmp_path / "customers.csv")])
        page.click("button:has-text('上传并识别')")
        page.wait_for_url("**/sources/map/**")
        chosen = page.locator("select[name$='.c.order_id']").first
        assert chosen.input_value() == "订单编号"
        _accessible(tab)
        picture("sources")
        page.click("button:has-text('保存并检查')")
        page.wait_for_selector("a:has-text('查看结果')", timeout=240_000)
        page.click("a:has-text('查看结果')")
        page.wait_for_url("**/quality/")
        assert page.is_visible("text=数据对账")
        _accessible(tab)
        picture("quality")
        for path in (
            "/quality/readiness/",
            "/quality/metrics/",
            "/sources/quarantine/",
            "/sources/",
            "/runs/",
        ):
            tab.go(path)
            _accessible(tab)
        page.click("button:has-text('运行')")
        page.click("dialog button:has-text('开始运行')")
        page.wait_for_selector("a:has-text('查看结果')", timeout=300_000)
        page.click("a:has-text('查看结果')")
        page.wait_for_url("**/runs/*/")
        assert page.locator(".k-kpi-value").first.inner_text() == "60"
        _accessible(tab)
        picture("run")
        tab.go("/runs/")
        assert page.is_visible("text=已发布")
        picture("runs")
    with visiting(chromium, site, "en-US", (390, 844), dark=True) as tab:
        tab.sign_in("analyst")
        for path in (
            "/sources/",
            "/sources/map/?file=orders.csv",
            "/quality/",
            "/quality/readiness/",
            "/runs/",
        ):
            tab.go(path)
            assert (path, tab.violations(), tab.overflow() <= 0, tab.complaints) == (path, [], True, [])
