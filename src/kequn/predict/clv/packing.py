"""Gathers customers into a `History`: (x, t_x, T) packed into one integer, counted, unpacked.

Counting integers is what makes a fit of ten million customers cheap: passes over the columns in chunks that fit the cache,
one array of keys, no sort.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kequn.errors import ModelError
from kequn.predict.clv.history import History, Times

_CHUNK = 1 << 15  # rows whose intermediate columns stay in the cache
_STEPS_PER_UNIT = (1, 7, 100)  # whole days; weeks from whole days; two decimals
_MOST_BINS = 1 << 25


def aggregate(x: ArrayLike, t_x: ArrayLike, T: ArrayLike, *, gather: bool = True) -> History:
    """The history of customers given as three aligned arrays, one entry per customer.

    `x` counts repeat purchases, `t_x` and `T` are in one unit of time; a single number stands for all customers. Times on a grid (whole days, weeks made of
    whole days, two decimals) are gathered; `gather=False` keeps one row per customer.

    Raises ModelError: `predict.clv_no_customers`, `predict.clv_bad_history` (with the column, the first bad row
    and how many), `predict.clv_lengths`.
    """
    counts, last, age = check_history(x, t_x, T)
    if gather:
        packed = pack(counts, last, age)
        if packed is not None:
            return packed.history()
    order = np.argsort(counts, kind="stable")
    return History(
        counts[order].astype(np.int64), Times(last[order].astype(np.float64)), Times(age[order].astype(np.float64)),
        np.ones(len(order)), len(order),
    )  # fmt: skip


def check_history(x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> tuple[NDArray[np.generic], ...]:
    """The three columns as arrays, or ModelError naming the first customer whose history cannot be."""
    given = [np.asarray(c) for c in (x, t_x, T)]
    size = max((len(c) for c in given if c.ndim), default=1)
    columns = [np.broadcast_to(c, size) if c.ndim == 0 else c for c in given]
    counts, last, age = columns
    if not len(counts):
        raise ModelError("predict.clv_no_customers")
    if any(c.ndim != 1 or len(c) != len(counts) for c in columns):
        raise ModelError("predict.clv_lengths", found=[len(c) for c in columns])
    whole = counts.dtype.kind in "iu"
    rules: list[tuple[str, Callable[[slice], NDArray[np.bool_]]]] = [
        ("x", lambda s: (counts[s] >= 0) & (counts[s] < 2**31) & (whole or counts[s] == np.floor(counts[s]))),
        ("T", lambda s: (age[s] >= 0) & (age[s] < np.inf)),
        ("t_x", lambda s: (last[s] >= 0) & (last[s] <= age[s]) & ((counts[s] > 0) | (last[s] == 0))),
    ]
    for start in range(0, len(counts), _CHUNK):
        part = slice(start, start + _CHUNK)
        for column, rule in rules:
            good = rule(part)
            if not good.all():
                bad = np.flatnonzero(~good)
                values = {
                    name: float(c[start + bad[0]]) for name, c in zip(("x", "t_x", "T"), columns, strict=True)
                }
                raise ModelError("predict.clv_bad_history", column=column, row=int(start + bad[0]), **values)
    return counts, last, age


@dataclass(frozen=True)
class Packed:
    """A recipe that turns (x, t_x, T) into one integer: keys order like (x, t_x, T)."""

    columns: tuple[NDArray[np.generic], ...]
    steps: tuple[int, int]  # grid steps per unit of t_x and of T
    low_age: int
    last_bins: int
    age_bins: int

    def keys(self, part: slice) -> NDArray[np.int64]:
        x, last, age = (c[part] for c in self.columns)
        key = _whole(x, 1) * self.last_bins
        key += _whole(last, self.steps[0])
        key *= self.age_bins
        key += _whole(age, self.steps[1]) - self.low_age
        return key

    def history(self) -> History:
        keys, weight = self._distinct()
        rest, age = np.divmod(keys, self.age_bins)
        counts, last = np.divmod(rest, self.last_bins)
        return History(
            counts,
            _table(last, 0, self.last_bins, self.steps[0]),
            _table(age, self.low_age, self.age_bins, self.steps[1]),
            weight.astype(np.float64), len(self.columns[0]),
        )  # fmt: skip

    def inverse(self) -> tuple[History, NDArray[np.int64]]:
        """The history and, for each customer, the row it went to."""
        keys = self._distinct()[0]
        history = self.history()
        places = np.empty(len(self.columns[0]), dtype=np.int64)
        bins = int(keys[-1]) + 1
        if bins <= _MOST_BINS:
            lookup = np.zeros(bins, dtype=np.int64)
            lookup[keys] = np.arange(len(keys))
        for start in range(0, len(places), _CHUNK):
            part = slice(start, start + _CHUNK)
            found = self.keys(part)
            places[part] = lookup[found] if bins <= _MOST_BINS else np.searchsorted(keys, found)
        return history, places

    def _distinct(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Distinct keys, ascending, and how often each occurs.

        Counting beats sorting while the keys are dense; the few customers with very many purchases would make
        them sparse, so those are sorted apart.
        """
        total = len(self.columns[0])
        keys = np.empty(total, dtype=np.int64)
        for start in range(0, total, _CHUNK):
            part = slice(start, start + _CHUNK)
            keys[part] = self.keys(part)
        bins = min(_MOST_BINS, max(1 << 16, 4 * total))
        per_purchase = self.last_bins * self.age_bins
        limit = bins // per_purchase * per_purchase
        if limit < 8 * per_purchase:
            return np.unique(keys, return_counts=True)
        heavy = keys >= limit
        sparse, sparse_counts = np.unique(keys[heavy], return_counts=True)
        counted = np.bincount(keys if not len(sparse) else keys[~heavy])
        dense = np.flatnonzero(counted)
        return np.concatenate([dense, sparse]), np.concatenate([counted[dense], sparse_counts])


