"""A workspace for the workbench, people in each role, and a small published snapshot."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HOME = Path(tempfile.mkdtemp(prefix="kequn-web-"))
(HOME / "kequn.yaml").write_text("name: {zh: 沐光美妆, en: Muguang}\nlanguage: zh\n", encoding="utf-8")
os.environ["KEQUN_WORKSPACE"] = str(HOME)
os.environ["DJANGO_SETTINGS_MODULE"] = "kequn.web.settings"

import django  # noqa: E402
from django.conf import settings  # noqa: E402

if HOME.resolve() != settings.WORKSPACE:
    raise pytest.UsageError("run without DJANGO_SETTINGS_MODULE: the tests bring a workspace of their own")
settings.STORAGES = {
    **settings.STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # Argon2 is slow on purpose
settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
Path(settings.STATIC_ROOT).mkdir(parents=True)
django.setup()
del os.environ["KEQUN_WORKSPACE"]  # other rooms' tests must not see it

from django.test import Client  # noqa: E402
from tests.web.published import publish  # noqa: E402

from kequn.act.outcomes import FILE  # noqa: E402
from kequn.web.accounts.models import User  # noqa: E402

PASSWORD = "rowan-kettle-42"
Person = Callable[..., User]


@pytest.fixture
def person(db: None) -> Person:
    """`person("sales", "lin", …)` creates a user in a role."""

    def create(role: str = "viewer", username: str = "", **fields: object) -> User:
        return User.objects.create_user(username or role, PASSWORD, role=role, **fields)

    return create


@pytest.fixture
def outcomes() -> Iterator[Path]:
    """Where outcomes are kept; empty before and after."""
    file = HOME / FILE
    file.unlink(missing_ok=True)
    yield file
    file.unlink(missing_ok=True)


@pytest.fixture
def browse(person: Person) -> Callable[..., Client]:
    """`browse("sales")` is a browser in which a new user in that role is signed in; `client.user` is that user."""

    def sign_in(role: str = "viewer", username: str = "", **fields: object) -> Client:
        client = Client()
        client.user = person(role, username, **fields)  # type: ignore[attr-defined]
        client.force_login(client.user)  # type: ignore[attr-defined]
        return client

    return sign_in


@pytest.fixture
def snapshots() -> Iterator[Path]:
    """The empty snapshots folder of the workspace; whatever is open is closed again."""
    import shutil

    from kequn.web import serving

    folder = HOME / "snapshots"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    yield folder
    serving.serving().close()
    serving._serving.clear()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def published(snapshots: Path) -> Path:
    """One published run with 40 customers; see `tests/web/published.py`."""
    return publish(snapshots, customers=40)
