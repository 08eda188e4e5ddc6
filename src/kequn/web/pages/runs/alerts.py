"""What the schedule has to say: a nightly run that was missed or failed, data that have grown old."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from kequn.errors import SnapshotError
from kequn.web.jobs.models import Job, State
from kequn.web.navigation import Alert
from kequn.web.pages.runs import schedule
from kequn.web.serving import serving


def alerts(user: Any, now: datetime | None = None) -> Iterator[Alert]:
    """Alerts for people who may run; nothing for others, who couldn't do anything about them."""
    if not user.may("data.run"):
        return
    now = now or timezone.now()
    wanted, url = schedule.load(), reverse("runs:index")
    due = wanted.due(now)
    if due is not None and now - due > schedule.LATE:
        runs = Job.objects.filter(kind="run", created_at__gte=due)
        if not runs.exists():
            when = f"{timezone.localtime(due):%m-%d %H:%M}"
            text = _("每晚运行没有在 %(when)s 开始。请确认工作进程在运行，设置人仍有权限。") % {"when": when}
            yield Alert(_("错过了每晚运行"), text, url, "bad")
        elif runs.first().state == State.FAILED:
            yield Alert(_("每晚运行失败"), _("看看失败原因，修正后再运行一次。"), url, "bad")
    day = data_until()
    if day is not None and wanted.enabled:
        days = (timezone.localtime(now).date() - day).days
        if days > wanted.stale_days:
            text = _("已发布的结果截至 %(day)s，已过去 %(days)d 天。请上传新数据并运行。") % {
                "day": day,
                "days": days,
            }
            yield Alert(_("数据不新鲜"), text, url, "warn")


def data_until() -> Any:
    """The date of the published run, None when there is none that can be read."""
    try:
        with serving().pin() as reader:
            return reader.manifest.as_of
    except SnapshotError:
        return None
