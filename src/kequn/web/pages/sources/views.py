"""Sources and files, upload, mapping, quarantine."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from kequn.errors import ConfigError, KequnError
from kequn.i18n import explain, say
from kequn.web.accounts.permissions import needs
from kequn.web.audit.record import record
from kequn.web.jobs import lifecycle
from kequn.web.pages.quality.figures import table_title
from kequn.web.pages.runs.views import language
from kequn.web.pages.sources import proposals, quarantined, saving, uploads

PER_PAGE = 50


@needs("data.import")
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Sources with their files and age; files that no source uses; the upload form."""
    return _index(request)


def _index(request: HttpRequest, errors: list[str] | None = None, status: int = 200) -> HttpResponse:
    broken, listed = "", []
    try:
        listed = _listed()
    except ConfigError as error:
        broken = explain(error, language())
    used = {file["path"] for source in listed for file in source["files"]}
    root = settings.WORKSPACE
    spare = [
        {"name": path.name, "size": path.stat().st_size, "changed": _changed(path)}
        for path in uploads.local_files()
        if path.relative_to(root).as_posix() not in used
    ]
    context = {
        "sources": listed, "spare": spare, "broken": broken, "errors": errors or [], "limit": uploads.LIMIT,
        "suffixes": ",".join(uploads.SUFFIXES), "most": uploads.FILES_AT_ONCE, "may_run": request.user.may("data.run"),
    }  # fmt: skip
    return render(request, "sources/index.html", context, status=status)


def _listed() -> list[dict[str, Any]]:
    """Each source of sources.yaml with the files it finds now."""
    root = settings.WORKSPACE
    found = []
    for table, _place, source in saving.sources().entries():
        files = []
        for pattern in source.files:
            paths = sorted(root.glob(pattern)) if not pattern.startswith("/") else []
            files += [
                {"path": path.relative_to(root).as_posix(), "size": _size(path), "changed": _changed(path)}
                for path in paths[:50]
            ]
        found.append(
            {"table": table, "title": table_title(table, language()), "name": source.name, "patterns": source.files,
             "files": files, "columns": len(source.mapped()), "changed": max((f["changed"] for f in files), default=None)}
        )  # fmt: skip
    return found


def _size(path: Any) -> int:
    return (
        path.stat().st_size
        if path.is_file()
        else sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    )


def _changed(path: Any) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, tz=timezone.get_current_timezone())


@csrf_exempt  # checked in `_receive`, once the handler is in place: reading the token reads the files
@require_POST
def upload(request: HttpRequest) -> HttpResponse:
    """Take files into `data/` and go on to their mapping."""
    if not request.user.may("data.import"):
        raise PermissionDenied
    arriving = uploads.Arriving(request)
    request.upload_handlers = [arriving]
    try:
        uploads.check_room(int(request.headers.get("Content-Length") or 0))
        return _receive(request)
    except (KequnError, ValueError) as error:
        if not isinstance(error, KequnError):
            raise
        return _index(request, [explain(error, language())], status=413)
    finally:
        arriving.discard()


@csrf_protect
def _receive(request: HttpRequest) -> HttpResponse:
    given = request.FILES.getlist("files")
    kept, errors = [], []
    for file in given:
        try:
            path = uploads.keep(file.path, file.name or "", bool(request.POST.get("replace")))
        except KequnError as error:
            errors.append(explain(error, language()))
            continue
        record("data.uploaded", request=request, target=("file", path.name), bytes=file.size)
        kept.append(path.name)
    if not given:
        errors.append(_("请选择要上传的文件"))
    if errors:
        if kept:
            errors.append(_("其余文件已上传：%(names)s") % {"names": "、".join(kept)})
        return _index(request, errors, status=422)
    return redirect(f"{reverse('sources:map')}?{urlencode({'file': kept}, doseq=True)}")


@needs("data.import")
@require_POST
def delete(request: HttpRequest) -> HttpResponse:
    """Delete an uploaded file that no source uses."""
    (path,) = uploads.named_files([request.POST.get("file", "")])
    used = {file["path"] for source in _listed() for file in source["files"]}
    if path.relative_to(settings.WORKSPACE).as_posix() in used:
        messages.error(request, _("这个文件正被数据源使用，先移除数据源再删除"))
    else:
        path.unlink(missing_ok=True)
        record("data.deleted", request=request, target=("file", path.name))
        messages.success(request, _("已删除 %(name)s") % {"name": path.name})
    return redirect("sources:index")


@needs("data.import")
@require_POST
def remove(request: HttpRequest) -> HttpResponse:
    """Take a source out; the files stay."""
    saving.remove_source(request, request.POST.get("table", ""), request.POST.get("name", ""))
    messages.success(request, _("已移除数据源，文件仍然保留"))
    return redirect("sources:index")


@needs("data.import")
@require_http_methods(["GET", "HEAD", "POST"])
def mapping(request: HttpRequest) -> HttpResponse:
    """What the files were recognised as; corrections; saving. The files stand in the address."""
    names = request.GET.getlist("file")[: uploads.FILES_AT_ONCE]
    if not names:
        return redirect("sources:index")
    files = uploads.named_files(names)
    answers = {key: value for key, value in request.POST.items() if isinstance(value, str)}
    proposal, shown = proposals.proposed(files, answers)
    entries = [proposals.described(place, entry, proposal, language()) for place, entry in shown]
    error = ""
    if request.method == "POST" and request.POST.get("action") == "save":
        lacking = [one for one in entries if one["table"] and one["missing"]]
        if lacking:
            error = _("还有必填列没有对应：%(columns)s") % {"columns": "、".join(lacking[0]["missing"])}
        else:
            try:
                saving.save_proposal(request, proposal, language(), request.POST.get("seen", ""))
                return redirect("tasks:detail", pk=lifecycle.start(request, "check").pk)
            except KequnError as problem:
                error = explain(problem, language())
    tables = [(name, table_title(name, language())) for name in proposals.known_tables()]
    context = {"entries": entries, "tables": tables, "error": error, "seen": saving.current()[1]}
    return render(request, "sources/map.html", context, status=422 if error else 200)


def _wanted(request: HttpRequest) -> tuple[str, str]:
    return request.GET.get("table", "")[:60], request.GET.get("reason", "")[:80]


@needs("data.import")
@require_safe
def quarantine(request: HttpRequest) -> HttpResponse:
    """Rows and cells that were refused, with the reason."""
    table, reason = _wanted(request)
    text = request.GET.get("page", "1")
    number = max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 8 else 1
    rows, total = quarantined.page(table, reason, number, PER_PAGE)
    for row in rows:
        row["title"] = table_title(row["table"], language())
        row["why"] = say(row["reason"], language())
    found = [
        {"reason": r, "why": say(r, language()), "column": c, "rows": n}
        for r, c, n in quarantined.reasons(table)
    ]
    page = Paginator(range(total), PER_PAGE).get_page(number)
    context = {
        "rows": rows,
        "page": page,
        "reasons": found,
        "table": table,
        "reason": reason,
        "title": table_title(table, language()),
    }
    return render(request, "sources/quarantine.html", context)


@needs("data.import")
@require_safe
def download_quarantine(request: HttpRequest) -> StreamingHttpResponse:
    """The same as CSV; recorded, because refused rows may hold personal data."""
    table, reason = _wanted(request)
    record("quarantine.downloaded", request=request, target=("table", table), reason=reason)
    answer = StreamingHttpResponse(quarantined.as_csv(table, reason), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="quarantine.csv"'
    return answer
