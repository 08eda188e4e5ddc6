"""Sign-ins and sign-outs, recorded wherever they happen."""

from __future__ import annotations

from typing import Any

from axes.signals import user_locked_out
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver

from kequn.web.audit.record import record


@receiver(user_logged_in)
def signed_in(request: Any, user: Any, **_: Any) -> None:
    record("login", request=request, actor=user)


@receiver(user_logged_out)
def signed_out(request: Any, user: Any, **_: Any) -> None:
    if user is not None:
        record("logout", request=request, actor=user)


@receiver(user_login_failed)
def refused(credentials: dict[str, Any], request: Any = None, **_: Any) -> None:
    record("login.failed", request=request, target=("user", str(credentials.get("username", ""))[:150]))


@receiver(user_locked_out)
def locked(request: Any, username: str | None = None, **_: Any) -> None:
    record("login.locked", request=request, target=("user", (username or "")[:150]))
