"""Counting codes per segment for many schemes and many dimensions at once.

Schemes are counted in groups: the segments of two or three schemes make one joint code, so that one pass over a dimension
serves them all; each scheme's own counts are a margin of the joint ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

JOINT = 256
"""Joint codes of a group stay below this, so that its counts stay in the processor's cache."""


@dataclass
class Group:
    """Schemes counted together: their names and how many codes each has (segments, and one for outside)."""

    schemes: list[str]
    sizes: list[int]
    joint: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def codes(self, segments: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
        combined = segments[self.schemes[0]]
        for name, size in zip(self.schemes[1:], self.sizes[1:], strict=True):
            combined = combined * size + segments[name]
        return combined


@dataclass
class Tally:
    """Counts for `schemes` (name to number of segments) by dimensions (name to number of codes)."""

    schemes: Mapping[str, int]
    dimensions: Mapping[str, int]
    groups: list[Group] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, segments in sorted(self.schemes.items(), key=lambda item: (-item[1], item[0])):
            room = (g for g in self.groups if math.prod(g.sizes) * (segments + 1) <= JOINT)
            group = next(room, None)
            if group is None:
                self.groups.append(Group([name], [segments + 1]))
            else:
                group.schemes.append(name)
                group.sizes.append(segments + 1)
        for group in self.groups:
            for name, size in self.dimensions.items():
                group.joint[name] = np.zeros(math.prod(group.sizes) * size, dtype=np.int64)

    def count(
        self,
        segments: Mapping[str, NDArray[np.int64]],
        codes: Iterator[tuple[str, NDArray[np.uint8] | NDArray[np.int64]]],
    ) -> None:
        """Add one batch: the code of each row in every scheme (its number of segments: outside) and every dimension."""
        combined = [(group, group.codes(segments)) for group in self.groups]
        for name, values in codes:
            size = self.dimensions[name]
            for group, joint in combined:
                counts = group.joint[name]
                counts += np.bincount(joint * size + values, minlength=len(counts))

    def of(self, scheme: str, dimension: str) -> NDArray[np.int64]:
        """Counts of one scheme by one dimension: a row per segment, a column per code."""
        group = next(group for group in self.groups if scheme in group.schemes)
        shaped = group.joint[dimension].reshape([*group.sizes, self.dimensions[dimension]])
        place = group.schemes.index(scheme)
        others = tuple(axis for axis in range(len(group.sizes)) if axis != place)
        counts: NDArray[np.int64] = shaped.sum(axis=others)[: self.schemes[scheme]]
        return counts


@dataclass(frozen=True)
class Ordered:
    """Known values in ascending order, and the row each stands in; sorted once, asked by many schemes."""

    values: NDArray[np.float64]
    rows: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Ordered:
        """From values by row, NaN for unknown."""
        known = np.flatnonzero(~np.isnan(values))
        order = np.argsort(values[known], kind="stable")
        return cls(values[known][order], known[order])

    def medians(self, segments: NDArray[np.int64], count: int) -> Sequence[float | None]:
        """The lower median in each of `count` segments, None where nobody is known."""
        owners = segments[self.rows].astype(np.uint16)  # a radix sort takes small whole numbers fastest
        grouped = np.argsort(owners, kind="stable")
        sizes = np.bincount(owners, minlength=count + 1)[:count]
        middles = np.cumsum(sizes) - sizes + (sizes - 1) // 2
        return [
            float(self.values[grouped[middle]]) if size else None
            for middle, size in zip(middles, sizes, strict=True)
        ]


__all__ = ["Group", "Ordered", "Tally"]
