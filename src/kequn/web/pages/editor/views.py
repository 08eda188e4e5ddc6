"""Editing a definition: fields or text, then review, then publish."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from kequn.definitions import ABSENT, parse_yaml
from kequn.editing import EDITABLE, Definition, effect
from kequn.errors import ConfigError, KequnError, SnapshotError
from kequn.snapshot import Snapshot
from kequn.web.accounts.permissions import needs
from kequn.web.accounts.scope import scope_of
from kequn.web.definitions import saving
from kequn.web.definitions.models import Version
from kequn.web.pages.editor import fields
from kequn.web.pages.editor.hints import hinted
from kequn.web.published import column_titles, language, worded
from kequn.web.serving import taking_turns
from kequn.workspace import Workspace

LONGEST = 200_000
MOVES = 12


def _definition(folder: str, name: str) -> Definition:
    path = f"{folder}/{name}.yaml"
    if not EDITABLE.fullmatch(path):
        raise Http404
    return saving.current(path)


def _known(folder: str, name: str) -> Definition:
    found = _definition(folder, name)
    if found.fingerprint == ABSENT and not Version.objects.filter(path=found.path).exists():
        raise Http404
    return found


@needs("schemes.edit")
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The scheme files of the workspace."""
    rows = []
    for file in sorted((settings.WORKSPACE / "schemes").glob("*.yaml")):
        if not EDITABLE.fullmatch(f"schemes/{file.name}"):
            continue
        data, error = _data(saving.current(f"schemes/{file.name}"))
        title = data.get("title")
        rows.append({
            "name": file.name.removesuffix(".yaml"), "title": worded(title, file.stem) if isinstance(title, dict) else title or file.stem,
            "kind": str(data.get("kind") or ""), "segments": len(data.get("segments") or ()) if isinstance(data.get("segments"), list) else None,
            "owner": data.get("owner"), "error": error, "last": Version.objects.filter(path=f"schemes/{file.name}").first(),
        })  # fmt: skip
    return render(request, "editor/index.html", {"rows": rows})


def _data(definition: Definition) -> tuple[dict[str, Any], str]:
    try:
        return parse_yaml(definition.text, definition.path), ""
    except ConfigError as error:
        return {}, saving.told(error)


@needs("schemes.edit")
@require_safe
def file(request: HttpRequest, folder: str, name: str) -> HttpResponse:
    """Fields, or `?mode=text`."""
    found = _known(folder, name)
    return _edit(request, folder, name, found.text, found.fingerprint, request.GET.get("mode", ""))


def _edit(
    request: HttpRequest,
    folder: str,
    name: str,
    text: str,
    expected: str,
    mode: str,
    wrong: str = "",
    status: int = 200,
) -> HttpResponse:
    data, broken = _data(Definition(f"{folder}/{name}.yaml", text, expected))
    listed = fields.sections(data, language()) if not broken and folder == "schemes" else []
    listed = _hinted(request, data, listed)
    title = data.get("title")
    context = {
        "folder": folder, "name": name, "path": f"{folder}/{name}.yaml", "text": text, "fingerprint": expected,
        "mode": "text" if mode == "text" or not listed else "fields", "parts": listed, "wrong": wrong or broken, "data": data,
        "title": (worded(title, name) if isinstance(title, dict) else str(title or name)), "versions": saving.versions(f"{folder}/{name}.yaml"),
        "may_edit": _may(request, folder), "fields_possible": bool(listed), "may_history": True,
        "columns": _columns(request) if listed else {}, 
    }  # fmt: skip
    return render(request, "editor/file.html", context, status=status)


def _columns(request: HttpRequest) -> dict[str, str]:
    """The columns of the published run in words, to choose from; none before the first run."""
    try:
        return column_titles(request.snapshot)  # type: ignore[attr-defined]
    except SnapshotError:
        return {}


def _hinted(request: HttpRequest, data: dict[str, Any], listed: list[fields.Section]) -> list[fields.Section]:
    """The fields with what they say in words; as they are before the first run, which is what knows the columns."""
    try:
        return hinted(request.snapshot, data, listed)  # type: ignore[attr-defined]
    except SnapshotError:
        return listed


def _may(request: HttpRequest, folder: str) -> bool:
    return bool(request.user.may("schemes.edit" if folder == "schemes" else "audiences.edit"))


