"""The fields of a scheme that people change: titles, playbooks, rules, edges, shares, points; the rest stays text.

A field is a place in the YAML; changing it keeps comments, order and everything else (ruamel's round trip).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext_lazy as _

from kequn.errors import ConfigError

WORDS = {
    "title": _("名称"), "playbook": _("打法"), "description": _("说明"), "purpose": _("目的"), "limits": _("局限"),
    "when": _("规则"), "edges": _("分界值"), "share": _("占比"), "at_least": _("最低分"), "points": _("分值"),
    "cells": _("格子"), "bins": _("分几档"), "scope": _("范围"), "column": _("字段"), "grade": _("等级"),
    "at_most": _("最高等级"), "values": _("取值"), "owner": _("负责人"), "rank_by": _("按什么排名"),
    "share_of": _("占什么的比例"), "minimum_days": _("最短停留天数"), "stay": _("保留条件"), "better": _("哪头更好"),
    "up_to": _("上限"), "below": _("低于"), "from": _("从"), "to": _("到"), "quantile": _("分位"),
}  # fmt: skip
CHOICES = {"better": (("low", _("越小越好")), ("high", _("越大越好")))}
LISTS = ("axes", "items", "gates", "bands", "segments")
MOST_FIELDS = 600


@dataclass(frozen=True)
class Field:
    """One value: dotted path in the file, words, text, and whether it is long; `hint` says it in the reader's words."""

    path: str
    label: str
    value: str
    long: bool
    hint: str = ""

    @property
    def choices(self) -> tuple[tuple[str, Any], ...]:
        """The few values that this one may have, in words; empty when it is free."""
        known = CHOICES.get(self.path.rpartition(".")[2], ())
        return known if self.value in {value for value, _words in known} else ()

    @property
    def names_column(self) -> bool:
        """Whether the value is the name of a column."""
        return self.path.rpartition(".")[2] in ("column", "rank_by")


@dataclass(frozen=True)
class Section:
    """Fields under one heading: the scheme itself, or one of its segments, axes or items."""

    title: str
    fields: tuple[Field, ...]


def sections(data: Mapping[str, Any], lang: str) -> list[Section]:
    """What can be changed in fields, in the order of the file."""
    whole = [
        field
        for key in ("title", "purpose", "limits", "owner", "scope", "rank_by")
        if key in data
        for field in _leaves(key, data[key], (key,))
    ]
    found = [Section("", tuple(whole))]
    parameters = data.get("parameters")
    if isinstance(parameters, Mapping):
        found.append(
            Section(
                "parameters",
                tuple(
                    field
                    for key, value in parameters.items()
                    for field in _leaves(str(key), value, ("parameters", str(key)))
                ),
            )
        )
    for part in LISTS:
        entries = data.get(part)
        for number, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, Mapping):
                found.append(
                    Section(
                        _heading(entry, f"{part} {number + 1}", lang),
                        tuple(_entry(entry, (part, str(number)))),
                    )
                )
    if isinstance(data.get("otherwise"), Mapping):
        found.append(
            Section(
                _heading(data["otherwise"], "otherwise", lang),
                tuple(_entry(data["otherwise"], ("otherwise",))),
            )
        )
    return [section for section in found if section.fields]


def _heading(entry: Mapping[str, Any], otherwise: str, lang: str) -> str:
    title = entry.get("title")
    named = title.get(lang) or title.get("zh") if isinstance(title, Mapping) else title
    return str(named or entry.get("id") or otherwise)


def _entry(entry: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Field]:
    for key, value in entry.items():
        if key != "id":
            yield from _leaves(str(key), value, (*path, str(key)))


