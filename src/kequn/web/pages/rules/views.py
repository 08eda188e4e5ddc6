"""The rule builder: the form's inputs are named by path, the server rebuilds the tree from a whitelist."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from kequn.definitions import parse_yaml, read_text
from kequn.errors import ConfigError, RuleError
from kequn.language.builder import (
    MAX_CONDITIONS,
    OPERATORS,
    Clause,
    Group,
    Node,
    Written,
    edited,
    from_form,
    kind_of,
    read,
    sentence,
    tidy,
    tree_of,
    write,
)
from kequn.web.accounts.masking import masked_row
from kequn.web.accounts.permissions import needs
from kequn.web.accounts.scope import scope_of
from kequn.web.contacts import with_contacts
from kequn.web.definitions import saving
from kequn.web.pages.audiences.files import audience_text, free_path
from kequn.web.pages.editor.fields import with_segment
from kequn.web.pages.rules import choices, counting
from kequn.web.published import money_title, rule_catalog, said, schemes
from kequn.web.serving import Reader

LONGEST = 4_000


def _told(error: RuleError) -> dict[str, Any]:
    text, at = str(error.fields.get("text") or ""), int(error.fields.get("position") or 0)
    word = str(error.fields.get("word") or "")
    found = (
        text[at : at + len(word)] if text[at : at + len(word)].lower() == word.lower() else text[at : at + 1]
    )
    return {
        "message": saving.told(error), "before": text[max(0, at - 40) : at], "word": found,
        "after": text[at + len(found) : at + len(found) + 40], "position": at, "near": error.fields.get("near") or "",
    }  # fmt: skip


def _start(reader: Reader) -> Group:
    name = choices.first(choices.options(reader))
    return Group(
        True, (Clause(name, "le", ("90",)) if name == "recency_days" else choices.usual(reader, name),)
    )


@needs("aggregates.view")
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The page; `?rule=` opens a rule, `?mode=text` its text."""
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    text, wrong = request.GET.get("rule", "")[:LONGEST], None
    mode = "text" if request.GET.get("mode") == "text" else "visual"
    root = _start(reader)
    if text:
        try:
            root = read(text, rule_catalog(reader))
        except RuleError as error:
            wrong, mode = _told(error), "text"
    else:
        text = write(root, rule_catalog(reader))
    return render(request, "rules/index.html", _page(request, reader, root, text, mode, wrong))


def _page(
    request: HttpRequest, reader: Reader, root: Group, text: str, mode: str, wrong: Any = None
) -> dict[str, Any]:
    link = reverse("rules:index") + "?"
    return {
        "row": choices.rows(reader, root), "options": choices.options(reader), "text": text, "mode": mode, "wrong": wrong,
        "as_of": said(reader)["as_of"], "visual_url": link + urlencode({"rule": text}),
        "text_url": link + urlencode({"rule": text, "mode": "text"}), "may_save": request.user.may("audiences.edit"),
        "rule_schemes": _rule_schemes() if request.user.may("schemes.edit") else [],
    }  # fmt: skip


@needs("aggregates.view")
@require_POST
def tree(request: HttpRequest) -> HttpResponse:
    """The tree after a button or another column."""
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    root = _fitting(reader, from_form(_items(request)))
    action, path = _action(request)
    focus = path
    if action in ("add", "group"):
        fresh = choices.usual(reader, choices.first(choices.options(reader)))
        if _size(root) < MAX_CONDITIONS:
            before = root
            root = edited(
                root, "add", path, fresh if action == "add" else Group(_turned(root, path), (fresh,))
            )
            focus = _new(before, path) if action == "add" else (*_new(before, path), 0)
    elif action == "suggest":
        root, focus = _with(reader, root, request.POST.get("rule", "")[:LONGEST])
    elif action in ("copy", "drop"):
        if action == "drop" or _size(root) < MAX_CONDITIONS:
            root = edited(root, action, path)
        focus = (*path[:-1], path[-1] + 1) if action == "copy" else path[:-1]
    context = {"row": choices.rows(reader, root, focus=focus), "options": choices.options(reader)}
    response = render(request, "rules/tree.html", context)
    response["HX-Trigger-After-Settle"] = "rule-changed"
    return response


