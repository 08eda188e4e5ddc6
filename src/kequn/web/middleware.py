"""What happens around every request: health, headers, who is asking and in which language, one snapshot, clear errors."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.gzip import GZipMiddleware
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.functional import SimpleLazyObject

from kequn.errors import KequnError
from kequn.i18n import explain
from kequn.web.api import failures
from kequn.web.environment import flag
from kequn.web.serving import Busy, NoSnapshot, Reader, serving

Next = Callable[[HttpRequest], HttpResponse]
PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=(), interest-cohort=()"
OPEN_TO_UNENROLLED = ("account:totp", "login:out", "set_language", "set_theme")


def health(get_response: Next) -> Next:
    """Answer /healthz before anything else can fail; behind a proxy, take the address from its header."""
    behind_proxy = flag("KEQUN_BEHIND_PROXY")

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path == "/healthz":
            return healthz()
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
        if behind_proxy and forwarded:
            request.META["REMOTE_ADDR"] = forwarded.rsplit(",", 1)[-1].strip()
        return get_response(request)

    return middleware


def healthz() -> JsonResponse:
    """200 when the database answers, else 503. The snapshot is reported, but a new workspace without one is healthy."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        database = True
    except DatabaseError:
        database = False
    body = {
        "status": "ok" if database else "failing",
        "database": database,
        "snapshot": serving().current_run() or "",
    }
    return JsonResponse(body, status=200 if database else 503, headers={"Cache-Control": "no-store"})


def headers(get_response: Next) -> Next:
    """Headers that Django has no setting for. Pages hold customer data: no cache may keep them."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    return middleware


class Compressed(GZipMiddleware):
    """Pages and answers go out compressed, their lengths blurred; lists that are streamed go as they are."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        return response if response.streaming else super().process_response(request, response)


def person(get_response: Next) -> Next:
    """The signed-in person's language; sessions end a week after sign-in; some roles must set up two-step sign-in."""

    def middleware(request: HttpRequest) -> HttpResponse:
        user = request.user
        if user.is_authenticated:
            began = request.session.get("signed_in_at")
            if began is not None and time.time() - began > settings.SESSION_ABSOLUTE_AGE:
                logout(request)
                return redirect("login:index")
            _slide(request)
            if user.language and user.language != translation.get_language():
                translation.activate(user.language)
                request.LANGUAGE_CODE = user.language
            if (
                user.role in settings.REQUIRE_TOTP_ROLES
                and not user.has_totp
                and request.path not in _open_paths()
            ):
                return redirect("account:totp")
        return get_response(request)

    return middleware


def _slide(request: HttpRequest) -> None:
    """Count the idle time from now on, writing the session at most every five minutes."""
    if time.time() - request.session.get("active_at", 0) > 300:
        request.session["active_at"] = int(time.time())


def _open_paths() -> set[str]:
    return {reverse(name) for name in OPEN_TO_UNENROLLED}


def one_snapshot(get_response: Next) -> Next:
    """`request.snapshot`: the published snapshot, pinned at first use until the response is sent."""

    def middleware(request: HttpRequest) -> HttpResponse:
        held: list[Reader] = []

        def pin() -> Reader:
            held.append(serving().acquire())
            return held[0]

        def let_go() -> None:
            while held:
                serving().release(held.pop())

        request.snapshot = SimpleLazyObject(pin)  # type: ignore[attr-defined]
        request.pinned = held  # type: ignore[attr-defined]
        try:
            response = get_response(request)
        except BaseException:
            let_go()
            raise
        if response.streaming:  # a streamed export reads on, or begins to, after we return
            _when_closed(response, let_go)
        else:
            let_go()
        return response

    return middleware


def _when_closed(response: HttpResponse, action: Callable[[], None]) -> None:
    class Closer:
        def close(self) -> None:
            action()

    response._resource_closers.append(Closer().close)  # type: ignore[attr-defined]


class errors:
    """Errors that a user may see become a clear page, fragment or JSON; anything else stays a 500."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, NoSnapshot):
            return problem(
                request,
                error,
                503 if error.code == "web.snapshot_unreadable" else 200,
                "states/no_snapshot.html",
            )
        if isinstance(error, Busy):
            return problem(request, error, 503)
        if isinstance(error, KequnError):
            return problem(request, error, 422)
        if failures.is_database_trouble(error):
            return database_unavailable(request)
        return None


def database_unavailable(request: HttpRequest) -> HttpResponse:
    """503 in the form that the caller reads, without a look at the person, their messages or anything else kept there."""
    code = "web.database_unavailable"
    if request.path.startswith("/api/"):
        return failures.answer(503, code)
    text = explain(KequnError(code), "en" if (translation.get_language() or "").startswith("en") else "zh")
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse({"code": code, "message": text}, status=503)
    template = "states/fragment.html" if request.headers.get("HX-Request") else "states/error.html"
    return HttpResponse(render_to_string(template, {"message": text, "code": code}), status=503)


def problem(
    request: HttpRequest, error: KequnError, status: int, template: str = "states/error.html"
) -> HttpResponse:
    """The answer to an error in the form that the caller reads."""
    language = "en" if (translation.get_language() or "").startswith("en") else "zh"
    text = explain(error, language)
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse({"code": error.code, "message": text}, status=409 if status == 200 else status)
    if getattr(request, "htmx", False):
        return render(request, "states/fragment.html", {"message": text}, status=status)
    return render(request, template, {"message": text, "code": error.code, "status": status}, status=status)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form from a stale tab: say so and offer to load the page again."""
    return render(request, "states/stale.html", status=403)
