"""A grid scheme (RFM) of a run: its axes with the cut points that were used, and any choice of cells as a rule."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kequn.definitions import parse_yaml


@dataclass(frozen=True)
class Axis:
    """One score of a grid: `cuts` are upper ends in the unit of the column (money in major units), lowest first.

    Scores go from 1 to `bins`; with `falling` a small value scores high.
    """

    id: str
    column: str
    title: Mapping[str, str]
    cuts: tuple[Any, ...]
    falling: bool

    @property
    def bins(self) -> int:
        """How many scores there are."""
        return len(self.cuts) + 1

    def range_of(self, score: int) -> tuple[Any, Any]:
        """(above, up to) of a score; None = open."""
        place = self.bins - score if self.falling else score - 1
        return (self.cuts[place - 1] if place else None, self.cuts[place] if place < len(self.cuts) else None)

    def rule(self, low: int, high: int) -> str:
        """The rule for the scores from `low` to `high`; empty when that is all of them."""
        first, last = (high, low) if self.falling else (low, high)
        above, up_to = self.range_of(first)[0], self.range_of(last)[1]
        parts = [f"{self.column} > {above}"] if above is not None else []
        return " AND ".join(parts + ([f"{self.column} <= {up_to}"] if up_to is not None else []))


@dataclass(frozen=True)
class Grid:
    """The axes of a grid scheme in order; `scope` is the rule of the customers it covers, or empty."""

    scheme: str
    axes: tuple[Axis, ...]
    scope: str

    def rule(self, cells: Collection[Sequence[int]]) -> str:
        """The rule that matches exactly the cells, each given by the scores of the first axes, runs of a row joined.

        Raises ValueError for a score that there isn't.
        """
        wanted = sorted({tuple(cell) for cell in cells})
        for cell in wanted:
            if (
                not cell
                or len(cell) > len(self.axes)
                or any(not 1 <= score <= axis.bins for score, axis in zip(cell, self.axes, strict=False))
            ):
                raise ValueError(f"no such cell: {cell}")
        parts = []
        for head, low, high in _joined(wanted):
            place = len(head)
            clauses = [axis.rule(score, score) for axis, score in zip(self.axes, head, strict=False)]
            clauses = [clause for clause in [*clauses, self.axes[place].rule(low, high)] if clause]
            parts.append(" AND ".join(clauses) or "customer_id IS NOT NULL")
        text = " OR ".join(f"({part})" for part in parts) if len(parts) > 1 else "".join(parts)
        return f"{self.scope} AND ({text})" if self.scope and text else text


def _joined(cells: Sequence[tuple[int, ...]]) -> list[tuple[tuple[int, ...], int, int]]:
    """Cells that differ in the last score only and stand side by side, as (scores before, lowest, highest)."""
    found: list[tuple[tuple[int, ...], int, int]] = []
    for cell in cells:
        head, last = cell[:-1], cell[-1]
        if found and found[-1][0] == head and found[-1][2] == last - 1:
            found[-1] = (head, found[-1][1], last)
        else:
            found.append((head, last, last))
    return found


def grid_of(manifest: Mapping[str, Any], scheme: str) -> Grid | None:
    """The grid of a run's scheme; None when the scheme is no grid of number columns or its cuts weren't kept."""
    declared = manifest.get("schemes", {}).get(scheme) or {}
    cuts = manifest.get("cuts", {}).get(scheme) or {}
    kept = manifest.get("definitions", {}).get(f"schemes/{declared.get('file', scheme + '.yaml')}")
    if declared.get("kind") != "grid" or kept is None:
        return None
    spec: Any = parse_yaml(kept["text"], scheme)
    unit = 10 ** int(manifest.get("minor_unit_digits", 2))
    axes = []
    for axis in spec.get("axes", ()):
        found = cuts.get(axis["id"])
        if found is None or "values" not in found:
            return None
        values = [Decimal(value) / unit if found["type"] == "money" else value for value in found["values"]]
        titles = axis.get("title") or {"zh": axis["id"], "en": axis["id"]}
        axes.append(Axis(axis["id"], found["column"], titles, tuple(values), axis.get("better") == "low"))
    return Grid(scheme, tuple(axes), str(spec.get("scope") or "")) if axes else None


__all__ = ["Axis", "Grid", "grid_of"]
