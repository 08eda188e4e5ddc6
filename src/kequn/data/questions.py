"""What the data don't tell, put as questions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kequn.data.conventions import date_order, decimal_sign
from kequn.data.entries import Entry
from kequn.data.matching import SURE
from kequn.data.standard import table


@dataclass(frozen=True)
class Question:
    """What can't be told from the data. `kind`: missing, unsure, customer, date_order, decimal, table.

    `candidates` are headers (or `dmy`/`mdy`, `.`/`,`, table names), likeliest first; `suggestion` is used until answered,
    None = nothing. `needed`: without an answer the source can't be used.
    """

    file: Path
    sheet: str | None
    table: str
    column: str
    kind: str
    candidates: tuple[str, ...]
    suggestion: str | None
    needed: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        """What makes a question the same one after other answers changed its candidates."""
        return self.file, self.sheet, self.table, self.column, self.kind


def questions_about(entry: Entry) -> list[Question]:
    """The questions that an entry leaves open."""
    owner = table(entry.table)
    file, sheet = entry.sample.files[0], entry.sample.sheet

    def ask(
        column: str, kind: str, candidates: Iterable[str], suggestion: str | None, needed: bool = False
    ) -> Question:
        return Question(file, sheet, entry.table, column, kind, tuple(candidates), suggestion, needed)

    found = [ask(name, "missing", _candidates(entry, name), None, True) for name in entry.missing]
    for name in dict.fromkeys((*owner.required, "amount", "customer_id")):
        match = entry.matches.get(name)
        if match and match.confidence < SURE:
            others = match.rivals or (() if "content" in match.reasons else _candidates(entry, name))
            if others:
                found.append(ask(name, "unsure", dict.fromkeys((match.header, *others)), match.header))
    if entry.table in ("orders", "flat_orders") and "customer_id" not in entry.matches:
        found.append(ask("customer_id", "customer", _candidates(entry, "customer_id"), None))
    contents, types = (
        entry.sample.contents,
        {match.header: owner.columns[name].type for name, match in entry.matches.items()},
    )
    if (
        date_order(contents[header] for header, kind in types.items() if kind in ("date", "timestamp"))
        == "unsure"
    ):
        found.append(ask("", "date_order", ("dmy", "mdy"), entry.format["date_order"]))
    if (
        decimal_sign(
            contents[header] for header, kind in types.items() if kind in ("money", "number", "decimal")
        )
        == "unsure"
    ):
        found.append(ask("", "decimal", (".", ","), "."))
    return found


def _candidates(entry: Entry, name: str) -> list[str]:
    """Headers that might fill a column, judged by type, likeliest first."""
    kind = table(entry.table).columns[name].type
    free = [header for header in entry.sample.columns if header in entry.sample.contents]
    free = [header for header in free if header not in {match.header for match in entry.matches.values()}]

    def likely(header: str) -> float:
        content = entry.sample.contents[header]
        if kind in ("date", "timestamp"):
            return content.date
        if kind in ("money", "decimal", "number", "integer"):
            return content.number - content.date
        if name.endswith("_id"):
            repeated = 0.3 if name in table(entry.table).key else content.distinct / max(1, content.filled)
            useless = (
                (name == "customer_id" and entry.table in ("orders", "flat_orders") and content.unique)
                or content.filled < 0.3 * content.rows
                or content.length > 40
                or content.date > 0.5
                or content.money > 0.3
            )
            return (
                0.0
                if useless or content.integer < 0.5 < content.number
                else max(content.phone, 0.2 + repeated * 0.5)
            )
        return 0.5

    return sorted((header for header in free if likely(header) >= 0.5), key=lambda header: -likely(header))[
        :6
    ]


__all__ = ["Question", "questions_about"]
