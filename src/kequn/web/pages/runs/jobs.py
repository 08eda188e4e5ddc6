"""The run as a job, and the clock of the nightly one."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import close_old_connections
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from huey import crontab

from kequn.web.audit.record import record
from kequn.web.jobs.context import JobContext
from kequn.web.jobs.queue import queue
from kequn.web.jobs.registry import job

STEPS = {
    "facts": _("读取数据"),
    "profile": _("计算客户画像"),
    "prediction": _("预测"),
    "assignment": _("客户细分"),
    "audience": _("生成名单"),
    "portrait": _("群体画像"),
    "serving": _("准备工作台数据"),
    "publish": _("发布"),
}


@job("run", title=_("运行计算并发布快照"), permission="data.run", icon="player-play")
def run_pipeline(context: JobContext, as_of: str = "", nightly: bool = False) -> dict[str, Any]:
    """Read, calculate, publish: what `kequn run` does. `as_of` is an ISO date; `nightly` says who asked."""
    from kequn.pipeline import run
    from kequn.web.pages.quality.readiness import remember_check
    from kequn.workspace import Workspace

    workspace = Workspace.open(context.workspace)

    def tell(step: str, share: float) -> None:
        context.check()
        context.progress(share, STEPS.get(step, step))

    done = run(workspace, as_of=date.fromisoformat(as_of) if as_of else None, listener=tell).snapshot
    remember_check(workspace)
    record("run.published", actor=context.user, target=("run", done.run_id), nightly=nightly)
    return {
        "url": reverse("runs:detail", args=[done.run_id]),
        "run_id": done.run_id,
        "rows": done.manifest.rows.get("profile", 0),
    }


@queue.periodic_task(crontab(minute="*"))
def nightly() -> None:
    """Once a minute: is it time?"""
    from kequn.web.pages.runs import schedule

    try:
        schedule.tick()
    finally:
        close_old_connections()
