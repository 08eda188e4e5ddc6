"""Jobs: progress, cancelling, failing, and workers that die."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.utils import timezone

from kequn.errors import DataError
from kequn.web.jobs import lifecycle, registry
from kequn.web.jobs.context import JobContext
from kequn.web.jobs.models import Job, State

Work = Callable[[JobContext], dict | None]


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> Callable[[Work], None]:
    """`kind(work)` registers the job kind "try"."""

    def add(work: Work, permission: str = "aggregates.view") -> None:
        monkeypatch.setitem(registry.KINDS, "try", registry.Kind("try", "试", permission, work))

    return add


def ran(user: object) -> Job:
    job = Job.objects.create(kind="try", created_by=user)
    lifecycle.execute(str(job.pk))
    job.refresh_from_db()
    return job


def test_a_job_that_ends_well_keeps_its_result(person: Callable, kind: Callable) -> None:
    kind(lambda context: context.progress(0.5, "一半") or {"rows": 7})
    job = ran(person())
    assert (job.state, job.progress, job.result, job.step) == (State.DONE, 1.0, {"rows": 7}, "")
    assert job.started_at <= job.finished_at


def test_progress_is_kept_within_zero_and_one(person: Callable, kind: Callable) -> None:
    seen = []

    def work(context: JobContext) -> None:
        context.progress(7.0)
        seen.append(Job.objects.get(pk=context.job.pk).percent)

    kind(work)
    ran(person())
    assert seen == [100]


def test_an_error_that_users_may_see_is_kept_as_code_and_fields(person: Callable, kind: Callable) -> None:
    def work(context: JobContext) -> None:
        raise DataError("data.try", file="orders.csv")

    kind(work)
    job = ran(person())
    assert (job.state, job.error_code, job.error_fields) == (State.FAILED, "data.try", {"file": "orders.csv"})


def test_a_crash_is_told_as_such_with_the_details_folded_away(
    browse: Callable[..., Client], kind: Callable
) -> None:
    kind(lambda context: 1 / 0)
    client = browse()
    job = ran(client.user)
    page = client.get(f"/tasks/{job.pk}/").content.decode()
    assert job.error_code == "web.job_crashed" and "ZeroDivisionError" in page and "意外错误" in page


def test_a_running_job_stops_at_its_next_step_when_asked(person: Callable, kind: Callable) -> None:
    def work(context: JobContext) -> None:
        Job.objects.filter(pk=context.job.pk).update(cancel_requested=True)
        context.progress(0.1)
        raise AssertionError("went on")

    kind(work)
    assert ran(person()).state == State.CANCELLED


def test_a_waiting_job_is_cancelled_at_once_and_never_runs(
    browse: Callable[..., Client], kind: Callable
) -> None:
    kind(lambda context: {"ran": True})
    client = browse()
    job = Job.objects.create(kind="try", created_by=client.user)
    client.post(f"/tasks/{job.pk}/cancel/")
    lifecycle.execute(str(job.pk))
    job.refresh_from_db()
    assert job.state == State.CANCELLED and job.result == {}


def test_a_job_handed_over_twice_runs_once(person: Callable, kind: Callable) -> None:
    runs = []
    kind(lambda context: runs.append(1))
    job = ran(person())
    lifecycle.execute(str(job.pk))
    assert runs == [1]


def test_a_double_click_starts_one_job(browse: Callable[..., Client]) -> None:
    client = browse("administrator")
    first, second = (client.post("/system/audit/export/").url for _ in range(2))
    assert first == second and Job.objects.count() == 1


def test_a_job_of_somebody_who_lost_the_permission_is_not_run(person: Callable, kind: Callable) -> None:
    kind(lambda context: {"ran": True}, permission="system.manage")
    job = ran(person("viewer"))
    assert (job.state, job.error_code, job.result) == (State.FAILED, "web.job_not_allowed", {})


def test_starting_a_job_needs_its_permission(person: Callable, kind: Callable, rf: object) -> None:
    kind(lambda context: None, permission="system.manage")
    request = rf.post("/")
    request.user = person("viewer")
    with pytest.raises(PermissionDenied):
        lifecycle.start(request, "try")
    assert not Job.objects.exists()


def test_a_process_that_died_leaves_a_failed_job_with_the_reason(person: Callable) -> None:
    job = Job.objects.create(kind="try", created_by=person(), state=State.RUNNING)
    lifecycle.settle(str(job.pk), -9)
    job.refresh_from_db()
    assert (job.state, job.error_code, job.error_fields) == (
        State.FAILED,
        "web.job_killed",
        {"returncode": "-9"},
    )


def test_a_job_that_fell_silent_is_swept_and_a_lively_one_is_not(person: Callable) -> None:
    user, now = person(), timezone.now()
    silent = Job.objects.create(
        kind="try", created_by=user, state=State.RUNNING, heartbeat_at=now - timedelta(minutes=5)
    )
    lively = Job.objects.create(kind="try", created_by=user, state=State.RUNNING, heartbeat_at=now)
    assert lifecycle.sweep() == 1
    silent.refresh_from_db()
    lively.refresh_from_db()
    assert (silent.state, silent.error_code, lively.state) == (
        State.FAILED,
        "web.job_interrupted",
        State.RUNNING,
    )


def test_a_new_worker_takes_up_what_was_waiting(person: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr(lifecycle, "enqueue", taken.append)
    waiting = Job.objects.create(kind="try", created_by=person())
    Job.objects.create(kind="try", state=State.DONE)
    assert lifecycle.requeue_waiting() == 1 and taken == [waiting]


def test_the_bell_counts_failures_until_the_page_is_opened(browse: Callable[..., Client]) -> None:
    client = browse()
    Job.objects.create(kind="try", created_by=client.user, state=State.FAILED, finished_at=timezone.now())
    assert lifecycle.unseen(client.user) == 1
    client.get("/tasks/")
    client.user.refresh_from_db()
    assert lifecycle.unseen(client.user) == 0


def test_rows_of_unfinished_jobs_ask_again_and_finished_ones_do_not(browse: Callable[..., Client]) -> None:
    client = browse()
    job = Job.objects.create(kind="try", created_by=client.user, state=State.RUNNING)
    assert "hx-trigger" in client.get(f"/tasks/{job.pk}/row/").content.decode()
    Job.objects.update(state=State.DONE)
    assert "hx-trigger" not in client.get(f"/tasks/{job.pk}/row/").content.decode()


@pytest.mark.parametrize("name", ["../../kequn.yaml", "/etc/passwd", "", "gone.csv", "a/b.csv"])
def test_a_result_that_names_another_place_is_not_served(browse: Callable[..., Client], name: str) -> None:
    client = browse()
    job = Job.objects.create(kind="try", created_by=client.user, state=State.DONE, result={"file": name})
    assert client.get(f"/tasks/{job.pk}/file/").status_code == 404
