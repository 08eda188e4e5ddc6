"""The three ways to turn features into a probability, from the simplest up: rate table, logistic regression, boosted trees.

Each is fitted on a FeatureMatrix, scores row by row (a customer's score never depends on who else is scored), and can
be stored as plain JSON values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kequn.predict.calibration import Flags, expit
from kequn.predict.extra import load, one_thread_blas
from kequn.predict.features import DATED, Array, FeatureMatrix

SEED = 20261101
THREADS = 2


class Learner(Protocol):
    """A fitted model."""

    @property
    def kind(self) -> str:
        """table, logit or lightgbm."""
        ...

    def raw(self, matrix: FeatureMatrix) -> Array:
        """Probabilities before calibration, one per customer."""
        ...

    def contributions(self, matrix: FeatureMatrix) -> tuple[tuple[str, ...], Array]:
        """What each feature adds to the log-odds of each customer: names, and [customers, names]."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        ...


@dataclass(frozen=True)
class RateTable:
    """How many of the customers with this recency and this number of orders bought: a table of observed rates.

    Small cells lean on the overall rate with a weight of 20 customers.
    """

    recency_edges: tuple[float, ...]
    frequency_edges: tuple[float, ...]
    rates: tuple[float, ...]

    kind = "table"

    @classmethod
    def fit(cls, matrix: FeatureMatrix, happened: Flags) -> RateTable:
        """Cells by quantiles of recency (5) and frequency (4); equal values never part."""
        recency, frequency = matrix.column("recency_days"), matrix.column("frequency")
        edges_r = _edges(recency, (0.2, 0.4, 0.6, 0.8))
        edges_f = _edges(frequency, (0.25, 0.5, 0.75))
        cell = _cell(recency, frequency, edges_r, edges_f)
        size = (len(edges_r) + 1) * (len(edges_f) + 1)
        hits = np.bincount(cell, weights=happened, minlength=size)
        count = np.bincount(cell, minlength=size)
        base = float(np.mean(happened))
        return cls(edges_r, edges_f, tuple(map(float, (hits + 20 * base) / (count + 20))))

    def raw(self, matrix: FeatureMatrix) -> Array:
        """The rate of each customer's cell."""
        cell = _cell(
            matrix.column("recency_days"),
            matrix.column("frequency"),
            self.recency_edges,
            self.frequency_edges,
        )
        return np.asarray(self.rates)[cell]

    def contributions(self, matrix: FeatureMatrix) -> tuple[tuple[str, ...], Array]:
        """A table has no parts: each half of a cell's distance from the overall rate."""
        from kequn.predict.calibration import logit

        gap = logit(self.raw(matrix)) - float(np.mean(logit(np.asarray(self.rates))))
        return ("recency_days", "frequency"), np.column_stack([gap / 2, gap / 2])

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "kind": self.kind,
            "recency_edges": list(self.recency_edges),
            "frequency_edges": list(self.frequency_edges),
            "rates": list(self.rates),
        }


def _edges(values: Array, shares: tuple[float, ...]) -> tuple[float, ...]:
    known = values[np.isfinite(values)]
    if not len(known):
        return ()
    return tuple(sorted(set(map(float, np.quantile(known, shares, method="inverted_cdf")))))


def _cell(
    recency: Array, frequency: Array, edges_r: tuple[float, ...], edges_f: tuple[float, ...]
) -> NDArray[np.int64]:
    row = np.searchsorted(np.asarray(edges_r), recency, side="left")
    column = np.searchsorted(np.asarray(edges_f), frequency, side="left")
    return np.asarray(row * (len(edges_f) + 1) + column, dtype=np.int64)


