"""What every part of the report reads: the connection to a run, its manifest as plain JSON, and words in both languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kequn.definitions import parse_yaml
from kequn.errors import KequnError
from kequn.i18n import LANGUAGES, catalogue, say, title
from kequn.reading.rows import has_table, rows
from kequn.reading.values import Titles, value_titles

if TYPE_CHECKING:
    import duckdb

Text = dict[str, str]
"""A text in every language of the report: {zh: …, en: …}."""


@dataclass(frozen=True)
class Source:
    """One run, ready to be asked."""

    con: duckdb.DuckDBPyConnection
    manifest: Mapping[str, Any]
    _parsed: dict[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Rows as JSON holds them: money as numbers in major units, dates as ISO text."""
        return [{name: plain(value) for name, value in row.items()} for row in rows(self.con, sql, values)]

    def has(self, table: str) -> bool:
        """Whether the run shows a table or view of that name."""
        return has_table(self.con, table)

    def columns(self, table: str) -> dict[str, str]:
        """Column names of `table` to their SQL types."""
        return {row["column_name"]: row["column_type"] for row in rows(self.con, f'DESCRIBE "{table}"')}

    @property
    def schemes(self) -> Mapping[str, Mapping[str, Any]]:
        """The schemes of the run, as the manifest keeps them."""
        return self.manifest.get("schemes") or {}

    def scheme_title(self, name: str) -> Text:
        """Title of a scheme, also of one that could not be used (from its definition)."""
        found = self.schemes.get(name) or self.definition(name)
        return text(found.get("title"), name)

    def segment_title(self, scheme: str, segment: str) -> Text:
        """Title of a segment of a scheme."""
        return text((self.schemes.get(scheme, {}).get("segment_titles") or {}).get(segment), segment)

    def definition(self, scheme: str) -> Mapping[str, Any]:
        """The scheme's file as the run used it; empty when the run did not keep it or it can't be read any more."""
        if scheme not in self._parsed:
            self._parsed[scheme] = self._parse(scheme)
        return self._parsed[scheme]

    def _parse(self, scheme: str) -> Mapping[str, Any]:
        name = f"schemes/{self.schemes.get(scheme, {}).get('file') or f'{scheme}.yaml'}"
        kept = (self.manifest.get("definitions") or {}).get(name)
        if not kept:
            return {}
        try:
            return parse_yaml(kept["text"], name)
        except KequnError:  # somebody edited the manifest: the report then does without the rules
            return {}

    def column_title(self, name: str) -> Text:
        """Title of a column of the profile or of the predictions."""
        return text(self._titles().get(name), name)

    @cached_property
    def values(self) -> Titles:
        """Titles of coded values and segments."""
        return value_titles(self.manifest)

    def _titles(self) -> dict[str, Any]:
        manifest = self.manifest
        listed = [
            *(manifest.get("columns") or ()),
            *(manifest.get("unavailable") or ()),
            *(manifest.get("prediction_columns") or ()),
        ]
        return {item["name"]: item.get("title") for item in listed}


def plain(value: Any) -> Any:
    """`value` as JSON can hold it."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return value


def text(titles: object, otherwise: str) -> Text:
    """A declared title in every language; `otherwise` (a name) where nothing is declared."""
    return {str(lang): (title(titles, lang) if titles else "") or otherwise for lang in LANGUAGES}


def said(code: str, /, **fields: Any) -> Text:
    """The sentence `code` in every language; a field that is itself a Text is said in the language of the sentence."""
    return {
        str(lang): say(code, lang, **{name: _in(value, lang) for name, value in fields.items()})
        for lang in LANGUAGES
    }


def _in(value: Any, lang: str) -> Any:
    if isinstance(value, dict):
        return value[lang]
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value


def known(code: str) -> bool:
    """Whether the catalogue has a sentence for `code`."""
    return code in catalogue()


def share(part: float | None, whole: float | None) -> float | None:
    """part / whole; None where it is undefined."""
    return part / whole if part is not None and whole else None


__all__ = ["Source", "Text", "known", "plain", "said", "share", "text"]