def _leaves(key: str, value: Any, path: tuple[str, ...], prefix: str = "") -> Iterator[Field]:
    word = str(WORDS.get(key, key))
    label = f"{prefix} · {word}" if prefix else word
    if isinstance(value, Mapping):
        for inner, one in value.items():
            known = {"zh": "中文", "en": "English"}.get(str(inner))
            if known and not isinstance(one, (Mapping, list)):
                yield Field(
                    ".".join((*path, str(inner))),
                    f"{label} · {known}",
                    _text(one),
                    key in ("playbook", "purpose", "limits"),
                )
            elif not known:
                yield from _leaves(str(inner), one, (*path, str(inner)), label)
    elif isinstance(value, list):
        if all(not isinstance(one, (Mapping, list)) for one in value):
            yield (
                Field(".".join(path), label, ", ".join(map(_text, value)), False)
                if all(map(_number, value))
                else _joined(path, label, value)
            )
        else:
            for number, one in enumerate(value):
                yield from _leaves(str(number + 1), one, (*path, str(number)), label)
    else:
        yield Field(
            ".".join(path), label, _text(value), key in ("when", "playbook", "cells", "scope", "stay")
        )


def _joined(path: tuple[str, ...], label: str, value: list[Any]) -> Field:
    return Field(".".join(path), label, "\n".join(map(_text, value)), True)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=2, offset=0)
    return yaml


def with_segment(text: str, name: str, title: str, rule: str) -> str:
    """A scheme of rules with a further segment, after those that there are: earlier segments keep their customers.

    Raises ConfigError when the file has no list of segments.
    """
    yaml = _yaml()
    tree = yaml.load(text) if text.strip() else {}
    segments = tree.get("segments")
    if tree.get("kind") != "rules" or not isinstance(segments, list):
        raise ConfigError("web.no_field", name="segments")
    taken = {str(one.get("id")) for one in segments if isinstance(one, Mapping)}
    free = (
        name
        if name not in taken
        else next(f"{name}_{n}" for n in range(2, 999) if f"{name}_{n}" not in taken)
    )
    segments.append({"id": free, "title": {"zh": title, "en": title}, "when": rule})
    out = io.StringIO()
    yaml.dump(tree, out)
    return out.getvalue()


def changed(text: str, values: Mapping[str, str]) -> str:
    """The file with these fields set; a value keeps its type where the words allow it.

    Raises ConfigError for a path that leads nowhere.
    """
    yaml = _yaml()
    tree = yaml.load(text)
    touched = False
    for path, written in list(values.items())[:MOST_FIELDS]:
        holder, key = _place(tree, path)
        old = holder[key]
        listed = isinstance(old, list)
        shown = (", " if all(map(_number, old)) else "\n").join(map(_text, old)) if listed else _text(old)
        if written.replace("\r\n", "\n").strip() == shown.strip():
            continue
        touched = True
        if listed:
            parts = [
                part.strip()
                for part in written.replace("，", ",")
                .replace("," if all(map(_number, old)) else "\n", "\n")
                .splitlines()
            ]
            old[:] = [_typed(part, old[0] if old else "") for part in parts if part]
        else:
            holder[key] = _typed(written.replace("\r\n", "\n").strip(), old)
    if not touched:
        return text
    out = io.StringIO()
    yaml.dump(tree, out)
    return out.getvalue()


def _place(tree: Any, path: str) -> tuple[Any, Any]:
    node = tree
    steps: list[Any] = path.split(".")
    for number, step in enumerate(steps):
        key: Any = step
        if isinstance(node, list) and step.isascii() and step.isdigit():
            key = int(step)
        inside = (
            key < len(node)
            if isinstance(node, list) and isinstance(key, int)
            else isinstance(node, Mapping) and key in node
        )
        if not inside:
            break
        if number == len(steps) - 1:
            if isinstance(node[key], Mapping) or (
                isinstance(node[key], list) and any(isinstance(one, (Mapping, list)) for one in node[key])
            ):
                break
            return node, key
        node = node[key]
    raise ConfigError("web.no_field", name=path[:80])


def _typed(written: str, old: Any) -> Any:
    """A number where a number stood; text otherwise (the checks of the core say whether it may be)."""
    if written == "" and old is None:
        return None
    if _number(old):
        try:
            value = Decimal(written)
        except InvalidOperation:
            return written
        if not value.is_finite() or abs(value.adjusted()) > 15:
            return written
        return int(value) if value == value.to_integral_value() and "." not in written else float(value)
    return written