def _table(codes: NDArray[np.int64], low: int, bins: int, steps: int) -> Times:
    if bins > 4 * len(codes) + 1000:  # seconds, say: a table would be longer than the rows
        return Times((codes + low) / steps)
    return Times((np.arange(bins) + low) / steps, codes)


def pack(x: NDArray[np.generic], t_x: NDArray[np.generic], T: NDArray[np.generic]) -> Packed | None:
    """How to pack checked columns, or None when the times stand on no grid."""
    last_steps, age_steps = _grid(t_x), _grid(T)
    if last_steps is None or age_steps is None:
        return None
    low, high = (int(_whole(np.atleast_1d(end(T)), age_steps)[0]) for end in (np.min, np.max))
    last_bins = int(_whole(np.atleast_1d(np.max(t_x)), last_steps)[0]) + 1
    age_bins = high - low + 1
    if (float(np.max(x)) + 1) * last_bins * age_bins >= 2**62:
        return None
    return Packed((x, t_x, T), (last_steps, age_steps), low, last_bins, age_bins)


def distinct(x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> tuple[History, NDArray[np.int64]]:
    """The gathered history and, for each customer, its row: score the rows once, then `scores[places]`."""
    counts, last, age = check_history(x, t_x, T)
    packed = pack(counts, last, age)
    if packed is not None:
        return packed.inverse()
    order = np.argsort(counts, kind="stable")
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    return aggregate(counts, last, age, gather=False), places


def _whole(values: NDArray[np.generic], steps: int) -> NDArray[np.int64]:
    if values.dtype.kind in "iu":
        return values.astype(np.int64) * steps
    return np.asarray(np.rint(values * steps), dtype=np.int64)


def _grid(values: NDArray[np.generic]) -> int | None:
    """Grid steps per unit on which all values lie, to a part in 10^9 of the largest; None if there is no such grid."""
    if values.dtype.kind in "iu":
        return 1
    top = float(np.max(values))
    for steps in _STEPS_PER_UNIT:
        if top * steps > 2**31:
            continue
        if all(_on_grid(values[s : s + _CHUNK], steps, top) for s in range(0, len(values), _CHUNK)):
            return steps
    return None


def _on_grid(values: NDArray[np.generic], steps: int, top: float) -> bool:
    moved = values * steps
    return bool(np.all(np.abs(moved - np.rint(moved)) <= 1e-9 * max(top * steps, 1)))
