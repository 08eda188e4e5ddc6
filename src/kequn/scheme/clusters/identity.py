"""The same group next month: new groups are matched to those of the last run by the members they share.

Pairs are chosen together so that the sum of Jaccard overlaps is largest (`linear_sum_assignment`); of equal overlaps the
nearer centre wins. A pair keeps its id from `keep_above` on. Ids are never used again for another group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from kequn.scheme.clusters.agreement import jaccard

if TYPE_CHECKING:
    from numpy.typing import NDArray

Fate = Literal["kept", "split", "merge", "new", "retired"]
PART = 0.25
"""A part counts in a split or a merge when it is at least this much of the whole …"""
MOSTLY = 0.5
"""… and the smaller group lies in the larger by at least this much."""
TIE = 1e-9


@dataclass(frozen=True)
class Link:
    """One line of the lineage: `customers` are in both groups; `previous` is None for a new one, `current` for a retired."""

    previous: str | None
    current: str | None
    kind: Fate
    customers: int
    jaccard: float

    def as_json(self) -> dict[str, Any]:
        return {
            "previous": self.previous, "current": self.current, "kind": self.kind,
            "customers": self.customers, "jaccard": round(self.jaccard, 6),
        }  # fmt: skip


@dataclass(frozen=True)
class Identity:
    """`ids` of the new groups in their order, the lineage, the next number for a newcomer, and each new group's `parents`."""

    ids: tuple[str, ...]
    lineage: tuple[Link, ...]
    next: int
    parents: Mapping[str, str]


def match(
    previous: Sequence[str],
    overlap: NDArray[np.int64],
    sizes: Sequence[int],
    *,
    next_number: int,
    keep_above: float,
    distance: NDArray[np.float64] | None = None,
) -> Identity:
    """Give the new groups ids.

    `overlap`: previous × new, customers who are in both; `sizes`: members of the new groups; `distance`: previous × new,
    between centres. New ids go to the largest newcomer first.
    """
    from scipy.optimize import linear_sum_assignment

    alike = jaccard(overlap)
    worth = alike.copy()
    if distance is not None and distance.size and float(distance.max()) > 0:
        worth -= TIE * distance / float(distance.max())
    rows, columns = linear_sum_assignment(-worth) if overlap.size else ((), ())
    ids: dict[int, str] = {
        int(column): previous[row]
        for row, column in zip(rows, columns, strict=True)
        if alike[row, column] >= keep_above and overlap[row, column] > 0
    }
    number = next_number
    for place in sorted((p for p in range(len(sizes)) if p not in ids), key=lambda p: (-sizes[p], p)):
        ids[place] = f"g{number}"
        number += 1
    ordered = tuple(ids[place] for place in range(len(sizes)))
    lineage = tuple(_lineage(previous, ordered, overlap, alike))
    return Identity(ordered, lineage, number, _parents(lineage))


def _lineage(
    previous: Sequence[str], current: Sequence[str], overlap: NDArray[np.int64], alike: NDArray[np.float64]
) -> list[Link]:
    before, after = overlap.sum(axis=1), overlap.sum(axis=0)
    leaves = np.divide(overlap, before[:, None], out=np.zeros(overlap.shape), where=before[:, None] > 0)
    enters = np.divide(overlap, after[None, :], out=np.zeros(overlap.shape), where=after[None, :] > 0)
    child = (leaves >= PART) & (
        enters >= MOSTLY
    )  # a good part of the old group, and most of the new one comes from it
    source = (enters >= PART) & (leaves >= MOSTLY)
    links: list[Link] = []
    for row, old in enumerate(previous):
        for column, new in enumerate(current):
            kind: Fate | None = None
            if child[row, column] and child[row].sum() > 1:
                kind = "split"
            elif source[row, column] and source[:, column].sum() > 1:
                kind = "merge"
            elif old == new:
                kind = "kept"
            if kind is not None:
                links.append(Link(old, new, kind, int(overlap[row, column]), float(alike[row, column])))
    gone = [old for old in previous if all(link.previous != old for link in links)]
    fresh = [new for new in current if all(link.current != new for link in links)]
    return [
        *links,
        *(Link(None, new, "new", 0, 0.0) for new in fresh),
        *(Link(old, None, "retired", 0, 0.0) for old in gone),
    ]


def _parents(lineage: Sequence[Link]) -> dict[str, str]:
    """For each group with a new id that split off or merged: the old group that gave it most customers."""
    found: dict[str, Link] = {}
    known = {link.previous for link in lineage}
    for link in lineage:
        if link.kind in {"split", "merge"} and link.current and link.current not in known:
            best = found.get(link.current)
            if best is None or link.customers > best.customers:
                found[link.current] = link
    return {new: str(link.previous) for new, link in found.items()}


def first_identity(sizes: Sequence[int]) -> Identity:
    """Ids of a first run: `g1` is the largest group. Nothing came before, so there is no lineage."""
    empty = match([], np.zeros((0, len(sizes)), dtype=np.int64), sizes, next_number=1, keep_above=1.0)
    return Identity(empty.ids, (), empty.next, {})


__all__ = ["Fate", "Identity", "Link", "first_identity", "match"]
