"""One row per customer: all that lifetime value needs to know about the past."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kequn.errors import ModelError
from kequn.predict.clv.special import Array


@dataclass(frozen=True)
class Covariates:
    """Attributes of customers as numbers: those of customer i are `table[pattern[i]]`, shape (patterns, columns), named by `names`."""

    names: tuple[str, ...]
    table: Array
    pattern: NDArray[np.int64]


@dataclass(frozen=True)
class Statistics:
    """Sufficient statistics of customers who have bought at least once; arrays of one length, one entry each.

    - `x`: repeat purchase days (purchase days - 1); `t_x`: days from first to last purchase; `T`: days from first
      purchase to `as_of`. Whole days.
    - `orders`: purchases behind `mean_spend`, usually x + 1.
    - `mean_spend`: money per purchase in minor units; NaN where unknown. 0 or below is not modelled (see `GammaGamma`).
    - `last_year`: money of the 365 days before `as_of` in minor units, for the naive baseline; None if unknown.
    - `covariates`: what BG/NBD may learn differences between customers from; None: nothing.
    """

    x: NDArray[np.int64]
    t_x: NDArray[np.int64]
    T: NDArray[np.int64]
    orders: NDArray[np.int64]
    mean_spend: Array
    last_year: Array | None = None
    covariates: Covariates | None = None

    def __len__(self) -> int:
        return len(self.x)

    @classmethod
    def of(
        cls, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, mean_spend: ArrayLike,
        orders: ArrayLike | None = None, last_year: ArrayLike | None = None,
    ) -> Statistics:  # fmt: skip
        """Statistics from any arrays or lists; `orders` is x + 1 unless given.

        Raises ModelError `predict.clv_lengths`.
        """
        many = np.asarray(x, dtype=np.int64)
        columns = [np.asarray(c) for c in (x, t_x, T, mean_spend, many + 1 if orders is None else orders)]
        if any(c.shape != many.shape or c.ndim != 1 for c in columns):
            raise ModelError("predict.clv_lengths", found=[c.size for c in columns])
        year = None if last_year is None else np.asarray(last_year, dtype=np.float64)
        return cls(
            many, columns[1].astype(np.int64), columns[2].astype(np.int64), columns[4].astype(np.int64),
            columns[3].astype(np.float64), year,
        )  # fmt: skip


@dataclass(frozen=True)
class Purchases:
    """Purchases of customers: customer key, day number and money in minor units, aligned; any order."""

    customer: NDArray[np.int64]
    day: NDArray[np.int64]
    amount: Array

    @classmethod
    def of(cls, customer: ArrayLike, day: ArrayLike, amount: ArrayLike) -> Purchases:
        columns = np.asarray(customer), np.asarray(day, dtype=np.int64), np.asarray(amount, dtype=np.float64)
        if any(c.shape != columns[0].shape or c.ndim != 1 for c in columns):
            raise ModelError("predict.clv_lengths", found=[c.size for c in columns])
        return cls(*columns)

    def before(self, day: int) -> Purchases:
        """Purchases on days before `day`."""
        return self._where(self.day < day)

    def between(self, start: int, end: int) -> Purchases:
        """Purchases on days from `start` to before `end`."""
        return self._where((self.day >= start) & (self.day < end))

    def _where(self, kept: NDArray[np.bool_]) -> Purchases:
        return Purchases(self.customer[kept], self.day[kept], self.amount[kept])

    def statistics(self, as_of: int) -> tuple[NDArray[np.int64], Statistics]:
        """Customers, ascending, and their statistics from purchases on days before `as_of`.

        Purchases of one customer on one day are one purchase; a day whose amount is missing counts as a purchase but
        not in the mean.
        """
        past = self.before(as_of)
        if not len(past.day):
            raise ModelError("predict.clv_no_customers")
        order = np.lexsort((past.day, past.customer))
        customer, day, amount = past.customer[order], past.day[order], past.amount[order]
        new_day = np.concatenate([[True], (customer[1:] != customer[:-1]) | (day[1:] != day[:-1])])
        starts = np.flatnonzero(new_day)
        spent = np.add.reduceat(amount, starts)  # NaN if any part of the day is missing
        customer, day = customer[starts], day[starts]
        firsts = np.flatnonzero(np.concatenate([[True], customer[1:] != customer[:-1]]))
        counts = np.diff(np.append(firsts, len(customer)))
        priced = np.isfinite(spent)
        total = np.add.reduceat(np.where(priced, spent, 0), firsts)
        priced_days = np.add.reduceat(priced.astype(np.int64), firsts)
        recent = np.where(priced & (day >= as_of - 365), spent, 0)
        first, last = day[firsts], day[firsts + counts - 1]
        mean = np.where(priced_days > 0, total / np.maximum(priced_days, 1), np.nan)
        return customer[firsts], Statistics(
            counts - 1, last - first, as_of - first, priced_days, mean, np.add.reduceat(recent, firsts)
        )

    def totals(self, customers: NDArray[np.int64]) -> tuple[Array, Array]:
        """Purchase days and money of each of `customers` (ascending); others are left out, missing money is 0."""
        pairs = np.unique(np.stack([self.customer, self.day]), axis=1)
        days = np.zeros(len(customers))
        money = np.zeros(len(customers))
        for keys, sums, values in (
            (pairs[0], days, None),
            (self.customer, money, np.nan_to_num(self.amount)),
        ):
            place = np.searchsorted(customers, keys)
            known = (place < len(customers)) & (customers[np.minimum(place, len(customers) - 1)] == keys)
            np.add.at(sums, place[known], 1.0 if values is None else values[known])
        return days, money
