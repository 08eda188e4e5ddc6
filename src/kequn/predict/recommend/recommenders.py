"""Which products a customer has not bought yet and may want: popularity, BM25 neighbours, alternating least squares.

All three answer the same call: the best `k` products for some customers, without what they own and what is blocked. ALS:
Hu, Koren & Volinsky 2008; BM25 weights on item neighbours: both from the library implicit.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kequn.predict.extra import load, one_thread_blas

Items = NDArray[np.int64]
Flags = NDArray[np.bool_]

BATCH = 1000
NOBODY = -1
"""Filler where a customer has fewer candidates than asked for."""
WIDEST = 150


class Recommender(Protocol):
    """A fitted recommender of products new to the customer."""

    @property
    def kind(self) -> str:
        """popularity, bm25 or als."""
        ...

    def top(self, days: Any, k: int, blocked: Flags) -> Items:
        """The best `k` products for each row of `days` (CSR [customers, products], what they bought).

        Returns item numbers [customers, k], best first, NOBODY where there are no more. Products with a flag in
        `blocked` [products] and those the customer bought are left out; ties go to the more popular product.
        """
        ...


@dataclass(frozen=True)
class Popularity:
    """Everybody gets what most people buy: the baseline. Products are numbered by popularity already."""

    products: int

    kind = "popularity"

    def top(self, days: Any, k: int, blocked: Flags) -> Items:
        """The first products of the catalogue that the customer lacks."""
        free = np.flatnonzero(~blocked)
        most = np.diff(days.indptr).max(initial=0)
        free = free[: k + int(most)]
        found = np.full((days.shape[0], k), NOBODY, dtype=np.int64)
        for start in range(0, days.shape[0], BATCH):
            owned = days[start : start + BATCH][:, free].toarray() > 0
            order = np.argsort(owned, axis=1, kind="stable")[:, :k]
            chosen = np.where(np.take_along_axis(owned, order, 1), NOBODY, free[order])
            found[start : start + BATCH, : chosen.shape[1]] = chosen
        return found


@dataclass(frozen=True)
class Neighbours:
    """People who buy A buy B: products scored by their BM25 similarity to what the customer bought."""

    similarity: Any

    kind = "bm25"

    @classmethod
    def fit(cls, days: Any, neighbours: int = 100, threads: int = 2) -> Neighbours:
        """Item neighbours of the purchase counts `days` (CSR [customers, products]).

        The work grows with the square of a customer's products: of those with more than WIDEST the usual ones are taken.
        """
        from scipy.sparse import csr_matrix

        days = _narrowed(days)
        with _quiet(), one_thread_blas():
            model = load("implicit.nearest_neighbours").BM25Recommender(
                K=neighbours, K1=1.2, B=0.75, num_threads=threads
            )
            model.fit(csr_matrix(days), show_progress=False)
        similarity = csr_matrix(model.similarity).astype(np.float32)
        similarity.setdiag(0)
        similarity.eliminate_zeros()
        similarity.sort_indices()
        return cls(similarity)

    def top(self, days: Any, k: int, blocked: Flags) -> Items:
        """Best summed similarity; products without any are left out."""
        found = np.full((days.shape[0], k), NOBODY, dtype=np.int64)
        for start in range(0, days.shape[0], BATCH):
            part = days[start : start + BATCH]
            scores = np.asarray((part @ self.similarity).todense(), dtype=np.float32)
            scores[:, blocked] = 0
            rows = np.repeat(np.arange(part.shape[0]), np.diff(part.indptr))
            scores[rows, part.indices] = 0
            found[start : start + part.shape[0]] = best(scores, k)
        return found


@dataclass(frozen=True)
class Factors:
    """Alternating least squares on implicit feedback."""

    model: Any

    kind = "als"

    @classmethod
    def fit(
        cls, days: Any, *, factors: int = 32, iterations: int = 8, seed: int = 0, threads: int = 2
    ) -> Factors:
        """Factors of ln(1 + purchase days) (CSR [customers, products]).

        The same for a seed and any number of threads: each row is solved on its own and BLAS keeps to one thread.
        """
        from scipy.sparse import csr_matrix

        weights = csr_matrix(days).astype(np.float32)
        weights.data = np.log1p(weights.data)
        with _quiet(), one_thread_blas():
            model = load("implicit.als").AlternatingLeastSquares(
                factors=factors,
                regularization=0.05,
                alpha=1.0,
                iterations=iterations,
                random_state=seed,
                num_threads=threads,
                dtype=np.float32,
            )
            model.fit(weights, show_progress=False)
        return cls(model)

    def top(self, days: Any, k: int, blocked: Flags) -> Items:
        """Best predicted preference; customers are folded in by their purchases."""
        from scipy.sparse import csr_matrix

        filtered = np.flatnonzero(blocked)
        k_found = int(min(k, days.shape[1] - len(filtered)))
        found = np.full((days.shape[0], k), NOBODY, dtype=np.int64)
        if k_found <= 0:
            return found
        with _quiet(), one_thread_blas():
            for start in range(0, days.shape[0], BATCH):
                part = csr_matrix(days[start : start + BATCH]).astype(np.float32)
                part.data = np.log1p(part.data)
                items, scores = self.model.recommend(
                    np.arange(part.shape[0]),
                    part,
                    N=k_found,
                    filter_already_liked_items=True,
                    filter_items=filtered if len(filtered) else None,
                    recalculate_user=True,
                )
                usable = (scores > np.finfo(np.float32).min / 2) & np.isfinite(scores)
                found[start : start + part.shape[0], :k_found] = np.where(usable, items, NOBODY)
        return found


def _narrowed(days: Any, widest: int = WIDEST) -> Any:
    """Each customer's `widest` products with most purchase days, ties to the more popular one."""
    from scipy.sparse import csr_array

    count = np.diff(days.indptr)
    if count.max(initial=0) <= widest:
        return days
    rows = np.repeat(np.arange(days.shape[0]), count)
    order = np.lexsort((days.indices, -days.data, rows))
    place = np.arange(len(order)) - np.repeat(days.indptr[:-1], count)
    kept = order[place < widest]
    return csr_array((days.data[kept], (rows[kept], days.indices[kept])), shape=days.shape)


def best(scores: NDArray[np.float32], k: int) -> Items:
    """The `k` columns with the largest positive scores per row, ties to the smaller column; NOBODY after the last."""
    k_found = min(k, scores.shape[1])
    part = np.argpartition(-scores, k_found - 1, axis=1)[:, :k_found] if k_found < scores.shape[1] else None
    columns = (
        np.sort(part, axis=1) if part is not None else np.tile(np.arange(scores.shape[1]), (len(scores), 1))
    )
    values = np.take_along_axis(scores, columns, 1)
    order = np.argsort(-values, axis=1, kind="stable")
    columns, values = np.take_along_axis(columns, order, 1), np.take_along_axis(values, order, 1)
    found = np.full((len(scores), k), NOBODY, dtype=np.int64)
    found[:, :k_found] = np.where(values > 0, columns, NOBODY)
    return found


def _quiet() -> warnings.catch_warnings[None]:
    return warnings.catch_warnings(
        action="ignore"
    )  # implicit warns about BLAS threads, which are capped here


__all__ = ["NOBODY", "Factors", "Neighbours", "Popularity", "Recommender", "best"]
