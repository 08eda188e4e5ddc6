"""Weights of a scorecard learnt from what happened: who bought again, by the points that customers had before.

A logistic regression with weights that can't be negative (what speaks for a customer never speaks against them) and a
pull towards zero; unknown items stand at their mean. It is judged on customers it hasn't seen, beside the points as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kequn.errors import KequnError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDS = 5
PULL = 1.0
LEAST_CUSTOMERS, LEAST_EACH = 200, 30
"""With fewer customers, or fewer of those who stayed or left, nothing is learnt."""


@dataclass(frozen=True)
class LearntItem:
    """One item: the most points it gives now and would give, and the share of customers about whom it is known."""

    id: str
    title: Mapping[str, str]
    now: int
    learnt: int
    known: float


@dataclass(frozen=True)
class Learnt:
    """What was learnt. AUC: how well the score tells those who stay from those who leave, on unseen customers."""

    items: tuple[LearntItem, ...]
    customers: int
    retained: float
    auc_now: float
    auc_learnt: float

    @property
    def better(self) -> bool:
        """Whether the learnt weights tell customers apart better than the points as they are."""
        return self.auc_learnt > self.auc_now

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        items = [
            {"id": i.id, "title": dict(i.title), "now": i.now, "learnt": i.learnt, "known": round(i.known, 4)}
            for i in self.items
        ]
        return {
            "items": items, "customers": self.customers, "retained": round(self.retained, 4),
            "auc_now": round(self.auc_now, 4), "auc_learnt": round(self.auc_learnt, 4), "better": self.better,
        }  # fmt: skip


def learn(
    items: Sequence[tuple[str, Mapping[str, str], int]], points: NDArray[np.float64], stayed: NDArray[np.bool_],
    customers: Sequence[str],
) -> Learnt:  # fmt: skip
    """Learn from `points` (customers × items, NaN unknown), of which item i is (id, title, most points).

    Raises KequnError `scheme.learn_few` with too few customers, or too few of one outcome.
    """
    kept = int(stayed.sum())
    if len(stayed) < LEAST_CUSTOMERS or min(kept, len(stayed) - kept) < LEAST_EACH:
        raise KequnError(
            "scheme.learn_few", customers=len(stayed), stayed=kept, least=LEAST_CUSTOMERS, each=LEAST_EACH
        )
    most = np.array([item[2] for item in items], dtype=np.float64)
    known = ~np.isnan(points)
    shares = points / most
    weights, _ = _fit(shares, stayed)
    fold = np.array([int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) % FOLDS for key in customers])
    unseen = np.zeros(len(stayed))
    for part in range(FOLDS):
        here = fold == part
        if here.any() and len(set(stayed[~here].tolist())) == 2:
            found, means = _fit(shares[~here], stayed[~here])
            unseen[here] = np.where(known[here], shares[here] - means, 0.0) @ found
    possible = np.where(known, most, 0.0).sum(axis=1)
    score = np.nan_to_num(points).sum(axis=1) / np.maximum(possible, 1e-12)
    scaled = most.sum() * weights / max(weights.sum(), 1e-12) if weights.sum() > 0 else most
    learnt = tuple(
        LearntItem(
            name, title, int(now), max(1, int(np.floor(scaled[place] + 0.5))), float(known[:, place].mean())
        )
        for place, (name, title, now) in enumerate(items)
    )
    return Learnt(learnt, len(stayed), kept / len(stayed), auc(score, stayed), auc(unseen, stayed))


def _fit(
    shares: NDArray[np.float64], stayed: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights of the items, none negative, and their means."""
    from scipy.optimize import minimize

    known = ~np.isnan(shares)
    means = np.where(known, shares, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    inputs = np.where(known, shares - means, 0.0)
    sign = np.where(stayed, 1.0, -1.0)

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = sign * (inputs @ values[1:] + values[0])
        off = -sign / (1.0 + np.exp(np.clip(margin, -60, 60)))
        pull = PULL * values[1:]
        total = np.logaddexp(0.0, -margin).sum() + PULL / 2 * (values[1:] ** 2).sum()
        return float(total), np.concatenate(([off.sum()], inputs.T @ off + pull))

    start = np.zeros(shares.shape[1] + 1)
    bounds = [(None, None), *[(0.0, None)] * shares.shape[1]]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500})
    return np.asarray(found.x[1:]), means


def auc(score: NDArray[np.float64], stayed: NDArray[np.bool_]) -> float:
    """The chance that one who stayed has a higher score than one who left (ties count half)."""
    from scipy.stats import rankdata

    ranks = rankdata(score)
    kept = int(stayed.sum())
    return float((ranks[stayed].sum() - kept * (kept + 1) / 2) / (kept * (len(stayed) - kept)))


__all__ = ["Learnt", "LearntItem", "auc", "learn"]
