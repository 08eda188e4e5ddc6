"""The past replayed: what was known on a cut-off day, and what happened next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kequn.predict.features import FeatureMatrix, Sample, read_features
from kequn.predict.labels import buyers_between, flags

ProfileAt = Callable[[date], Path]
"""Builds (or finds) the profile as it was known before a day, and returns its folder of Parquet."""


@dataclass(frozen=True)
class Window:
    """Features known at `cutoff` and what happened on the days [cutoff, cutoff + horizon_days)."""

    cutoff: date
    horizon_days: int
    matrix: FeatureMatrix
    bought: NDArray[np.bool_]


@dataclass
class Past:
    """Profiles and orders of earlier days, each profile built and read once.

    `start` is the first day of the facts; `most` caps the customers of a window by a deterministic sample.
    """

    profile_at: ProfileAt
    orders: tuple[Path, ...]
    start: date
    as_of: date
    extra: tuple[str, ...] = ()
    most: int = 100_000
    seed: int = 0
    _read: dict[date, FeatureMatrix] = field(default_factory=dict, repr=False)

    def features(self, cutoff: date) -> FeatureMatrix:
        """The features of those who had bought before `cutoff`.

        Raises ModelError `predict.profile_from_the_future` when the profile knows later orders.
        """
        if cutoff not in self._read:
            sample = Sample(self.most, self.seed)
            self._read[cutoff] = read_features(
                self.profile_at(cutoff), before=cutoff, extra=self.extra, sample=sample
            )
        return self._read[cutoff]

    def window(self, cutoff: date, horizon_days: int) -> Window:
        """Features at `cutoff` with the outcome of the `horizon_days` that follow."""
        matrix = self.features(cutoff)
        buyers = buyers_between(self.orders, cutoff, cutoff + timedelta(days=horizon_days))
        return Window(cutoff, horizon_days, matrix, flags(matrix.customer_ids, buyers))

    def cutoffs(self, horizon_days: int, lead_days: int, most: int) -> list[date]:
        """Cut-offs one horizon apart, newest first, whose outcome is known today and whose past is `lead_days` long."""
        found = []
        for step in range(1, most + 1):
            cutoff = self.as_of - timedelta(days=step * horizon_days)
            if (cutoff - self.start).days < lead_days:
                break
            found.append(cutoff)
        return found


def stack(windows: Sequence[Window], names: Sequence[str]) -> tuple[FeatureMatrix, NDArray[np.bool_]]:
    """Several windows as one training set, in the order given."""
    import pyarrow as pa

    parts = [window.matrix.only(names) for window in windows]
    ids: Any = pa.concat_arrays([part.customer_ids for part in parts])
    matrix = FeatureMatrix(ids, tuple(names), np.concatenate([part.values for part in parts]))
    return matrix, np.concatenate([window.bought for window in windows])


def usable(matrices: Sequence[FeatureMatrix]) -> tuple[str, ...]:
    """Features that every matrix knows for somebody: a window that begins before the facts is NULL for all at first."""
    common = [name for name in matrices[0].names if all(name in matrix.names for matrix in matrices)]
    return tuple(
        name
        for name in common
        if all(len(matrix) and np.isfinite(matrix.column(name)).any() for matrix in matrices)
    )


__all__ = ["Past", "ProfileAt", "Window", "stack", "usable"]
