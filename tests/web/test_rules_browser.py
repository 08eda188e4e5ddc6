"""A newcomer builds a nested rule in a real browser, sees the number that the core counts, and saves it as a list."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.conftest import need
from tests.web.described import describe
from tests.web.published import publish
from tests.web.site import Site, browser, running, visiting

from kequn.reading.rules import count_query, rule_of
from kequn.snapshot.manifest import read_manifest

pytestmark = pytest.mark.browser

SCHEME = """scheme: rfm
kind: rules
title: {zh: RFM 分群, en: RFM groups}
segments:
- {id: champions, title: {zh: 重要价值客户, en: Champions}, when: recency_days <= 30}
otherwise: {id: regular, title: {zh: 其他, en: Others}}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need(shutil.which("chromium"), "Chromium")
    workspace = tmp_path_factory.mktemp("rules")
    (workspace / "kequn.yaml").write_text("name: {zh: 沐光美妆, en: Muguang}\n", encoding="utf-8")
    (workspace / "snapshots").mkdir()
    (workspace / "schemes").mkdir()
    (workspace / "schemes/rfm.yaml").write_text(SCHEME, encoding="utf-8")
    describe(publish(workspace / "snapshots", customers=400))
    with running(workspace) as up:
        yield up


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as opened:
        yield opened


def counted(workspace: Path, text: str) -> int:
    """What `kequn count` asks the core for."""
    run = workspace / "snapshots" / (workspace / "snapshots/CURRENT").read_text().strip()
    manifest = read_manifest(run).model_dump(mode="json")
    with duckdb.connect(str(run / "serving.duckdb"), read_only=True) as con:
        return int(con.execute(count_query(manifest, rule_of(manifest, text))).fetchone()[0])


def test_a_newcomer_builds_a_nested_rule_and_saves_it_as_a_list(chromium: Any, site: Site) -> None:
    with visiting(chromium, site) as tab:
        page = tab.page
        tab.sign_in("administrator")
        tab.go("/rules/")
        page.fill("[name='0.0.v']", "300")
        page.click("#tree > fieldset > .k-rule-parts > .k-rule-add button:has-text('条件组')")
        page.wait_for_selector("[name='0.1.0.c']:focus")
        page.fill("[name='0.1.0.v']", "40")
        page.click("fieldset fieldset .k-rule-add button >> nth=0")
        page.wait_for_selector("[name='0.1.1.c']:focus")
        page.select_option("[name='0.1.1.c']", "segment:rfm")
        page.wait_for_selector("[name='0.1.1.v'][value='champions']")
        page.check("[name='0.1.1.v'][value='champions']", force=True)
        rule = "recency_days <= 300 AND (recency_days >= 40 OR segment('rfm') = 'champions')"
        number = counted(site.workspace, rule)
        page.wait_for_selector(f"[data-count='{number}']")
        assert tab.violations() == [] and tab.overflow() <= 0
        page.click("button[data-dialog='save-rule']")
        page.fill("#save-name", "近期客户")
        page.click("#save-rule button.btn-primary")
        page.wait_for_url("**/audiences/jin_qi_ke_hu/")
        assert page.get_attribute("[data-count]", "data-count") == str(number)
        assert tab.violations() == [] and tab.complaints == []
    text = (site.workspace / "audiences/jin_qi_ke_hu.yaml").read_text(encoding="utf-8")
    assert "recency_days <= 300 AND (recency_days >=" in text


@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_builder_lists_and_editor_are_accessible_and_fit(
    chromium: Any, site: Site, language: str, size: tuple[int, int]
) -> None:
    with visiting(chromium, site, language, size) as tab:
        tab.sign_in("administrator")
        for path in (
            "/rules/",
            "/rules/?mode=text&rule=recency_dayz",
            "/audiences/",
            "/audiences/upload/",
            "/editor/",
            "/editor/schemes/rfm/",
        ):
            tab.go(path)
            assert (path, tab.violations(), tab.overflow() > 0) == (path, [], False)
        assert tab.complaints == []
