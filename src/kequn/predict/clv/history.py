"""Purchase histories, gathered into their distinct sufficient statistics.

Convention, everywhere in this package (Fader, Hardie & Lee 2005):

- `x`: repeat purchases = purchase days after the first one (two orders on one day are one purchase); 0 for a customer
  who bought once.
- `t_x`: age of the customer at the last purchase, first to last purchase; 0 when x = 0. Not `recency_days`, which is
  T - t_x.
- `T`: age of the customer now, first purchase to `as_of`.

`t_x` and `T` share one unit of time, days or weeks; rates and horizons of the model are then in that unit.
Two customers with the same (x, t_x, T) have the same likelihood, so a million of them shrink to some ten thousand
weighted rows: the fit costs what the rows cost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kequn.predict.clv.special import Array

_BLOCK = 1 << 13


@dataclass(frozen=True)
class Times:
    """One column of times: `values[codes]`, or `values` itself where `codes` is None."""

    values: Array
    codes: NDArray[np.int64] | None = None

    def each(self, function: Callable[[Array], Array]) -> Array:
        """`function` of every row, computed once per distinct value."""
        found = function(self.values)
        return found if self.codes is None else found[self.codes]

    def reader(self, *functions: Callable[[Array], Array]) -> Callable[[slice], list[Array]]:
        """A reader of `functions` of these rows: from tables where values repeat, computed on the spot where not."""
        codes = self.codes
        if codes is None:
            return lambda rows: [function(self.values[rows]) for function in functions]
        tables = [function(self.values) for function in functions]
        return lambda rows: [table[codes[rows]] for table in tables]

    def scaled(self, unit: float) -> Times:
        return Times(self.values / unit, self.codes)

    @cached_property
    def rows(self) -> Array:
        return self.each(lambda v: v)


@dataclass(frozen=True)
class Block:
    """Rows that fit the cache: the rows, the distinct x among them, and where each of those begins within."""

    rows: slice
    groups: slice
    starts: NDArray[np.intp]
    counts: NDArray[np.intp]


@dataclass(frozen=True)
class History:
    """Distinct (x, t_x, T), sorted by them, with the number of customers that share each: `weight`.

    `customers` is the sum of the weights. Rows that were not gathered have weight 1 and are sorted by x only.
    """

    x: NDArray[np.int64]
    last: Times
    age: Times
    weight: Array
    customers: int

    @property
    def t_x(self) -> Array:
        return self.last.rows

    @property
    def T(self) -> Array:
        return self.age.rows

    @cached_property
    def x_starts(self) -> NDArray[np.intp]:
        """Where each distinct x begins (rows are sorted by x)."""
        return np.flatnonzero(np.concatenate(([True], self.x[1:] != self.x[:-1])))

    @cached_property
    def x_values(self) -> Array:
        return self.x[self.x_starts].astype(np.float64)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The rows cut into blocks; a distinct x may go on into the next block."""
        found = []
        for start in range(0, len(self.x), _BLOCK):
            stop = min(start + _BLOCK, len(self.x))
            low = int(np.searchsorted(self.x_starts, start, side="right")) - 1
            high = int(np.searchsorted(self.x_starts, stop, side="left"))
            starts = np.maximum(self.x_starts[low:high] - start, 0)
            counts = np.diff(np.append(starts, stop - start))
            found.append(Block(slice(start, stop), slice(low, high), starts, counts))
        return tuple(found)

    def by_x(self, rows: Array) -> Array:
        """Sums of `rows` for each distinct x, rows in order: the same history gives the same bits."""
        return np.asarray(np.add.reduceat(rows, self.x_starts))

    def by_age(self, rows: Array) -> Array:
        """Sums of `rows` for each entry of `age.values`."""
        if self.age.codes is None:
            return rows
        return np.bincount(self.age.codes, weights=rows, minlength=len(self.age.values)).astype(np.float64)

    @cached_property
    def repeat_buyers(self) -> int:
        return int(self.weight[self.x > 0].sum())

    @cached_property
    def purchases(self) -> float:
        """Repeat purchases of all customers."""
        return float((self.weight * self.x).sum())

    @cached_property
    def mean_age(self) -> float:
        return float((self.weight * self.T).sum() / self.customers)

    def scaled(self, unit: float) -> History:
        """The same history with times counted in `unit`s."""
        return History(self.x, self.last.scaled(unit), self.age.scaled(unit), self.weight, self.customers)
