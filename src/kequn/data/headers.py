"""Names of columns: which canonical column a header of a foreign file means, by its name alone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from kequn.data.standard import SHAPES, TABLES, Table

EXACT = 0.95
WEAK = 0.6
_UNIT = re.compile(
    r"[\[(](?:单位[::]?)?(万元|千元|百万元|亿元|元|人民币|¥|rmb|cny|usd|us\$|\$|eur|€|%|件|个|次|岁|人|天|分|必填|选填|脱敏)[\])]$"
)
_SCALES = {"千元": 1_000, "万元": 10_000, "百万元": 1_000_000, "亿元": 100_000_000}
_CURRENCIES = {
    "元": "CNY", "万元": "CNY", "千元": "CNY", "百万元": "CNY", "亿元": "CNY", "人民币": "CNY", "¥": "CNY", "rmb": "CNY", "cny": "CNY",
    "usd": "USD", "us$": "USD", "$": "USD", "eur": "EUR", "€": "EUR",
}  # fmt: skip
_WORDS = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True)
class Header:
    """A header in the form that is compared: `key` without case, width, blanks, punctuation and unit; `words` of it."""

    text: str
    key: str
    words: tuple[str, ...]
    unit: str | None

    @property
    def scale(self) -> int:
        """What an amount below this header is multiplied with: 10,000 below 金额(万元)."""
        return _SCALES.get(self.unit or "", 1)

    @property
    def currency(self) -> str | None:
        """The currency that the header names, if any."""
        return _CURRENCIES.get(self.unit or "")


@dataclass(frozen=True)
class Platform:
    """An export of a known system: all headers in `needs` (folded) are there; `columns` maps headers (folded) in order.

    `leave`: headers (folded) that stand for something else than their names say, such as all titles of an order in one cell.
    """

    name: str
    title: Mapping[str, str]
    table: str
    needs: tuple[str, ...]
    columns: Mapping[str, str]
    leave: frozenset[str] = frozenset()


def fold_header(text: str) -> Header:
    """Bring a header into the form that is compared.

    >>> fold_header(" Unit_Price（元） ").key
    'unitprice'
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    lower = plain.lower()
    unit = _UNIT.search(lower.replace(" ", ""))
    if unit:
        plain = plain[: max(plain.rfind("("), plain.rfind("["))]
    words = tuple(word.lower() for word in _WORDS.findall(_CAMEL.sub(" ", plain)))
    return Header(text, "".join(words), words, unit.group(1) if unit else None)


def name_score(owner: Table, column: str, header: Header) -> float:
    """How well a header names a column of a table: 0 to 1."""
    strong, weak = _names(owner.name)[column]
    if header.key in strong:
        return EXACT
    if header.key in weak:
        return WEAK
    return max((_as_ending(header, name) for name in strong), default=0.0)


def name_rank(owner: Table, column: str, header: Header) -> int:
    """Where the header stands in the list of names of a column: earlier names are preferred (paid before payable)."""
    ranks = _ranks(owner.name, column)
    return ranks.get(header.key, len(ranks))


@cache
def _ranks(table: str, column: str) -> Mapping[str, int]:
    columns = _raw()["columns"]
    own = columns.get(f"{table}.{column}", columns.get(column, ()))
    return {fold_header(text).key: place for place, text in reversed(list(enumerate(own)))}


def _as_ending(header: Header, name: str) -> float:
    """Both Chinese and English put the noun last: 买家收货地址 is an address, `total_order_amount` an order amount."""
    if not header.key.endswith(name) or len(name) < (4 if name.isascii() else 2):
        return 0.0
    if name.isascii() and name not in ("".join(header.words[place:]) for place in range(len(header.words))):
        return 0.0
    return 0.5 + 0.35 * len(name) / len(header.key)


@cache
def _names(table: str) -> Mapping[str, tuple[frozenset[str], frozenset[str]]]:
    """Column to its clear and its weak names (folded) in one table."""
    raw = _raw()
    owner = {**TABLES, **SHAPES}[table]
    found = {}
    for name, column in owner.mappable.items():
        own = raw["columns"].get(f"{table}.{name}", raw["columns"].get(name, ()))
        weak = [*raw["weak"].get(name, ()), *raw["weak"].get(f"{table}.{name}", ())]
        strong = frozenset(fold_header(text).key for text in (*own, name, *column.title.values()))
        generic = frozenset(fold_header(text).key for text in weak)
        found[name] = (strong - generic, generic)
    return found


@cache
def platforms() -> tuple[Platform, ...]:
    """All exports that are known, in the order in which they are tried."""
    return tuple(
        Platform(
            name,
            entry["title"],
            entry["table"],
            tuple(_exact(text) for text in entry["needs"]),
            {_exact(text): column for text, column in entry["columns"].items()},
            frozenset(_exact(text) for text in entry.get("leave", ())),
        )
        for name, entry in _raw()["platforms"].items()
    )


def find_platform(headers: Sequence[str]) -> Platform | None:
    """The known export that has all the headers it needs among these; of several, the one that explains most headers."""
    keys = {_exact(text) for text in headers}
    fitting = [one for one in platforms() if keys.issuperset(one.needs)]
    return max(fitting, key=lambda one: len(keys & one.columns.keys()), default=None)


def platform_columns(platform: Platform, headers: Sequence[str]) -> dict[str, list[str]]:
    """Column to the headers that may fill it, best first."""
    by_key: dict[str, str] = {}
    for header in headers:
        by_key.setdefault(_exact(header), header)
    found: dict[str, list[str]] = {}
    for key, column in platform.columns.items():
        if key in by_key:
            found.setdefault(column, []).append(by_key[key])
    return found


def left_alone(platform: Platform, headers: Sequence[str]) -> set[str]:
    """The headers of a known export that are not to be judged by their names."""
    return {header for header in headers if _exact(header) in platform.leave}


def _exact(text: str) -> str:
    """Exports are matched with their brackets: 商品编码(平台) and 商品编码(自定义) differ."""
    return "".join(_WORDS.findall(unicodedata.normalize("NFKC", text).lower()))


@cache
def _raw() -> dict[str, Any]:
    from ruamel.yaml import YAML

    text = resources.files("kequn.data").joinpath("headers.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = YAML(typ="safe").load(text)
    return loaded


__all__ = [
    "EXACT",
    "WEAK",
    "Header",
    "Platform",
    "find_platform",
    "fold_header",
    "left_alone",
    "name_rank",
    "name_score",
    "platform_columns",
    "platforms",
]