@dataclass(frozen=True)
class Logit:
    """Logistic regression on the logarithms of the features, standardised; a missing value stands at the mean."""

    names: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float

    kind = "logit"

    @classmethod
    def fit(cls, matrix: FeatureMatrix, happened: Flags) -> Logit:
        """L2 penalty of strength 1 (C = 1)."""
        logged = _logged(matrix.values)
        known = np.isfinite(logged)
        count = np.maximum(known.sum(axis=0), 1)
        means = np.where(known, logged, 0).sum(axis=0) / count
        spread = np.sqrt(np.where(known, (logged - means) ** 2, 0).sum(axis=0) / count)
        scales = np.where(spread > 1e-9, spread, np.inf)  # a constant feature says nothing
        x = np.where(known, (logged - means) / scales, 0)
        with one_thread_blas():
            model = load("sklearn.linear_model").LogisticRegression(C=1.0, max_iter=1000)
            model.fit(x, happened)
        weights = np.where(np.isfinite(scales), model.coef_[0], 0.0)
        scales = np.where(np.isfinite(scales), scales, 1.0)
        return cls(
            matrix.names,
            tuple(map(float, means)),
            tuple(map(float, scales)),
            tuple(map(float, weights)),
            float(model.intercept_[0]),
        )

    def raw(self, matrix: FeatureMatrix) -> Array:
        """Added up feature by feature: a matrix product's rounding would depend on the number of rows."""
        total = np.full(len(matrix), self.intercept)
        for part in self._parts(matrix):
            total += part
        return expit(total)

    def contributions(self, matrix: FeatureMatrix) -> tuple[tuple[str, ...], Array]:
        """Weight times distance from the mean: exact Shapley values of a linear model."""
        return self.names, np.column_stack(list(self._parts(matrix)))

    def _parts(self, matrix: FeatureMatrix) -> Any:
        for name, mean, scale, weight in zip(self.names, self.means, self.scales, self.weights, strict=True):
            logged = _logged(matrix.column(name))
            yield np.where(np.isfinite(logged), (logged - mean) * (weight / scale), 0.0)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "kind": self.kind,
            "names": list(self.names),
            "means": list(self.means),
            "scales": list(self.scales),
            "weights": list(self.weights),
            "intercept": self.intercept,
        }


def _logged(values: Array) -> Array:
    """sign(v) · ln(1 + |v|): heavy tails pulled in, negative amounts allowed, NaN kept."""
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


@dataclass(frozen=True)
class Boosted:
    """Gradient-boosted trees (LightGBM) held to the signs of DATED; deterministic for a seed and any thread count."""

    names: tuple[str, ...]
    text: str
    threads: int = THREADS

    kind = "lightgbm"

    @classmethod
    def fit(
        cls, matrix: FeatureMatrix, happened: Flags, *, seed: int = SEED, threads: int = THREADS
    ) -> Boosted:
        """Small trees, many customers per leaf: stable rather than sharp."""
        lightgbm = load("lightgbm")
        settings = {
            "objective": "binary",
            "num_leaves": 15,
            "learning_rate": 0.06,
            "min_data_in_leaf": int(np.clip(len(matrix) // 100, 20, 200)),
            "lambda_l2": 5.0,
            "feature_fraction": 0.8,
            "monotone_constraints": [DATED.get(name, 0) for name in matrix.names],
            "deterministic": True,
            "force_row_wise": True,
            "seed": seed,
            "num_threads": _threads(len(matrix), threads),
            "verbosity": -1,
        }
        data = lightgbm.Dataset(matrix.values, label=happened.astype(np.float32), free_raw_data=True)
        return cls(
            matrix.names, lightgbm.train(settings, data, num_boost_round=100).model_to_string(), threads
        )

    @cached_property
    def _booster(self) -> Any:
        return load("lightgbm").Booster(model_str=self.text)

    def raw(self, matrix: FeatureMatrix) -> Array:
        """Probabilities of the trees."""
        if not len(matrix):
            return np.empty(0)
        x = matrix.only(self.names).values if matrix.names != self.names else matrix.values
        return np.asarray(
            self._booster.predict(x, num_threads=_threads(len(x), self.threads)), dtype=np.float64
        )

    def contributions(self, matrix: FeatureMatrix) -> tuple[tuple[str, ...], Array]:
        """Exact TreeSHAP values (Lundberg et al. 2020) in log-odds; without the constant."""
        x = matrix.only(self.names).values
        values = self._booster.predict(x, pred_contrib=True, num_threads=_threads(len(x), self.threads))
        return self.names, np.asarray(values, dtype=np.float64)[:, :-1]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"kind": self.kind, "names": list(self.names), "text": self.text}


def _threads(rows: int, most: int) -> int:
    """One thread for few rows: waiting for each other costs more than it brings, above all on a busy machine."""
    return 1 if rows < 50_000 else most


def learner_from(stored: Mapping[str, Any]) -> Learner:
    """The inverse of `as_dict`."""
    given = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in stored.items()
        if key != "kind"
    }
    kinds: dict[str, Any] = {"table": RateTable, "logit": Logit, "lightgbm": Boosted}
    made: Learner = kinds[stored["kind"]](**given)
    return made


__all__ = ["SEED", "THREADS", "Boosted", "Learner", "Logit", "RateTable", "learner_from"]
