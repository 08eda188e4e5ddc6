"""Groups found in the data on the command line: number and reasons, trust, rules, lineage."""

from __future__ import annotations

from typing import Any

from kequn.cli.printing import count, percent, print_line, print_table
from kequn.i18n import say


def print_groups(found: dict[str, Any], lang: str) -> None:
    """Below the table of a cluster scheme: why so many groups, how far to trust them, who is in each, what became of the old."""
    quality = found["quality"]
    print_line(say("cluster.show.k", lang, k=found["k"], reason=found["reason"][lang]))
    if quality["stability"] is not None:
        code = "cluster.show.stable" if quality["stable"] else "cluster.show.unstable"
        print_line(say(code, lang, stability=_two(quality["stability"])))
    if quality["fidelity"] is not None:
        print_line(say("cluster.show.fidelity", lang, fidelity=percent(quality["fidelity"])))
    if found["candidates"]:
        _print_candidates(found, lang)
    for group in found["groups"]:
        rule = group["rule"][lang] if group["rule"] else say("cluster.show.no_rule", lang)
        print_line(f"{group['id']} {group['title'][lang]}: {rule}")
    for link in found["lineage"]:
        print_line("→ " + link["text"][lang])


def _print_candidates(found: dict[str, Any], lang: str) -> None:
    names = [
        say(f"cluster.show.{key}", lang) for key in ("number", "silhouette", "stability", "weakest", "bic")
    ]
    body = [
        [
            f"{each['k']} ←" if each["k"] == found["k"] else str(each["k"]),
            *(_two(each[key]) for key in ("silhouette", "stability", "weakest")),
            "–" if each["bic"] is None else count(round(each["bic"])),
        ]
        for each in found["candidates"]
    ]
    print_table(say("cluster.show.candidates", lang), names, body, right=(0, 1, 2, 3, 4))


def _two(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


__all__ = ["print_groups"]
