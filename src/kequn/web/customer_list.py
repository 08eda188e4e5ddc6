"""Lists of customers: who fits the search and the filters within a person's scope, sorted, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from kequn.web import contacts
from kequn.web.accounts.masking import masked_row
from kequn.web.accounts.scope import scope_of
from kequn.web.published import personal_columns, remembered, schemes, unknown_money
from kequn.web.serving import Reader

PER_PAGE = 25
DEEPEST = 400  # pages that one may leaf through; deeper needs a filter
WANTED = (
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
    there = reader.columns("profile").keys() - unknown_money(reader)
    where, values = condition(request, reader, filters)
    shown = tuple(name for name in WANTED if name in there)
    scheme = scheme if f"seg_{scheme}" in there else next(iter(schemes(reader)), "")
    selected = ["customer_id", *shown, *([f'"seg_{scheme}" AS segment'] if scheme else [])]
    order = next((name for name in SORTS.get(sort, ()) if name in there), "customer_id")
    falling = "" if order in ("customer_id", "recency_days") else " DESC"
    by = f"{order}{falling} NULLS LAST, customer_id"
    if filters.text and page == 1:
        rows, total = _searched(reader, selected, where, values, by)
    else:
        total = _count(reader, where, values, scope_of(request.user).key)
        page = min(max(1, page), min(max(1, -(-total // PER_PAGE)), DEEPEST))
        rows = reader.dicts(
            f"SELECT {', '.join(selected)} FROM profile WHERE {where} ORDER BY {by} LIMIT {PER_PAGE} OFFSET {(page - 1) * PER_PAGE}",
            values,
        )
    named = contacts.with_contacts(reader, rows)
    personal = personal_columns(reader) | contacts.PERSONAL
    masked = [masked_row(request, row["customer_id"], row, personal & set(row)) for row in named]
    for row in masked:
        row.pop("_total", None)
        row["called"] = row.get("name") or row.get("company") or ""
    return Found(masked, (*contacts.shown_columns(reader)[:1], *shown), total, page, sort=sort, scheme=scheme)


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


def _searched(
    reader: Reader, selected: Sequence[str], where: str, values: Sequence[Any], by: str
) -> tuple[list[dict[str, Any]], int]:
    """The first page of a search and how many there are, in one scan: what is typed differs every time."""
    with reader.limited():
        rows = reader.dicts(
            f"WITH fitting AS MATERIALIZED (SELECT {', '.join(selected)} FROM profile WHERE {where}) "
            f"SELECT *, (SELECT count(*) FROM fitting) AS _total FROM fitting ORDER BY {by} LIMIT {PER_PAGE}",
            values,
        )
    return rows, next((int(row["_total"]) for row in rows), 0)


def _count(reader: Reader, where: str, values: Sequence[Any], scope: str) -> int:
    def counted() -> int:
        with reader.limited():
            return int(reader.value(f"SELECT count(*) FROM profile WHERE {where}", values))

    return remembered(reader, f"list:{scope}:{where}:{values!r}", counted)


def _text(request: HttpRequest, reader: Reader, text: str) -> tuple[str, list[Any]]:
    """Id by its beginning for everybody; name, pinyin, phone and e-mail for those who may see them."""
    found, values = contacts.condition(request, reader, text)
    return " OR ".join(filter(None, ["starts_with(customer_id, ?)", found])), [text, *values]
