"""Candidates of each customer, new products and usual ones, and the calibrated chance that each is bought.

Two logistic regressions, one for products new to the customer and one for products bought before, are fitted on what
customers bought in the last window; so both kinds stand on one scale and can be ranked together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kequn.predict.calibration import expit
from kequn.predict.extra import load, one_thread_blas
from kequn.predict.recommend.evaluation import lookup
from kequn.predict.recommend.interactions import Catalogue, Interactions
from kequn.predict.recommend.recommenders import NOBODY

Array = NDArray[np.float64]
Items = NDArray[np.int64]

NEW_FEATURES = ("place", "popularity", "recency", "recent_days")
AGAIN_FEATURES = ("times", "age", "popularity", "recency", "recent_days")
PER_KIND = 20
"""Candidates of each kind per customer."""


@dataclass(frozen=True)
class Candidates:
    """One entry per customer and product, ordered by customer: row of the customer, item, whether bought before, features."""

    rows: Items
    items: Items
    again: NDArray[np.bool_]
    features: Array

    def __len__(self) -> int:
        return len(self.rows)

    def only(self, chosen: NDArray[np.bool_]) -> Candidates:
        """The chosen entries."""
        return Candidates(self.rows[chosen], self.items[chosen], self.again[chosen], self.features[chosen])


def new_candidates(bought: Interactions, goods: Catalogue, lists: Items) -> Candidates:
    """A recommender's best products that the customer has not bought: `lists` [customers, PER_KIND], best first."""
    rows, place = np.nonzero(lists != NOBODY)
    items = lists[rows, place]
    features = np.column_stack([np.log1p(place), _popularity(goods, bought, items), _activity(bought, rows)])
    return Candidates(rows, items, np.zeros(len(rows), dtype=bool), features)


def usual_candidates(bought: Interactions, goods: Catalogue, blocked: NDArray[np.bool_]) -> Candidates:
    """What the customer buys most often and most lately, of the products that people buy again."""
    allowed = goods.repurchase & ~blocked
    rows = np.repeat(np.arange(len(bought)), np.diff(bought.days.indptr))
    keep = allowed[bought.days.indices]
    rows, items = rows[keep], bought.days.indices[keep].astype(np.int64)
    times, ages = bought.days.data[keep].astype(np.float64), bought.ages.data[keep].astype(np.float64)
    order = np.lexsort((items, ages, -times, rows))
    rows, items, times, ages = rows[order], items[order], times[order], ages[order]
    top = _within(rows) < PER_KIND
    rows, items, times, ages = rows[top], items[top], times[top], ages[top]
    features = np.column_stack(
        [np.log1p(times), np.log1p(ages), _popularity(goods, bought, items), _activity(bought, rows)]
    )
    return Candidates(rows, items, np.ones(len(rows), dtype=bool), features)


def _within(rows: Items) -> Items:
    """The place of each entry among those of its row; `rows` is sorted."""
    if not len(rows):
        return rows
    starts = np.flatnonzero(np.concatenate([[True], rows[1:] != rows[:-1]]))
    return np.asarray(np.arange(len(rows)) - np.repeat(starts, np.diff(np.append(starts, len(rows)))))


def _popularity(goods: Catalogue, bought: Interactions, items: Items) -> Array:
    return np.asarray(np.log((goods.buyers[items] + 1.0) / (goods.buyers.max(initial=0) + 1.0)))


def _activity(bought: Interactions, rows: Items) -> Array:
    return np.log1p(np.maximum(bought.activity[rows], 0))


@dataclass(frozen=True)
class Chance:
    """P(bought within the window) of a candidate: expit(intercept + weights · features); a rate when there are no weights."""

    intercept: float
    weights: tuple[float, ...]

    @classmethod
    def fit(cls, features: Array, happened: NDArray[np.bool_]) -> Chance:
        """Logistic regression; with fewer than 10 cases of either outcome the smoothed rate."""
        hits = int(np.count_nonzero(happened))
        if min(hits, len(happened) - hits) < 10:
            rate = (hits + 1) / (len(happened) + 20)
            return cls(float(np.log(rate / (1 - rate))), ())
        with one_thread_blas():
            model = load("sklearn.linear_model").LogisticRegression(C=10.0, max_iter=500)
            model.fit(features, happened)
        return cls(float(model.intercept_[0]), tuple(map(float, model.coef_[0])))

    def apply(self, features: Array) -> Array:
        """Probabilities, six decimals: added up column by column, so that no value depends on the other rows."""
        total = np.full(len(features), self.intercept)
        for place, weight in enumerate(self.weights):
            total += features[:, place] * weight
        return np.round(expit(total), 6)


@dataclass(frozen=True)
class Chances:
    """The two scales: for products new to the customer and for usual ones."""

    new: Chance
    again: Chance

    @classmethod
    def fit(cls, new: Candidates, again: Candidates, bought_next: Any) -> Chances:
        """From candidates of an earlier day and what was bought next (CSR [customers, products])."""
        return cls(
            Chance.fit(new.features, lookup(bought_next, new.rows, new.items) > 0),
            Chance.fit(again.features, lookup(bought_next, again.rows, again.items) > 0),
        )


@dataclass(frozen=True)
class Scored:
    """Candidates of both kinds with their probability, ordered by customer."""

    rows: Items
    items: Items
    again: NDArray[np.bool_]
    probability: Array

    def __len__(self) -> int:
        return len(self.rows)


def scored(new: Candidates, again: Candidates, chances: Chances) -> Scored:
    """Both kinds together."""
    rows = np.concatenate([new.rows, again.rows])
    p = np.concatenate([chances.new.apply(new.features), chances.again.apply(again.features)])
    order = np.argsort(rows, kind="stable")
    return Scored(
        rows[order],
        np.concatenate([new.items, again.items])[order],
        np.concatenate([new.again, again.again])[order],
        p[order],
    )


def ranked(found: Scored, worth: Array, customers: int, k: int) -> tuple[Items, Items]:
    """The best `k` candidates per customer by `worth` [candidates], ties to the smaller item number.

    Returns item numbers and positions in `found`, both [customers, k], -1 where there are no more.
    """
    order = np.lexsort((found.items, -worth, found.rows))
    rows = found.rows[order]
    place = _within(rows)
    keep = place < k
    lists = np.full((customers, k), NOBODY, dtype=np.int64)
    positions = np.full((customers, k), NOBODY, dtype=np.int64)
    lists[rows[keep], place[keep]] = found.items[order][keep]
    positions[rows[keep], place[keep]] = order[keep]
    return lists, positions


__all__ = [
    "AGAIN_FEATURES",
    "NEW_FEATURES",
    "PER_KIND",
    "Candidates",
    "Chance",
    "Chances",
    "Scored",
    "new_candidates",
    "ranked",
    "scored",
    "usual_candidates",
]
