"""How well the items of a scale hang together: Cronbach's alpha and item-rest correlations, from whole numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Reliability:
    """`alpha` and `item_rest` (by item) are None where they aren't defined: one item, too few people, nobody differs."""

    people: int
    alpha: float | None
    item_rest: tuple[float | None, ...]


def reliability(answers: Any) -> Reliability:
    """Reliability of whole-number answers, one row a person who answered everything, one column an item.

    Cronbach (1951), Psychometrika 16, p. 299: alpha = k / (k - 1) × (1 - sum of item variances / variance of the total).
    Sums of squares are exact, so neither the order of people nor the engine changes the result.
    """
    matrix = np.asarray(answers, dtype=np.int64)
    people, items = matrix.shape
    totals = [int(value) for value in matrix.sum(axis=0)]
    squares = [[int(value) for value in row] for row in matrix.T @ matrix]
    spread = [[people * squares[a][b] - totals[a] * totals[b] for b in range(items)] for a in range(items)]
    whole = sum(map(sum, spread))
    own = sum(spread[place][place] for place in range(items))
    alpha = items / (items - 1) * (1 - own / whole) if people > 1 and items > 1 and whole > 0 else None
    return Reliability(people, alpha, tuple(_item_rest(spread, place, whole) for place in range(items)))


def _item_rest(spread: Sequence[Sequence[int]], place: int, whole: int) -> float | None:
    own, with_all = spread[place][place], sum(spread[place])
    rest = whole - 2 * with_all + own
    return (with_all - own) / (math.sqrt(own) * math.sqrt(rest)) if own > 0 and rest > 0 else None


__all__ = ["Reliability", "reliability"]
