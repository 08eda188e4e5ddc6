"""Lists of customers: who fits the search and the filters within a person's scope, sorted, a page at a time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.http import HttpRequest
from pypinyin import Style, pinyin

from kequn.web.accounts.masking import NAME_IN_CLEAR, masked_row
from kequn.web.accounts.scope import scope_of
from kequn.web.published import personal_columns, remembered, schemes
from kequn.web.serving import Reader

PER_PAGE = 25
DEEPEST = 400  # pages that one may leaf through; deeper needs a filter
WANTED = (
    "name",
    "company",
    "city",
    "account_manager",
    "recency_days",
    "frequency",
    "monetary",
    "revenue_12m",
)
SORTS = {
    "value": ("revenue_12m", "monetary", "frequency"),
    "recent": ("recency_days",),
    "orders": ("frequency",),
    "id": (),
}
LATIN = re.compile(r"[a-zA-Z']{2,24}")
PHONE = re.compile(r"\+?[\d\s-]{7,20}")


@dataclass(frozen=True)
class Filters:
    """What limits a list: free text, (scheme, segment) pairs that must all hold, and a further condition of ours."""

    text: str = ""
    segments: tuple[tuple[str, str], ...] = ()
    condition: str = ""
    values: tuple[Any, ...] = ()
    ids: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Found:
    """One page of a list: rows with masked personal data, columns that there are, and how many fit in all."""

    rows: list[dict[str, Any]]
    columns: tuple[str, ...]
    total: int
    page: int
    per_page: int = PER_PAGE
    sort: str = "value"
    scheme: str = ""
    notes: tuple[str, ...] = field(default_factory=tuple)

    @property
    def pages(self) -> int:
        return min(max(1, -(-self.total // self.per_page)), DEEPEST)

    @property
    def previous(self) -> int:
        return self.page - 1

    @property
    def next(self) -> int:
        return self.page + 1

    @property
    def first(self) -> int:
        return (self.page - 1) * self.per_page + 1 if self.total else 0

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1 if self.rows else 0


def find(
    request: HttpRequest, filters: Filters, *, page: int = 1, sort: str = "value", scheme: str = ""
) -> Found:
    """A page of the customers that fit, within the scope of the person who asks."""
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    there = reader.columns("profile")
    where, values = condition(request, reader, filters)
    shown = tuple(name for name in WANTED if name in there)
    scheme = scheme if f"seg_{scheme}" in there else next(iter(schemes(reader)), "")
    selected = ["customer_id", *shown, *([f'"seg_{scheme}" AS segment'] if scheme else [])]
    order = next((name for name in SORTS.get(sort, ()) if name in there), "customer_id")
    falling = "" if order in ("customer_id", "recency_days") else " DESC"
    total = _count(reader, where, values, scope_of(request.user).key)
    page = min(max(1, page), min(max(1, -(-total // PER_PAGE)), DEEPEST))
    rows = reader.dicts(
        f"SELECT {', '.join(selected)} FROM profile WHERE {where} "
        f"ORDER BY {order}{falling} NULLS LAST, customer_id LIMIT {PER_PAGE} OFFSET {(page - 1) * PER_PAGE}",
        values,
    )  # fmt: skip
    personal = personal_columns(reader)
    masked = [masked_row(request, row["customer_id"], row, personal & set(row)) for row in rows]
    for row in masked:
        row["called"] = row.get("name") or row.get("company") or ""
    return Found(masked, shown, total, page, sort=sort, scheme=scheme)


def condition(request: HttpRequest, reader: Reader, filters: Filters) -> tuple[str, list[Any]]:
    """The filters and the person's scope as SQL with its values."""
    where, scoped = reader.scoped(scope_of(request.user))
    clauses, values = [where], list(scoped)
    there = reader.columns("profile")
    for scheme, segment in filters.segments:
        if f"seg_{scheme}" in there:
            clauses.append(f'"seg_{scheme}" = ?')
            values.append(segment)
    if filters.condition:
        clauses.append(f"({filters.condition})")
        values += filters.values
    if filters.ids is not None:
        clauses.append("customer_id IN (SELECT unnest(?::VARCHAR[]))")
        values.append(list(filters.ids))
    if filters.text:
        sql, found = _text(request, reader, filters.text.strip()[:80])
        clauses.append(f"({sql})")
        values += found
    return " AND ".join(clauses), values


