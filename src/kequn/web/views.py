"""What belongs to no page: home, the search box, language and theme, error pages."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from kequn.web import navigation
from kequn.web.accounts.models import User
from kequn.web.api.failures import is_database_trouble
from kequn.web.middleware import database_unavailable
from kequn.web.ui.lookup import hits

THEMES = ("auto", "light", "dark")
YEAR = 60 * 60 * 24 * 365


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """The first page that this person may open."""
    page = navigation.home(request.user)
    return redirect(page.view if page else "account:index")


@require_GET
def search(request: HttpRequest) -> HttpResponse:
    """Pages, and whatever pages offer, that fit what was typed into the search box."""
    text = request.GET.get("q", "").strip()[:100]
    return render(request, "shell/hits.html", {"groups": hits(request, text) if text else [], "text": text})


@login_not_required
@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Remember the language: for the person, and in a cookie for the sign-in page."""
    language = request.POST.get("language", "")
    response = _back(request)
    if language in dict(settings.LANGUAGES):
        if request.user.is_authenticated:
            User.objects.filter(pk=request.user.pk).update(language=language)
        translation.activate(language)
        _remember(response, settings.LANGUAGE_COOKIE_NAME, language)
    return response


@login_not_required
@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Remember light, dark or as the system says."""
    theme = request.POST.get("theme", "")
    response = _back(request)
    if theme in THEMES:
        if request.user.is_authenticated:
            User.objects.filter(pk=request.user.pk).update(theme=theme)
        _remember(response, "kequn_theme", theme)
    return response


def _remember(response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=YEAR, secure=settings.HTTPS, httponly=True, samesite="Lax")


def _back(request: HttpRequest) -> HttpResponse:
    """To where the form was sent from, when that is here."""
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(target if safe else "/")


def _problem(request: HttpRequest, template: str, status: int, **context: Any) -> HttpResponse:
    return render(request, template, {"status": status, **context}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _problem(request, "states/bad_request.html", 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _problem(request, "states/forbidden.html", 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _problem(request, "states/not_found.html", 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """A database that can't be asked is told as such, also where it was needed before a page began."""
    if is_database_trouble(sys.exc_info()[1]):
        return database_unavailable(request)
    return _problem(request, "states/server_error.html", 500)
