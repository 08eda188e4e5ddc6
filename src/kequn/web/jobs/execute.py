"""`python -m kequn.web.jobs.execute JOB_ID`: one job, one process."""

from __future__ import annotations

import os
import sys


def main(job_id: str) -> int:
    """Run the job; always 0, because the job's row says how it went."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kequn.web.settings")
    import django

    django.setup()
    from kequn.web.jobs import lifecycle

    lifecycle.execute(job_id)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