def _count(reader: Reader, where: str, values: Sequence[Any], scope: str) -> int:
    def counted() -> int:
        with reader.limited():
            return int(reader.value(f"SELECT count(*) FROM profile WHERE {where}", values))

    return remembered(reader, f"list:{scope}:{where}:{values!r}", counted)


def _text(request: HttpRequest, reader: Reader, text: str) -> tuple[str, list[Any]]:
    """Id by its beginning for everybody; name and pinyin for those who see names; phone and e-mail in full for those who may see them."""
    there = reader.columns("profile")
    clauses, values = ["starts_with(customer_id, ?)"], [text]
    if "name" in there and getattr(request.user, "role", "") in NAME_IN_CLEAR:
        clauses.append("contains(lower(name), lower(?))")
        values.append(text)
        pattern = _by_pinyin(reader, text) if LATIN.fullmatch(text) else ""
        if pattern:
            clauses.append("regexp_matches(name, ?)")
            values.append(pattern)
    if request.user.may("customers.unmask"):  # type: ignore[union-attr]
        if "phone" in there and PHONE.fullmatch(text):
            clauses.append("regexp_replace(phone, '[^0-9]', '', 'g') = ?")
            values.append(re.sub(r"\D", "", text))
        if "email" in there and "@" in text:
            clauses.append("lower(email) = lower(?)")
            values.append(text)
    return " OR ".join(clauses), values


def _by_pinyin(reader: Reader, text: str) -> str:
    """A regular expression for names that begin with these initials or this pinyin, over the characters that names use."""
    signs = remembered(reader, "name_signs", lambda: _signs(reader))
    letters = text.lower().replace("'", "")
    ways = [[[(letter, True)] for letter in letters]] if len(letters) <= 4 else []
    ways += [
        [[item] for item in way]
        for way in _syllables(letters, frozenset(s for all_ in signs.values() for s in all_))
    ]
    patterns = []
    for way in ways[:8]:
        classes = []
        for ((sound, initial),) in way:
            fitting = [
                sign
                for sign, sounds in signs.items()
                if any(s.startswith(sound) if initial else s == sound for s in sounds)
            ]
            if not fitting:
                break
            classes.append(f"[{''.join(map(re.escape, fitting))}]")
        else:
            patterns.append("".join(classes))
    return f"^(?:{'|'.join(patterns)})" if patterns else ""


def _syllables(letters: str, known: frozenset[str]) -> list[list[tuple[str, bool]]]:
    """The ways to read letters as syllables; the last one may be cut short."""

    @cache
    def ways(start: int) -> tuple[tuple[tuple[str, bool], ...], ...]:
        if start == len(letters):
            return ((),)
        found: list[tuple[tuple[str, bool], ...]] = []
        for end in range(start + 1, min(start + 6, len(letters)) + 1):
            sound = letters[start:end]
            if sound in known:
                found += [((sound, False), *rest) for rest in ways(end)]
        rest = letters[start:]
        if start and len(rest) <= 6 and any(sound.startswith(rest) for sound in known):
            found.append(((rest, True),))
        return tuple(found[:8])

    return [list(way) for way in ways(0)]


def _signs(reader: Reader) -> Mapping[str, frozenset[str]]:
    """Each character of the names in the run with the ways it sounds."""
    rows = reader.rows(
        "SELECT DISTINCT unnest(string_split(name, '')) FROM profile WHERE name IS NOT NULL LIMIT 8000"
    )
    signs = [row[0] for row in rows if row[0] and "\u4e00" <= row[0] <= "\u9fff"]
    return {sign: frozenset(pinyin(sign, style=Style.NORMAL, heteronym=True)[0]) for sign in signs}
