"""One's own settings."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from kequn.web.accounts import api_keys, totp
from kequn.web.accounts.api_keys import SCOPES
from kequn.web.accounts.models import User
from kequn.web.accounts.permissions import needs
from kequn.web.audit.record import record
from kequn.web.environment import workspace_facts
from kequn.web.pages.account.forms import ChangePasswordForm, KeyForm, PasswordForm, ProfileForm


def _show(
    request: HttpRequest, template: str, tab: str, status: int = 200, **context: object
) -> HttpResponse:
    tabs = [
        (reverse("account:index"), _("资料"), tab == "index"),
        (reverse("account:security"), _("安全"), tab == "security"),
    ]
    if request.user.may("api_keys.own"):
        tabs.append((reverse("account:keys"), _("API 密钥"), tab == "keys"))
    return render(request, f"account/{template}.html", {"tabs": tabs, **context}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """Name, mail, language, theme."""
    form = ProfileForm(request.POST or None, instance=User.objects.get(pk=request.user.pk))
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("已保存"))
        return redirect("account:index")
    return _show(request, "profile", "index", 422 if form.errors else 200, form=form)


def security(request: HttpRequest) -> HttpResponse:
    """Password, two-step sign-in, sessions."""
    left = len(request.user.recovery_codes)
    return _show(
        request, "security", "security", password_form=ChangePasswordForm(request.user), codes_left=left
    )


@sensitive_post_parameters()
@require_POST
def change_password(request: HttpRequest) -> HttpResponse:
    form = ChangePasswordForm(request.user, request.POST)
    if not form.is_valid():
        return _show(
            request,
            "security",
            "security",
            422,
            password_form=form,
            codes_left=len(request.user.recovery_codes),
        )
    user = request.user
    user.set_password(form.cleaned_data["password"])
    user.save(update_fields=["password"])
    update_session_auth_hash(request, user)  # this browser stays signed in, the others don't
    record("password.changed", request=request, by="self")
    messages.success(request, _("密码已修改，其他设备已退出登录"))
    return redirect("account:security")


@require_http_methods(["GET", "HEAD", "POST"])
def two_step(request: HttpRequest) -> HttpResponse:
    """Enrol: show a secret, take a code that proves the phone has it, show recovery codes once."""
    if request.user.has_totp:
        return redirect("account:security")
    secret = request.session.get("totp_new") or totp.new_secret()
    request.session["totp_new"] = secret
    wrong = False
    if request.method == "POST":
        with transaction.atomic():
            codes = totp.enrol(request.user, secret, request.POST.get("code", "").replace(" ", "")[:10])
            if codes:
                record("totp.enabled", request=request)
        if codes:
            del request.session["totp_new"]
            return _show(request, "recovery_codes", "security", codes=codes)
        wrong = True
    from django.conf import settings

    qr = totp.qr_svg(request.user, secret, f"客群 {workspace_facts(settings.WORKSPACE).name}")
    return _show(request, "two_step", "security", 422 if wrong else 200, qr=qr, secret=secret, wrong=wrong)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def two_step_off(request: HttpRequest) -> HttpResponse:
    form = PasswordForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            totp.disable(request.user)
            record("totp.disabled", request=request, by="self")
        messages.success(request, _("两步验证已关闭"))
        return redirect("account:security")
    return _show(request, "two_step_off", "security", 422 if form.errors else 200, form=form)


@require_POST
def end_sessions(request: HttpRequest) -> HttpResponse:
    """Sign out everywhere but here."""
    user = request.user
    user.session_epoch += 1
    user.save(update_fields=["session_epoch"])
    update_session_auth_hash(request, user)
    record("sessions.ended", request=request)
    messages.success(request, _("其他设备已退出登录"))
    return redirect("account:security")


@needs("api_keys.own")
@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    """One's API keys; a new one is shown once."""
    form = KeyForm(request.user, request.POST or None)
    made = None
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        with transaction.atomic():
            key, made = api_keys.create(request.user, data["name"], data["scopes"], data["days"])
            record("api_key.created", request=request, target=("api_key", key.prefix), scopes=key.scopes)
        form = KeyForm(request.user)
    return _show(
        request, "keys", "keys", 422 if form.errors else 200,
        form=form, made=made, keys=request.user.api_keys.all(), scope_words={scope: words for scope, (words, _p) in SCOPES.items()},
    )  # fmt: skip


@require_POST
def revoke_key(request: HttpRequest, pk: int) -> HttpResponse:
    """Revoke a key: one's own, or anybody's for administrators."""
    mine = api_keys.ApiKey.objects.all() if request.user.may("system.manage") else request.user.api_keys.all()
    key = get_object_or_404(mine, pk=pk)
    if not key.works:
        raise PermissionDenied
    with transaction.atomic():
        api_keys.revoke(key)
        record("api_key.revoked", request=request, target=("api_key", key.prefix), owner=key.user.username)
    messages.success(request, _("密钥已吊销"))
    return redirect(
        "account:keys" if key.user_id == request.user.pk and "system" not in request.POST else "system:keys"
    )
