"""What the workbench is told from outside: the workspace, environment variables, and the files it keeps for itself.

Everything that the workbench writes beside `state.sqlite3` stands in `<workspace>/.kequn/`, which hides itself from git.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from kequn.errors import ConfigError
from kequn.i18n import title
from kequn.workspace import SETTINGS, Settings, Workspace

STATE = "state.sqlite3"
"""The application database of a workspace without KEQUN_DATABASE_URL."""


def workspace_path() -> Path:
    """The workspace that this process serves (KEQUN_WORKSPACE, else the current folder)."""
    return Path(os.environ.get("KEQUN_WORKSPACE") or ".").resolve()


def private_folder(workspace: Path) -> Path:
    """The workbench's own folder in the workspace, created with a .gitignore when missing."""
    folder = workspace / ".kequn"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    return folder


def secret_file(path: Path, length: int = 50) -> str:
    """The secret in `path`; made up and written with mode 0600 when it isn't there yet."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="utf-8").strip()
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        secret = secrets.token_urlsafe(length)
        file.write(secret)
    return secret


def secret_key(workspace: Path) -> str:
    """KEQUN_SECRET_KEY, else a key generated once per workspace."""
    return os.environ.get("KEQUN_SECRET_KEY") or secret_file(private_folder(workspace) / "secret_key")


def flag(name: str) -> bool:
    """An environment variable that means yes: 1, true, yes, on."""
    return os.environ.get(name, "").strip().lower() in {"1", "true", "yes", "on"}


def words(name: str) -> list[str]:
    """An environment variable holding names separated by commas."""
    return [word.strip() for word in os.environ.get(name, "").split(",") if word.strip()]


def database(workspace: Path) -> dict[str, Any]:
    """Django's description of the application database: KEQUN_DATABASE_URL, else SQLite in the workspace.

    Raises ConfigError(`web.database_url`) for a URL that isn't PostgreSQL or SQLite.
    """
    url = os.environ.get("KEQUN_DATABASE_URL", "")
    if not url:
        return sqlite(workspace / STATE)
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return sqlite(Path(unquote(parts.path)))
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise ConfigError("web.database_url", scheme=parts.scheme)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": dict(parse_qsl(parts.query)),
    }


def sqlite(path: Path) -> dict[str, Any]:
    """SQLite with a write-ahead log, so that readers never wait for the one writer."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "CONN_MAX_AGE": 60,
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
        },
    }


@dataclass(frozen=True)
class WorkspaceFacts:
    """What every page says about the workspace."""

    names: dict[str, str]
    currency: str
    time_zone: str
    language: str

    @property
    def key(self) -> tuple[str, ...]:
        """What differs whenever the words about the workspace do."""
        return (*self.names.values(), self.currency)

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        from django.utils.translation import get_language

        return title(self.names, "en" if (get_language() or "").startswith("en") else "zh")


@cache
def _facts(workspace: Path, modified_ns: int) -> WorkspaceFacts:
    try:
        settings = Workspace.open(workspace).settings
    except ConfigError:
        settings = (
            Settings()
        )  # `kequn check` explains a broken file; the workbench must still come up to say so
    name = settings.name
    names = {"zh": name, "en": name} if isinstance(name, str) else {"zh": name.zh, "en": name.en}
    return WorkspaceFacts(
        names, settings.currency, settings.time_zone, "en" if settings.language == "en" else "zh-hans"
    )


def workspace_facts(workspace: Path) -> WorkspaceFacts:
    """Name, currency, time zone and language from `kequn.yaml`, read again when the file changes."""
    try:
        modified = (workspace / SETTINGS).stat().st_mtime_ns
    except OSError:
        modified = 0
    return _facts(workspace, modified)


def setup_token(workspace: Path) -> str:
    """What proves, before there are users, that somebody can read the workspace's private folder."""
    return secret_file(private_folder(workspace) / "setup_token", 24)
