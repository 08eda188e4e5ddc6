"""Runs: what was calculated and when, start one, go back to an earlier one, and the nightly schedule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext_lazy as _

from kequn.web.navigation import Alert, Page


def _alerts(user: Any) -> Iterator[Alert]:
    from kequn.web.pages.runs.alerts import alerts

    return alerts(user)


PAGE = Page(
    "runs", "runs/", _("运行与快照"), icon="history", step="identify", order=30, permission="aggregates.view",
    keywords="runs snapshots rollback schedule nightly", alerts=_alerts,
)  # fmt: skip
