"""Every failure as JSON: `{"code", "message": {"zh", "en"}, …}`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from kequn.errors import KequnError
from kequn.i18n import say
from kequn.web.serving import Busy, NoSnapshot

NOT_FOUND = frozenset(
    {"reading.no_scheme", "reading.no_segment", "reading.no_target", "reading.no_customer", "snapshot.no_run"}
)
log = logging.getLogger(__name__)


class ApiError(Exception):
    """A failure of the API itself, with its status and the code of its words."""

    def __init__(self, status: int, code: str, **fields: Any) -> None:
        super().__init__(code)
        self.status, self.code, self.fields = status, code, fields


def body(code: str, fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What a failure looks like."""
    return {"code": code, "message": {lang: say(code, lang, **fields) for lang in ("zh", "en")}, **more}


def answer(status: int, code: str, fields: dict[str, Any] | None = None, **more: Any) -> JsonResponse:
    """A failure as a response; 429 and 503 say when to come back."""
    made = JsonResponse(body(code, fields or {}, **more), status=status)
    if status == 401:
        made["WWW-Authenticate"] = "Bearer"
    if status in (429, 503):
        made["Retry-After"] = str((fields or {}).get("seconds", 5))
    return made


def core(request: HttpRequest, error: KequnError) -> HttpResponse:
    """An error of the core: not found, not published, busy, or an input that can't be worked with."""
    status = 404 if error.code in NOT_FOUND else 422
    if isinstance(error, NoSnapshot):
        status = 503 if error.code == "web.snapshot_unreadable" else 409
    elif isinstance(error, Busy):
        status = 503
    more = {
        name: error.fields[name] for name in ("near", "known", "line", "column") if error.fields.get(name)
    }
    return answer(status, error.code, dict(error.fields), **more)


def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Parameters of the wrong kind: where, and what was expected. What was sent isn't repeated."""
    wrong = [
        {"where": ".".join(str(part) for part in one["loc"])[:200], "problem": one["msg"][:200]}
        for one in error.errors
    ]
    return answer(422, "api.invalid", problems=wrong)


def is_database_trouble(error: BaseException | None) -> bool:
    """Whether the application database is locked, gone or no database any more, rather than asked wrongly."""
    return isinstance(error, OperationalError) or type(error) is DatabaseError


def database(request: HttpRequest, error: Exception) -> HttpResponse:
    """The application database: out of reach, or asked wrongly by us."""
    return answer(503, "web.database_unavailable") if is_database_trouble(error) else crashed(request, error)


def crashed(request: HttpRequest, error: Exception) -> HttpResponse:
    """What nobody foresaw is logged, and told without details."""
    log.exception("the API failed at %s", request.path)
    return answer(500, "api.failed")


def no_such_address(request: HttpRequest, path: str = "") -> HttpResponse:
    """Below /api/ an unknown address is JSON too."""
    return answer(404, "api.no_address")


def register(api: NinjaAPI) -> None:
    """Hand the failures over to `api`."""
    handlers: dict[type[Exception], Callable[..., HttpResponse]] = {
        ApiError: lambda request, error: answer(error.status, error.code, error.fields),
        KequnError: core,
        ValidationError: invalid,
        AuthenticationError: lambda request, error: answer(401, "api.no_key"),
        HttpError: lambda request, error: answer(error.status_code, "api.bad_request"),
        PermissionDenied: lambda request, error: answer(403, "api.denied"),
        Http404: lambda request, error: answer(404, "api.no_address"),
        DatabaseError: database,
        Exception: crashed,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)
