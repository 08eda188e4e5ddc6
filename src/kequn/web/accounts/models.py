"""User, the segments a user owns, and API keys."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from kequn.web.accounts.roles import Role, may


class People(BaseUserManager["User"]):
    """Creating users, and finding them whatever the case of what was typed."""

    def create_user(self, username: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(username=self.model.normalize_username(username), **fields)
        user.email = self.normalize_email(user.email)
        user.set_password(password)
        user.full_clean(exclude=["password"])
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(username__iexact=username)


class User(AbstractBaseUser):
    """A person who signs in. Accounts are deactivated, never deleted, so that the audit log keeps its meaning."""

    username = models.CharField(
        _("用户名"),
        max_length=64,
        unique=True,
        validators=[UnicodeUsernameValidator()],
        error_messages={"unique": _("这个用户名已被使用")},
    )
    name = models.CharField(_("姓名"), max_length=80, blank=True)
    email = models.EmailField(_("邮箱"), blank=True)
    role = models.CharField(_("角色"), max_length=20, choices=Role.choices, default=Role.VIEWER)
    account_manager = models.CharField(
        _("客户经理名"),
        max_length=120,
        blank=True,
        help_text=_("与数据中的「客户经理」一致；销售只看到自己名下的客户"),
    )
    is_active = models.BooleanField(_("启用"), default=True)
    language = models.CharField(
        _("语言"), max_length=10, blank=True, choices=[("zh-hans", "中文"), ("en", "English")]
    )
    theme = models.CharField(
        _("外观"),
        max_length=5,
        default="auto",
        choices=[("auto", _("跟随系统")), ("light", _("浅色")), ("dark", _("深色"))],
    )
    totp_secret = models.CharField(max_length=255, blank=True)  # encrypted; empty = not enrolled
    totp_last_step = models.BigIntegerField(
        default=0
    )  # the last 30-second step used, so that a code works once
    totp_failures = models.PositiveSmallIntegerField(default=0)
    totp_locked_until = models.DateTimeField(null=True, blank=True)
    recovery_codes = models.JSONField(default=list, blank=True)  # sha256 of those not used yet
    session_epoch = models.PositiveIntegerField(default=0)  # one more = all sessions end
    tasks_seen_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)

    objects = People()
    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"

    class Meta:
        ordering = ("username",)
        constraints = (models.UniqueConstraint(Lower("username"), name="username_ignores_case"),)

    def __str__(self) -> str:
        return self.name or self.username

    def clean(self) -> None:
        self.username = self.normalize_username(self.username)

    def has_perm(self, permission: str, obj: Any = None) -> bool:
        """Whether this person may do `permission` (a name in `roles.PERMISSIONS`), to `obj` when one is given."""
        from kequn.web.accounts.permissions import allowed

        return allowed(self, permission, obj)

    def may(self, permission: str) -> bool:
        """Whether the role has `permission`, whatever the object."""
        return self.is_active and may(self.role, permission)

    @property
    def has_totp(self) -> bool:
        return bool(self.totp_secret)

    def get_session_auth_hash(self) -> str:
        """Changes with the password and with `session_epoch`; a session made under another hash ends."""
        return self._epoch_hash(None)

    def get_session_auth_fallback_hash(self) -> Any:
        from django.conf import settings

        for secret in settings.SECRET_KEY_FALLBACKS:
            yield self._epoch_hash(secret)

    def _epoch_hash(self, secret: str | None) -> str:
        text = f"{self.password}:{self.session_epoch}"
        return salted_hmac("kequn.web.accounts.session", text, secret=secret, algorithm="sha256").hexdigest()


class SegmentOwner(models.Model):
    """Who answers for a segment. A segment owner sees the members of these segments only."""

    user = models.ForeignKey(User, models.CASCADE, related_name="owned")
    scheme = models.CharField(max_length=80)
    segment = models.CharField(max_length=120)

    class Meta:
        ordering = ("scheme", "segment")
        constraints = (models.UniqueConstraint(fields=["user", "scheme", "segment"], name="one_owner_row"),)

    def __str__(self) -> str:
        return f"{self.scheme}/{self.segment}"


class ApiKey(models.Model):
    """A key for the REST API. Only its sha256 is kept; the key is shown once."""

    user = models.ForeignKey(User, models.CASCADE, related_name="api_keys")
    name = models.CharField(_("用途"), max_length=80)
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"

    @property
    def works(self) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())
