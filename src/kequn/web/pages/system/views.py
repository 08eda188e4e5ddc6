"""Pages of the administration."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from kequn.web.accounts.api_keys import ApiKey
from kequn.web.accounts.models import User
from kequn.web.accounts.permissions import needs
from kequn.web.accounts.roles import PERMISSIONS, ROLE_HINTS, Role
from kequn.web.audit.actions import ACTIONS
from kequn.web.audit.models import AuditEvent
from kequn.web.jobs import lifecycle
from kequn.web.pages.system import people
from kequn.web.pages.system.forms import AuditFilter, MemberForm

PER_PAGE = 50


def _show(
    request: HttpRequest, template: str, tab: str, status: int = 200, **context: object
) -> HttpResponse:
    names = {"users": _("成员"), "roles": _("角色权限"), "audit": _("审计日志"), "keys": _("API 密钥")}
    tabs = [(reverse(f"system:{key}"), name, key == tab) for key, name in names.items()]
    return render(request, f"system/{template}.html", {"tabs": tabs, **context}, status=status)


@needs("system.manage")
@require_safe
def users(request: HttpRequest) -> HttpResponse:
    """Members, found by name."""
    text, role = request.GET.get("q", "").strip()[:64], request.GET.get("role", "")
    found = User.objects.all()
    if text:
        found = found.filter(Q(username__icontains=text) | Q(name__icontains=text) | Q(email__icontains=text))
    if role in Role.values:
        found = found.filter(role=role)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    return _show(request, "users", "users", page=page, text=text, role=role, roles=Role.choices)


@needs("system.manage")
@require_http_methods(["GET", "HEAD", "POST"])
def new_user(request: HttpRequest) -> HttpResponse:
    """Invite a member: they choose their password on a link."""
    form = MemberForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        fields = {name: form.cleaned_data[name] for name in form.Meta.fields}
        user, link = people.invite(request, fields)
        if form.cleaned_data["segments"]:
            people.change(request, user, {}, form.cleaned_data["segments"])
        return _show(request, "link", "users", person=user, link=link)
    return _show(request, "user", "users", 422 if form.errors else 200, form=form, hints=_hints())


def _hints() -> list[tuple[object, object]]:
    return [(role.label, ROLE_HINTS[role]) for role in Role]


@needs("system.manage")
@require_http_methods(["GET", "HEAD", "POST"])
def edit_user(request: HttpRequest, pk: int) -> HttpResponse:
    person = get_object_or_404(User, pk=pk)
    before = {name: getattr(person, name) for name in MemberForm.Meta.fields}
    form = MemberForm(request.POST or None, instance=person)
    if request.method == "POST" and form.is_valid():
        people.change(request, form.instance, before, form.cleaned_data["segments"])
        messages.success(request, _("已保存"))
        return redirect("system:users")
    return _show(
        request,
        "user",
        "users",
        422 if form.errors else 200,
        form=form,
        person=User.objects.get(pk=pk),
        hints=_hints(),
    )


@needs("system.manage")
@require_POST
def link(request: HttpRequest, pk: int) -> HttpResponse:
    person = get_object_or_404(User, pk=pk, is_active=True)
    return _show(request, "link", "users", person=person, link=people.new_link(request, person))


@needs("system.manage")
@require_POST
def reset_two_step(request: HttpRequest, pk: int) -> HttpResponse:
    people.reset_two_step(request, get_object_or_404(User, pk=pk))
    messages.success(request, _("两步验证已关闭"))
    return redirect("system:edit_user", pk=pk)


@needs("system.manage")
@require_POST
def unlock(request: HttpRequest, pk: int) -> HttpResponse:
    people.unlock(request, get_object_or_404(User, pk=pk))
    messages.success(request, _("登录锁定已解除"))
    return redirect("system:edit_user", pk=pk)


@needs("system.manage")
@require_POST
def set_active(request: HttpRequest, pk: int) -> HttpResponse:
    person, active = get_object_or_404(User, pk=pk), request.POST.get("active") == "1"
    try:
        people.set_active(request, person, active)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, _("已启用") if active else _("已停用，并退出其所有登录"))
    return redirect("system:edit_user", pk=pk)


@needs("system.manage")
@require_safe
def roles(request: HttpRequest) -> HttpResponse:
    """Who may do what, as the code has it."""
    table = [
        (permission.title, [role.value in permission.roles for role in Role])
        for permission in PERMISSIONS.values()
    ]
    return _show(request, "roles", "roles", table=table, roles=list(Role), hints=_hints())


@needs("system.manage")
@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """The log, newest first."""
    form = AuditFilter(request.GET)
    page = Paginator(form.apply(AuditEvent.objects.all()), PER_PAGE).get_page(request.GET.get("page"))
    rows = [(event, ACTIONS.get(event.action, event.action), _told(event.details)) for event in page]
    return _show(request, "audit", "audit", form=form, page=page, rows=rows)


def _told(details: dict[str, object]) -> str:
    return " · ".join(
        f"{name}: {', '.join(map(str, v)) if isinstance(v, list) else v}" for name, v in details.items()
    )


@needs("system.manage")
@require_POST
def export_audit(request: HttpRequest) -> HttpResponse:
    job = lifecycle.start(request, "audit.export", **AuditFilter(request.POST).kept())
    return redirect("tasks:detail", pk=job.pk)


@needs("system.manage")
@require_safe
def keys(request: HttpRequest) -> HttpResponse:
    """Everybody's API keys."""
    page = Paginator(ApiKey.objects.select_related("user"), PER_PAGE).get_page(request.GET.get("page"))
    return _show(request, "keys", "keys", page=page)
