"""What pages ask of the published run: titles, sums per segment within a person's scope, totals, other runs.

Dashboards read `segment_by_manager`; whatever has to read the customers themselves is kept as long as the run is open
(`Reader._handle.known`), by scope.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.http import Http404
from django.utils.translation import get_language

from kequn.data.standard import TABLES
from kequn.i18n import title as chosen
from kequn.language import Catalog
from kequn.reading.rules import snapshot_catalog
from kequn.reading.values import Titles
from kequn.reading.values import value_titles as titles_of_values
from kequn.snapshot import Snapshot, SnapshotStore
from kequn.snapshot.contacts import COLUMNS
from kequn.web.accounts.scope import Scope
from kequn.web.serving import Reader

T = TypeVar("T")
AGGREGATES = "segment_by_manager"
FIRST = ("rfm", "transaction_type", "value_tier", "customer_type")
MONEY = ("revenue_12m", "revenue_365d", "monetary", "revenue_90d", "profit_12m", "clv_12m")
RUNS_SHOWN = 24
KEPT = 400  # answers kept per run; scopes are few, so this is generous


def language() -> str:
    """`zh` or `en`, as the core's catalogues call them."""
    return "en" if (get_language() or "").startswith("en") else "zh"


def worded(text: Mapping[str, str] | None, otherwise: str = "") -> str:
    """A {zh, en} text in the reader's language."""
    return (chosen(text, language()) if text else "") or otherwise


def remembered(reader: Reader, key: str, work: Callable[[], T]) -> T:
    """`work()`, done once per open run and `key` (which must name the scope when the answer depends on it)."""
    known = reader._handle.known
    if key not in known:
        if len(known) > KEPT:
            known.clear()
        known[key] = work()
    found: T = known[key]
    return found


def said(reader: Reader) -> dict[str, Any]:
    """The manifest as plain JSON, as the functions of `kequn.reading` take it."""
    return remembered(reader, "manifest", lambda: reader.manifest.model_dump(mode="json"))


def rule_catalog(reader: Reader) -> Catalog:
    """What a rule may name in this run."""
    return remembered(reader, "rule_catalog", lambda: snapshot_catalog(said(reader)))


@dataclass(frozen=True)
class SchemeInfo:
    """A scheme of the run in the reader's language; `segments` are (id, title) in their declared order."""

    name: str
    title: str
    kind: str
    purpose: str
    limits: str
    model: str
    segments: tuple[tuple[str, str], ...]
    playbooks: Mapping[str, str]
    customers: int

    def segment_title(self, segment: str | None) -> str:
        return dict(self.segments).get(segment or "", segment or "")

    def colour(self, segment: str | None) -> int:
        """Number (1-8) of the segment's colour, the same on every page."""
        names = [name for name, _ in self.segments]
        return names.index(segment) % 8 + 1 if segment in names else 7


def schemes(reader: Reader) -> dict[str, SchemeInfo]:
    """The schemes of the run, those that people look at first in front."""
    return remembered(reader, f"schemes:{language()}", lambda: _schemes(reader))


def _schemes(reader: Reader) -> dict[str, SchemeInfo]:
    declared: dict[str, Any] = said(reader).get("schemes") or {}
    served = [name.removeprefix("seg_") for name in reader.columns("profile") if name.startswith("seg_")]
    order = sorted(served, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))
    found = {}
    for name in order:
        about = declared.get(name, {})
        titles = about.get("segment_titles") or {}
        ids = list(about.get("segments") or titles) or [
            row[0]
            for row in reader.rows(
                f"SELECT DISTINCT segment FROM {AGGREGATES} WHERE scheme = ? ORDER BY 1", [name]
            )
        ]
        found[name] = SchemeInfo(
            name, worded(about.get("title"), name), about.get("kind", ""), worded(about.get("purpose")),
            worded(about.get("limits")), about.get("model") or "", tuple((one, worded(titles.get(one), one)) for one in ids),
            {one: worded(text) for one, text in (about.get("playbooks") or {}).items() if isinstance(text, dict)},
            int(about.get("customers") or 0),
        )  # fmt: skip
    return found


def scheme_or_404(reader: Reader, name: str) -> SchemeInfo:
    """The scheme called `name`; 404 when the run has none."""
    found = schemes(reader).get(name)
    if found is None:
        raise Http404
    return found


def chosen_scheme(reader: Reader, name: str | None, *kinds: str) -> SchemeInfo | None:
    """The scheme called `name` (404 when there is none), else the first one of the wanted kinds; None without any."""
    fitting = [item for item in schemes(reader).values() if not kinds or item.kind in kinds]
    if name:
        return next((item for item in fitting if item.name == name), None) or scheme_or_404(reader, "")
    return fitting[0] if fitting else None


def aggregate_scope(scope: Scope) -> tuple[str, list[str]]:
    """The scope as a condition on `segment_by_manager`, with its values: managers see their customers, owners their segments."""
    if scope.everyone:
        return "TRUE", []
    clauses: list[str] = []
    values: list[str] = []
    if scope.account_manager:
        clauses.append("account_manager = ?")
        values.append(scope.account_manager)
    for scheme, segment in scope.segments:
        clauses.append("(scheme = ? AND segment = ?)")
        values += [scheme, segment]
    return (f"({' OR '.join(clauses)})", values) if clauses else ("FALSE", [])


