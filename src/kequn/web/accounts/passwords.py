"""Signing in with a password, and the links by which a password is first set or reset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import hashers
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from kequn.web.environment import workspace_facts

if TYPE_CHECKING:
    from django.http import HttpRequest

    from kequn.web.accounts.models import User


class Argon2PasswordHasher(hashers.Argon2PasswordHasher):
    """Argon2id as OWASP's password storage cheat sheet advises (19 MiB, two passes): four people who sign in at once
    shall not take 400 MB."""

    memory_cost = 19_456  # KiB
    parallelism = 1


class PasswordBackend(ModelBackend):
    """Checks passwords only; permissions come from roles (`User.has_perm`)."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return False

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        return set()


def set_password_link(request: HttpRequest, user: User) -> str:
    """A link, good for one day and one use, on which `user` chooses a password."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    path = reverse("login:password_set", args=[uid, default_token_generator.make_token(user)])
    return request.build_absolute_uri(path)


def send_link(request: HttpRequest, user: User, *, invite: bool) -> str:
    """Mail `user` the link (in their language) and return it, so that an administrator can also pass it on."""
    link = set_password_link(request, user)
    if user.email:
        with translation.override(user.language or workspace_facts(settings.WORKSPACE).language):
            subject = (
                translation.gettext("邀请你使用客群工作台")
                if invite
                else translation.gettext("重置客群工作台的密码")
            )
            body = render_to_string("mail/password.txt", {"user": user, "link": link, "invite": invite})
        send_mail(subject, body, settings.DEFAULT_FROM_EMAIL, [user.email], fail_silently=True)
    return link
