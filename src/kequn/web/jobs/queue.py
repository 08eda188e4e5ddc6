"""The queue between pages and worker: huey on SQLite in the workspace, or on PostgreSQL when the state lives there."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from django.conf import settings
from django.db import close_old_connections
from huey import Huey, PostgresHuey, SqliteHuey, crontab

GRACE_SECONDS = 20
POLL_SECONDS = 0.5


def open_queue() -> Huey:
    """The queue that belongs to the configured database."""
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("postgresql"):
        names = {"HOST": "host", "PORT": "port", "NAME": "dbname", "USER": "user", "PASSWORD": "password"}
        where = {ours: database[theirs] for theirs, ours in names.items() if database.get(theirs)}
        return PostgresHuey("kequn", results=False, **where)
    return SqliteHuey("kequn", filename=str(settings.PRIVATE / "queue.sqlite3"), results=False, fsync=False)


queue = open_queue()


@queue.task()
def run_job(job_id: str) -> None:
    """Run one job in a process of its own, so that its memory goes back and a hard crash is only its own."""
    from kequn.web.jobs import lifecycle

    try:
        child = subprocess.Popen([sys.executable, "-m", "kequn.web.jobs.execute", job_id])
        _wait(child, job_id)
        lifecycle.settle(job_id, child.returncode)
    finally:
        close_old_connections()


def _wait(child: subprocess.Popen[Any], job_id: str) -> None:
    """Wait for the child. It stops by itself when asked; one that doesn't within the grace time is ended."""
    from kequn.web.jobs.models import Job

    asked = 0.0
    while True:
        try:
            child.wait(POLL_SECONDS)
            return
        except subprocess.TimeoutExpired:
            if Job.objects.filter(pk=job_id, cancel_requested=True).exists():
                asked += POLL_SECONDS
            if asked > GRACE_SECONDS:
                child.terminate()
            if asked > 2 * GRACE_SECONDS:
                child.kill()


@queue.periodic_task(crontab(minute="*"))
def sweep() -> None:
    """Once a minute: jobs that fell silent are marked as interrupted, old result files go."""
    from kequn.web.jobs import lifecycle

    try:
        lifecycle.sweep()
    finally:
        close_old_connections()
