"""What an administrator does to members: each function checks, changes and records. Pages and API call these."""

from __future__ import annotations

from typing import Any

from axes.utils import reset
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from kequn.web.accounts import totp
from kequn.web.accounts.models import SegmentOwner, User
from kequn.web.accounts.passwords import send_link
from kequn.web.accounts.roles import Role
from kequn.web.audit.record import record


def _check(request: HttpRequest) -> None:
    if not request.user.may("system.manage"):
        raise PermissionDenied


def keep_an_administrator(user: User, role: str, active: bool) -> None:
    """Raise ValidationError when this change would leave nobody to administer."""
    if role == Role.ADMINISTRATOR and active:
        return
    others = User.objects.filter(role=Role.ADMINISTRATOR, is_active=True).exclude(pk=user.pk)
    if user.role == Role.ADMINISTRATOR and user.is_active and not others.exists():
        raise ValidationError(_("至少要保留一位启用的管理员"))


@transaction.atomic
def invite(request: HttpRequest, fields: dict[str, Any]) -> tuple[User, str]:
    """Create a member without a password; returns them and the link on which they choose one."""
    _check(request)
    user = User.objects.create_user(**fields)
    record("user.created", request=request, target=("user", user.username), role=user.role)
    link = send_link(request, user, invite=True)
    record("user.invited", request=request, target=("user", user.username), mailed=bool(user.email))
    return user, link


@transaction.atomic
def change(request: HttpRequest, user: User, before: dict[str, Any], segments: list[tuple[str, str]]) -> None:
    """Save an edited member; a changed role ends their sessions, so that the new limits hold at once."""
    _check(request)
    changed = {
        name: [before[name], getattr(user, name)] for name in before if before[name] != getattr(user, name)
    }
    if "role" in changed:
        user.session_epoch += 1
    user.save()
    owned = {(owner.scheme, owner.segment) for owner in user.owned.all()}
    if owned != set(segments):
        user.owned.all().delete()
        SegmentOwner.objects.bulk_create([SegmentOwner(user=user, scheme=s, segment=g) for s, g in segments])
        names = [f"{scheme}/{segment}" for scheme, segment in segments]
        record("segment.owner_changed", request=request, target=("user", user.username), segments=names)
    if changed:
        record(
            "user.changed",
            request=request,
            target=("user", user.username),
            fields=sorted(changed),
            role=user.role,
        )


@transaction.atomic
def set_active(request: HttpRequest, user: User, active: bool) -> None:
    """Switch an account on or off; off ends its sessions and stops its API keys at once."""
    _check(request)
    keep_an_administrator(user, user.role, active)
    user.is_active = active
    user.session_epoch += 1
    user.save(update_fields=["is_active", "session_epoch"])
    record(
        "user.activated" if active else "user.deactivated", request=request, target=("user", user.username)
    )


def new_link(request: HttpRequest, user: User) -> str:
    """A link on which this member chooses a new password."""
    _check(request)
    record("password.reset_requested", request=request, target=("user", user.username), by="administrator")
    return send_link(request, user, invite=not user.has_usable_password())


@transaction.atomic
def reset_two_step(request: HttpRequest, user: User) -> None:
    """For somebody who lost the phone and the recovery codes."""
    _check(request)
    totp.disable(user)
    record("totp.disabled", request=request, target=("user", user.username), by="administrator")


def unlock(request: HttpRequest, user: User) -> None:
    """Forget wrong passwords and codes."""
    _check(request)
    reset(username=user.username)
    User.objects.filter(pk=user.pk).update(totp_failures=0, totp_locked_until=None)
    record("user.unlocked", request=request, target=("user", user.username))
