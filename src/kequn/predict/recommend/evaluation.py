"""How good a list of products is, judged on what customers bought afterwards.

NDCG with binary relevance (Järvelin & Kekäläinen 2002), precision and coverage, on customers who bought anything relevant.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Items = NDArray[np.int64]
TOP = 10


def hits(lists: Items, relevant: Any) -> NDArray[np.bool_]:
    """Which entries of `lists` [customers, k] (-1 = empty) are in `relevant` (CSR of ones [customers, products])."""
    found = np.zeros(lists.shape, dtype=bool)
    if not lists.size:
        return found
    rows = np.repeat(np.arange(lists.shape[0]), lists.shape[1])
    flat = lists.ravel()
    ok = flat >= 0
    values = lookup(relevant, rows[ok], flat[ok])
    found.ravel()[ok] = values > 0
    return found


def lookup(matrix: Any, rows: Items, columns: Items) -> Array:
    """The values of a CSR matrix at pairs of row and column, 0 where nothing is stored."""
    held = matrix if matrix.has_sorted_indices else matrix.sorted_indices()
    width = held.shape[1]
    keys = np.repeat(np.arange(held.shape[0], dtype=np.int64), np.diff(held.indptr)) * width + held.indices
    wanted = np.asarray(rows, dtype=np.int64) * width + columns
    if not len(keys):
        return np.zeros(len(wanted))
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, held.data[place], 0.0).astype(np.float64)


def ndcg(found: NDArray[np.bool_], relevant_count: Items) -> Array:
    """Normalised discounted gain per customer of hits `found` [customers, k], best first; NaN without relevant products."""
    k = found.shape[1]
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[np.nan], np.cumsum(discount)])[np.minimum(relevant_count, k)]
    return np.asarray((found * discount).sum(axis=1) / ideal)


def measure(lists: Items, relevant: Any, products: int) -> tuple[dict[str, float], Array]:
    """NDCG@10, precision@10 and coverage of `lists`, and each customer's NDCG (NaN where nothing was relevant).

    `products` is how many could have been shown; coverage is the share of them that stand in anybody's list.
    """
    lists = lists[:, :TOP]
    found = hits(lists, relevant)
    count = np.diff(relevant.indptr).astype(np.int64)
    gain = ndcg(found, count)
    judged = count > 0
    if not judged.any():
        return {"customers": 0, "ndcg_10": float("nan"), "precision_10": float("nan"), "coverage": 0.0}, gain
    shown = np.unique(lists[lists >= 0])
    return {
        "customers": int(judged.sum()),
        "ndcg_10": float(gain[judged].mean()),
        "precision_10": float(found[judged].mean()) if lists.shape[1] else 0.0,
        "coverage": len(shown) / max(products, 1),
    }, gain


def better(challenger: Array, baseline: Array) -> bool:
    """Whether the mean NDCG is higher by more than one standard error of the paired difference."""
    gap = challenger - baseline
    gap = gap[np.isfinite(gap)]
    return bool(len(gap) > 1 and np.mean(gap) > np.std(gap, ddof=1) / np.sqrt(len(gap)))


__all__ = ["TOP", "better", "hits", "lookup", "measure", "ndcg"]
