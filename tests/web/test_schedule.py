"""The nightly run: started once when it is due, missed runs and old data are told to those who can do something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests.web.conftest import HOME

from kequn.web.accounts.models import User
from kequn.web.audit.models import AuditEvent
from kequn.web.jobs import lifecycle
from kequn.web.jobs.models import Job, State
from kequn.web.pages.runs import schedule
from kequn.web.pages.runs.alerts import alerts

pytestmark = pytest.mark.django_db
Browse = Callable[..., Client]


@pytest.fixture(autouse=True)
def no_schedule(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(lifecycle, "enqueue", lambda job: None)
    cache.clear()
    yield
    (HOME / ".kequn/schedule.json").unlink(missing_ok=True)


@pytest.fixture
def analyst(browse: Browse) -> Client:
    client = browse("analyst")
    answer = client.post(reverse("runs:schedule"), {"enabled": "on", "at": "02:30", "stale_days": "3"})
    assert answer.status_code == 302
    return client


def tomorrow(hour: int, minute: int) -> datetime:
    day = timezone.localtime() + timedelta(days=1)
    return day.replace(hour=hour, minute=minute, second=0, microsecond=0)


def titles(user: object, now: datetime) -> list[str]:
    return [alert.title for alert in alerts(user, now)]


def test_the_run_starts_once_when_it_is_due_in_the_name_of_who_set_it(analyst: Client) -> None:
    assert schedule.tick(tomorrow(2, 29)) is None
    job = schedule.tick(tomorrow(2, 30))
    assert job is not None and job.kind == "run" and job.created_by == analyst.user
    assert schedule.tick(tomorrow(2, 31)) is None
    assert AuditEvent.objects.filter(action="job.started").get().details["nightly"] is True


def test_a_run_that_somebody_started_in_time_counts(analyst: Client) -> None:
    Job.objects.create(kind="run", created_by=analyst.user, created_at=tomorrow(2, 29), state=State.RUNNING)
    assert schedule.tick(tomorrow(2, 30)) is None


def test_a_worker_that_comes_back_late_does_not_run_by_day(analyst: Client) -> None:
    assert schedule.tick(tomorrow(9, 0)) is None


@pytest.mark.parametrize("fields", [{"is_active": False}, {"role": "viewer"}])
def test_nobody_who_lost_the_permission_lends_it_to_the_clock(
    analyst: Client, fields: dict[str, object]
) -> None:
    User.objects.filter(pk=analyst.user.pk).update(**fields)
    assert schedule.tick(tomorrow(2, 30)) is None and not Job.objects.exists()


def test_a_missed_and_a_failed_run_are_told_to_those_who_may_run(analyst: Client, browse: Browse) -> None:
    later = tomorrow(9, 0)
    assert titles(analyst.user, tomorrow(2, 40)) == []
    assert titles(analyst.user, later) == ["错过了每晚运行"]
    assert titles(browse("viewer").user, later) == []
    Job.objects.create(kind="run", created_by=analyst.user, created_at=tomorrow(2, 31), state=State.FAILED)
    assert titles(analyst.user, later) == ["每晚运行失败"]


def test_old_data_are_told_on_the_tasks_page(analyst: Client, published: object) -> None:
    Job.objects.create(kind="run", created_by=analyst.user, created_at=timezone.now() + timedelta(days=400))
    now = datetime(2027, 11, 22, 3, 0, tzinfo=timezone.get_current_timezone())
    assert "数据不新鲜" in titles(analyst.user, now)
    assert analyst.get(reverse("tasks:index")).status_code == 200


@pytest.mark.parametrize(
    "fields", [{"at": "25:00"}, {"at": "'; DROP"}, {"stale_days": "0"}, {"stale_days": "9" * 40}, {"stale_days": "x"}, {"at": ""}]
)  # fmt: skip
def test_a_wrong_schedule_is_refused_and_the_old_one_stays(analyst: Client, fields: dict[str, str]) -> None:
    before = schedule.load()
    answer = analyst.post(
        reverse("runs:schedule"), {"enabled": "on", "at": "03:00", "stale_days": "5", **fields}
    )
    assert answer.status_code == 422 and schedule.load() == before


@pytest.mark.parametrize("text", ["", "{", "[]", '{"at": "99:99"}', '{"unknown": 1}', '{"at": 5}'])
def test_a_broken_file_means_no_schedule_and_no_crash(text: str) -> None:
    (HOME / ".kequn/schedule.json").write_text(text, encoding="utf-8")
    assert schedule.load() == schedule.Schedule() and schedule.tick() is None


def test_going_back_needs_the_permission_and_is_recorded(browse: Browse, published: object) -> None:
    from tests.web.published import publish

    from kequn.web.serving import serving

    first = serving().current_run()
    publish(HOME / "snapshots", minute=5)
    assert first is not None and serving().current_run() != first
    url = reverse("runs:publish", args=[first])
    assert browse("marketer").post(url).status_code == 403
    assert browse("analyst").post(url).status_code == 302 and serving().current_run() == first
    assert AuditEvent.objects.get(action="run.rolled_back").object_id == first
    assert browse("analyst", "b").post(reverse("runs:publish", args=["../x"[:2] + "x"])).status_code == 404
    assert browse("analyst", "c").post(reverse("runs:start"), {"as_of": "soon"}).status_code == 422
