"""Long work of the administration."""

from __future__ import annotations

import csv
import json
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kequn.web.audit.models import AuditEvent
from kequn.web.audit.record import record
from kequn.web.jobs.context import JobContext
from kequn.web.jobs.registry import job
from kequn.web.ui.spreadsheet import safe_cell

COLUMNS = ("at", "actor", "action", "object_type", "object_id", "details", "ip", "api_key")


@job("audit.export", title=_("导出审计日志"), permission="system.manage", icon="file-spreadsheet")
def export_audit(context: JobContext, **wanted: str) -> dict[str, Any]:
    """The part of the log that the filter chose, as CSV in UTF-8 with a byte order mark (for Excel)."""
    from kequn.web.pages.system.forms import AuditFilter

    events = AuditFilter(wanted).apply(AuditEvent.objects.all())
    total = events.count()
    name = f"audit-{timezone.localdate():%Y%m%d}.csv"
    with (context.folder / name).open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for done, event in enumerate(events.iterator(chunk_size=1000), start=1):
            details = json.dumps(event.details, ensure_ascii=False) if event.details else ""
            at = timezone.localtime(event.at).isoformat(timespec="seconds")
            row = (
                at,
                event.actor,
                event.action,
                event.object_type,
                event.object_id,
                details,
                event.ip or "",
                event.api_key,
            )
            writer.writerow([safe_cell(value) for value in row])
            context.progress(done / max(total, 1), _("写入文件"))
    record(
        "export.created", actor=context.user, target=("job", str(context.job.pk)), kind="audit", rows=total
    )
    return {"file": name, "rows": total}
