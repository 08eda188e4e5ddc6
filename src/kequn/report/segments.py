"""Segments of every scheme with portraits, the heat map of a grid, the pyramid of tiers, two schemes crossed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kequn.i18n import LANGUAGES
from kequn.reading import found_groups, scheme_overview, segment_portrait
from kequn.reading.values import value_title
from kequn.report.source import Source, Text, plain, said, share, text

LIFTS = 6
CANDIDATES = 120
INGREDIENTS = frozenset(
    {
        "gaps",
        "gap_sum_days",
        "gap_squares",
        "gap_std_days",
        "brand_revenue",
        "category_revenue",
        "list_total",
        "paid_total",
        "discount_total",
    }
)
"""Columns that only exist for others to be computed from: they say nothing to a marketer."""
MODEL_ORDER = (
    "transactional",
    "behavioural",
    "demographic",
    "psychographic",
    "geographic",
    "technographic",
    "firmographic",
)
CROSS_WITH = ("life_stage", "age_band", "transaction_type", "rfm")


def all_schemes(source: Source) -> list[dict[str, Any]]:
    """Every scheme of the run with its segments: grids and tiers first, then by model, then by name."""
    listed = [{name: plain(value) for name, value in row.items()} for row in scheme_overview(source.con)]
    measure = "revenue_12m" if any(row.get("revenue_12m") for row in listed) else "monetary"
    by_scheme: dict[str, list[dict[str, Any]]] = {}
    for row in listed:
        by_scheme.setdefault(row["scheme"], []).append(row)
    return [
        _scheme(source, name, by_scheme[name], measure)
        for name in sorted(by_scheme, key=lambda name: _place(source, name))
    ]


def _place(source: Source, name: str) -> tuple[int, int, str]:
    kind, model = (source.schemes.get(name, {}).get(key) for key in ("kind", "model"))
    first = {"grid": 0, "tiers": 1}.get(str(kind), 2)
    return first, MODEL_ORDER.index(model) if model in MODEL_ORDER else len(MODEL_ORDER), name


def _scheme(source: Source, name: str, rows: Sequence[Mapping[str, Any]], measure: str) -> dict[str, Any]:
    known = source.schemes.get(name, {})
    money = [row.get(measure) for row in rows]
    whole = (
        sum(value for value in money if value is not None)
        if any(value is not None for value in money)
        else None
    )
    playbooks = known.get("playbooks") or {}
    segments = [
        {
            "id": row["segment"],
            "title": {
                "zh": row.get("title_zh") or row["segment"],
                "en": row.get("title_en") or row["segment"],
            },
            "owner": row.get("owner"),
            "customers": row["customers"],
            "share": row["share"] or 0.0,
            "revenue": row.get(measure),
            "revenue_share": share(row.get(measure), whole),
            "per_head": share(row.get(measure), row["customers"]),
            "playbook": _playbook(playbooks.get(row["segment"])),
            "portrait": _portrait(source, name, row),
        }
        for row in rows
    ]
    return {
        "name": name, "title": source.scheme_title(name), "purpose": _words(known.get("purpose")), "limits": _words(known.get("limits")),
        "model": known.get("model"), "kind": known.get("kind"), "owner": known.get("owner"),
        "customers": known.get("customers", sum(row["customers"] for row in rows)), "outside": known.get("outside_scope"),
        "revenue": whole, "segments": segments, "found": found_groups(source.manifest, name),
    }  # fmt: skip


def _playbook(said_of: object) -> Text | None:
    """The sentence of a playbook; a playbook that is only a name has none."""
    return text(said_of, "") if isinstance(said_of, dict) and any(said_of.values()) else None


def _words(titles: object) -> Text | None:
    return text(titles, "") if titles else None


def _portrait(source: Source, scheme: str, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What sets a segment apart, strongest first, varied so that one trait isn't told six times."""
    if not row["customers"] or not source.has("portrait"):
        return []
    kinds = {
        c["name"]: _kind_of(c)
        for c in (*(source.manifest.get("columns") or ()), *(source.manifest.get("prediction_columns") or ()))
    }
    candidates = [
        item for item in segment_portrait(source.con, scheme, row["segment"], CANDIDATES) if _tells(item)
    ]
    own = _kin(source, scheme)
    chosen = _varied([item for item in candidates if item["dimension"] not in own], kinds)
    return [
        {
            "dimension": _dimension(source, item), "value": _value(source, item["dimension"], item["value"]),
            "kind": kinds.get(item["dimension"], "text"), "low": plain(item.get("low")), "high": plain(item.get("high")),
            "share": item["share"], "rest_share": item["rest_share"], "lift": plain(item["lift"]),
        }
        for item in chosen
    ]  # fmt: skip


