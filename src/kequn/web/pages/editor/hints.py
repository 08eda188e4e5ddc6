"""What stands under a field of a scheme: rules and column names in words, and where a parameter is used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from kequn.errors import RuleError
from kequn.language.builder import read, sentence
from kequn.web.pages.editor.fields import Field, Section
from kequn.web.pages.rules.choices import wording
from kequn.web.published import column_titles, rule_catalog
from kequn.web.serving import Reader

RULES = ("when", "scope", "stay")
COLUMNS = ("column", "rank_by", "of")


def hinted(reader: Reader, data: Mapping[str, Any], sections: Iterable[Section]) -> list[Section]:
    """The sections with a hint on every field that doesn't speak for itself, in the reader's language."""
    listed = list(sections)
    parameters = data.get("parameters") or {}
    used: dict[str, list[str]] = {}
    for section in listed:
        for field in section.fields:
            if _last(field) in RULES:
                for name in re.findall(r":(\w+)", field.value):
                    used.setdefault(name, []).append(section.title or field.label)
    return [
        replace(
            section,
            fields=tuple(replace(one, hint=_hint(reader, one, parameters, used)) for one in section.fields),
        )
        for section in listed
    ]


def _last(field: Field) -> str:
    return field.path.rpartition(".")[2]


def _hint(reader: Reader, field: Field, parameters: Mapping[str, Any], used: Mapping[str, list[str]]) -> str:
    if _last(field) in RULES and field.value:
        return _told(reader, field.value, parameters)
    if _last(field) in COLUMNS:
        titles = column_titles(reader)
        return " · ".join(titles[name] for name in field.value.split() if name in titles)
    where, _dot, name = field.path.partition(".")
    if where == "parameters" and name in used:
        return _("用在：%(users)s") % {"users": ", ".join(dict.fromkeys(used[name]))}
    return ""


def _told(reader: Reader, rule: str, parameters: Mapping[str, Any]) -> str:
    """The rule as a sentence; where a parameter is read off the data, with its columns in words only."""
    titles = column_titles(reader)

    def number(name: re.Match[str]) -> str:
        value = parameters.get(name[1])
        return str(value) if isinstance(value, (int, float)) else name[0]

    filled = re.sub(r":(\w+)", number, rule)
    try:
        return sentence(read(filled, rule_catalog(reader)), rule_catalog(reader), wording(reader))
    except RuleError:
        return re.sub(r"(?<![:\w])[a-z]\w*", lambda name: titles.get(name[0], name[0]), filled)
