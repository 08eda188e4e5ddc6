"""Starting the workbench: database and static files made ready, gunicorn in front, one job worker beside it."""

from __future__ import annotations

import ctypes
import gc
import hashlib
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kequn.errors import ConfigError
from kequn.web import environment
from kequn.workspace import SETTINGS

THREADS = 4
_ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h
EXPORT_SECONDS = 600  # a streamed export may take this long before gunicorn gives the worker up


@dataclass(frozen=True)
class Account:
    """A user that was created. `password` is set only when we made it up: show it once."""

    username: str
    role: str
    password: str | None = None


def prepare(workspace: Path) -> None:
    """Point Django at `workspace` and bring its database and static files up to date.

    Raises ConfigError(`workspace.none`) for a folder without `kequn.yaml`, and `web.database_url`.
    """
    workspace = workspace.resolve()
    if not (workspace / SETTINGS).is_file():
        raise ConfigError("workspace.none", folder=str(workspace), file=SETTINGS)
    os.environ["KEQUN_WORKSPACE"] = str(workspace)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kequn.web.settings")
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=0)
    call_command("createcachetable", verbosity=0)
    _collect_static()


def _collect_static() -> None:
    """Hash and compress the static files once per version of them."""
    from django.conf import settings
    from django.core.management import call_command

    stamp = Path(settings.STATIC_ROOT) / ".fingerprint"
    digest = hashlib.sha256()
    for file in sorted((settings.BASE / "static").rglob("*")):
        if file.is_file():
            digest.update(
                f"{file.relative_to(settings.BASE)}:{file.stat().st_size}:{file.stat().st_mtime_ns}\n".encode()
            )
    fingerprint = digest.hexdigest()
    if stamp.is_file() and stamp.read_text() == fingerprint:
        return
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    stamp.write_text(fingerprint)


def add_user(
    workspace: Path, username: str, *, role: str = "administrator", password: str | None = None,
    name: str = "", email: str = "", account_manager: str = "", language: str = "",
) -> Account:  # fmt: skip
    """Create a user in the workspace's workbench; without `password` one is made up and returned.

    Raises ConfigError: `web.unknown_role`, `web.user_exists`, `web.user_invalid`, and what `prepare` raises.
    """
    prepare(workspace)
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError
    from django.utils import translation

    from kequn.web.accounts.models import User
    from kequn.web.accounts.roles import Role
    from kequn.web.audit.record import record

    if role not in Role.values:
        raise ConfigError("web.unknown_role", role=role, known=list(Role.values))
    if User.objects.filter(username__iexact=username).exists():
        raise ConfigError("web.user_exists", username=username)
    made_up = None if password else secrets.token_urlsafe(12)
    try:
        with translation.override(language or None):
            validate_password(password or made_up or "")
            user = User.objects.create_user(
                username, password or made_up, role=role, name=name, email=email,
                account_manager=account_manager, language=language,
            )  # fmt: skip
    except ValidationError as error:
        raise ConfigError("web.user_invalid", reason=" ".join(error.messages)) from error
    record("user.created", target=("user", user.username), role=role, by="command line")
    return Account(user.username, role, made_up)


def add_demo_account(workspace: Path) -> Account:
    """The administrator `demo` of a demo workspace, with the password kept in `.kequn/demo_password` (mode 0600).

    The first call creates it; later calls return the same, so that `make serve` can print it again. Raises
    ConfigError(`web.not_a_demo`) when the workspace has users but no demo account of ours.
    """
    prepare(workspace)
    from kequn.web.accounts.models import User

    file = environment.private_folder(workspace.resolve()) / "demo_password"
    if User.objects.filter(username="demo").exists() and file.is_file():
        return Account("demo", "administrator", file.read_text(encoding="utf-8"))
    if User.objects.exists():
        raise ConfigError("web.not_a_demo")
    password = environment.secret_file(file, 12)
    return Account("demo", add_user(workspace, "demo", password=password, name="演示账号").role, password)


def forget_tags(workspace: Path, customer_id: str) -> int:
    """Take all tags off a customer; 0 for a workspace that was never served. Raises what `prepare` raises.

    The lists of ids that tags are kept in step with belong to the audiences: see `audience.forget_in_lists`.
    """
    if not (os.environ.get("KEQUN_DATABASE_URL") or (workspace / environment.STATE).is_file()):
        return 0
    prepare(workspace)
    from kequn.web.tags.models import Tag

    return Tag.objects.filter(customer_id=customer_id).delete()[0]


def setup_path(workspace: Path) -> str | None:
    """Where the first administrator is created, while there are no users; else None. Call after `prepare`."""
    from kequn.web.accounts.models import User

    if User.objects.exists():
        return None
    return f"/login/setup/{environment.setup_token(workspace.resolve())}/"


def serve(workspace: Path, port: int = 8000, host: str = "127.0.0.1", workers: int = 2) -> None:
    """Serve until interrupted. Blocks; the job worker is a child process that ends with it.

    Raises ConfigError: `web.port_taken`, and what `prepare` raises.
    """
    prepare(workspace)
    _check_port(host, port)
    address = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
    first = setup_path(workspace)
    print(f"Kequn · {address}{first or '/'}", flush=True)
    from django.conf import settings
    from django.db import connections

    from kequn.web.serving import clear_spill

    connections.close_all()  # nothing open is carried over a fork
    clear_spill(settings.PRIVATE)
    beside = subprocess.Popen([sys.executable, "-m", "kequn.web.jobs.consumer", "--with-parent"])
    options = {
        "bind": f"{host}:{port}",
        "workers": workers,
        "threads": THREADS,
        "worker_class": "gthread",
        "preload_app": True,  # what is loaded once is shared by all workers
        "timeout": EXPORT_SECONDS,
        "graceful_timeout": 15,
        "keepalive": 5,
        "loglevel": "warning",
        "proc_name": "kequn",
        "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,
        "limit_request_line": 8190,
        "control_socket_disable": True,  # nobody manages gunicorn through it; older versions don't know it
    }
    _share_one_heap()
    try:
        _gunicorn(options)
    finally:
        beside.terminate()
        try:
            beside.wait(10)
        except subprocess.TimeoutExpired:
            beside.kill()


def _share_one_heap() -> None:
    """Let the threads of a worker share one heap: glibc gives each its own, and what they leave unused adds up to 40 MB."""
    allocator = ctypes.CDLL(None)
    if hasattr(allocator, "mallopt"):  # glibc alone
        allocator.mallopt(_ARENA_MAX, 1)


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError("web.port_taken", host=host, port=port) from error


def _gunicorn(options: dict[str, Any]) -> None:
    from gunicorn.app.base import BaseApplication

    class Workbench(BaseApplication):
        def load_config(self) -> None:
            for name, value in options.items():
                if name in self.cfg.settings and value is not None:
                    self.cfg.set(name, value)

        def load(self) -> Callable[..., Any]:
            from django.urls import get_resolver

            from kequn.web.wsgi import application

            get_resolver()._populate()  # the pages, too, before the workers part
            gc.freeze()  # or collecting garbage would write to what they share
            return application

    try:
        Workbench().run()
    except SystemExit as ended:  # gunicorn ends so; the caller wants to clean up
        if ended.code not in (0, None):
            raise


def worker(workspace: Path) -> None:
    """Work through the queue until interrupted."""
    prepare(workspace)
    from kequn.web.jobs import consumer

    consumer.main(with_parent=False)
