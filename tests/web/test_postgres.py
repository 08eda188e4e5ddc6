"""The same state on PostgreSQL: the tests that touch the database run again there, and the queue works."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.conftest import need
from tests.web.site import REPOSITORY, free_port

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
STATE = ["test_audit.py", "test_jobs.py", "test_people.py", "test_sign_in.py", "test_access.py"]
QUEUE = """
import django; django.setup()
from kequn.web.jobs.queue import queue, run_job
assert type(queue).__name__ == "PostgresHuey"
run_job("0"); run_job("1")
assert len(queue) == 2 and queue.dequeue().args == ("0",)
"""


def _programs() -> Path | None:
    """Where initdb is: on the path, or where Debian keeps it out of the way."""
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found).parent if found else debian[-1].parent if debian else None


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The address of a PostgreSQL of our own (it refuses to run as root, so it runs as its own user then)."""
    programs = _programs()
    need(programs, "PostgreSQL")
    need(find_spec("psycopg"), "psycopg (kequn[postgres])")
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    folder = Path(
        tempfile.mkdtemp(prefix="kequn-postgres-")
    )  # pytest closes its own temporary folders to other users
    if os.geteuid() == 0:
        shutil.chown(folder, user)

    def run(*command: str) -> None:
        subprocess.run(
            command,
            check=True,
            user=user if os.geteuid() == 0 else None,
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )

    port = free_port()
    run(
        f"{programs}/initdb",
        "-D",
        str(folder / "data"),
        "-U",
        "kequn",
        "--auth=trust",
        "-E",
        "UTF8",
        "--no-sync",
    )
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    run(
        f"{programs}/pg_ctl",
        "-D",
        str(folder / "data"),
        "-w",
        "-l",
        str(folder / "log"),
        "-o",
        options,
        "start",
    )
    yield f"postgresql://kequn@127.0.0.1:{port}/postgres"
    run(f"{programs}/pg_ctl", "-D", str(folder / "data"), "-m", "immediate", "stop")
    shutil.rmtree(folder, ignore_errors=True)


def test_everything_about_people_jobs_and_audit_holds_on_postgresql_too(database: str) -> None:
    # with this set, pytest-django would read the settings before our conftest has made a workspace
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    files = [str(Path(__file__).with_name(name)) for name in STATE]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files],
        env={**environment, "KEQUN_DATABASE_URL": database},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]


def test_the_queue_lives_in_postgresql_too(database: str, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "KEQUN_DATABASE_URL": database,
        "KEQUN_WORKSPACE": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "kequn.web.settings",
    }
    done = subprocess.run(
        [sys.executable, "-c", QUEUE], env=environment, cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
