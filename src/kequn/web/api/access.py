"""Who is asking: API key, its scope, its rate; and what of a customer it may see."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja.security import HttpBearer

from kequn.web.accounts import api_keys
from kequn.web.accounts.masking import UNMASK_PER_DAY, mask
from kequn.web.accounts.scope import scope_of
from kequn.web.api.failures import ApiError
from kequn.web.audit.record import record
from kequn.web.throttle import within

PER_MINUTE = 600
EXPORTS_PER_HOUR = 60
WRONG_KEYS_PER_MINUTE = 30
CONTACT = frozenset({"name", "phone", "email", "address", "birthday", "wechat_openid", "id_number"})
"""Masked whatever a workspace's own definitions say of them."""


class Key(HttpBearer):
    """`Authorization: Bearer kq….…`. From here on `request.user` is the key's owner."""

    def authenticate(self, request: HttpRequest, token: str) -> Any:
        where = request.META.get("REMOTE_ADDR", "")
        key = api_keys.find(token[:200].replace("\x00", ""))
        if key is None:
            if not within(f"api-wrong:{where}", WRONG_KEYS_PER_MINUTE, 60):
                raise ApiError(429, "api.too_many", seconds=60)
            return None
        if key.user.role in settings.REQUIRE_TOTP_ROLES and not key.user.has_totp:
            raise ApiError(403, "api.two_step")
        if not within(f"api:{key.pk}", PER_MINUTE, 60):
            raise ApiError(429, "api.too_many", seconds=60)
        request.user = key.user
        request.api_key = key  # type: ignore[attr-defined]
        return key


def scope(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An operation for keys with this scope, as long as their owner's role still has it."""
    api_keys.SCOPES[name]

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            need(request, name)
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def need(request: HttpRequest, name: str) -> None:
    """Raise ApiError 403 when the key hasn't the scope."""
    if not api_keys.grants(request.api_key, name):  # type: ignore[attr-defined]
        raise ApiError(403, "api.no_scope", scope=name)


def personal_columns(manifest: dict[str, Any]) -> frozenset[str]:
    """Columns of the profile that are masked unless the key may read them."""
    declared = {item["name"] for item in manifest.get("columns", []) if item.get("privacy", "none") != "none"}
    return frozenset(declared | CONTACT) - {"customer_id"}  # the id is what a member is known by


def plain_row(row: dict[str, Any], personal: Iterable[str], in_clear: bool) -> dict[str, Any]:
    """A profile row without hidden columns, personal ones masked unless `in_clear`."""
    shown = {name: value for name, value in row.items() if not name.startswith(("_t_", "seg_"))}
    hidden = frozenset() if in_clear else frozenset(personal)
    return {name: mask(name, value) if name in hidden else value for name, value in shown.items()}


def unmask(request: HttpRequest, customer_id: str) -> None:
    """Allow one customer in clear: the scope, the limit of the day, and a line in the log."""
    need(request, "personal:read")
    if not within(f"unmask:{request.user.pk}", UNMASK_PER_DAY, 86_400):
        raise ApiError(429, "api.unmasked_enough", most=UNMASK_PER_DAY)
    record("customer.unmasked", request=request, target=("customer", customer_id), reason="API")


def scoped(request: HttpRequest) -> tuple[str, list[str]]:
    """The condition on the profile for what this key's owner may see, with its values."""
    return request.snapshot.scoped(scope_of(request.user))  # type: ignore[attr-defined,no-any-return]


def sees_everyone(request: HttpRequest) -> bool:
    """Whether the key's owner sees all customers."""
    return scope_of(request.user).everyone