def _with(reader: Reader, root: Group, text: str) -> tuple[Group, tuple[int, ...]]:
    """The tree with a suggested condition put in."""
    try:
        added = read(text, rule_catalog(reader)).parts
    except RuleError:
        return root, (0,)
    whole = root if root.every else Group(True, (root,))
    return replace(whole, parts=(*whole.parts, *added)), (0, len(whole.parts))


def _items(request: HttpRequest) -> list[tuple[str, str]]:
    return [(name, value) for name, values in request.POST.lists() for value in values]


def _action(request: HttpRequest) -> tuple[str, tuple[int, ...]]:
    action, _colon, path = request.POST.get("act", "")[:60].partition(":")
    parts = path.split(".")
    good = all(part.isascii() and part.isdigit() and len(part) < 3 for part in parts)
    return (action, tuple(map(int, parts))) if good and len(parts) < 12 else ("", (0,))


def _size(node: Node) -> int:
    return sum(map(_size, node.parts)) + 1 if isinstance(node, Group) else 1


def _find(root: Group, path: tuple[int, ...]) -> Node | None:
    node: Node = root
    for number in path[1:]:
        if not isinstance(node, Group) or number >= len(node.parts):
            return None
        node = node.parts[number]
    return node


def _turned(root: Group, path: tuple[int, ...]) -> bool:
    """A group inside "all" starts as "any", and the other way round: else it would change nothing."""
    node = _find(root, path)
    return not (isinstance(node, Group) and node.every)


def _new(root: Group, path: tuple[int, ...]) -> tuple[int, ...]:
    node = _find(root, path)
    return (*path, len(node.parts)) if isinstance(node, Group) else path


def _fitting(reader: Reader, node: Group) -> Group:
    """Rows whose operator doesn't go with their column get the column's usual one, without values."""

    def fit(part: Node) -> Node:
        if isinstance(part, Group):
            return replace(part, parts=tuple(map(fit, part.parts)))
        if isinstance(part, Written):
            return part
        kind = kind_of(part.column, rule_catalog(reader))
        good = kind is not None and part.operator in OPERATORS[kind]
        return part if good or kind is None else choices.usual(reader, part.column)

    return replace(node, parts=tuple(map(fit, node.parts)))


@needs("aggregates.view")
@require_POST
def panel(request: HttpRequest) -> HttpResponse:
    """What stands beside the form: number at once, sentence; the rest is fetched by `exact`."""
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    here = rule_catalog(reader)
    typed = "text" in request.POST
    context: dict[str, Any] = {
        "may_save": request.user.may("audiences.edit"),
        "mode": "text" if typed else "visual",
    }
    text = request.POST.get("text", "")[: LONGEST + 1]
    try:
        form = None if typed else tidy(from_form(_items(request)), here)
        text = write(form, here) if form else text.strip()
        rule = counting.compiled(reader, text) if text else None
        root = form or tree_of(text, here)
        context |= {"sentence": sentence(root, here, choices.wording(reader)), "text": text}
        if rule:
            scope = scope_of(request.user)
            context["guess"] = counting.estimated(reader, rule, scope)
            context["whole"] = counting.everyone(reader, scope)
    except RuleError as error:
        context["wrong"] = _told(error)
    response = render(request, "rules/panel.html", context)
    link = reverse("rules:index") + "?" + urlencode({"rule": text, **({"mode": "text"} if typed else {})})
    if len(link) < 3_000 and "wrong" not in context:
        response["HX-Replace-Url"] = link
    return response


