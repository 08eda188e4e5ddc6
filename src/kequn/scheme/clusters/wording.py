"""Words for how a group differs in one column: its own ones where the catalogue has some, else by what the column counts.

`cluster.high.<column>`, `cluster.low.<column>` and `cluster.level.<column>` in the catalogue come first; then the unit that the
column is declared with says whether there are many, long or high, and a coded level is told by its title.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from kequn.i18n import LANGUAGES, catalogue, say, title
from kequn.scheme.clusters.encoding import MISSING, OTHER

Words = dict[str, str]
LENGTHS = {"days": "_long", "km": "_far"}
RATES = frozenset({"share", "ratio", "fraction", "years", "year", "degrees", "people/km", "score", "points"})
"""Units of what is neither a length nor a count of things; any other unit is counted."""
_BARE = re.compile(r"(?<![次天月个人件])数$")


def number_words(column: str, titles: Mapping[str, str], above: bool) -> Words:
    """A number that is higher (`above`) or lower than everybody else's."""
    side = "high" if above else "low"
    code = f"cluster.{side}.{column}"
    if code in catalogue():
        return {lang: say(code, lang) for lang in LANGUAGES}
    unit = _declared().get(column, (None, {}))[0]
    kind = "" if unit is None or unit in RATES else LENGTHS.get(unit, "_many")
    return {
        lang: say(f"cluster.{side}{kind}", lang, name=_name(column, titles, lang, kind)) for lang in LANGUAGES
    }


def level_words(column: str, level: str, titles: Mapping[str, str], above: bool) -> Words:
    """A value that is more (`above`) or less common than with everybody else; also that nothing is known, and yes or no."""
    if level in {"true", "false"}:
        suffix = "" if above == (level == "true") else "_not"
        return {
            lang: say(f"cluster.is{suffix}", lang, name=_name(column, titles, lang)) for lang in LANGUAGES
        }
    suffix = "" if above else "_not"
    told = _declared().get(column, (None, {}))[1].get(level)
    code = {MISSING: "cluster.gap", OTHER: "cluster.other"}.get(
        level, "cluster.coded" if told else "cluster.level"
    )
    own = f"{'cluster.level' if code == 'cluster.coded' else code}.{column}"
    code = own if own in catalogue() else code
    return {
        lang: say(
            f"{code}{suffix}", lang, name=_name(column, titles, lang), level=_uncapitalised(title(told, lang)) if told else level
        )
        for lang in LANGUAGES
    }  # fmt: skip


def _name(column: str, titles: Mapping[str, str], lang: str, kind: str = "") -> str:
    """The column's title as it stands inside a phrase: 子女数 becomes 子女 where it is followed by 多."""
    found = title(titles, lang) or column
    return _uncapitalised(_BARE.sub("", found) if kind == "_many" else found)


def _uncapitalised(text: str) -> str:
    """The text without a capital at its beginning, unless that begins an abbreviation or a code."""
    return text if text[1:2].isupper() or not text[1:2].isalpha() else text[:1].lower() + text[1:]


@cache
def _declared() -> dict[str, tuple[str | None, Mapping[str, Mapping[str, str]]]]:
    """Unit and titles of coded values of every column of the library."""
    from kequn.profile.declaration import all_declarations

    return {item.name: (item.unit, item.value_titles) for item in all_declarations()[1]}


__all__ = ["level_words", "number_words"]
