"""Sentences and titles of the core in zh and en.

Each room keeps its sentences in `locale/<room>.yaml`: `code: {zh: …, en: …}`. A missing translation fails a test.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any, Literal

from kequn.errors import KequnError

Lang = Literal["zh", "en"]
LANGUAGES: tuple[Lang, ...] = ("zh", "en")


_OPTIONAL = re.compile(r"\[\[(.*?)\]\]")
_FIELD = re.compile(r"\{(\w+)\}")


def packaged_yaml(text: str) -> Any:
    """YAML that ships with Kequn, by PyYAML's C parser (what users write goes through `kequn.definitions`)."""
    import yaml

    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both loaders are safe


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """All sentences: code to {zh, en}. One code stands in one file only."""
    found: dict[str, dict[str, str]] = {}
    for entry in sorted(resources.files("kequn.locale").iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".yaml"):
            for code, words in (packaged_yaml(entry.read_text(encoding="utf-8")) or {}).items():
                if code in found:
                    raise ValueError(f"{entry.name}: {code} stands in two files")
                found[code] = words
    return found


def say(code: str, lang: str = "zh", /, **fields: Any) -> str:
    """The sentence `code` in `lang`, filled with `fields`. A part in [[ ]] is left out where a field in it is empty.

    >>> say("word.yes", "en")
    'yes'
    """
    words = catalogue().get(code)
    if words is None:
        return f"{code} {fields}" if fields else code
    shown = {name: _shown(value, lang) for name, value in fields.items()}
    try:
        return _fitting(words["en" if lang == "en" else "zh"], shown).format(**shown)
    except (KeyError, IndexError, ValueError):
        return f"{words['en']} {fields}"


def _fitting(sentence: str, shown: dict[str, Any]) -> str:
    def part(found: re.Match[str]) -> str:
        inner = found.group(1)
        return inner if all(shown.get(name) not in (None, "") for name in _FIELD.findall(inner)) else ""

    return _OPTIONAL.sub(part, sentence) if "[[" in sentence else sentence


def _shown(value: Any, lang: str) -> Any:
    if isinstance(value, KequnError):  # an error inside an error: a rule inside a file
        return explain(value, lang)
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple, set)) else value


def explain(error: KequnError, lang: str = "zh") -> str:
    """What went wrong and what to do next, in `lang`. People count the characters of a rule from 1, programs from 0."""
    fields = dict(error.fields)
    if isinstance(fields.get("position"), int):
        fields["position"] += 1
    return say(error.code, lang, **fields)


def title(titles: object, lang: str = "zh") -> str:
    """The title of something declared as `{zh: …, en: …}` or as plain text."""
    if isinstance(titles, dict):
        return str(titles.get(lang) or titles.get("zh") or titles.get("en") or "")
    return str(titles)


__all__ = ["LANGUAGES", "Lang", "catalogue", "explain", "packaged_yaml", "say", "title"]
