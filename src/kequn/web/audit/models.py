"""One append-only table of events."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models
from django.utils import timezone


class Appended(models.QuerySet["AuditEvent"]):
    """Rows can be added and read; the database refuses the rest too (see the migration's triggers)."""

    def update(self, **_: Any) -> NoReturn:
        raise PermissionError("audit events are never changed")

    def delete(self) -> NoReturn:
        raise PermissionError("audit events are never deleted")


class AuditEvent(models.Model):
    """One event. The actor is kept by number and by name, without a foreign key, so that it outlives the account."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    actor_id = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=60, db_index=True)
    object_type = models.CharField(max_length=40, blank=True)
    object_id = models.CharField(max_length=200, blank=True)
    details = models.JSONField(default=dict)
    ip = models.GenericIPAddressField(null=True)
    api_key = models.CharField(max_length=16, blank=True)

    objects = Appended.as_manager()

    class Meta:
        ordering = ("-at", "-id")
        indexes = (
            models.Index(fields=["object_type", "object_id"]),
            models.Index(fields=["actor_id", "-at"]),
        )

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.action} {self.object_type} {self.object_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the event; raises PermissionError when it already stands in the log."""
        if not self._state.adding:
            raise PermissionError("audit events are never changed")
        super().save(
            *args,
            force_insert=True,
            **{k: v for k, v in kwargs.items() if k not in {"force_insert", "force_update"}},
        )

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        raise PermissionError("audit events are never deleted")
