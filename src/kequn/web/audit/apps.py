from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AuditConfig(AppConfig):
    name = "kequn.web.audit"
    label = "audit"
    verbose_name = _("审计")

    def ready(self) -> None:
        from kequn.web.audit import signals  # noqa: F401  (connects sign-in events)
