"""A job that takes its time, for tests of progress, cancelling and dying."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

from kequn.web.jobs.context import JobContext
from kequn.web.jobs.registry import job


@job("gallery.slow", title="Slow job", permission="aggregates.view")
def slow(context: JobContext, steps: int = 600) -> dict[str, Any]:
    """Goes on for `steps` tenths of a second unless somebody stops it."""
    pause = threading.Event()
    for done in range(steps):
        context.progress(done / steps, "写入文件")
        pause.wait(0.1)
    return {"rows": steps}


@job("gallery.killed", title="Killed job", permission="aggregates.view")
def killed(context: JobContext) -> None:
    """Dies as a process that ran out of memory does."""
    os.kill(os.getpid(), signal.SIGKILL)
