"""The appendix: how each scheme decides, with the cut points that this run computed, and how the run was made."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from kequn.report.source import Source, Text, said, text

FORMULAS = (
    "customers", "revenue", "revenue_12m", "average_order_value", "per_head", "revenue_share", "recency", "frequency", "rfm", "tiers", "lift",
    "significance", "completeness", "reconciliation",
)  # fmt: skip


def rulebook(source: Source) -> dict[str, Any]:
    """Rules per scheme, formulas, and facts about the run."""
    manifest = source.manifest
    return {
        "schemes": [{"title": source.scheme_title(name), "kind": item.get("kind"), "rules": _rules(source, name)} for name, item in source.schemes.items()],
        "formulas": [{"name": said(f"report.formula.{name}"), "formula": said(f"report.formula.{name}.how")} for name in FORMULAS],
        "versions": [{"name": name, "version": number} for name, number in (manifest.get("versions") or {}).items()],
        "seconds": [{"step": _step(name), "seconds": seconds} for name, seconds in (manifest.get("seconds") or {}).items()],
        "digests": [{"title": source.scheme_title(name), "digest": digest} for name, digest in (manifest.get("digests") or {}).items()],
    }  # fmt: skip


def _step(name: str) -> Text:
    return said(f"report.step.{name}") if name in STEPS else {"zh": name, "en": name}


STEPS = frozenset(
    {"facts", "profile", "prediction", "cluster", "assignment", "audience", "portrait", "serving", "publish"}
)


def _rules(source: Source, name: str) -> list[dict[str, Any]]:
    """One line per segment: its title, and its rule as text or as code."""
    definition, kind = source.definition(name), source.schemes[name].get("kind")
    segments: Sequence[Mapping[str, Any]] = definition.get("segments") or ()
    lines = [
        {
            "title": source.segment_title(name, str(s.get("id"))),
            **_rule(source, name, definition, kind, s, place),
        }
        for place, s in enumerate(segments)
    ]
    if definition.get("scope"):
        lines.insert(
            0,
            {
                "title": said("report.scope"),
                "code": _filled(source, name, definition, str(definition["scope"])),
            },
        )
    if kind == "grid":
        lines += [
            {"title": _axis_title(source, name, axis), "text": _scores(source, name, axis)}
            for axis in definition.get("axes") or ()
        ]
    if kind == "scorecard":
        lines += [
            {"title": text(item.get("title"), str(item.get("id"))), "code": _points(item)}
            for item in definition.get("items") or ()
        ]
    otherwise = definition.get("otherwise")
    if otherwise:
        identity = otherwise.get("id") if isinstance(otherwise, Mapping) else otherwise
        lines.append({"title": source.segment_title(name, str(identity)), "text": said("report.otherwise")})
    return lines


def _rule(
    source: Source,
    name: str,
    definition: Mapping[str, Any],
    kind: str | None,
    segment: Mapping[str, Any],
    place: int,
) -> dict[str, Any]:
    if kind == "rules" and segment.get("when"):
        return {"code": _filled(source, name, definition, " ".join(str(segment["when"]).split()))}
    if kind == "grid":
        cells = segment.get("cells") or ()
        return {"code": cells if isinstance(cells, str) else " | ".join(map(str, cells))}
    if kind == "given":
        return {"code": ", ".join(map(str, segment.get("values") or [segment.get("id")]))}
    if kind == "bands":
        bands = bands_of(source, name, "bands", definition)
        bands = bands[::-1] if definition.get("order") == "descending" else bands
        return {"text": bands[place]} if place < len(bands) else {}
    if kind == "tiers" and segment.get("share") is not None:
        return {"text": said("report.tier_share", share=f"{float(segment['share']):.0%}")}
    if kind == "scorecard" and segment.get("at_least") is not None:
        return {"text": said("report.at_least", points=segment["at_least"])}
    return {}


def _filled(source: Source, name: str, definition: Mapping[str, Any], rule: str) -> str:
    """The rule with its parameters' values in brackets behind their names."""
    values = {
        key: value
        for key, value in (definition.get("parameters") or {}).items()
        if not isinstance(value, Mapping)
    }
    cuts = (source.manifest.get("cuts") or {}).get(name, {})
    for key in definition.get("parameters") or {}:
        cut = cuts.get(f"parameter.{key}")
        if cut and cut.get("values"):
            values[key] = _shown(source, cut, cut["values"][0])
    for key in sorted(values, key=len, reverse=True):
        rule = rule.replace(f":{key}", f"{values[key]}")
    return rule


def _points(item: Mapping[str, Any]) -> str:
    if item.get("choices"):
        return "; ".join(f"{choice.get('when')}: {choice.get('points')}" for choice in item["choices"])
    return f"{item.get('column')}: {item.get('edges')} → {item.get('points')}"


def _axis_title(source: Source, name: str, axis: Mapping[str, Any]) -> Text:
    titles = text(axis.get("title"), str(axis.get("id")))
    return {lang: f"{axis.get('id')} · {titles[lang]}" for lang in titles}


def _scores(source: Source, name: str, axis: Mapping[str, Any]) -> Text:
    bands = bands_of(source, name, str(axis.get("id")), axis)
    bands = bands[::-1] if axis.get("better") == "low" else bands
    mark = {"zh": "；", "en": "; "}
    return {
        lang: mark[lang].join(f"{score} = {band[lang]}" for score, band in enumerate(bands, 1))
        for lang in mark
    }


def bands_of(source: Source, scheme: str, key: str, declared: Mapping[str, Any]) -> list[Text]:
    """The bands of an axis in words, lowest first: quantile cuts belong to the band below, declared edges to the band above."""
    cut = (source.manifest.get("cuts") or {}).get(scheme, {}).get(key)
    if declared.get("edges") is not None:
        values, closed_above = [str(edge) for edge in declared["edges"]], False
    elif cut and cut.get("values"):
        values, closed_above = [_shown(source, cut, value) for value in cut["values"]], True
    else:
        return []
    low, high = ("≤ {0}", "> {0}") if closed_above else ("< {0}", "≥ {0}")
    between = "> {0}, ≤ {1}" if closed_above else "≥ {0}, < {1}"
    found = [
        low.format(values[0]),
        *(between.format(a, b) for a, b in itertools.pairwise(values)),
        high.format(values[-1]),
    ]
    return [{"zh": band.replace(", ", " 且 "), "en": band} for band in found]


def _shown(source: Source, cut: Mapping[str, Any], value: Any) -> str:
    """A cut point as people write it: money in major units."""
    if cut.get("type") == "money":
        digits = int(source.manifest.get("minor_unit_digits", 2))
        return f"{value / 10**digits:,.{digits}f}"
    return f"{int(value) if float(value).is_integer() else value:,}"


__all__ = ["bands_of", "rulebook"]
