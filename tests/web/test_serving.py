"""Reading the published snapshot: one per request, reopened on publish, counted once, limited."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import RequestFactory
from tests.web.conftest import HOME
from tests.web.published import publish

from kequn.errors import KequnError, SnapshotError
from kequn.web import middleware, serving
from kequn.web.accounts.scope import EVERYONE, NOBODY, Scope
from kequn.web.serving import Busy, Condition, NoSnapshot, Serving, clear_spill, spill_folder

RECENT = Condition("recency_days < ?", "recency_days < 10", (10,))


@pytest.fixture(autouse=True)
def no_counts() -> Iterator[None]:
    caches["counts"].clear()
    yield


@pytest.fixture
def here(published: Path) -> Iterator[Serving]:
    opened = serving.serving()
    yield opened
    opened.close()


def test_a_reader_sees_the_published_run(here: Serving, published: Path) -> None:
    with here.pin() as reader:
        assert reader.run_id == published.name and reader.manifest.run_id == published.name
        assert reader.one("SELECT * FROM profile WHERE customer_id = ?", ["C007"])["recency_days"] == 7
        assert reader.value("SELECT COUNT(*) FROM profile") == 40
        assert {"profile", "profile_sample", "assignment", "segment_by_manager"} <= reader.tables


def test_a_publish_is_seen_by_the_next_reader_and_not_by_the_one_at_work(
    here: Serving, snapshots: Path
) -> None:
    with here.pin() as before:
        assert before.value("SELECT COUNT(*) FROM profile") == 40
        publish(snapshots, customers=50, minute=1)
        with here.pin() as after:
            assert after.value("SELECT COUNT(*) FROM profile") == 50
            assert before.value("SELECT COUNT(*) FROM profile") == 40
        old = before._handle
        assert old.retired and old.readers == 1
    with pytest.raises(duckdb.ConnectionException):
        old.connection.execute("SELECT 1")


def test_a_file_that_forget_replaced_is_opened_again_though_the_run_is_the_same(
    here: Serving, published: Path
) -> None:
    with here.pin() as reader:
        version = reader.version
    fresh = published / "new.duckdb"
    fresh.write_bytes((published / "serving.duckdb").read_bytes())
    fresh.replace(published / "serving.duckdb")
    with here.pin() as reader:
        assert reader.run_id == published.name and reader.version != version


def test_nothing_can_be_written_and_no_other_file_read(here: Serving) -> None:
    with here.pin() as reader:
        for sql in (
            "DELETE FROM profile",
            "SELECT * FROM read_csv('/etc/passwd')",
            "ATTACH '/tmp/x.duckdb'",
            "SET enable_external_access = true",
        ):
            with pytest.raises(duckdb.Error):
                reader.rows(sql)


@pytest.mark.parametrize("pointer", ["", "../20260101-000000-aaaa", "20260101-000000-aaaa", "a/b"])
def test_a_pointer_that_leads_nowhere_is_a_clear_error(snapshots: Path, pointer: str) -> None:
    (snapshots / "CURRENT").write_text(pointer)
    with pytest.raises(NoSnapshot), Serving(HOME).pin():
        pass


def test_a_damaged_file_is_a_clear_error(snapshots: Path, published: Path) -> None:
    (published / "serving.duckdb").write_bytes(b"not a database")
    with pytest.raises(NoSnapshot) as caught, Serving(HOME).pin():
        pass
    assert caught.value.code == "web.snapshot_unreadable"


def test_threads_read_side_by_side_with_a_cursor_each(here: Serving) -> None:
    wrong: list[object] = []

    def read(number: int) -> None:
        for _ in range(20):
            with here.pin() as reader:
                found = reader.value(
                    "SELECT recency_days FROM profile WHERE customer_id = ?", [f"C{number:03d}"]
                )
                if found != number:
                    wrong.append(found)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and here._handle.readers == 0


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (EVERYONE, 10),
        (NOBODY, 0),
        (Scope(account_manager="林晓"), 5),
        (Scope(segments=(("rfm", "champions"),)), 3),
        (Scope(account_manager="' OR 1=1 --"), 0),
        (Scope(account_manager="林晓", segments=(("rfm", "champions"),)), 5),
        (Scope(segments=(("rfm", "regular"), ("gone", "x"))), 7),
        (Scope(segments=(('rfm" = 1 OR 1', "x"),)), 0),
    ],
)
def test_counts_follow_what_the_person_may_see(here: Serving, scope: Scope, expected: int) -> None:
    with here.pin() as reader:
        assert serving.exact(reader, RECENT, scope).customers == expected


def test_a_count_is_remembered_by_snapshot_rule_and_scope(here: Serving, snapshots: Path) -> None:
    lin = Scope(account_manager="林晓")
    with here.pin() as reader:
        assert serving.known_count(reader, RECENT, EVERYONE) is None
        serving.exact(reader, RECENT, EVERYONE)
        assert serving.known_count(reader, RECENT, EVERYONE).customers == 10
        assert serving.known_count(reader, RECENT, lin) is None
        assert (
            serving.known_count(reader, Condition("recency_days < ?", "recency_days < 10", (11,)), EVERYONE)
            is None
        )
    publish(snapshots, minute=2)
    with here.pin() as reader:
        assert serving.known_count(reader, RECENT, EVERYONE) is None


def test_a_profile_without_account_managers_shows_sales_people_nobody(here: Serving, published: Path) -> None:
    here.close()
    with duckdb.connect(str(published / "serving.duckdb")) as con:
        con.execute("ALTER TABLE profile DROP COLUMN account_manager")
    with here.pin() as reader:
        assert serving.exact(reader, RECENT, Scope(account_manager="林晓")).customers == 0


def test_an_estimate_scales_the_sample_and_keeps_silent_about_few(here: Serving, published: Path) -> None:
    here.close()
    with duckdb.connect(str(published / "serving.duckdb")) as con:
        con.execute(
            "CREATE OR REPLACE TABLE profile AS SELECT 'C' || i AS customer_id, i % 100 AS recency_days FROM range(100000) t(i)"
        )
        con.execute(
            "CREATE OR REPLACE TABLE profile_sample AS SELECT * FROM profile WHERE hash(customer_id) % 50 = 0"
        )
    with here.pin() as reader:
        guess = serving.estimate(reader, RECENT, EVERYONE)
        assert not guess.exact and abs(guess.customers - 10_000) < 1_500
        assert serving.exact(reader, RECENT, EVERYONE) == serving.Count(10_000, True)
        assert serving.estimate(reader, Condition("recency_days = -1", "recency_days = -1"), EVERYONE) is None


def test_scans_take_turns_and_give_up_waiting(here: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "WAIT_SECONDS", 0.01)
    with here.pin() as reader, here.exact_scans, pytest.raises(Busy):
        serving.exact(reader, RECENT, EVERYONE)
    with here.pin() as reader:
        assert serving.exact(reader, RECENT, EVERYONE).customers == 10


def test_a_scan_that_takes_too_long_is_stopped(here: Serving) -> None:
    with here.pin() as reader, pytest.raises(Busy), reader.limited(0.05):
        reader.value(
            "SELECT COUNT(*) FROM range(100000000) a(i), range(100000000) b(j) WHERE (i * j) % 7 = 3"
        )
    with here.pin() as reader:
        assert reader.value("SELECT 1") == 1


def through(view: Callable[[HttpRequest], HttpResponse]) -> HttpResponse:
    return middleware.one_snapshot(view)(RequestFactory().get("/"))


def test_a_request_keeps_its_snapshot_while_another_is_published(here: Serving, snapshots: Path) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        before = request.snapshot.value("SELECT COUNT(*) FROM profile")
        publish(snapshots, customers=50, minute=3)
        return HttpResponse(f"{before} {request.snapshot.value('SELECT COUNT(*) FROM profile')}")

    assert through(view).content == b"40 40"
    assert (
        through(lambda r: HttpResponse(str(r.snapshot.value("SELECT COUNT(*) FROM profile")))).content
        == b"50"
    )
    assert here._handle.readers == 0


def test_a_streamed_answer_holds_its_snapshot_until_it_is_closed(here: Serving, db: None) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        reader = request.snapshot
        return StreamingHttpResponse(str(reader.value("SELECT COUNT(*) FROM profile")) for _ in range(2))

    answer = through(view)
    parts = iter(answer.streaming_content)
    assert next(parts) == b"40" and here._handle.readers == 1
    assert next(parts) == b"40"
    answer.close()
    assert here._handle.readers == 0


def test_a_view_that_fails_lets_go_of_its_snapshot(here: Serving) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        request.snapshot.value("SELECT 1")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        through(view)
    assert here._handle.readers == 0


def test_a_request_that_reads_nothing_opens_nothing(here: Serving) -> None:
    assert through(lambda request: HttpResponse("ok")).content == b"ok"
    assert here._handle is None


@pytest.mark.parametrize(
    ("error", "accept", "status", "told"),
    [
        (NoSnapshot("web.no_snapshot"), "text/html", 200, "还没有数据"),
        (NoSnapshot("web.snapshot_unreadable", run="r1"), "text/html", 503, "读不到快照"),
        (NoSnapshot("web.no_snapshot"), "application/json", 409, "还没有发布过快照"),
        (Busy("web.counting_busy"), "text/html", 503, "正在计数的人太多"),
        (SnapshotError("web.snapshot_unreadable", run="<script>"), "text/html", 422, "&lt;script&gt;"),
        (KequnError("web.database_unavailable"), "application/json", 422, "连不上"),
    ],
)
def test_errors_become_clear_answers_in_the_form_that_was_asked_for(
    browse: Callable, error: Exception, accept: str, status: int, told: str
) -> None:
    from django.utils import translation

    request = RequestFactory().get("/", headers={"accept": accept})
    request.user = browse().user
    request.resolver_match, request.session, request.htmx = None, {}, False
    with translation.override("zh-hans"):
        answer = middleware.errors(lambda r: HttpResponse()).process_exception(request, error)
    body = json.loads(answer.content)["message"] if accept == "application/json" else answer.content.decode()
    assert answer.status_code == status and told in body


def test_what_exceeds_memory_is_put_aside_and_cleared_away(here: Serving, tmp_path: Path) -> None:
    with here.pin() as reader:
        folder = Path(reader.value("SELECT current_setting('temp_directory')"))
        assert folder.is_dir() and folder.parent == spill_folder(settings.PRIVATE)
    here.close()
    assert not folder.exists()
    gone, here = (spill_folder(tmp_path) / f"{pid}-x" for pid in (2**30, os.getpid()))
    for one in (gone, here):
        one.mkdir()
    clear_spill(tmp_path)
    assert not gone.exists() and here.exists()
