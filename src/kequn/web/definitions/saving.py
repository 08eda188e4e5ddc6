"""Changing a definition: check, write, keep the version, record. Pages and API call the same functions."""

from __future__ import annotations

import difflib
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language

from kequn.definitions import ABSENT
from kequn.editing import (
    Definition,
    check_definition,
    read_definition,
    remove_definition,
    save_definition,
)
from kequn.errors import KequnError
from kequn.i18n import explain
from kequn.web.audit.record import record
from kequn.web.definitions.models import Version
from kequn.web.serving import NoSnapshot


def current(path: str) -> Definition:
    """The file as it stands. Raises ConfigError for a path that may not be edited."""
    return read_definition(settings.WORKSPACE, path)


def manifest_of(request: HttpRequest) -> dict[str, Any] | None:
    """What the published run says, or None before the first run."""
    try:
        return request.snapshot.manifest.model_dump(mode="json")  # type: ignore[no-any-return,attr-defined]
    except NoSnapshot:
        return None


def fault(request: HttpRequest, path: str, text: str) -> str:
    """What is wrong with `text`, in the reader's language; "" for nothing."""
    try:
        check_definition(settings.WORKSPACE, path, text, manifest_of(request))
    except KequnError as error:
        return told(error)
    return ""


def told(error: KequnError) -> str:
    """An error of the core in the reader's language, with the nearest name where there is one."""
    return explain(error, "en" if (get_language() or "").startswith("en") else "zh")


def save(request: HttpRequest, path: str, text: str, *, expected: str, note: str = "") -> Definition:
    """Save over the text whose fingerprint is `expected`. Raises ConfigError like `save_definition`.

    A text that was written outside the workbench is kept as a version too, so that undo reaches it.
    """
    text = text.replace("\r\n", "\n").rstrip() + "\n"
    before = current(path)
    saved = save_definition(settings.WORKSPACE, path, text, expected=expected, manifest=manifest_of(request))
    _keep_found(before)
    if saved.fingerprint != before.fingerprint:
        _keep(request, saved, note)
        record("definition.saved", request=request, target=("definition", path), note=note[:200])
    return saved


def remove(request: HttpRequest, path: str, *, expected: str) -> None:
    """Delete the file; its versions stay and undo brings it back."""
    before = current(path)
    remove_definition(settings.WORKSPACE, path, expected=expected)
    _keep_found(before)
    _keep(request, Definition(path, "", ABSENT), "", removed=True)
    record("definition.removed", request=request, target=("definition", path))


def restore(request: HttpRequest, version: Version, *, expected: str) -> Definition:
    """Make an earlier version the current one; this is itself a new version."""
    return save(request, version.path, version.text, expected=expected, note=f"#{version.pk}")


def versions(path: str) -> list[Version]:
    """The versions of a file, newest first."""
    return list(Version.objects.filter(path=path)[:100])


def difference(before: str, after: str) -> list[tuple[str, str]]:
    """The lines of a review: ("+", "-", " " or "@", text)."""
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2))[2:]
    return [(line[:1] or " ", line[1:] if line[:1] in "+- " else line) for line in lines]


def _keep_found(before: Definition) -> None:
    if before.fingerprint == ABSENT:
        return
    newest = Version.objects.filter(path=before.path).first()
    if newest is None or newest.fingerprint != before.fingerprint:
        Version.objects.create(path=before.path, fingerprint=before.fingerprint, text=before.text)


def _keep(request: HttpRequest, saved: Definition, note: str, *, removed: bool = False) -> None:
    user = request.user
    Version.objects.create(
        path=saved.path, author=user.get_username(), author_id=user.pk, note=note[:200],
        fingerprint=saved.fingerprint, text=saved.text, removed=removed,
    )  # fmt: skip