def _kin(source: Source, scheme: str) -> set[str]:
    """Schemes that say the same again: those that cross this one, and those that this one crosses."""
    parts = source.definition(scheme).get("of") or ()
    return {
        f"seg_{other}"
        for other in source.schemes
        if other in parts or scheme in (source.definition(other).get("of") or ())
    }


def _tells(item: Mapping[str, Any]) -> bool:
    """Not an ingredient of other columns, and not the very definition of the segment (all of them, nobody else)."""
    return item["dimension"] not in INGREDIENTS and not (item["share"] == 1 and item["rest_share"] == 0)


def _varied(candidates: Sequence[Mapping[str, Any]], kinds: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """The strongest of each family of dimensions first, then a second of each; in the order of `candidates`."""
    chosen: list[int] = []
    for most in (1, 2):
        for place, item in enumerate(candidates):
            taken = [candidates[i] for i in chosen]
            family = kinds.get(item["dimension"], "text")
            same = sum(1 for other in taken if kinds.get(other["dimension"], "text") == family)
            told = any(o["dimension"] == item["dimension"] or _alike(o, item) for o in taken)
            if len(chosen) < LIFTS and same < most and not told:
                chosen.append(place)
    return [candidates[place] for place in sorted(chosen)]


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two lines speak of the same customers (orders in all and in a year, where the history is a year long)."""
    return bool(one["share"] == other["share"] and one["rest_share"] == other["rest_share"])


def _kind_of(column: Mapping[str, Any]) -> str:
    """How the page words a number of this column: as money, as a percentage, as a count or as it is."""
    if column["type"] == "money":
        return "money"
    if column.get("unit") == "share" or str(column["name"]).startswith("p_"):
        return "percent"
    return (
        "count"
        if column["type"] == "integer"
        else ("number" if column["type"] in ("number", "decimal") else "text")
    )


def _dimension(source: Source, item: Mapping[str, Any]) -> Text:
    if item.get("title_zh") and item.get("title_en"):
        return {"zh": item["title_zh"], "en": item["title_en"]}
    name = item["dimension"]
    return (
        source.scheme_title(name.removeprefix("seg_"))
        if name.startswith("seg_")
        else source.column_title(name)
    )


def _value(source: Source, dimension: str, value: object) -> Text:
    return {str(lang): value_title(source.values, dimension, value, lang) for lang in LANGUAGES}


def action_scheme(schemes: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The scheme that "what to do first" speaks of: a grid (RFM), else the transaction types, else the first one."""
    for fits in (lambda s: s["kind"] == "grid", lambda s: s["name"] == "transaction_type", lambda s: True):
        for scheme in schemes:
            if fits(scheme) and sum(1 for row in scheme["segments"] if row["customers"]) > 1:
                return scheme
    return None


def heat_map(source: Source) -> dict[str, Any] | None:
    """The first two axes of a grid scheme, cells summed over the others: customers and revenue per head."""
    if not source.has("cell"):
        return None
    cells = source.rows("SELECT * FROM cell ORDER BY scheme, cell")
    grids = sorted({row["scheme"] for row in cells}, key=lambda name: (name != "rfm", name))
    if not grids:
        return None
    name = grids[0]
    cells = [{**row, "cell": json.loads(row["cell"])} for row in cells if row["scheme"] == name]
    declared = {axis["id"]: axis for axis in source.definition(name).get("axes") or ()}
    axes = list(cells[0]["cell"])
    money = next((m for m in ("revenue_12m", "monetary") if any(row.get(m) for row in cells)), None)
    across, up = axes[0], axes[1]
    sums: dict[tuple[int, int], list[float]] = {}
    for row in cells:
        found = sums.setdefault((row["cell"][across], row["cell"][up]), [0, 0.0])
        found[0] += row["customers"]
        found[1] += (row.get(money) if money else 0) or 0
    return {
        "name": name, "scheme": source.scheme_title(name),
        "axes": [_axis(source, name, axis, declared.get(axis, {}), max(row["cell"][axis] for row in cells)) for axis in axes],
        "cells": [
            {"x": x, "y": y, "customers": int(n), "revenue": spent if money else None, "per_head": share(spent, n) if money else None}
            for (x, y), (n, spent) in sorted(sums.items())
        ],
    }  # fmt: skip


def _axis(
    source: Source, scheme: str, axis: str, declared: Mapping[str, Any], highest: int
) -> dict[str, Any]:
    from kequn.report.rulebook import bands_of

    bands = bands_of(source, scheme, axis, declared)
    if declared.get("better") == "low":
        bands = bands[::-1]
    column = (source.manifest.get("cuts") or {}).get(scheme, {}).get(axis, {}).get("column")
    return {
        "id": axis, "title": text(declared.get("title"), axis), "column": source.column_title(column) if column else None,
        "unit": "days" if str(column).endswith("_days") else None, "scores": max(highest, len(bands)), "bands": bands,
    }  # fmt: skip


def tiers(source: Source, schemes: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The value tiers, best first; a tier that nobody is in is left out."""
    found = next((s for s in schemes if s["name"] == "value_tier"), None) or next(
        (s for s in schemes if s["kind"] == "tiers"), None
    )
    if found is None:
        return None
    filled = [
        {k: v for k, v in row.items() if k != "portrait"} for row in found["segments"] if row["customers"]
    ]
    if not filled:
        return None
    columns = ((source.manifest.get("cuts") or {}).get(found["name"], {}).get("tiers") or {}).get(
        "columns"
    ) or [None]
    return {
        "title": found["title"], "purpose": found["purpose"], "outside": found["outside"], "segments": filled,
        "ranked_by": source.column_title(columns[0]) if columns[0] else None,
    }  # fmt: skip


def crossed(source: Source) -> dict[str, Any] | None:
    """Value tier × life stage (or what comes nearest to it): customers and revenue per cell."""
    other = next((name for name in CROSS_WITH if name in source.schemes), None)
    if "value_tier" not in source.schemes or other is None:
        return None
    names = source.columns("profile")
    money = next((m for m in ("revenue_12m", "monetary") if m in names), None)
    sums = f"sum(p.{money})" if money else "NULL"
    found = source.rows(
        f"SELECT a.segment AS x, b.segment AS y, count(*) AS customers, {sums} AS revenue FROM assignment AS a "
        "JOIN assignment AS b ON b.customer_id = a.customer_id AND b.scheme = ? JOIN profile AS p ON p.customer_id = a.customer_id "
        "WHERE a.scheme = 'value_tier' GROUP BY ALL ORDER BY ALL",
        [other],
    )
    used_x, used_y = ({row[side] for row in found} for side in ("x", "y"))
    across = [name for name in source.schemes["value_tier"]["segments"] if name in used_x]
    up = [name for name in source.schemes[other]["segments"] if name in used_y]
    if len(across) < 2 or len(up) < 2:
        return None
    return {
        "across": {"title": source.scheme_title("value_tier"), "segments": [source.segment_title("value_tier", name) for name in across]},
        "up": {"title": source.scheme_title(other), "segments": [source.segment_title(other, name) for name in up]},
        "cells": [
            {"x": across.index(row["x"]), "y": up.index(row["y"]), "customers": row["customers"], "revenue": row["revenue"],
             "per_head": share(row["revenue"], row["customers"])}
            for row in found
            if row["x"] in across and row["y"] in up
        ],
    }  # fmt: skip


def portrait_gap(source: Source) -> Text | None:
    """Why there are no portraits; None when there are."""
    return None if source.has("portrait") else said("report.no_portrait")


__all__ = ["action_scheme", "all_schemes", "crossed", "heat_map", "portrait_gap", "tiers"]
