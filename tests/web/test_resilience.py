"""A served workbench whose database is locked, broken or gone, and whose worker is killed: a clear answer, and nothing lost."""

from __future__ import annotations

import http.cookiejar
import os
import re
import signal
import sqlite3
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.web.published import publish
from tests.web.site import PASSWORD, PEOPLE, Site, running, wait_for

pytestmark = pytest.mark.slow
CUSTOMER = "/customers/C004/"


class Person:
    """Somebody signed in over HTTP, without a browser."""

    def __init__(self, site: Site, role: str) -> None:
        self.site = site
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._cookies))
        self.get("/login/")
        assert self.post("/login/", username=PEOPLE[role], password=PASSWORD)[0] == 200

    def get(self, path: str) -> tuple[int, str]:
        return self._asked(urllib.request.Request(self.site.url + path))

    def post(self, path: str, **fields: str) -> tuple[int, str]:
        token = next(cookie.value or "" for cookie in self._cookies if cookie.name == "kequn_csrf")
        sent = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token}).encode()
        return self._asked(
            urllib.request.Request(self.site.url + path, sent, {"Referer": self.site.url + path})
        )

    def _asked(self, request: urllib.request.Request) -> tuple[int, str]:
        try:
            with self._opener.open(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "kequn.yaml").write_text(
        "name: {zh: 沐光美妆, en: Muguang}\nlanguage: zh\n", encoding="utf-8"
    )
    publish(tmp_path / "snapshots")
    with running(tmp_path) as up:
        yield up


def test_a_locked_database_is_told_cards_stay_and_the_change_can_be_made_later(site: Site) -> None:
    person = Person(site, "administrator")
    person.get(CUSTOMER)
    with sqlite3.connect(site.workspace / "state.sqlite3") as holder:
        holder.execute("BEGIN IMMEDIATE")
        status, page = person.get(CUSTOMER)
        assert status == 200 and "C004" in page
        status, page = person.post(f"{CUSTOMER}tags/", add="重点")
        assert status == 503 and "没有保存" in page
        holder.rollback()
    assert person.post(f"{CUSTOMER}tags/", add="重点")[0] == 200
    with sqlite3.connect(site.workspace / "state.sqlite3") as reader:
        assert reader.execute("SELECT customer_id, title FROM tags_tag").fetchall() == [("C004", "重点")]


def test_a_database_that_is_no_longer_one_is_told_on_every_page(site: Site) -> None:
    person = Person(site, "analyst")
    file = site.workspace / "state.sqlite3"
    for part in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
        if part.exists():
            part.write_bytes(b"\0" * part.stat().st_size)
    told = {path: person.get(path) for path in (CUSTOMER, "/login/", "/api/v1/segments")}
    assert {path: status for path, (status, _) in told.items()} == dict.fromkeys(told, 503)
    assert all("state.sqlite3" in page for _, page in told.values())
    assert told["/api/v1/segments"][1].startswith("{")
    keyed = urllib.request.Request(
        f"{site.url}/api/v1/segments", headers={"Authorization": "Bearer kq_none.x"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(keyed, timeout=60)
    assert refused.value.code == 503


def test_a_worker_that_is_killed_comes_back_with_everything_that_was_saved(site: Site) -> None:
    person = Person(site, "administrator")
    assert person.post(f"{CUSTOMER}tags/", add="重点")[0] == 200
    (before,) = _workers(site)
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: _workers(site) not in ([], [before]), 30)
    status, page = person.get(CUSTOMER)
    assert status == 200 and re.search(r"重点", page)
    assert person.post(f"{CUSTOMER}tags/", remove="重点")[0] == 200
    with sqlite3.connect(site.workspace / "state.sqlite3") as reader:
        assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert reader.execute("SELECT count(*) FROM tags_tag").fetchone() == (0,)


def _workers(site: Site) -> list[int]:
    """The processes that gunicorn forked: children of the served process with its own command line."""
    main = Path("/proc") / str(site.process.pid)
    children = [int(pid) for pid in (main / "task" / main.name / "children").read_text().split()]
    same = (main / "cmdline").read_bytes()
    return [pid for pid in children if (Path("/proc") / str(pid) / "cmdline").read_bytes() == same]
