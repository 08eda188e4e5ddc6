"""Ids that several files share tell which columns refer to which table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kequn.data.entries import Entry
from kequn.data.matching import PLATFORM, Match
from kequn.data.standard import table

CONFIRMS = 0.6
_REFERENCES = {
    "customer_id": ("customers", "customer_id"),
    "product_id": ("products", "product_id"),
    "company_id": ("companies", "company_id"),
}


def confirm_references(entries: Sequence[Entry]) -> list[Entry]:
    """Confirm, or set right, the columns that refer to another table by comparing their values with that table's keys."""
    changed = list(entries)
    for column, (target, key) in _REFERENCES.items():
        ids = frozenset[str]().union(*(_ids(entry, key) for entry in entries if entry.table == target))
        if len(ids) < 3:
            continue
        changed = [entry if entry.table == target else _confirm(entry, column, ids) for entry in changed]
    return changed


def _confirm(entry: Entry, column: str, ids: frozenset[str]) -> Entry:
    if column not in table(entry.table).mappable:
        return entry
    shared = {
        header: len(content.ids & ids) / len(content.ids)
        for header, content in entry.sample.contents.items()
        if len(content.ids) >= 3
    }
    best = max(shared, key=lambda header: shared[header], default=None)
    if best is None or shared[best] < CONFIRMS:
        return entry
    now = entry.matches.get(column)
    if now and "overlap" in now.reasons:
        return entry
    if now and shared.get(now.header, 0.0) >= 0.5 * shared[best]:
        sure = replace(now, confidence=max(now.confidence, 0.97), reasons=(*now.reasons, "overlap"))
        return replace(entry, matches={**entry.matches, column: sure})
    if (now and now.confidence >= PLATFORM) or _used_well(entry, best) or _small_numbers(entry, best):
        return entry
    others = {name: match for name, match in entry.matches.items() if match.header != best}
    return replace(entry, matches={**others, column: Match(column, best, 0.9, ("overlap",))})


def _ids(entry: Entry, key: str) -> frozenset[str]:
    match = entry.matches.get(key)
    return entry.sample.contents[match.header].ids if match else frozenset()


def _used_well(entry: Entry, header: str) -> bool:
    return any(match.header == header and match.confidence >= 0.9 for match in entry.matches.values())


def _small_numbers(entry: Entry, header: str) -> bool:
    """Small whole numbers are found in any list of small whole numbers; that proves nothing."""
    content = entry.sample.contents[header]
    return content.integer >= 0.9 and content.length < 4


def add_customers_of_companies(entries: Sequence[Entry]) -> list[Entry]:
    """Where deals or orders refer to companies, the companies are the customers: the same file also fills `customers`."""
    if any(entry.table == "customers" for entry in entries):
        return list(entries)
    buyers = frozenset[str]().union(*(_ids(entry, "customer_id") for entry in entries))
    added = []
    for entry in entries:
        key = entry.matches.get("company_id")
        if entry.table != "companies" or key is None:
            continue
        ids = _ids(entry, "company_id")
        if len(ids & buyers) >= CONFIRMS * min(len(buyers), len(ids)):
            keep = [name for name in ("name", "country") if name in entry.matches]
            matches = {name: entry.matches[name] for name in keep}
            for name in ("customer_id", "company_id"):
                matches[name] = Match(name, key.header, 0.9, ("overlap",) if buyers else key.reasons)
            added.append(
                replace(entry, table="customers", matches=matches, constants={"customer_kind": "company"})
            )
    return [*entries, *added]


__all__ = ["add_customers_of_companies", "confirm_references"]
