"""Lists of customers: by rule, by segment, by upload."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from kequn.definitions import ABSENT
from kequn.errors import ConfigError, DataError
from kequn.language.builder import read, sentence
from kequn.web.accounts.permissions import needs
from kequn.web.accounts.scope import scope_of
from kequn.web.audit.record import record
from kequn.web.customer_list import Filters, find
from kequn.web.definitions import saving
from kequn.web.jobs import lifecycle
from kequn.web.pages.audiences import files
from kequn.web.pages.rules import choices, counting
from kequn.web.pages.segments.views import FORMATS
from kequn.web.published import language, rule_catalog, worded
from kequn.web.serving import NoSnapshot, Reader


def _counts(request: HttpRequest) -> dict[str, int]:
    """Members by audience within the person's scope, as of the published run."""
    try:
        reader: Reader = request.snapshot  # type: ignore[attr-defined]
        if "audience_member" not in reader.tables:
            return {}
    except NoSnapshot:
        return {}
    where, values = reader.scoped(scope_of(request.user))
    sql = f"SELECT audience, COUNT(*) FROM audience_member WHERE customer_id IN (SELECT customer_id FROM profile WHERE {where}) GROUP BY 1"
    return {str(name): int(n) for name, n in reader.rows(sql, values)}


@needs("aggregates.view")
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """All lists with their members as of the last run."""
    counts = _counts(request)
    rows = [
        {
            "item": item, "title": worded(item.spec.title, item.name) if item.spec else item.name,
            "purpose": worded(item.spec.purpose) if item.spec else "",
            "members": counts.get(item.spec.audience) if item.spec else None,
            "error": saving.told(item.error) if item.error else "",
        }
        for item in files.every()
    ]  # fmt: skip
    return render(
        request, "audiences/index.html", {"rows": rows, "may_edit": request.user.may("audiences.edit")}
    )


@needs("aggregates.view")
@require_safe
def detail(request: HttpRequest, name: str) -> HttpResponse:
    """One list: what it is, how many it would have now, its history."""
    item = next((item for item in files.every() if item.name == name), None)
    if item is None:
        raise Http404
    context = {
        "item": item, "title": worded(item.spec.title, name) if item.spec else name, "error": saving.told(item.error) if item.error else "",
        "versions": saving.versions(item.path), "definition": saving.current(item.path), "may_edit": request.user.may("audiences.edit"),
        "members": _counts(request).get(item.spec.audience) if item.spec else None,
        "purpose": worded(item.spec.purpose) if item.spec else "", "may_history": request.user.may("schemes.edit"),
    }  # fmt: skip
    if item.spec and item.spec.rule:
        try:
            reader: Reader = request.snapshot  # type: ignore[attr-defined]
            root = read(item.spec.rule, rule_catalog(reader))
            rule = counting.compiled(reader, item.spec.rule)
            context["sentence"] = sentence(root, rule_catalog(reader), choices.wording(reader))
            context["now"] = counting.counted(reader, rule, scope_of(request.user)).customers
        except NoSnapshot:
            pass
        except saving.KequnError as error:
            context["error"] = saving.told(error)
    if item.spec:
        context |= _members(request, item.spec.audience)
    return render(request, "audiences/detail.html", context)


def _members(request: HttpRequest, audience: str) -> dict[str, Any]:
    """The members that this person may see, a page of them, and whether they may take them along; empty before a run."""
    try:
        reader: Reader = request.snapshot  # type: ignore[attr-defined]
        if "audience_member" not in reader.tables or not request.user.may("customers.view"):  # type: ignore[union-attr]
            return {}
    except NoSnapshot:
        return {}
    page = request.GET.get("page", "1")
    chosen = "customer_id IN (SELECT customer_id FROM audience_member WHERE audience = ?)"
    found = find(
        request, Filters(condition=chosen, values=(audience,)), page=int(page[:6]) if page.isdecimal() else 1
    )
    may = bool(found.total) and _may_export(request)
    personal = may and request.user.has_perm("members.export_personal")  # type: ignore[union-attr]
    return {"found": found, "may_export": may, "personal": personal, "formats": FORMATS}


def _may_export(request: HttpRequest) -> bool:
    """A list may hold anybody: only people who see everybody take it along."""
    return request.user.has_perm("members.export") and scope_of(request.user).everyone  # type: ignore[union-attr]


@require_POST
@needs("members.export")
def export(request: HttpRequest, name: str) -> HttpResponse:
    """Start the export; the file waits on the job's page."""
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    item = next((item for item in files.every() if item.name == name and item.spec), None)
    kind = request.POST.get("format", "")
    personal = request.POST.get("personal") == "on"
    if item is None or kind not in FORMATS or not _may_export(request):
        raise Http404
    if personal and not request.user.has_perm("members.export_personal"):  # type: ignore[union-attr]
        raise Http404
    job = lifecycle.start(
        request, "members.export", run=reader.run_id, audience=item.spec.audience, format=kind, personal=personal, lang=language(),
    )  # fmt: skip
    return redirect("tasks:detail", pk=job.pk)


@needs("audiences.edit")
@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """A list from a file of customer ids."""
    if request.method != "POST":
        return render(request, "audiences/upload.html", {"endings": ",".join(files.ENDINGS)})
    title, given = request.POST.get("title", "").strip()[:60], request.FILES.get("file")
    wrong = ""
    if not title or given is None:
        wrong = _("请填写名称，并选择一个文件")
    else:
        try:
            column = request.POST.get("column", "").strip()[:80]
            stored, ids = files.keep_list(given, column)
            path, name = files.free_path(title)
            owner = request.user.get_username()
            purpose = request.POST.get("purpose", "").strip()[:300]
            text = files.audience_text(
                name, title, purpose, owner=owner, ids=stored, **({"column": column} if column else {})
            )
            saving.save(request, path, text, expected=ABSENT)
            record("list.uploaded", request=request, target=("definition", path), ids=ids)
            messages.success(request, _("已保存 %(n)s 个客户编号，下次运行时与客户对上") % {"n": ids})
            return redirect("audiences:detail", name=name)
        except (DataError, ConfigError) as error:
            wrong = saving.told(error)
    return render(
        request,
        "audiences/upload.html",
        {"wrong": wrong, "title_text": title, "endings": ",".join(files.ENDINGS)},
        status=422,
    )


@needs("audiences.edit")
@require_POST
def remove(request: HttpRequest, name: str) -> HttpResponse:
    """Delete the list's file; its versions stay."""
    try:
        saving.remove(
            request, f"audiences/{name}.yaml", expected=request.POST.get("fingerprint", "")[:64] or "-"
        )
    except ConfigError as error:
        messages.error(request, saving.told(error))
        return redirect("audiences:index")
    messages.success(request, _("名单已删除"))
    return redirect("audiences:index")
