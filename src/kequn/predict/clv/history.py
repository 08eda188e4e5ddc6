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


@dataclass(frozen=True)
class Times:
    """One column of times: `values[codes]`, or `values` itself where `codes` is None."""

    values: Array
    codes: NDArray[np.int64] | None = None

    def each(self, function: Callable[[Array], Array]) -> Array:
        """`function` of every row, computed once per distinct value."""
        found = function(self.values)
        return found if self.codes is None else found[self.codes]

    def scaled(self, unit: float) -> Times:
        return Times(self.values / unit, self.codes)

    @cached_property
    def rows(self) -> Array:
        return self.each(lambda v: v)


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
    def x_rows(self) -> NDArray[np.intp]:
        """Number of rows of each distinct x."""
        return np.diff(np.append(self.x_starts, len(self.x)))

    def by_x(self, rows: Array) -> Array:
        """Sums of `rows` for each distinct x, rows in order: the same history gives the same bits."""
        return np.asarray(np.add.reduceat(rows, self.x_starts))

    def spread(self, per_x: Array) -> Array:
        """One value per distinct x, repeated for its rows."""
        return np.repeat(per_x, self.x_rows)

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
