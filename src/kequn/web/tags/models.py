"""Which customer carries which tag, and who put it there."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

LONGEST = 24


class Tag(models.Model):
    """One tag on one customer. `audience` is the list that the tag is kept in step with."""

    customer_id = models.CharField(max_length=120, db_index=True)
    title = models.CharField(max_length=LONGEST)
    audience = models.CharField(max_length=40)
    by = models.CharField(max_length=150)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("title", "customer_id")
        constraints = (models.UniqueConstraint(fields=["title", "customer_id"], name="tag_once"),)
        indexes = (models.Index(fields=["audience"]),)

    def __str__(self) -> str:
        return f"{self.title}: {self.customer_id}"