@needs("schemes.edit")
@require_POST
def review(request: HttpRequest, folder: str, name: str) -> HttpResponse:
    """What would change, checked; nothing is saved yet."""
    found = _known(folder, name)
    if not _may(request, folder):
        raise PermissionDenied
    expected = request.POST.get("fingerprint", "")[:64]
    if expected != found.fingerprint:
        return _conflict(request, folder, name, found)
    mode = "text" if "text" in request.POST else "fields"
    text = found.text
    try:
        if mode == "text":
            text = request.POST["text"][:LONGEST].replace("\r\n", "\n").rstrip() + "\n"
        else:
            given = {
                key.removeprefix("f:"): value[:2_000]
                for key, value in request.POST.items()
                if key.startswith("f:")
            }
            text = fields.changed(found.text, given)
    except ConfigError as error:
        return _edit(request, folder, name, found.text, found.fingerprint, mode, saving.told(error), 422)
    wrong = saving.fault(request, found.path, text)
    if wrong:
        return _edit(request, folder, name, text, found.fingerprint, mode, wrong, 422)
    lines = saving.difference(found.text, text)
    if not lines:
        messages.info(request, _("没有改动"))
        return redirect("editor:file", folder=folder, name=name)
    context = {
        "folder": folder,
        "name": name,
        "path": found.path,
        "text": text,
        "fingerprint": expected,
        "lines": lines,
        "shows_effect": folder == "schemes" and scope_of(request.user).everyone,
    }
    return render(request, "editor/review.html", context)


@needs("schemes.edit")
@require_POST
def effects(request: HttpRequest, folder: str, name: str) -> HttpResponse:
    """Who would change segments; counted over everybody, so only for those who may see everybody."""
    found = _known(folder, name)
    if folder != "schemes" or not scope_of(request.user).everyone:
        raise PermissionDenied
    text = request.POST.get("text", "")[:LONGEST]
    reader, context = request.snapshot, {"outside": _("不在方案内")}  # type: ignore[attr-defined]
    try:
        with taking_turns():
            done = effect(
                Workspace.open(settings.WORKSPACE), Snapshot(reader.folder, reader.manifest), found.path, text
            )
    except KequnError as error:
        context["wrong"] = saving.told(error)
    else:
        words = {one: worded(title, one) for one, title in done.titles.items()}
        listed = dict.fromkeys([*done.after, *done.before])
        context |= {
            "moved": done.moved,
            "segments": [(words.get(one, one), done.before.get(one), done.after.get(one)) for one in listed],
            "moves": [(words.get(old, old), words.get(new, new), n) for old, new, n in done.moves[:MOVES]],
            "more": len(done.moves) - MOVES,
        }
    return render(request, "editor/effect.html", context)


def _conflict(request: HttpRequest, folder: str, name: str, found: Definition) -> HttpResponse:
    last = Version.objects.filter(path=found.path).first()
    context = {
        "folder": folder,
        "name": name,
        "path": found.path,
        "last": last,
        "mine": request.POST.get("text", "")[:LONGEST],
    }
    return render(request, "editor/conflict.html", context, status=409)


@needs("schemes.edit")
@require_POST
def publish(request: HttpRequest, folder: str, name: str) -> HttpResponse:
    """Save what was reviewed."""
    found = _known(folder, name)
    if not _may(request, folder):
        raise PermissionDenied
    text = request.POST.get("text", "")[:LONGEST]
    try:
        saving.save(
            request,
            found.path,
            text,
            expected=request.POST.get("fingerprint", "")[:64] or ABSENT,
            note=request.POST.get("note", "").strip()[:200],
        )
    except ConfigError as error:
        if error.code == "definitions.changed":
            return _conflict(request, folder, name, saving.current(found.path))
        return _edit(request, folder, name, text, found.fingerprint, "text", saving.told(error), 422)
    messages.success(request, _("已发布，下次运行时生效"))
    return redirect("editor:file", folder=folder, name=name)


@needs("schemes.edit")
@require_safe
def version(request: HttpRequest, folder: str, name: str, pk: int) -> HttpResponse:
    """An earlier version against the current text."""
    found = _definition(folder, name)
    old = get_object_or_404(Version, pk=pk, path=found.path)
    context = {
        "folder": folder, "name": name, "path": found.path, "old": old, "lines": saving.difference(found.text, old.text),
        "fingerprint": found.fingerprint, "may_edit": _may(request, folder),
    }  # fmt: skip
    return render(request, "editor/version.html", context)


@needs("schemes.edit")
@require_POST
def restore(request: HttpRequest, folder: str, name: str, pk: int) -> HttpResponse:
    """Undo: an earlier version becomes the current one, unless somebody saved meanwhile."""
    found = _definition(folder, name)
    old = get_object_or_404(Version, pk=pk, path=found.path, removed=False)
    if not _may(request, folder):
        raise PermissionDenied
    try:
        saving.restore(request, old, expected=request.POST.get("fingerprint", "")[:64])
    except ConfigError as error:
        if error.code == "definitions.changed":
            return _conflict(request, folder, name, saving.current(found.path))
        messages.error(request, saving.told(error))
        return redirect("editor:version", folder=folder, name=name, pk=pk)
    messages.success(request, _("已恢复到这个版本"))
    return redirect("editor:file", folder=folder, name=name)
