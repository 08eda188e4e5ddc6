"""API keys: made, shown once, found again by prefix, compared by digest."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kequn.web.accounts.models import ApiKey
from kequn.web.accounts.roles import may

if TYPE_CHECKING:
    from kequn.web.accounts.models import User

# scope: (words, the permission its owner must have)
SCOPES = {
    "customers:read": (_("读客户卡"), "customers.view"),
    "segments:read": (_("读客户群与汇总"), "aggregates.view"),
    "members:export": (_("导出名单"), "members.export"),
    "personal:read": (_("读个人信息明文"), "members.export_personal"),
    "outcomes:write": (_("写回跟进结果"), "customers.follow_up"),
    "rules:count": (_("校验规则与计数"), "aggregates.view"),
    "runs:read": (_("读运行与快照"), "aggregates.view"),
    "runs:start": (_("启动运行"), "data.run"),
}


def scopes_for(role: str) -> list[str]:
    """The scopes that a key of someone in this role may have."""
    return [scope for scope, (_title, permission) in SCOPES.items() if may(role, permission)]


def create(user: User, name: str, scopes: Iterable[str], days: int | None = 365) -> tuple[ApiKey, str]:
    """Make a key; returns its row and the key itself, which can't be read again.

    Raises ValueError for a scope that the user's role doesn't have.
    """
    wanted = sorted(set(scopes))
    if not set(wanted) <= set(scopes_for(user.role)):
        raise ValueError("scope")
    prefix, secret = "kq" + secrets.token_hex(4), secrets.token_urlsafe(32)
    expires = timezone.now() + timedelta(days=days) if days else None
    key = ApiKey.objects.create(
        user=user, name=name, prefix=prefix, digest=_digest(secret), scopes=wanted, expires_at=expires
    )
    return key, f"{prefix}.{secret}"


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()  # 256 random bits need no slow hash


def find(token: str) -> ApiKey | None:
    """The working key behind `token`, of an active user; None otherwise. Notes the time of use once a minute."""
    prefix, dot, secret = token.partition(".")
    key = ApiKey.objects.select_related("user").filter(prefix=prefix).first() if dot else None
    stored = key.digest if key else _digest("")
    if (
        not hmac.compare_digest(stored, _digest(secret))
        or key is None
        or not key.works
        or not key.user.is_active
    ):
        return None
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at > timedelta(minutes=1):
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return key


def revoke(key: ApiKey) -> None:
    key.revoked_at = timezone.now()
    key.save(update_fields=["revoked_at"])


def grants(key: ApiKey, scope: str) -> bool:
    """Whether a key may be used for `scope` today: the key has it and its owner's role still does."""
    return scope in key.scopes and scope in scopes_for(key.user.role)
