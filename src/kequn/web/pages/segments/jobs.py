"""Members of a segment or of a list as a file."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext_lazy as _

from kequn.errors import SnapshotError
from kequn.web.accounts.scope import scope_of
from kequn.web.audit.record import record
from kequn.web.jobs.context import JobContext
from kequn.web.jobs.registry import job

NAMED = frozenset({"name", "phone", "email", "birth_date"})


@job("members.export", title=_("导出名单"), permission="members.export", icon="download")
def export_members(
    context: JobContext, run: str, scheme: str = "", segment: str = "", format: str = "csv", personal: bool = False, lang: str = "zh",
    audience: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Write the members of a segment, or of the list `audience`, in the run that the person looked at.

    Rights are asked again, for the job may start much later; a list may hold anybody, so it needs a person who sees everybody.

    Personal columns are left out unless they were asked for by somebody who may have them.
    """
    from kequn.reading.export import export_members as write
    from kequn.snapshot import SnapshotStore

    user = context.user
    target = None if audience else (scheme, segment)
    scope = scope_of(user)
    if not user.has_perm("members.export", target) or not (scope.everyone or target in scope.segments):
        raise PermissionDenied
    if format not in ("csv", "xlsx", "parquet"):
        raise SnapshotError("web.snapshot_unreadable", run=run)
    with_personal = personal and user.has_perm("members.export_personal", target)
    snapshot = SnapshotStore(context.workspace / "snapshots").snapshot(run)
    manifest = snapshot.manifest.model_dump(mode="json")
    declared = {item["name"]: item.get("privacy", "none") for item in manifest.get("columns") or ()}
    with snapshot.connect() as con:
        columns = [row[0] for row in con.execute("DESCRIBE profile").fetchall()]
        hidden = set() if with_personal else {
            name for name in columns
            if name != "customer_id" and declared.get(name, "personal" if name in NAMED else "none") != "none"
        }  # fmt: skip
        whole = audience or f"{scheme}/{segment}"
        total = con.execute(
            "SELECT count(*) FROM audience_member WHERE audience = ?" if audience
            else "SELECT count(*) FROM assignment WHERE scheme = ? AND segment = ?", [audience] if audience else [scheme, segment],
        ).fetchone()[0]  # fmt: skip
        name = f"{whole.replace('/', '-')}-{manifest['as_of']}.{format}"
        rows = write(
            con, whole, context.folder / name, manifest, lang, leave_out=hidden, contact=with_personal,
            seen=lambda done: context.progress(min(done / max(total, 1), 0.99), _("写入文件")),
        )  # fmt: skip
    record(
        "export.created", actor=user, target=("audience" if audience else "segment", whole), kind="members", rows=rows, format=format,
        personal=with_personal, run=run,
    )  # fmt: skip
    return {"file": name, "rows": rows}
