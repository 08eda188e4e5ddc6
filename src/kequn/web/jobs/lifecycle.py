"""The life of a job: start, run, cancel, settle, sweep. Pages, worker and API all go through these functions."""

from __future__ import annotations

import shutil
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import close_old_connections, transaction
from django.http import HttpRequest
from django.utils import timezone

from kequn.errors import KequnError
from kequn.web.audit.record import record
from kequn.web.jobs.context import Cancelled, JobContext, result_folder
from kequn.web.jobs.models import SILENT_AFTER, UNFINISHED, Job, State
from kequn.web.jobs.registry import KINDS

RESULTS_KEPT = timedelta(days=7)
HEARTBEAT_SECONDS = 5.0


def start(request: HttpRequest, kind: str, **params: Any) -> Job:
    """Queue a job for the request's user and record it; a double click within two seconds gives the same job.

    Raises KeyError for an unknown kind, PermissionDenied when the role doesn't allow it.
    """
    user = request.user
    if not user.has_perm(KINDS[kind].permission):
        raise PermissionDenied
    just_now = timezone.now() - timedelta(seconds=2)
    twin = Job.objects.filter(
        kind=kind, params=params, created_by=user, created_at__gt=just_now, state__in=UNFINISHED
    ).first()
    if twin:
        return twin
    job = Job.objects.create(kind=kind, params=params, created_by=user)
    record("job.started", request=request, target=("job", str(job.pk)), kind=kind)
    transaction.on_commit(lambda: enqueue(job))
    return job


def enqueue(job: Job) -> None:
    """Hand a queued job to the worker. Handing it over twice is harmless: `execute` takes each job once."""
    from kequn.web.jobs.queue import run_job

    run_job(str(job.pk))


def cancel(request: HttpRequest, job: Job) -> None:
    """Ask a job to stop; one that hasn't begun stops at once. Raises PermissionDenied for other people's jobs."""
    if not request.user.has_perm("jobs.cancel", job):
        raise PermissionDenied
    now = timezone.now()
    waiting = Job.objects.filter(pk=job.pk, state=State.QUEUED)
    if not waiting.update(state=State.CANCELLED, cancel_requested=True, finished_at=now):
        Job.objects.filter(pk=job.pk, state=State.RUNNING).update(cancel_requested=True)
    record("job.cancelled", request=request, target=("job", str(job.pk)), kind=job.kind)


def again(request: HttpRequest, job: Job) -> Job:
    """Start a finished job once more with the same parameters."""
    return start(request, job.kind, **job.params)


def execute(job_id: str) -> None:
    """Run a queued job in this process, to its end; does nothing when it isn't queued any more."""
    now = timezone.now()
    taken = Job.objects.filter(pk=job_id, state=State.QUEUED).update(
        state=State.RUNNING, started_at=now, heartbeat_at=now
    )
    if not taken:
        return
    job = Job.objects.select_related("created_by").get(pk=job_id)
    try:
        with _heartbeat(job_id):
            kind = KINDS[job.kind]
            if job.created_by is None or not job.created_by.has_perm(kind.permission):
                raise PermissionDenied
            result = kind.work(JobContext(job), **job.params) or {}
    except Cancelled:
        _end(job_id, State.CANCELLED)
    except KequnError as error:
        fields = {name: str(value) for name, value in error.fields.items()}
        _end(job_id, State.FAILED, error_code=error.code, error_fields=fields, trace=traceback.format_exc())
    except PermissionDenied:
        _end(job_id, State.FAILED, error_code="web.job_not_allowed")
    except Exception:
        _end(job_id, State.FAILED, error_code="web.job_crashed", trace=traceback.format_exc())
    else:
        _end(job_id, State.DONE, progress=1.0, step="", result=result)


def _end(job_id: str, state: State, **fields: Any) -> None:
    Job.objects.filter(pk=job_id).update(state=state, finished_at=timezone.now(), **fields)


@contextmanager
def _heartbeat(job_id: str) -> Iterator[None]:
    """Write a sign of life every five seconds while the job works."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(HEARTBEAT_SECONDS):
            Job.objects.filter(pk=job_id).update(heartbeat_at=timezone.now())
            close_old_connections()

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(HEARTBEAT_SECONDS)


def settle(job_id: str, returncode: int) -> None:
    """After the process of a job ended: one that still says "running" died without a word."""
    ended = Job.objects.filter(pk=job_id, state=State.RUNNING)
    now = timezone.now()
    ended.filter(cancel_requested=True).update(state=State.CANCELLED, finished_at=now)
    ended.update(
        state=State.FAILED,
        finished_at=now,
        error_code="web.job_killed",
        error_fields={"returncode": str(returncode)},
    )


def sweep() -> int:
    """Mark silent jobs as interrupted and delete result files of the week before; returns the jobs marked."""
    now = timezone.now()
    silent = Job.objects.filter(state=State.RUNNING, heartbeat_at__lt=now - SILENT_AFTER)
    marked = silent.update(state=State.FAILED, finished_at=now, error_code="web.job_interrupted")
    for job in Job.objects.filter(finished_at__lt=now - RESULTS_KEPT).exclude(result={}).only("pk", "result"):
        if "file" in job.result:
            shutil.rmtree(result_folder(job), ignore_errors=True)
            Job.objects.filter(pk=job.pk).update(result={"expired": True})
    return marked


def requeue_waiting() -> int:
    """At the start of a worker: hand over again what was queued before; returns how many."""
    waiting = list(Job.objects.filter(state=State.QUEUED))
    for job in waiting:
        enqueue(job)
    return len(waiting)


def unseen(user: Any) -> int:
    """How many of this person's jobs failed since they last looked at the tasks page."""
    return Job.objects.filter(created_by=user, state=State.FAILED, finished_at__gt=user.tasks_seen_at).count()


def visible_to(user: Any) -> Any:
    """The jobs that a person may see."""
    return Job.objects.all() if user.may("jobs.view_all") else Job.objects.filter(created_by=user)
