"""Somebody new, in a real browser, without a terminal: two files, a run, a rule, a scheme, an exported list."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import need
from tests.web.site import Site, Visit, browser, running, visiting
from tests.web.test_import import customers_csv, orders_csv

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]


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


def _run(page: Any) -> None:
    """Start a run from the page of runs and wait until it has published."""
    page.click("button:has-text('运行')")
    page.click("dialog button:has-text('开始运行')")
    page.wait_for_selector("a:has-text('查看结果')", timeout=300_000)
    page.click("a:has-text('查看结果')")
    page.wait_for_url("**/runs/*/")


def _import(tab: Visit, files: list[Path], picture: Any) -> None:
    """Upload, confirm the mapping, check, look at what the check says."""
    page = tab.page
    tab.go("/sources/")
    assert page.is_visible("text=还没有数据源")
    _accessible(tab)
    page.set_input_files("#id_files", [str(file) for file in files])
    page.click("button:has-text('上传并识别')")
    page.wait_for_url("**/sources/map/**")
    assert page.locator("select[name$='.c.order_id']").first.input_value() == "订单编号"
    _accessible(tab)
    picture("sources")
    page.click("button:has-text('保存并检查')")
    page.wait_for_selector("a:has-text('查看结果')", timeout=240_000)
    page.click("a:has-text('查看结果')")
    page.wait_for_url("**/quality/")
    assert page.is_visible("text=数据对账")
    _accessible(tab)
    picture("quality")
    for path in ("/quality/readiness/", "/quality/metrics/", "/sources/quarantine/", "/sources/", "/runs/"):
        tab.go(path)
        _accessible(tab)


def _rule(page: Any, open_page: Any) -> int:
    """A rule of two conditions, built by hand; returns the number that stands beside it."""
    open_page("/rules/")
    page.fill("[name='0.0.v']", "200")
    page.click("#tree > fieldset > .k-rule-parts > .k-rule-add button:has-text('条件') >> nth=0")
    page.wait_for_selector("[name='0.1.c']:focus")
    for part, value in (("c", "frequency"), ("o", "ge")):  # the server answers each choice with a new tree
        page.select_option(f"[name='0.1.{part}']", value)
        page.wait_for_selector(
            f"#tree:not([inert]) [name='0.1.{part}'] option[value='{value}'][selected]", state="attached"
        )
    page.fill("[name='0.1.v']", "5")
    page.wait_for_selector("[data-rule*='frequency >= 5'] [data-count]")
    return int(page.get_attribute("[data-count]", "data-count"))


def _save_into_scheme(page: Any, name: str) -> None:
    """The rule as a segment of the scheme, reviewed and published."""
    page.click("button[data-dialog='save-rule']")
    page.fill("#save-name", name)
    page.select_option("#save-where", "transaction_type")
    page.click("#save-rule button.btn-primary")
    page.wait_for_selector(".k-diff-in")
    page.click("button:has-text('发布')")
    page.wait_for_url("**/editor/schemes/transaction_type/")


def test_two_files_become_segments_a_rule_a_scheme_and_an_exported_list_without_a_terminal(
    chromium: Any, site: Site, tmp_path: Path
) -> None:
    """`KEQUN_PICTURES` names a folder for pictures of the pages."""
    pictures = os.environ.get("KEQUN_PICTURES")
    (tmp_path / "orders.csv").write_bytes(orders_csv())
    (tmp_path / "customers.csv").write_bytes(customers_csv())
    with visiting(chromium, site) as tab:
        tab.sign_in("analyst")
        page = tab.page

        def picture(name: str) -> None:
            if pictures:
                page.screenshot(path=f"{pictures}/workbench-{name}-zh.png")

        _import(tab, [tmp_path / "orders.csv", tmp_path / "customers.csv"], picture)
        _run(page)
        assert page.locator(".k-kpi-value").first.inner_text() == "60"
        _accessible(tab)
        picture("run")
        tab.go("/runs/")
        assert page.is_visible("text=已发布")
        picture("runs")

        people = _rule(page, tab.go)
        assert 0 < people < 60
        _save_into_scheme(page, "近期常客")
        assert "近期常客" in (site.workspace / "schemes/transaction_type.yaml").read_text(encoding="utf-8")
        assert _rule(page, tab.go) == people
        page.click("button[data-dialog='save-rule']")
        page.fill("#save-name", "常客名单")
        page.click("#save-rule button.btn-primary")
        page.wait_for_url("**/audiences/chang_ke_ming_dan/")
        tab.go("/runs/")
        _run(page)
        tab.go("/audiences/chang_ke_ming_dan/")
        _accessible(tab)
        page.click("button[data-dialog='export']")
        page.click("#export button.btn-primary")
        page.wait_for_selector("a.btn-primary:has-text('下载')", timeout=120_000)
        with page.expect_download() as fetched:
            page.click("a.btn-primary:has-text('下载')")
        fetched.value.save_as(tmp_path / "list.csv")
        written = (tmp_path / "list.csv").read_text(encoding="utf-8-sig")
        rows = list(csv.DictReader(written.splitlines()))
        assert len(rows) == people and all(int(row["购买次数"]) >= 5 for row in rows)
        assert "1380000" not in written  # phones stay behind
        tab.go("/segments/?scheme=transaction_type")
        assert page.is_visible("text=近期常客")
        assert tab.complaints == []
    with visiting(chromium, site, "en-US", (390, 844), dark=True) as tab:
        tab.sign_in("analyst")
        for path in (
            "/sources/",
            "/sources/map/?file=orders.csv",
            "/quality/",
            "/quality/readiness/",
            "/runs/",
            "/audiences/",
            "/audiences/chang_ke_ming_dan/",
        ):
            tab.go(path)
            assert (path, tab.violations(), tab.overflow() <= 0, tab.complaints) == (path, [], True, [])