@needs("aggregates.view")
@require_POST
def exact(request: HttpRequest) -> HttpResponse:
    """The exact number, the funnel, the overlap and a few members."""
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    here, scope = rule_catalog(reader), scope_of(request.user)
    text = request.POST.get("rule", "")[: LONGEST + 1]
    try:
        root, rule = read(text, here), counting.compiled(reader, text)
        found = counting.counted(reader, rule, scope)
        whole = counting.everyone(reader, scope)
        words = choices.wording(reader)
        steps = [
            (sentence(step.part, here, words), step.customers, _share(step.customers, whole))
            for step in counting.funnel(reader, root, scope, whole)
        ]
        known = schemes(reader)
        names = [name for name in known if name not in rule.schemes][:3]
        shared = [
            (known[s].title, known[s].segment_title(g), n, _share(n, found.customers), known[s].colour(g))
            for s, g, n in counting.overlap(reader, rule, scope, names)
        ]
        near = [
            (
                sentence(item.clause, here, words),
                write(Group(True, (item.clause,)), here),
                item.inside,
                item.everybody,
                item.lift,
            )
            for item in counting.suggestions(reader, rule, scope, choices.enumerations(reader))
        ]
    except RuleError as error:
        return render(request, "rules/panel.html", {"wrong": _told(error)})
    context = {
        "suggestions": near, "money_title": money_title(reader), "visual": request.POST.get("mode") != "text",
        "found": found, "whole": whole, "share": _share(found.customers, whole), "steps": steps, "overlap": shared,
        "figures": counting.figures(reader, rule, scope), "members": _members(request, reader, rule), "text": text,
        "sentence": sentence(root, here, words), "may_save": request.user.may("audiences.edit"), "every": root.every,
    }  # fmt: skip
    return render(request, "rules/exact.html", context)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _members(request: HttpRequest, reader: Reader, rule: Any) -> list[dict[str, Any]]:
    if not request.user.may("customers.view"):
        return []
    personal = {
        item["name"] for item in said(reader).get("columns", []) if item.get("privacy", "none") != "none"
    }
    hidden = (personal | {"name", "phone", "email"}) - {"customer_id"}
    found = with_contacts(reader, counting.members(reader, rule, scope_of(request.user)))
    return [masked_row(request, str(row["customer_id"]), row, hidden & set(row)) for row in found]


def _rule_schemes() -> list[str]:
    """Scheme files to which a segment by rule can be added."""
    found = []
    for file in sorted((settings.WORKSPACE / "schemes").glob("*.yaml")):
        try:
            if parse_yaml(read_text(file), file.name).get("kind") == "rules":
                found.append(file.stem)
        except ConfigError:
            continue
    return found


def _as_segment(request: HttpRequest, scheme: str, text: str, title: str) -> HttpResponse:
    """The rule as a further segment of a scheme: shown for review, published by the editor."""
    if not request.user.may("schemes.edit"):
        raise PermissionDenied
    found = saving.current(f"schemes/{scheme}.yaml")
    _path, name = free_path(title)
    changed = with_segment(found.text, name, title, text)
    wrong = saving.fault(request, found.path, changed)
    if wrong:
        messages.error(request, wrong)
        return redirect(reverse("rules:index") + "?" + urlencode({"rule": text}))
    context = {
        "folder": "schemes", "name": scheme, "path": found.path, "text": changed, "fingerprint": found.fingerprint,
        "lines": saving.difference(found.text, changed), "shows_effect": scope_of(request.user).everyone,
    }  # fmt: skip
    return render(request, "editor/review.html", context)


@needs("audiences.edit")
@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Save the rule as an audience, or as a segment of a scheme of rules; both are files."""
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    text, title = request.POST.get("rule", "")[:LONGEST], request.POST.get("title", "").strip()[:60]
    back = reverse("rules:index") + "?" + urlencode({"rule": text})
    if not title or not text.strip():
        messages.error(request, _("请填写名称，并至少写一个条件"))
        return redirect(back)
    try:
        counting.compiled(reader, text)
        if request.POST.get("scheme"):
            return _as_segment(request, request.POST["scheme"][:40], text, title)
        path, name = free_path(title, request.POST.get("id", "")[:40])
        body = audience_text(
            name,
            title,
            request.POST.get("purpose", "").strip()[:300],
            rule=text,
            owner=request.user.get_username(),
        )
        saving.save(request, path, body, expected="")
    except (RuleError, ConfigError) as error:
        messages.error(request, saving.told(error))
        return redirect(back)
    messages.success(request, _("名单已保存，下次运行时生成成员"))
    return redirect("audiences:detail", name=name)
