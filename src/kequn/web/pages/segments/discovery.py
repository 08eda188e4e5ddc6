"""How a cluster scheme came to its groups, in the person's language: for the page of its segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kequn.i18n import say
from kequn.reading import found_groups
from kequn.web.ui import numbers

HEADS = ("rules", "tried", "number", "lineage", "no_rule")
MEASURES = ("silhouette", "stability", "weakest", "bic")


def discovery(manifest: Mapping[str, Any], scheme: str, lang: str) -> dict[str, Any] | None:
    """Number of groups with its reason, trust, rules, numbers tried, what became of the last run's groups; None for other schemes."""
    found = found_groups(manifest, scheme)
    if found is None:
        return None
    quality = found["quality"]
    stable = quality["stability"]
    code = "stable" if quality["stable"] else "unstable"
    return {
        "k": say("report.found.k", lang, k=found["k"]),
        "reason": found["reason"][lang],
        "stable": quality["stable"],
        "trust": None if stable is None else say(f"cluster.show.{code}", lang, stability=f"{stable:.2f}"),
        "fidelity": None
        if quality["fidelity"] is None
        else say("report.found.fidelity", lang, n=f"{quality['fidelity']:.1%}"),
        "groups": [
            {
                "title": group["title"][lang],
                "rule": group["rule"][lang] if group["rule"] else say("report.found.no_rule", lang),
            }
            for group in found["groups"]
        ],
        "measures": [
            "BIC" if name == "bic" else say(f"report.found.{name}", lang)
            for name in _measured(found["candidates"])
        ],
        "candidates": [
            {
                "k": each["k"],
                "chosen": each["k"] == found["k"],
                "figures": [
                    numbers.number(each[name], 0 if name == "bic" else 2)
                    for name in _measured(found["candidates"])
                ],
            }
            for each in found["candidates"]
        ],
        "lineage": [link["text"][lang] for link in found["lineage"]],
        "heads": {name: say(f"report.found.{name}", lang) for name in HEADS},
    }


def _measured(candidates: Sequence[Mapping[str, Any]]) -> list[str]:
    """The measures that this method has: k-means and latent classes are judged by different ones."""
    return [name for name in MEASURES if any(each[name] is not None for each in candidates)]


__all__ = ["discovery"]
