"""Counting codes of many columns per segment of many schemes at once.

Columns with few codes are packed: two or three of them make one joint code, so that one pass counts them all; what a single
column has is a margin of the joint counts. Schemes are packed among themselves, dimensions among themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

JOINT = 256
"""Joint codes stay below this where they can: a byte each, and the counts of two packs fit the processor's second cache."""
LEVELS = 63
"""Parts of the order of values in which a median is looked for; with the unknown, 64 codes."""
ROWS = 1 << 20
"""Rows that wait, as joint codes, until they are counted together."""


@dataclass
class Pack:
    """Columns counted as one: how many codes each has, by name."""

    sizes: dict[str, int]
    waiting: list[NDArray[np.integer]] = field(default_factory=list)

    @property
    def size(self) -> int:
        return math.prod(self.sizes.values())

    def joint(self, codes: Mapping[str, NDArray[np.integer]]) -> NDArray[np.integer]:
        """One code per row from those of all columns."""
        kind = np.min_scalar_type(self.size - 1)
        names = iter(self.sizes)
        made = codes[next(names)].astype(kind)
        for name in names:
            made *= kind.type(self.sizes[name])
            made += codes[name].astype(kind, copy=False)
        return made

    def taken(self) -> NDArray[np.integer]:
        """The joint codes that wait; none wait afterwards."""
        whole, self.waiting = np.concatenate(self.waiting), []
        return whole

    def margins(self, counts: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        """Counts with the joint code as last axis, for each column with its own codes there instead."""
        shaped = counts.reshape([*counts.shape[:-1], *self.sizes.values()])
        first = counts.ndim - 1
        axes = range(first, shaped.ndim)
        return {
            name: shaped.sum(axis=tuple(axis for axis in axes if axis != first + place))
            for place, name in enumerate(self.sizes)
        }


def packed(sizes: Mapping[str, int]) -> list[Pack]:
    """Packs of at most JOINT joint codes; a column with more codes stays alone."""
    packs: list[Pack] = []
    for name, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        pack = next((each for each in packs if each.size * size <= JOINT), None)
        if pack is None:
            packs.append(Pack({name: size}))
        else:
            pack.sizes[name] = size
    return packs


class Tally:
    """Counts of `schemes` by `dimensions` and by each other; both are names with the number of codes."""

    def __init__(self, schemes: Mapping[str, int], dimensions: Mapping[str, int]) -> None:
        self._schemes = packed(schemes)
        self._packs = [*packed(dimensions), *self._schemes]
        self._rows = 0
        self._counts = {
            (scheme, name): np.zeros((size, codes), dtype=np.int64)
            for scheme, size in schemes.items()
            for name, codes in {**dimensions, **schemes}.items()
        }

    def add(self, codes: Mapping[str, NDArray[np.integer]]) -> None:
        """One batch: the code of each row in every scheme and dimension, by name."""
        for pack in self._packs:
            pack.waiting.append(pack.joint(codes))
        self._rows += len(next(iter(codes.values()))) if codes else 0
        if self._rows >= ROWS:
            self._count()

    def of(self, scheme: str, dimension: str) -> NDArray[np.int64]:
        """Counts of one scheme by one dimension or scheme: a row per code of the one, a column per code of the other."""
        self._count()
        return self._counts[scheme, dimension]

    def _count(self) -> None:
        if not self._rows:
            return
        whole = [(pack, pack.taken()) for pack in self._packs]
        bases = [(pack, codes.astype(np.intp)) for pack, codes in whole[len(whole) - len(self._schemes) :]]
        places = np.empty(self._rows, dtype=np.intp)
        for pack, codes in whole:
            for group, base in bases:
                np.multiply(base, pack.size, out=places)
                places += codes
                joint = np.bincount(places, minlength=group.size * pack.size).reshape(group.size, pack.size)
                for name, counts in pack.margins(joint).items():
                    for scheme, own in group.margins(counts.T).items():
                        self._counts[scheme, name] += own.T
        self._rows = 0


@dataclass(frozen=True)
class Ordered:
    """Known values in ascending order, and the row each stands in. `level` is each row's place in that order, coarsely."""

    values: NDArray[np.float64]
    rows: NDArray[np.int64]
    level: NDArray[np.uint8]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Ordered:
        """From values by row, NaN for unknown."""
        known = np.flatnonzero(~np.isnan(values))
        order = np.argsort(values[known], kind="stable")
        rows = known[order]
        level = np.full(len(values), LEVELS, dtype=np.uint8)
        level[rows] = np.arange(len(rows)) * LEVELS // max(len(rows), 1)
        return cls(values[rows], rows, level)

    def medians(self, owners: NDArray[np.integer], levels: NDArray[np.int64]) -> list[float | None]:
        """The lower median of each owner, None where nobody is known; `levels` counts owners (rows) by level (columns).

        The level tells among which few rows to look for it.
        """
        below = np.cumsum(levels[:, :LEVELS], axis=1)
        middles = (below[:, -1] - 1) // 2
        inside = (below <= middles[:, np.newaxis]).sum(axis=1).tolist()
        ends = -(-np.arange(LEVELS + 1) * len(self.rows) // LEVELS)
        found: list[float | None] = []
        for owner, (level, middle) in enumerate(zip(inside, middles.tolist(), strict=True)):
            if middle < 0:
                found.append(None)
                continue
            first = int(ends[level])
            own = np.flatnonzero(owners[self.rows[first : ends[level + 1]]] == owner)
            found.append(float(self.values[first + own[middle - (below[owner, level - 1] if level else 0)]]))
        return found


def medians(
    numbers: Mapping[str, NDArray[np.float64]],
    owners: Mapping[str, NDArray[np.integer]],
    sizes: Mapping[str, int],
) -> dict[tuple[str, str], list[float | None]]:
    """The lower median of each number (by row, NaN for unknown) in each group of each scheme: by scheme and number.

    `owners` says in which of `sizes` groups of a scheme each row is (their number: in none).
    """
    ordered = {name: Ordered.of(values) for name, values in numbers.items()}
    tally = Tally({name: size + 1 for name, size in sizes.items()}, dict.fromkeys(ordered, LEVELS + 1))
    tally.add({**owners, **{name: each.level for name, each in ordered.items()}})
    return {
        (scheme, name): each.medians(owners[scheme], tally.of(scheme, name)[:size])
        for name, each in ordered.items()
        for scheme, size in sizes.items()
    }


__all__ = ["Pack", "Tally", "medians", "packed"]
