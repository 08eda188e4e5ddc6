"""Signing in: password, then a code for those who set it up. Answers never tell whether an account exists."""

from __future__ import annotations

import hmac
import time
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme, urlsafe_base64_decode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from kequn.web.accounts import totp
from kequn.web.accounts.models import User
from kequn.web.accounts.passwords import send_link
from kequn.web.accounts.roles import Role
from kequn.web.audit.record import address, record
from kequn.web.environment import setup_token
from kequn.web.pages.login.forms import CodeForm, ForgotForm, NewPasswordForm, SetupForm, SignInForm
from kequn.web.throttle import within

BACKEND = "kequn.web.accounts.passwords.PasswordBackend"
CODE_SECONDS = 5 * 60
FORGOT_PER_HOUR = 5


def _next(request: HttpRequest) -> str:
    target = request.POST.get("next") or request.GET.get("next") or ""
    return (
        target if url_has_allowed_host_and_scheme(target, {request.get_host()}, request.is_secure()) else "/"
    )


def _enter(request: HttpRequest, user: User, target: str) -> HttpResponse:
    login(request, user, backend=BACKEND)
    request.session["signed_in_at"] = int(time.time())
    return redirect(target)


@never_cache
@login_not_required
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """The first step. Five wrong passwords lock the account for this address for a quarter of an hour (axes)."""
    if request.user.is_authenticated:
        return redirect(_next(request))
    form = SignInForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        user = authenticate(request, **form.cleaned_data)
        if user is not None and user.has_totp:
            request.session.cycle_key()
            request.session["second_step"] = {"user": user.pk, "at": int(time.time()), "next": _next(request)}
            return redirect("login:code")
        if user is not None:
            return _enter(request, user, _next(request))
        if getattr(request, "axes_locked_out", False):
            return locked_out(request)
        form.add_error(None, _("用户名或密码不正确"))
    return render(
        request,
        "login/index.html",
        {"form": form, "next": _next(request)},
        status=200 if not form.errors else 422,
    )


def locked_out(request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
    """What somebody sees after too many wrong passwords."""
    return render(request, "login/locked.html", status=429)


@never_cache
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def second_step(request: HttpRequest) -> HttpResponse:
    """The code from the phone, within five minutes of the password."""
    waiting = request.session.get("second_step") or {}
    if not waiting or time.time() - waiting["at"] > CODE_SECONDS:
        request.session.pop("second_step", None)
        return redirect("login:index")
    user = User.objects.filter(pk=waiting["user"], is_active=True).first()
    if user is None:
        return redirect("login:index")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        how = totp.check(user, form.cleaned_data["code"])
        if how:
            target = waiting["next"]
            del request.session["second_step"]
            if how == "recovery":
                record("totp.recovery_used", request=request, actor=user)
            return _enter(request, user, target)
        record("login.failed", request=request, target=("user", user.username), step="totp")
        user.refresh_from_db()
        locked = totp.is_locked(user)
        form.add_error("code", _("尝试次数过多，请 15 分钟后再试") if locked else _("验证码不正确或已使用过"))
    return render(request, "login/code.html", {"form": form}, status=200 if not form.errors else 422)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("login:index")


@never_cache
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def forgot(request: HttpRequest) -> HttpResponse:
    """Mail a link. The answer is the same whether or not there is such an account."""
    form = ForgotForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"].strip()
        if within(f"forgot:{address(request)}", FORGOT_PER_HOUR, 3600):
            known = User.objects.filter(
                Q(username__iexact=name) | Q(email__iexact=name), is_active=True
            ).exclude(email="")
            for user in known[:3]:
                send_link(request, user, invite=False)
                record("password.reset_requested", request=request, target=("user", user.username))
        return render(request, "login/forgot_sent.html")
    return render(request, "login/forgot.html", {"form": form})


@never_cache
@login_not_required
@sensitive_post_parameters("password", "again")
@require_http_methods(["GET", "HEAD", "POST"])
def set_password(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """Where the mailed link leads. The token moves into the session, so that it can't leak by a Referer."""
    user = _user_of(uid)
    if token != "new":
        if user is None or not default_token_generator.check_token(user, token):
            return render(request, "login/link_used.html", status=410)
        request.session["password_token"] = token
        return redirect("login:password_set", uid=uid, token="new")
    token = request.session.get("password_token", "")
    if user is None or not default_token_generator.check_token(user, token):
        return render(request, "login/link_used.html", status=410)
    form = NewPasswordForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        user.set_password(form.cleaned_data["password"])
        user.session_epoch += 1
        user.save(update_fields=["password", "session_epoch"])
        request.session.pop("password_token", None)
        record("password.changed", request=request, actor=user, by="link")
        messages.success(request, _("密码已设置，请登录"))
        return redirect("login:index")
    return render(
        request, "login/password.html", {"form": form, "person": user}, status=200 if not form.errors else 422
    )


def _user_of(uid: str) -> User | None:
    try:
        return User.objects.filter(pk=int(urlsafe_base64_decode(uid).decode()), is_active=True).first()
    except (ValueError, OverflowError):
        return None


@never_cache
@login_not_required
@sensitive_post_parameters("password", "again")
@require_http_methods(["GET", "HEAD", "POST"])
def setup(request: HttpRequest, token: str) -> HttpResponse:
    """Create the first administrator, with the token that `kequn serve` prints; gone as soon as there is a user."""
    if User.objects.exists() or not hmac.compare_digest(token, setup_token(settings.WORKSPACE)):
        raise Http404
    form = SetupForm(None, request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            data = form.cleaned_data
            user = User.objects.create_user(
                data["username"], data["password"], name=data["name"], role=Role.ADMINISTRATOR
            )
            record(
                "user.created", request=request, actor=user, target=("user", user.username), role=user.role
            )
        return _enter(request, user, "/")
    return render(request, "login/setup.html", {"form": form}, status=200 if not form.errors else 422)
