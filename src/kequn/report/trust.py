"""How far the figures can be trusted: rows from source to facts, quarantine, completeness; and what each model could have."""

from __future__ import annotations

from collections import Counter
from typing import Any

from kequn.data.standard import MODELS, TABLES
from kequn.report.source import Source, Text, known, said, share, text

UNLOCKS = 5
ATTRIBUTES = 24
REASONS = 20


def seven_models(source: Source) -> list[dict[str, Any]]:
    """For each of the seven models: its schemes and features, those that can't be used, and what would unlock more."""
    columns = [c for c in source.manifest.get("columns") or () if not c.get("hidden")]
    unavailable = source.manifest.get("unavailable") or ()
    return [_model(source, model, columns, unavailable) for model in MODELS]


def _model(source: Source, model: str, columns: Any, unavailable: Any) -> dict[str, Any]:
    schemes = [
        source.scheme_title(name) for name, item in source.schemes.items() if item.get("model") == model
    ]
    waiting = [
        {"title": source.scheme_title(name), "missing": [_wanted(source, item) for item in missing]}
        for name, missing in (source.manifest.get("schemes_unavailable") or {}).items()
        if source.definition(name).get("model") == model
    ]
    present = sum(1 for column in columns if column.get("model") == model)
    absent = [item for item in unavailable if item.get("model") == model]
    # what Kequn derives by itself (enriched_…) is nothing that a user could deliver
    wanted = Counter(
        name for item in absent for name in item.get("missing") or () if name.partition(".")[0] in TABLES
    )
    unlocks = [
        {"title": _standard(name), "features": features} for name, features in wanted.most_common(UNLOCKS)
    ]
    if not present and not unlocks:
        unlocks = [{"title": title, "features": None} for title in _feeding(model)]
    return {
        "model": model, "title": said(f"model.{model}"), "about": said(f"report.model.{model}"), "features": present,
        "absent": len(absent), "schemes": schemes, "waiting": waiting, "unlocks": unlocks,
    }  # fmt: skip


def _wanted(source: Source, name: str) -> Text:
    """A missing profile column, or a group of which one is needed (`a|b`)."""
    titles = [source.column_title(part) for part in name.split("|")]
    return {
        lang: (" 或 " if lang == "zh" else " or ").join(title[lang] for title in titles)
        for lang in ("zh", "en")
    }


def _standard(name: str) -> Text:
    """`table.column` in words."""
    table, _, column = name.partition(".")
    declared = TABLES.get(table)
    if declared is None:
        return {"zh": name, "en": name}
    if not column:
        return text(declared.title, table)
    inner = declared.columns.get(column)
    titles = text(declared.title, table), text(inner.title if inner else None, column)
    return {lang: f"{titles[0][lang]} · {titles[1][lang]}" for lang in ("zh", "en")}


def _feeding(model: str) -> list[Text]:
    """The tables with most columns for a model."""
    counts = Counter(
        {name: sum(1 for c in table.columns.values() if c.model == model) for name, table in TABLES.items()}
    )
    return [text(TABLES[name].title, name) for name, columns in counts.most_common(3) if columns]


def quality(source: Source) -> dict[str, Any]:
    """Reconciliation per table, anonymous and returned sales (major units), quarantine reasons, completeness of attributes."""
    kept = source.manifest.get("reconciliation") or {}
    unit = 10 ** int(source.manifest.get("minor_unit_digits", 2))
    tables = []
    for name, counts in (kept.get("tables") or {}).items():
        if not counts["read"] and not counts["kept"]:
            continue
        balanced = counts["read"] == counts["kept"] + counts["quarantined"] + counts["duplicates"]
        tables.append(
            {
                "title": text(TABLES[name].title if name in TABLES else None, name),
                **counts,
                "balanced": balanced,
            }
        )
    return {
        "tables": tables,
        "anonymous": {
            "orders": kept.get("anonymous_orders"),
            "amount": share(kept.get("anonymous_amount"), unit),
        },
        "returned": {
            "orders": kept.get("returned_orders"),
            "amount": share(kept.get("returned_amount"), unit),
        },
        "rounding": str(kept.get("rounding", "0")),
        "reasons": _reasons(source),
        "attributes": _attributes(source),
    }


def _reasons(source: Source) -> list[dict[str, Any]]:
    if not source.has("quarantine"):
        return []
    found = source.rows(
        'SELECT "table", reason, count(*) AS rows FROM quarantine GROUP BY ALL ORDER BY rows DESC, "table", reason LIMIT ?',
        [REASONS],
    )
    return [
        {"table": text(TABLES[row["table"]].title if row["table"] in TABLES else None, str(row["table"])), "reason": _reason(str(row["reason"])),
         "rows": row["rows"]}
        for row in found
    ]  # fmt: skip


def _reason(reason: str) -> Text:
    code = reason if known(reason) else f"data.{reason}"
    return said(code) if known(code) else {"zh": reason, "en": reason}


def _attributes(source: Source) -> list[dict[str, Any]]:
    """Share of customers with a known value, for what customers are (not what they do); the least complete last."""
    names = source.columns("profile")
    wanted = [
        c for c in source.manifest.get("columns") or ()
        if c.get("basis") in ("internal", "external") and not c.get("hidden") and c["name"] in names
    ][:ATTRIBUTES]  # fmt: skip
    if not wanted:
        return []
    counts = source.rows(
        "SELECT count(*) AS n, "
        + ", ".join(f'count("{c["name"]}") AS c{i}' for i, c in enumerate(wanted))
        + " FROM profile"
    )[0]
    found = [
        {"title": text(c.get("title"), c["name"]), "known": counts[f"c{i}"], "share": share(counts[f"c{i}"], counts["n"]),
         "privacy": c.get("privacy")}
        for i, c in enumerate(wanted)
    ]  # fmt: skip
    return sorted(found, key=lambda row: -row["known"])


__all__ = ["quality", "seven_models"]
