"""Who saved which text of which file when."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Version(models.Model):
    """One text of a definition file. `removed` is the version after a file was deleted; its text is empty."""

    path = models.CharField(max_length=120, db_index=True)
    at = models.DateTimeField(default=timezone.now)
    author = models.CharField(
        max_length=150, blank=True
    )  # by name: it outlives the account; "" is a hand outside
    author_id = models.BigIntegerField(null=True)
    note = models.CharField(max_length=200, blank=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    text = models.TextField(blank=True)
    removed = models.BooleanField(default=False)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.path} {self.at:%Y-%m-%d %H:%M:%S} {self.author}"
