"""Checking the workspace as a job: reading new files may take minutes."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from kequn.web.jobs.context import JobContext
from kequn.web.jobs.registry import job


@job("check", title=_("检查数据"), permission="data.import", icon="shield-check")
def check_data(context: JobContext) -> dict[str, Any]:
    """Read the sources, put the library's schemes into a workspace that has none, say what the data allow."""
    from kequn.pipeline.setup import prepare
    from kequn.web.pages.quality.readiness import remember_check
    from kequn.workspace import Workspace

    workspace = Workspace.open(context.workspace)
    context.progress(0.05, _("读取数据"))
    if not any(workspace.schemes.glob("*.yaml")):
        prepare(workspace)
    context.progress(0.7, _("检查方案与数据就绪度"))
    answer = remember_check(workspace)
    return {"url": reverse("quality:index"), "rows": sum(table["rows"] for table in answer["tables"])}
