"""Two-step sign-in with time-based codes (RFC 6238): enrolment, checking, recovery codes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pyotp
import segno
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import transaction
from django.utils import timezone

if TYPE_CHECKING:
    from kequn.web.accounts.models import User

STEP_SECONDS = 30
TRIES = 5
LOCK = timedelta(minutes=15)


def _vault() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    derived = (
        base64.urlsafe_b64encode(hashlib.sha256(f"kequn.totp:{key}".encode()).digest()) for key in keys
    )
    return MultiFernet([Fernet(key) for key in derived])


def seal(secret: str) -> str:
    """Encrypt a secret for the database."""
    return _vault().encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str | None:
    """The secret again; None when it was sealed under a key that we no longer have."""
    try:
        return _vault().decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


def new_secret() -> str:
    return pyotp.random_base32()


def qr_svg(user: User, secret: str, issuer: str) -> str:
    """The enrolment code as a data URI for an <img>."""
    uri = pyotp.TOTP(secret).provisioning_uri(name=user.username, issuer_name=issuer)
    return segno.make(uri, error="m").svg_data_uri(scale=5, border=2, dark="#111827", light="#ffffff")


def matching_step(secret: str, code: str, after: int) -> int | None:
    """The time step whose code this is: now or one step to either side, and later than `after`."""
    now = int(time.time()) // STEP_SECONDS
    totp = pyotp.TOTP(secret)
    for step in (now - 1, now, now + 1):
        if step > after and hmac.compare_digest(totp.at(step * STEP_SECONDS), code):
            return step
    return None


def enrol(user: User, secret: str, code: str) -> list[str] | None:
    """Switch two-step sign-in on when `code` proves that the phone has `secret`; returns ten recovery codes, else None."""
    step = matching_step(secret, code, 0)
    if step is None:
        return None
    codes = ["-".join((secrets.token_hex(3), secrets.token_hex(3))) for _ in range(10)]
    user.totp_secret, user.totp_last_step, user.totp_failures = seal(secret), step, 0
    user.recovery_codes = [_digest(code) for code in codes]
    user.save(update_fields=["totp_secret", "totp_last_step", "totp_failures", "recovery_codes"])
    return codes


def disable(user: User) -> None:
    user.totp_secret, user.recovery_codes = "", []
    user.totp_failures, user.totp_locked_until = 0, None
    user.save(update_fields=["totp_secret", "recovery_codes", "totp_failures", "totp_locked_until"])


def _digest(code: str) -> str:
    return hashlib.sha256(code.strip().lower().encode()).hexdigest()


def is_locked(user: User) -> bool:
    return user.totp_locked_until is not None and user.totp_locked_until > timezone.now()


@transaction.atomic
def check(user: User, code: str) -> str | None:
    """Check a code at sign-in: "totp", "recovery" (that code is now used up), or None.

    Five wrong codes lock the second step for a quarter of an hour. The row is read again under a lock, so that one
    code can't be used twice at the same time.
    """
    fresh = type(user).objects.select_for_update().get(pk=user.pk)
    if is_locked(fresh):
        return None
    code = code.replace(" ", "")
    secret = unseal(fresh.totp_secret)
    step = matching_step(secret, code, fresh.totp_last_step) if secret else None
    used = _digest(code)
    found = "totp" if step is not None else "recovery" if used in fresh.recovery_codes else None
    if found == "totp":
        fresh.totp_last_step = step
    elif found == "recovery":
        fresh.recovery_codes = [kept for kept in fresh.recovery_codes if kept != used]
    if found:
        fresh.totp_failures, fresh.totp_locked_until = 0, None
    else:
        fresh.totp_failures += 1
        if fresh.totp_failures >= TRIES:
            fresh.totp_failures, fresh.totp_locked_until = 0, timezone.now() + LOCK
    fresh.save(update_fields=["totp_last_step", "totp_failures", "totp_locked_until", "recovery_codes"])
    return found
