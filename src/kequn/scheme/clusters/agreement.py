"""How much two groupings of the same customers agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def contingency(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """Customers in group i of `a` and group j of `b`, as a table."""
    columns = int(b.max(initial=-1)) + 1
    rows = int(a.max(initial=-1)) + 1
    return np.bincount(a * columns + b, minlength=rows * columns).reshape(rows, columns)


def adjusted_rand(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """Adjusted Rand index: 1 for equal groupings, about 0 for unrelated ones (Hubert and Arabie 1985, equation 5)."""
    table = contingency(a, b).astype(np.float64)

    def pairs(values: Any) -> float:
        return float((values * (values - 1) / 2).sum())

    together, in_a, in_b = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    everybody = pairs(np.array([table.sum()]))
    expected = in_a * in_b / everybody if everybody else 0.0
    most = (in_a + in_b) / 2
    return 1.0 if most == expected else (together - expected) / (most - expected)


def jaccard(overlap: NDArray[Any]) -> NDArray[np.float64]:
    """Shared members over all members, for each pair of groups of a contingency table; 0 for two empty groups."""
    shared = overlap.astype(np.float64)
    union = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0, keepdims=True) - shared
    found: NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return found


__all__ = ["adjusted_rand", "contingency", "jaccard"]
