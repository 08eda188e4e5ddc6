"""Groups found in the data, as people ask about them: why so many, how far to trust them, who is in them, what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kequn.i18n import LANGUAGES, say

Text = dict[str, str]
FATES = ("split", "merge", "new", "retired")


def found_groups(manifest: Mapping[str, Any], scheme: str) -> dict[str, Any] | None:
    """What a run found for the cluster scheme `scheme`, None where it is no such scheme.

    `k` with the `reason` for it and every number tried (`candidates`), `quality` (stability, whether it is `stable`, silhouette,
    fidelity of the rules), `groups` in the order of size with what sets them apart (`traits`), the rule in words, how often
    it is right and whom it catches; `lineage`: what became of the groups of the run before.
    """
    stored = (manifest.get("clusters") or {}).get(scheme)
    if not stored:
        return None
    groups = sorted(stored["groups"], key=lambda group: -group["customers"])
    titles = {group["id"]: dict(group["title"]) for group in groups}
    return {
        "method": stored["method"],
        "k": stored["k"]["k"],
        "reason": {lang: say(stored["k"]["reason"], lang) for lang in LANGUAGES},
        "candidates": list(stored["k"]["candidates"]),
        "fitted_on": stored["fitted_on"],
        "quality": dict(stored["quality"]),
        "groups": [_group(group) for group in groups if group["customers"]],
        "lineage": [_fate(link, titles) for link in stored.get("lineage") or ()],
        "previous": stored.get("previous"),
    }


def _group(group: Mapping[str, Any]) -> dict[str, Any]:
    words = {lang: group.get(lang) for lang in LANGUAGES}
    return {
        "id": group["id"], "title": dict(group["title"]), "customers": group["customers"], "share": group["share"],
        "stability": group.get("stability"), "traits": [dict(trait["words"]) for trait in group["traits"][:4]],
        "rule": words if all(words.values()) else None, "right": group.get("right"), "caught": group.get("caught"),
    }  # fmt: skip


def _fate(link: Mapping[str, Any], titles: Mapping[str, Text]) -> dict[str, Any]:
    """One line of the lineage with the titles of both groups; a group that is gone has the title it had."""
    before = link.get("previous_title") or titles.get(link["previous"] or "") or link["previous"]
    now = titles.get(link["current"] or "") or link["current"]
    named = {
        lang: {"before": before[lang] if isinstance(before, Mapping) else before or "", "now": now[lang] if isinstance(now, Mapping) else now or ""}
        for lang in LANGUAGES
    }  # fmt: skip
    text = {
        lang: say(f"cluster.fate.{link['kind']}", lang, customers=link["customers"], **named[lang])
        for lang in LANGUAGES
    }
    return {
        "kind": link["kind"],
        "previous": link["previous"],
        "current": link["current"],
        "customers": link["customers"],
        "text": text,
    }


__all__ = ["FATES", "found_groups"]
