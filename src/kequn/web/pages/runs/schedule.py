"""The nightly run: when, in whose name, and how old data may get before somebody is told. Kept in `.kequn/schedule.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils import timezone

from kequn.definitions import save_text
from kequn.web.accounts.models import User
from kequn.web.audit.record import record
from kequn.web.jobs import lifecycle
from kequn.web.jobs.models import UNFINISHED, Job

LATE = timedelta(minutes=30)
"""A nightly run that hasn't begun so long after its time was missed."""


@dataclass(frozen=True)
class Schedule:
    """`at` is HH:MM in the workspace's time zone; `user_id` whose permissions the run has; `since` when it was set (ISO)."""

    enabled: bool = False
    at: str = "02:30"
    stale_days: int = 3
    user_id: int | None = None
    since: str = ""

    @property
    def clock(self) -> time:
        return time.fromisoformat(self.at)

    def due(self, now: datetime) -> datetime | None:
        """The latest moment up to `now` (aware) at which a run should have begun, None before the first."""
        if not self.enabled or not self.since:
            return None
        local = timezone.localtime(now)
        moment = local.replace(hour=self.clock.hour, minute=self.clock.minute, second=0, microsecond=0)
        if moment > local:
            moment -= timedelta(days=1)
        return moment if moment >= datetime.fromisoformat(self.since) else None


def _file() -> Path:
    return Path(settings.PRIVATE) / "schedule.json"


def load() -> Schedule:
    """The schedule; a missing or unreadable file means that there is none."""
    try:
        found: dict[str, Any] = json.loads(_file().read_text(encoding="utf-8"))
        schedule = Schedule(**found)
        schedule.clock  # noqa: B018 - a wrong time is an unreadable file
        return schedule
    except (OSError, ValueError, TypeError):
        return Schedule()


def save(request: HttpRequest, enabled: bool, at: time, stale_days: int) -> Schedule:
    """Set the schedule, which then runs in the name of whoever set it, and record that."""
    schedule = Schedule(
        enabled, f"{at:%H:%M}", stale_days, request.user.pk, timezone.now().isoformat(timespec="seconds")
    )
    save_text(_file(), json.dumps(asdict(schedule)))
    record("schedule.changed", request=request, enabled=enabled, at=schedule.at, stale_days=stale_days)
    return schedule


def tick(now: datetime | None = None) -> Job | None:
    """Called once a minute: start the nightly run when it is due and nobody has started it; returns its job."""
    now = now or timezone.now()
    schedule = load()
    due = schedule.due(now)
    if due is None or now - due > LATE or started_since(due):
        return None
    if not cache.add(f"nightly:{due.isoformat()}", 1, 86_400):  # another worker was faster
        return None
    user = User.objects.filter(pk=schedule.user_id, is_active=True).first()
    if user is None or not user.may("data.run"):
        return None
    job = Job.objects.create(kind="run", params={"nightly": True}, created_by=user)
    record("job.started", actor=user, target=("job", str(job.pk)), kind="run", nightly=True)
    lifecycle.enqueue(job)
    return job


def started_since(moment: datetime) -> bool:
    """Whether a run was asked for since `moment`, or is at work."""
    runs = Job.objects.filter(kind="run")
    return runs.filter(created_at__gte=moment).exists() or runs.filter(state__in=UNFINISHED).exists()
