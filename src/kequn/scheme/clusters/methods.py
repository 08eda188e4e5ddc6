"""The ways to find groups. Each gives back a `Scorer`; the libraries that fit are the extra `kequn[cluster]`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from kequn.errors import ModelError
from kequn.scheme.clusters.encoding import Encoded, Encoding
from kequn.scheme.clusters.scoring import Scorer, stepped

if TYPE_CHECKING:
    from numpy.typing import NDArray

Method = Literal["kmeans", "latent", "kprototypes"]
LIBRARIES: dict[Method, tuple[str, ...]] = {
    "kmeans": ("sklearn",),
    "latent": ("sklearn", "stepmix", "pandas"),
    "kprototypes": ("sklearn", "kmodes"),
}
PACKAGES = {"sklearn": "scikit-learn", "stepmix": "stepmix", "pandas": "pandas", "kmodes": "kmodes"}
LEAST_SPREAD = 0.15
"""Latent classes are no narrower than this (standard deviations): a class where all are equal would swallow the fit."""
LEAST_PROBABILITY = 1e-4


EM = {"n_init": 1, "progress_bar": 0, "abs_tol": 1e-5, "max_iter": 200}


@dataclass(frozen=True)
class Fit:
    """`loss`: inertia (k-means, k-prototypes) or minus the mean log likelihood; `bic` of latent classes."""

    scorer: Scorer
    loss: float
    bic: float | None = None


def missing_libraries(method: Method) -> tuple[str, ...]:
    """Packages that `method` needs and that aren't installed."""
    return tuple(PACKAGES[name] for name in LIBRARIES[method] if find_spec(name) is None)


def fit(method: Method, encoding: Encoding, encoded: Encoded, k: int, *, seed: int, starts: int = 3) -> Fit:
    """Find `k` groups among `encoded` (rows in a fixed order give the same groups).

    Raises ModelError `cluster.extra_missing` when the libraries of `method` aren't installed.
    """
    lacking = missing_libraries(method)
    if lacking:
        raise ModelError("cluster.extra_missing", method=method, packages=list(lacking))
    with one_thread():
        return {"kmeans": _kmeans, "latent": _latent, "kprototypes": _kprototypes}[method](
            encoding, encoded, k, seed, starts
        )


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums in one order: with several threads scikit-learn adds in whatever order they end."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield


def level_weights(encoding: Encoding, one_hot: NDArray[np.float64]) -> NDArray[np.float64]:
    """One weight a level column, so that a label counts about as much as a number.

    The weight squared is 1 / max(½, 1 - Σp²): the columns of a label then spread by 1 in all (less for a label that is
    nearly always the same, which would otherwise make a group of its exceptions).
    """
    shares, weights, start = one_hot.mean(axis=0), [], 0
    for code in encoding.labels:
        part = shares[start : start + len(code.levels)]
        weights += [1.0 / np.sqrt(max(0.5, 1.0 - float((part**2).sum())))] * len(code.levels)
        start += len(code.levels)
    return stepped(np.array(weights, dtype=np.float64))


def _kmeans(encoding: Encoding, encoded: Encoded, k: int, seed: int, starts: int) -> Fit:
    from sklearn.cluster import KMeans

    one_hot = encoding.one_hot(encoded.codes)
    weights = level_weights(encoding, one_hot)
    design = np.concatenate([np.nan_to_num(encoded.numbers), one_hot * weights], axis=1)
    model = KMeans(k, init="k-means++", n_init=starts, max_iter=200, random_state=seed, copy_x=False).fit(
        design
    )
    centres = np.asarray(model.cluster_centers_, dtype=np.float64)
    scale = np.concatenate([np.ones(encoded.numbers.shape[1]), weights])
    # |x - c|² without |x|², which is the same for all groups; larger is nearer
    scorer = Scorer(stepped(2 * (centres * scale).T), stepped(-(centres**2).sum(axis=1)))
    return Fit(scorer, float(model.inertia_) / len(design))


