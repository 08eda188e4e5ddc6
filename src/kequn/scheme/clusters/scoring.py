"""Which group a customer belongs to, from stored parameters alone: one matrix product, largest score wins, first of equals.

Scores of k-means, k-prototypes and latent classes are all linear in simple columns: numbers, their squares, whether they
are known, and levels. Columns are multiples of 1/1024 (squares of 1/1024²) and weights of 1/4096, so that every sum is
exact in float64 and a customer's group depends on nothing but the customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kequn.scheme.clusters.encoding import Encoded, Encoding

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEIGHT_STEP = 4096.0


@dataclass(frozen=True)
class Scorer:
    """`weights` (columns × groups) and `bias` (groups). Columns: numbers, levels; with `quadratic`, squares and known too."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    quadratic: bool = False

    @property
    def groups(self) -> int:
        return len(self.bias)

    def labels(self, encoding: Encoding, encoded: Encoded) -> NDArray[np.int64]:
        """The place of each row's group; of equal scores the first."""
        found: NDArray[np.int64] = np.argmax(self.scores(encoding, encoded), axis=1)
        return found

    def scores(self, encoding: Encoding, encoded: Encoded) -> NDArray[np.float64]:
        """Scores, rows × groups: log densities of latent classes, else minus the distance, up to a term that all groups share."""
        known = ~np.isnan(encoded.numbers)
        numbers = np.where(known, encoded.numbers, 0.0)
        parts = [numbers, encoding.one_hot(encoded.codes)]
        if self.quadratic:
            parts += [numbers * numbers, known.astype(np.float64)]
        found: NDArray[np.float64] = np.concatenate(parts, axis=1) @ self.weights + self.bias
        return found

    def as_json(self) -> dict[str, Any]:
        """Plain JSON that `Scorer.from_json` reads back."""
        return {"weights": self.weights.tolist(), "bias": self.bias.tolist(), "quadratic": self.quadratic}

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> Scorer:
        """The scorer that a run stored."""
        bias = np.array(stored["bias"], dtype=np.float64)
        return Scorer(
            np.array(stored["weights"], dtype=np.float64).reshape(-1, len(bias)),
            bias,
            bool(stored["quadratic"]),
        )


def stepped(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights rounded to 1/4096."""
    return np.rint(values * WEIGHT_STEP) / WEIGHT_STEP


__all__ = ["Scorer", "stepped"]
