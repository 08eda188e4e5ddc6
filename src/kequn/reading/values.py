"""What a value of the profile is called: codes as the run's definitions title them, yes and no in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kequn.i18n import say, title

Titles = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Column → code → {zh: …, en: …}."""


def value_titles(manifest: Mapping[str, Any]) -> Titles:
    """The titles of coded values and, as `seg_<scheme>`, of segments that a run's manifest keeps."""
    columns = {item["name"]: item["values"] for item in manifest.get("columns", []) if item.get("values")}
    schemes = manifest.get("schemes") or {}
    return {**columns, **{f"seg_{name}": said.get("segment_titles") or {} for name, said in schemes.items()}}


def column_title(manifest: Mapping[str, Any], column: str, lang: str) -> str:
    """What a column of the profile or the predictions is called, or the scheme behind `seg_<scheme>`."""
    if column.startswith("seg_"):
        named = (manifest.get("schemes") or {}).get(column.removeprefix("seg_"), {}).get("title")
    else:
        listed = [*manifest.get("columns", []), *manifest.get("prediction_columns", [])]
        named = next((item["title"] for item in listed if item["name"] == column), None)
    return (title(named, lang) if named else "") or column


def value_title(titles: Titles, column: str, value: object, lang: str) -> str:
    """A value in words; what has no title stays as it is.

    >>> value_title({"season": {"summer": {"zh": "夏季", "en": "Summer"}}}, "season", "summer", "zh")
    '夏季'
    """
    if isinstance(value, bool) or value in ("true", "false"):  # portraits keep booleans as text
        return say("word.yes" if value in (True, "true") else "word.no", lang)
    words = titles.get(column, {}).get(str(value))
    return title(dict(words), lang) if words else str(value)


__all__ = ["Titles", "column_title", "value_title", "value_titles"]