def _latent(encoding: Encoding, encoded: Encoded, k: int, seed: int, starts: int) -> Fit:
    numbers, codes = encoded.numbers, encoded.codes
    blocks: dict[str, Any] = {}
    if numbers.shape[1]:
        blocks["numbers"] = {
            "model": "gaussian_diag",
            "n_columns": numbers.shape[1],
            "reg_covar": LEAST_SPREAD**2,
        }
    if codes.shape[1]:
        blocks["levels"] = {"model": "categorical", "n_columns": codes.shape[1]}
    design = np.concatenate([_filled(numbers, seed), np.maximum(codes, 0).astype(np.float64)], axis=1)
    models = []
    for start in range(max(1, starts - 1)):
        near = _kmeans(encoding, encoded, k, seed + start, 1).scorer.labels(encoding, encoded)
        with warnings.catch_warnings():
            # A start that doesn't converge within its rounds is weighed by its score like the others.
            warnings.simplefilter("ignore")
            models.append(_started_at(near, k)(k, measurement=blocks, random_state=seed, **EM).fit(design))
    model = max(models, key=lambda each: float(each.score(design)))
    found = model.get_parameters()
    scorer = _latent_scorer(encoding, found["weights"], found["measurement"], k)
    return Fit(scorer, -float(model.score(design)), float(model.bic(design)))


def _started_at(labels: NDArray[np.int64], k: int) -> Any:
    """StepMix beginning at the groups of k-means: its own starts ignore that levels have no order, or are nearly alike."""
    from stepmix import StepMix

    class Started(StepMix):  # type: ignore[misc]
        def _initialize_parameters(self, X: Any, random_state: Any) -> None:
            near = np.full((len(labels), k), 0.1 / k)
            near[np.arange(len(labels)), labels] += 0.9
            self.log_resp_ = np.log(near)
            self.weights_ = np.ones(k) / k
            self._initialize_parameters_measurement(X, random_state)

    return Started


def _filled(numbers: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Missing numbers drawn from the known ones of their column, so that they tell no class from another.

    StepMix can leave them out instead, but fails when a class has no value at all (recency of those who never bought).
    """
    rng = np.random.default_rng(seed)
    filled = numbers.copy()
    for place in range(numbers.shape[1]):
        unknown = np.isnan(numbers[:, place])
        if unknown.any():
            known = np.sort(numbers[~unknown, place])
            filled[unknown, place] = rng.choice(known, int(unknown.sum())) if len(known) else 0.0
    return filled


def _latent_scorer(encoding: Encoding, shares: NDArray[np.float64], blocks: dict[str, Any], k: int) -> Scorer:
    """Log of share × density of each class, as a linear function of numbers, levels, squares and known."""
    count = len(encoding.numbers)
    straight, squares, known = (np.zeros((count, k)) for _ in range(3))
    if count:
        means, spreads = blocks["numbers"]["means"].T, blocks["numbers"]["covariances"].T
        spreads = np.maximum(spreads, LEAST_SPREAD**2)
        straight, squares = means / spreads, -0.5 / spreads
        known = -0.5 * (np.log(2 * np.pi * spreads) + means**2 / spreads)
    levels = []
    if encoding.labels:
        table = blocks["levels"]["pis"].reshape(k, len(encoding.labels), -1)
        for place, code in enumerate(encoding.labels):
            seen = table[:, place, : len(code.levels)]
            padded = np.zeros((k, len(code.levels)))
            padded[:, : seen.shape[1]] = seen
            levels.append(np.log(np.maximum(padded, LEAST_PROBABILITY)).T)
    level_part = np.concatenate(levels) if levels else np.zeros((0, k))
    weights = np.concatenate([straight, level_part, squares, known])
    return Scorer(stepped(weights), stepped(np.log(np.maximum(shares, 1e-12))), quadratic=True)


def _kprototypes(encoding: Encoding, encoded: Encoded, k: int, seed: int, starts: int) -> Fit:
    """Huang's k-prototypes: squared distance of numbers plus γ for each label that differs from the group's mode."""
    from kmodes.kprototypes import KPrototypes

    count = encoded.numbers.shape[1]
    if not count or not encoded.codes.shape[1]:  # it needs both kinds; with one kind it is k-means
        return _kmeans(encoding, encoded, k, seed, starts)
    design = np.concatenate([np.nan_to_num(encoded.numbers), encoded.codes.astype(np.float64)], axis=1)
    model = KPrototypes(k, init="Huang", n_init=starts, max_iter=50, gamma=1.0, random_state=seed)
    model.fit(design, categorical=list(range(count, design.shape[1])))
    centres = np.asarray(model.cluster_centroids_, dtype=np.float64)
    agree = [
        (np.arange(len(code.levels))[:, None] == centres[:, count + place]).astype(np.float64)
        for place, code in enumerate(encoding.labels)
    ]
    weights = np.concatenate([2 * centres[:, :count].T, *agree])
    scorer = Scorer(stepped(weights), stepped(-(centres[:, :count] ** 2).sum(axis=1)))
    return Fit(scorer, float(model.cost_) / len(design))


__all__ = ["Fit", "Method", "fit", "level_weights", "missing_libraries", "one_thread"]
