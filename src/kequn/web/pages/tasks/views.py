"""The list of jobs and one job. Rows of unfinished jobs ask for themselves again every second (htmx)."""

from __future__ import annotations

import uuid
from pathlib import Path

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from kequn.web import navigation
from kequn.web.audit.record import record
from kequn.web.jobs import lifecycle
from kequn.web.jobs.context import result_folder
from kequn.web.jobs.models import UNFINISHED, Job, State
from kequn.web.jobs.registry import KINDS

FILTERS = {"open": UNFINISHED, "failed": (State.FAILED,), "done": (State.DONE, State.CANCELLED)}
PER_PAGE = 25


def _job(request: HttpRequest, pk: uuid.UUID) -> Job:
    """The job, when this person may see it; others get 404, so that ids tell nothing."""
    return get_object_or_404(lifecycle.visible_to(request.user).select_related("created_by"), pk=pk)


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """All jobs that this person may see, newest first; opening the page clears the bell."""
    wanted = request.GET.get("state", "")
    jobs = lifecycle.visible_to(request.user).select_related("created_by")
    if wanted in FILTERS:
        jobs = jobs.filter(state__in=FILTERS[wanted])
    page = Paginator(jobs, PER_PAGE).get_page(request.GET.get("page"))
    seen_until = request.user.tasks_seen_at
    request.user.tasks_seen_at = timezone.now()
    request.user.save(update_fields=["tasks_seen_at"])
    names = {"": _("全部"), "open": _("进行中"), "failed": _("失败"), "done": _("已结束")}
    tabs = [
        (f"{reverse('tasks:index')}{f'?state={key}' if key else ''}", name, key == wanted)
        for key, name in names.items()
    ]
    return render(
        request,
        "tasks/index.html",
        {
            "page": page,
            "filters": tabs,
            "state": wanted,
            "seen_until": seen_until,
            "alerts": navigation.alerts(request.user),
        },
    )


@require_safe
def row(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """One row again, as it is now."""
    return render(request, "tasks/row.html", {"job": _job(request, pk)})


@require_safe
def detail(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """One job: progress, why it failed, what it made."""
    job = _job(request, pk)
    template = "tasks/progress.html" if getattr(request, "htmx", False) else "tasks/detail.html"
    return render(request, template, {"job": job, "may_cancel": request.user.has_perm("jobs.cancel", job)})


@require_POST
def cancel(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    job = _job(request, pk)
    lifecycle.cancel(request, job)
    messages.success(request, _("已请求取消，任务会在当前步骤结束后停下"))
    return redirect("tasks:detail", pk=pk)


@require_POST
def again(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    job = _job(request, pk)
    if job.kind not in KINDS or job.unfinished:
        raise Http404
    return redirect("tasks:detail", pk=lifecycle.again(request, job).pk)


@require_safe
def file(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """The file that a job left: for whoever started it, and for administrators. Every download is recorded."""
    job = _job(request, pk)
    if job.created_by_id != request.user.pk and not request.user.may("system.manage"):
        raise Http404
    name = str(job.result.get("file", ""))
    path = result_folder(job) / name
    if not name or Path(name).name != name or not path.is_file():
        raise Http404
    record("export.downloaded", request=request, target=("job", str(job.pk)), kind=job.kind, file=name)
    return FileResponse(path.open("rb"), as_attachment=True, filename=name)
