"""The worker process: `python -m kequn.web.jobs.consumer [--with-parent]`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

JOBS_AT_ONCE = 2


def main(with_parent: bool) -> None:
    """Work through the queue until told to stop; with `--with-parent`, also stop when the server goes away."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kequn.web.settings")
    import django

    django.setup()
    from kequn.web.jobs import lifecycle
    from kequn.web.jobs.queue import queue

    lifecycle.sweep()
    lifecycle.requeue_waiting()
    if with_parent:
        threading.Thread(target=_follow, args=(os.getppid(),), daemon=True).start()
    # children do the work, so threads that wait for them are enough
    queue.create_consumer(workers=JOBS_AT_ONCE, worker_type="thread", max_delay=1.0).run()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main("--with-parent" in sys.argv[1:])
