"""The list of runs, one run, starting, going back, the schedule."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from kequn.errors import SnapshotError
from kequn.i18n import explain, say
from kequn.snapshot import Snapshot, SnapshotStore
from kequn.web.accounts.permissions import needs
from kequn.web.audit.record import record
from kequn.web.jobs import lifecycle
from kequn.web.jobs.models import UNFINISHED, Job
from kequn.web.pages.runs import schedule
from kequn.web.pages.runs.forms import ScheduleForm, StartForm
from kequn.web.serving import serving

PER_PAGE = 20


def store() -> SnapshotStore:
    """The runs of this workspace."""
    return SnapshotStore(settings.WORKSPACE / "snapshots")


def language() -> str:
    """The reader's language as the core names it."""
    return "en" if (get_language() or "").startswith("en") else "zh"


def run_row(run: Snapshot, current: str | None) -> dict[str, Any]:
    """What the list and the API say of a run."""
    manifest = run.manifest
    return {
        "run_id": run.run_id,
        "as_of": manifest.as_of,
        "created_at": manifest.created_at,
        "engine": manifest.engine,
        "customers": manifest.rows.get("profile"),
        "seconds": round(sum(manifest.seconds.values()), 1),
        "published": run.run_id == current,
        "pruned": manifest.pruned,
        "warnings": len(manifest.warnings),
    }


@needs("aggregates.view")
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """All runs, newest first; broken ones are named apart."""
    return render(request, "runs/index.html", _listing(request))


def _listing(request: HttpRequest, **forms: Any) -> dict[str, Any]:
    here, current = store(), serving().current_run()
    page = Paginator([run_row(run, current) for run in here.runs()], PER_PAGE).get_page(
        request.GET.get("page")
    )
    wanted = schedule.load()
    initial = {"enabled": wanted.enabled, "at": wanted.clock, "stale_days": wanted.stale_days}
    return {
        "page": page,
        "broken": [explain(error, language()) for error in here.broken_runs().values()],
        "running": Job.objects.filter(kind="run", state__in=UNFINISHED).first(),
        "start_form": forms.get("start") or StartForm(),
        "schedule_form": forms.get("schedule") or ScheduleForm(initial=initial),
        "schedule": wanted,
        "may_run": request.user.may("data.run"),
        "has_sources": (settings.WORKSPACE / "sources.yaml").is_file(),
    }


@needs("data.run")
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Start a run as a job, or show the one that is at work."""
    form = StartForm(request.POST)
    if not form.is_valid():
        return render(request, "runs/index.html", _listing(request, start=form), status=422)
    day = form.cleaned_data["as_of"]
    return redirect("tasks:detail", pk=start_run(request, day.isoformat() if day else "").pk)


def start_run(request: HttpRequest, as_of: str = "") -> Job:
    """Queue a run unless one is waiting or at work already; the same for pages and API."""
    lifecycle_job = Job.objects.filter(kind="run", state__in=UNFINISHED).first()
    if lifecycle_job and request.user.has_perm("jobs.view", lifecycle_job):
        return lifecycle_job
    return lifecycle.start(request, "run", **({"as_of": as_of} if as_of else {}))


@needs("data.run")
@require_POST
def set_schedule(request: HttpRequest) -> HttpResponse:
    form = ScheduleForm(request.POST)
    if not form.is_valid():
        return render(request, "runs/index.html", _listing(request, schedule=form), status=422)
    schedule.save(request, **form.cleaned_data)
    messages.success(request, _("已保存每晚运行的设置"))
    return redirect("runs:index")


@needs("aggregates.view")
@require_safe
def detail(request: HttpRequest, run_id: str) -> HttpResponse:
    """One run: steps, reconciliation, warnings, what couldn't be calculated."""
    run = _run(run_id)
    manifest = run.manifest.model_dump(mode="json")
    tables = manifest.get("reconciliation", {}).get("tables", {})
    slowest = max(manifest["seconds"].values(), default=0) or 1
    warnings = [
        say(item["code"], language(), **{key: value for key, value in item.items() if key != "code"})
        for item in manifest["warnings"]
    ]
    context = {
        "run": run_row(run, serving().current_run()),
        "steps": [
            {
                "title": say(f"step.{name}", language()),
                "seconds": spent,
                "share": round(100 * spent / slowest),
            }
            for name, spent in manifest["seconds"].items()
        ],
        "tables": [{"name": name, **part} for name, part in tables.items() if part["read"]],
        "warnings": warnings,
        "schemes": len(manifest.get("schemes", {})),
        "unavailable": manifest.get("schemes_unavailable", {}),
        "versions": manifest["versions"],
        "may_run": request.user.may("data.run"),
    }
    return render(request, "runs/detail.html", context)


def _run(run_id: str) -> Snapshot:
    try:
        return store().snapshot(run_id)
    except SnapshotError as error:
        if error.code == "snapshot.no_run":
            raise Http404 from error
        raise


@needs("data.run")
@require_POST
def publish(request: HttpRequest, run_id: str) -> HttpResponse:
    """Make an earlier run the published one again. A damaged or pruned one is refused and nothing changes."""
    _run(run_id)
    try:
        roll_back(request, run_id)
    except SnapshotError as error:
        messages.error(request, explain(error, language()))
        return redirect("runs:detail", run_id=run_id)
    messages.success(request, _("已切换到运行 %(run)s") % {"run": run_id})
    return redirect("runs:index")


def roll_back(request: HttpRequest, run_id: str) -> None:
    """Publish `run_id` again and record it. Raises SnapshotError."""
    before = serving().current_run()
    here = store()
    with here.lock(wait=5):
        here.rollback(run_id)
    record("run.rolled_back", request=request, target=("run", run_id), before=before or "")
