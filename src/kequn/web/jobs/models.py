"""One row per job: what was asked, how far it is, how it ended."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

SILENT_AFTER = timedelta(seconds=60)


class State(models.TextChoices):
    QUEUED = "queued", _("排队中")
    RUNNING = "running", _("进行中")
    DONE = "done", _("已完成")
    FAILED = "failed", _("失败")
    CANCELLED = "cancelled", _("已取消")


UNFINISHED = (State.QUEUED, State.RUNNING)


class Job(models.Model):
    """A unit of long work. `kind` names the registered function; `params` are its keyword arguments."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=60)
    params = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED, db_index=True)
    progress = models.FloatField(default=0)  # share done, 0 to 1
    step = models.CharField(max_length=200, blank=True)  # code of the step shown beside the bar
    result = models.JSONField(default=dict)
    error_code = models.CharField(max_length=80, blank=True)
    error_fields = models.JSONField(default=dict)
    trace = models.TextField(blank=True)
    cancel_requested = models.BooleanField(default=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="jobs")
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at",)
        indexes = (models.Index(fields=["created_by", "-created_at"]),)

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def unfinished(self) -> bool:
        return self.state in UNFINISHED

    @property
    def percent(self) -> int:
        """Progress for the bar, 0 to 100."""
        return round(100 * min(max(self.progress, 0.0), 1.0))

    @property
    def seconds(self) -> float | None:
        """How long it ran, or has been running."""
        if self.started_at is None:
            return None
        return ((self.finished_at or timezone.now()) - self.started_at).total_seconds()

    @property
    def title(self) -> str:
        """The words for its kind."""
        from kequn.web.jobs.registry import KINDS

        kind = KINDS.get(self.kind)
        return str(kind.title) if kind else self.kind
