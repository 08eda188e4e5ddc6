"""What is known of the data without reading them: the last check of the workspace (kept in `.kequn/check.json`) or the
published run, whichever looked later."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from kequn.definitions import save_text
from kequn.errors import SnapshotError
from kequn.web.serving import serving
from kequn.workspace import Workspace


def _file() -> Path:
    return Path(settings.PRIVATE) / "check.json"


def remember_check(workspace: Workspace) -> dict[str, Any]:
    """Check the workspace as `kequn check` does and keep the answer with its time. Raises KequnError."""
    from kequn.pipeline.check import check_workspace

    answer = {**check_workspace(workspace), "checked_at": timezone.now().isoformat(timespec="seconds")}
    save_text(_file(), json.dumps(answer, ensure_ascii=False, default=str))
    return answer


def latest() -> dict[str, Any] | None:
    """`tables`, `models`, `warnings` and `checked_at` (ISO) of the last check or the published run; None before both."""
    checked, ran = _last_check(), _published()
    if checked is None or ran is None:
        return checked or ran
    return max(checked, ran, key=lambda found: datetime.fromisoformat(found["checked_at"]))


def _last_check() -> dict[str, Any] | None:
    """What the last check answered, None when there was none (or its file can't be read)."""
    try:
        found: dict[str, Any] = json.loads(_file().read_text(encoding="utf-8"))
        return found if isinstance(found, dict) and {"models", "checked_at"} <= found.keys() else None
    except (OSError, ValueError):
        return None


def _published() -> dict[str, Any] | None:
    """What the published run noticed of its data; a run reads and checks them as `kequn check` does."""
    from kequn.pipeline.readiness import of_run

    try:
        with serving().pin() as reader:
            manifest = reader.manifest.model_dump(mode="json")
    except SnapshotError:
        return None
    counts = manifest.get("reconciliation", {}).get("tables", {})
    return {
        "tables": [{"table": name, **part} for name, part in counts.items()],
        "models": of_run(manifest),
        "warnings": [
            one for one in manifest.get("warnings", []) if not one["code"].startswith(("scheme.", "cluster."))
        ],
        "checked_at": manifest["created_at"],
    }
