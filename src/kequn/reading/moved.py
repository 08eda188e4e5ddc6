"""Who entered or left one segment between two runs, and what changed about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kequn.i18n import title
from kequn.reading.movement import both_runs, pair, scratch
from kequn.reading.rows import rows
from kequn.reading.why import RunRules, shown_value

if TYPE_CHECKING:
    from kequn.scheme.explanation import Part
    from kequn.snapshot import Snapshot

Seen = tuple[RunRules, Mapping[str, Any]]
FIGURES = ("recency_days", "frequency", "revenue_12m", "monetary", "clv_12m")
MOST_REASONS = 3


def entered_or_left(
    before: Snapshot, after: Snapshot, scheme: str, segment: str, ids: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """One row per customer who is in the segment in exactly one of the runs: customer_id, from_segment, to_segment.

    None = outside the scheme in that run; ordered by id. `ids` limits it to customers one may see.
    Raises SnapshotError when a file of either run is missing.
    """
    sql = (
        both_runs(ids) + "SELECT customer_id, from_segment, to_segment FROM both_runs "
        "WHERE (from_segment IS NOT DISTINCT FROM $segment) <> (to_segment IS NOT DISTINCT FROM $segment) "
        "ORDER BY 1"
    )
    with scratch(ids) as con:
        return rows(con, sql, {**pair(before, after, scheme), "segment": segment})


def why_moved(before: Seen | None, after: Seen, scheme: str, lang: str) -> list[dict[str, str]]:
    """What changed about a customer between two runs: `what`, `was`, `now`, the conditions of the scheme first.

    A condition counts when it held in one run and not in the other; the figures that people know a customer by come after.
    Empty for a customer who wasn't there before.
    """
    if before is None:
        return []
    was, now = (_conditions(rules, scheme, row) for rules, row in (before, after))
    changed: dict[str, dict[str, str]] = {}  # several conditions on one value say one thing
    for key, part in now.items():
        old = was.get(key)
        if old is not None and old.passed != part.passed and old.value != part.value:
            what = title(part.title, lang) or part.column or part.text
            changed.setdefault(
                what, {"what": what, "was": shown_value(old.value), "now": shown_value(part.value)}
            )
    figures = [item for item in _figures(before, after, lang) if item["what"] not in changed]
    return [*changed.values(), *figures][:MOST_REASONS]


def _conditions(rules: RunRules, scheme: str, row: Mapping[str, Any]) -> dict[tuple[Any, ...], Part]:
    if scheme not in rules.schemes:
        return {}
    found = rules.explain(scheme, row)
    return {
        (part.column, part.sign, part.threshold, part.text): part
        for clause in found.clauses
        for part in _leaves(clause.condition)
    }


def _leaves(part: Part) -> Iterator[Part]:
    if part.parts:
        for inner in part.parts:
            yield from _leaves(inner)
    else:
        yield part


def _figures(before: Seen, after: Seen, lang: str) -> list[dict[str, str]]:
    columns = after[0].sight.columns
    found = []
    for name in FIGURES:
        was, now = before[1].get(name), after[1].get(name)
        if name in columns and was is not None and now is not None and was != now:
            what = title(columns[name].title, lang) or name
            found.append({"what": what, "was": shown_value(was), "now": shown_value(now)})
    return found


__all__ = ["entered_or_left", "why_moved"]
