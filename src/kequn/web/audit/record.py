"""Writing to the audit log: `record` from a view or a job."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from kequn.web.audit.actions import ACTIONS
from kequn.web.audit.models import AuditEvent

SYSTEM = "system"


def record(
    action: str,
    *,
    request: HttpRequest | None = None,
    actor: Any = None,
    target: tuple[str, str] = ("", ""),
    **details: Any,
) -> AuditEvent:
    """Append one event.

    `target` is (kind, id) of what was acted on; `details` must be JSON and hold no personal data and no secret. The
    actor is `actor`, else the request's user, else the system. Raises KeyError for an action without words.
    """
    if action not in ACTIONS:
        raise KeyError(action)
    user = actor if actor is not None else getattr(request, "user", None)
    known = user is not None and getattr(user, "is_authenticated", False)
    return AuditEvent.objects.create(
        action=action,
        actor_id=user.pk if known else None,
        actor=user.get_username() if known else SYSTEM,
        object_type=target[0],
        object_id=str(target[1])[:200],
        details=details,
        ip=address(request),
        api_key=getattr(getattr(request, "api_key", None), "prefix", "") or "",
    )


def address(request: HttpRequest | None) -> str | None:
    """The address the request came from; a proxy's word is not taken, because anyone can write that header."""
    return (request.META.get("REMOTE_ADDR") or None) if request is not None else None
