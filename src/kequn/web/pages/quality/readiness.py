"""The last check of the workspace, kept in `.kequn/check.json`: a page must not wait for the data to be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from kequn.definitions import save_text
from kequn.workspace import Workspace


def _file() -> Path:
    return Path(settings.PRIVATE) / "check.json"


def remember_check(workspace: Workspace) -> dict[str, Any]:
    """Check the workspace as `kequn check` does and keep the answer with its time. Raises KequnError."""
    from kequn.pipeline.check import check_workspace

    answer = {**check_workspace(workspace), "checked_at": timezone.now().isoformat(timespec="seconds")}
    save_text(_file(), json.dumps(answer, ensure_ascii=False, default=str))
    return answer


def last_check() -> dict[str, Any] | None:
    """What the last check answered, None when there was none (or its file can't be read)."""
    try:
        found: dict[str, Any] = json.loads(_file().read_text(encoding="utf-8"))
        return found if isinstance(found, dict) and "models" in found else None
    except (OSError, ValueError):
        return None
