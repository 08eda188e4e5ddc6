"""What a running job sees: its folder, how to report progress, and whether it should stop."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from kequn.web.jobs.models import Job

WRITE_EVERY_SECONDS = 0.25


class Cancelled(Exception):
    """Somebody asked the job to stop, and it did."""


class JobContext:
    """Handed to every job function as its first argument."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.user = job.created_by
        self.workspace: Path = settings.WORKSPACE
        self._written = 0.0

    @property
    def folder(self) -> Path:
        """Where the job may leave files for download; created when first asked for."""
        folder = result_folder(self.job)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def progress(self, share: float, step: Any = "") -> None:
        """Report the share done (0 to 1) and the step in words; raises Cancelled when somebody asked to stop.

        Cheap enough for a tight loop: the row is written at most four times a second.
        """
        now = time.monotonic()
        if now - self._written < WRITE_EVERY_SECONDS and share < 1:
            return
        self._written = now
        Job.objects.filter(pk=self.job.pk).update(
            progress=min(max(share, 0.0), 1.0), step=str(step)[:200], heartbeat_at=timezone.now()
        )
        self.check()

    def check(self) -> None:
        """Raise Cancelled when somebody asked to stop."""
        if Job.objects.filter(pk=self.job.pk, cancel_requested=True).exists():
            raise Cancelled


def result_folder(job: Job) -> Path:
    """The folder of a job's files."""
    return Path(settings.PRIVATE) / "results" / str(job.pk)