def segment_rows(reader: Reader, scope: Scope, scheme: SchemeInfo) -> list[dict[str, Any]]:
    """One row per segment in order: id, title, colour, customers, share, and the sums of money that the run has.

    Numbers cover the person's scope only. `value` is the money that pages weigh segments by.
    """
    if AGGREGATES not in reader.tables:
        return []
    where, values = aggregate_scope(scope)
    money = money_columns(reader)
    sums = "".join(f", sum({name}) AS {name}" for name in money)
    sql = f"SELECT segment, sum(customers)::BIGINT AS customers{sums} FROM {AGGREGATES} WHERE scheme = ? AND {where} GROUP BY segment"
    found = {row["segment"]: row for row in reader.dicts(sql, [scheme.name, *values])}
    total = sum(row["customers"] for row in found.values())
    worth = sum(row[money[0]] or 0 for row in found.values()) if money else 0
    owned = (
        None
        if scope.everyone or scope.account_manager
        else {s for name, s in scope.segments if name == scheme.name}
    )
    rows = []
    for name, words in scheme.segments:
        if owned is not None and name not in owned:
            continue
        row = found.get(name, {"customers": 0, **dict.fromkeys(money)})
        value = row[money[0]] if money else None
        rows.append({
            **row, "segment": name, "title": words, "colour": scheme.colour(name), "value": value,
            "share": row["customers"] / total if total else None,
            "value_share": float(value / worth) if value is not None and worth else None,
            "value_each": value / row["customers"] if value is not None and row["customers"] else None,
            "playbook": scheme.playbooks.get(name, ""),
        })  # fmt: skip
    return rows


def money_columns(reader: Reader) -> list[str]:
    """The sums that the run's aggregates hold, the one to weigh segments by first.

    One that is unknown of everybody (twelve months in a shop that is younger) comes after those that are known.
    """
    unknown = unknown_money(reader)
    return sorted(
        (name for name in MONEY if name in reader.columns(AGGREGATES)), key=lambda name: name in unknown
    )


def unknown_money(reader: Reader) -> frozenset[str]:
    """Sums that the run has a column for and knows of nobody; pages leave them out."""

    def found() -> frozenset[str]:
        names = [name for name in MONEY if name in reader.columns(AGGREGATES)]
        if not names:
            return frozenset()
        counts = reader.rows(f"SELECT {', '.join(f'count({name})' for name in names)} FROM {AGGREGATES}")[0]
        return frozenset(name for name, count in zip(names, counts, strict=True) if not count)

    return remembered(reader, "unknown_money", found)


def money_title(reader: Reader) -> str:
    """What money segments are weighed by in this run, in words."""
    money = money_columns(reader)
    return column_title(reader, money[0]) if money else ""


def totals(reader: Reader, scope: Scope) -> dict[str, Any]:
    """`kequn.reading.overview` within the scope, with what 90 days before changed; counted once per run and scope."""
    return remembered(reader, f"totals:{scope.key}", lambda: _totals(reader, scope))


def _totals(reader: Reader, scope: Scope) -> dict[str, Any]:
    from kequn.reading.overview import totals as counted

    where, values = reader.scoped(scope)
    with reader.limited():
        return counted(reader.connection, where, values)


def store() -> SnapshotStore:
    """The runs of the workspace."""
    return SnapshotStore(settings.WORKSPACE / "snapshots")


def runs(reader: Reader) -> list[Snapshot]:
    """The latest run of each day that was looked at, oldest first, up to the published one; at most two dozen."""
    from kequn.reading.movement import by_as_of

    found = remembered(reader, "runs", lambda: by_as_of(store().runs()))
    return [run for run in found if run.manifest.as_of <= reader.manifest.as_of][-RUNS_SHOWN:]


def value_titles(reader: Reader) -> Titles:
    """Titles of coded values and segments of the run."""
    return remembered(reader, "values", lambda: titles_of_values(said(reader)))


def column_title(reader: Reader, name: str) -> str:
    """A profile or prediction column in words."""
    return column_titles(reader).get(name, name)


def column_titles(reader: Reader) -> dict[str, str]:
    """All columns in words, in the reader's language."""
    contact = TABLES["customers"].columns
    return remembered(reader, f"columns:{language()}", lambda: {
        name: worded(contact[name].title, name) for name in COLUMNS
    } | {
        item["name"]: worded(item.get("title"), item["name"])
        for item in [*(said(reader).get("columns") or ()), *(said(reader).get("prediction_columns") or ())]
    })  # fmt: skip


def personal_columns(reader: Reader) -> frozenset[str]:
    """Profile columns that are personal or sensitive; the id is not among them, it is how one refers to a customer.

    Columns that a manifest doesn't describe count as personal when they are known contact data.
    """
    declared = {item["name"]: item.get("privacy", "none") for item in said(reader).get("columns") or ()}
    named = {"name", "phone", "email", "birth_date"}
    columns = reader.columns("profile")
    return frozenset(
        name
        for name in columns
        if name != "customer_id" and declared.get(name, "personal" if name in named else "none") != "none"
    )
