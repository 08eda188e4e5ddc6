"""The readable end of a run: figures, reconciliation, the schemes that matter most in full, the others in a line each."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kequn.cli.printing import count, own_name, percent, print_line, print_table
from kequn.i18n import say, title

if TYPE_CHECKING:
    from kequn.snapshot import Snapshot

HEADLINES = ("transaction_type", "rfm", "value_tier")
"""The schemes shown in full, with those that the library doesn't have: the user's own."""
FULL = 3
AHEAD = ("expected_orders_12m", "expected_revenue_12m", "clv_12m")
"""Sums of the members' predictions, which `show` prints below what they spent."""
EMPTY = "scheme.empty_segment"
QUIET = ("cluster.constant", "cluster.all_missing")
"""Told in the report only: a column that says nothing is left out of the groups by itself."""
NAMED = 4
Row = dict[str, Any]


def print_summary(snapshot: Snapshot, lang: str, folder: Path) -> None:
    """Print what a run found out: data, totals, schemes, and what needs attention."""
    from kequn.reading import overview, scheme_overview

    manifest = snapshot.manifest.model_dump(mode="json")
    with snapshot.connect() as con:
        totals = overview(con)
        segments = scheme_overview(con)
    print_line(say("summary.head", lang, run_id=snapshot.run_id, as_of=str(snapshot.manifest.as_of)))
    _print_totals(totals, manifest, lang)
    print_reconciliation(manifest.get("reconciliation", {}).get("tables", {}), lang)
    if totals["customers"]:
        _print_schemes(segments, manifest, lang)
    unavailable = manifest.get("schemes_unavailable", {})
    if unavailable:
        command = f"{own_name()} check -w {shlex.quote(str(folder))}"
        print_line(say("summary.locked", lang, schemes=len(unavailable), command=command))
    print_warnings(manifest, lang)


def _print_totals(totals: Row, manifest: Row, lang: str) -> None:
    currency = manifest.get("currency", "")
    if not totals["customers"]:
        sales = manifest.get("reconciliation", {})
        amount = Decimal(sales.get("anonymous_amount") or 0).scaleb(-manifest.get("minor_unit_digits", 2))
        fields = {"orders": count(sales.get("anonymous_orders", 0)), "amount": count(amount)}
        print_line(say("summary.nobody", lang, currency=currency, **fields))
        return
    fields = {key: count(totals[key]) for key in ("customers", "buyers", "revenue")}
    fields |= {
        "features": count(len(manifest.get("columns", []))),
        "schemes": count(len(manifest.get("schemes", {}))),
    }
    code = "summary.people" if totals["revenue"] is None else "summary.totals"
    print_line(say(code, lang, currency=currency, **fields))


def print_reconciliation(tables: dict[str, Row], lang: str) -> None:
    """Rows read, kept, quarantined and duplicate, by table."""
    rows = [
        [name, *(count(part[key]) for key in ("read", "kept", "quarantined", "duplicates"))]
        for name, part in tables.items()
        if part["read"]
    ]
    names = [say(f"summary.{key}", lang) for key in ("table", "read", "kept", "quarantined", "duplicates")]
    print_table(say("summary.data", lang), names, rows, right=(1, 2, 3, 4))


def _print_schemes(segments: Sequence[Row], manifest: Row, lang: str) -> None:
    from kequn.scheme.library import texts

    by_scheme: dict[str, list[Row]] = {}
    for row in segments:
        by_scheme.setdefault(row["scheme"], []).append(row)
    library = {name.split(".")[0] for name in texts()}
    full = [name for name in HEADLINES if name in by_scheme]
    full += [name for name in by_scheme if name not in library and name not in full]
    full += [name for name in by_scheme if name not in full][: max(0, FULL - len(full))]
    for name in full:
        peopled = [row for row in by_scheme[name] if row["customers"]]
        print_scheme(name, peopled or by_scheme[name], manifest, lang)
    rest = [name for name in by_scheme if name not in full]
    body = [[scheme_title(name, manifest, lang), name, _largest(by_scheme[name], lang)] for name in rest]
    if body:
        names = [say(f"summary.{key}", lang) for key in ("scheme", "name", "largest")]
        print_table(say("summary.other_schemes", lang), names, body)


def _largest(rows: Sequence[Row], lang: str) -> str:
    whole = sum(row["customers"] for row in rows)
    best = sorted((row for row in rows if row["customers"]), key=lambda row: -row["customers"])[:3]
    return " · ".join(f"{row[f'title_{lang}']} {percent(row['customers'] / whole)}" for row in best)


def print_scheme(scheme: str, rows: Sequence[Row], manifest: Row, lang: str, only: str | None = None) -> None:
    """One scheme as a table: segment, customers, share, revenue. `only`: one segment, its share still of the whole."""
    value = next((name for name in ("revenue_12m", "monetary") if rows and name in rows[0]), None)
    total = sum(row[value] or 0 for row in rows) if value else 0
    names = [say(f"summary.{key}", lang) for key in ("segment", "customers", "share")]
    names += [say("summary.revenue", lang), say("summary.revenue_share", lang)] if value else []
    body = []
    for row in rows:
        if only is not None and row["segment"] != only:
            continue
        line = [row[f"title_{lang}"], count(row["customers"]), percent(row["share"])]
        if value:
            line += [count(row[value]), percent(float(row[value] or 0) / float(total)) if total else "–"]
        body.append(line)
    heading = scheme_title(scheme, manifest, lang)
    print_table(f"{heading} ({scheme})", names, body, right=(1, 2, 3, 4))


def print_ahead(rows: Sequence[Row], manifest: Row, lang: str, only: str | None = None) -> None:
    """What the members of each segment will do, summed: orders, revenue and value of the next 12 months."""
    there = [name for name in AHEAD if any(row.get(name) is not None for row in rows)]
    titles = {item["name"]: title(item["title"], lang) for item in manifest.get("prediction_columns", [])}
    body = [
        [row[f"title_{lang}"], *(count(row[name]) for name in there)]
        for row in rows
        if only is None or row["segment"] == only
    ]
    if there:
        names = [say("summary.segment", lang), *(titles.get(name, name) for name in there)]
        print_table(say("summary.ahead", lang), names, body, right=range(1, len(names)))


def scheme_title(scheme: str, manifest: Row, lang: str) -> str:
    """The title of a scheme, as it stood in its file when the run was made."""
    return title(manifest.get("schemes", {}).get(scheme, {}).get("title", scheme), lang) or scheme


def print_warnings(manifest: Row, lang: str) -> None:
    """Warnings of the run, worded; segments without customers together."""
    warnings = manifest.get("warnings", [])
    if not manifest.get("customers"):
        # That clusters and segments are empty says nothing new when there is nobody.
        warnings = [one for one in warnings if not one["code"].startswith(("cluster.", "scheme."))]
    for warning in warnings:
        if warning["code"] not in (EMPTY, *QUIET):
            fields = {key: value for key, value in warning.items() if key != "code"}
            print_line("! " + say(warning["code"], lang, **fields))
    empty = [f"{one['scheme']}/{one['segment']}" for one in warnings if one["code"] == EMPTY]
    if empty:
        names = ", ".join(empty[:NAMED]) + (" …" if len(empty) > NAMED else "")
        print_line(say("summary.empty_segments", lang, segments=len(empty), names=names))


__all__ = [
    "print_ahead",
    "print_reconciliation",
    "print_scheme",
    "print_summary",
    "print_warnings",
    "scheme_title",
]
