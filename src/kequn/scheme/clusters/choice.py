"""How many groups: every number from two up is tried on a sample, and the reasons for the proposal are kept.

k-means: of the numbers that come out alike when the sample is drawn again, the one whose groups stand apart most
(silhouette). Where no number makes clear gaps customers are a continuum, the silhouette would always say two, and the
most groups that stay the same are more use. Latent classes: the smallest BIC, or fewer that gain nearly as much. The number of the last run is kept when it is nearly as good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from kequn.scheme.clusters.agreement import adjusted_rand, contingency, jaccard
from kequn.scheme.clusters.encoding import Encoded, Encoding
from kequn.scheme.clusters.methods import Fit, Method, fit, level_weights, one_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray

STABLE = 0.75
"""Below this much agreement between bootstrap samples (adjusted Rand, Jaccard of a group) groups are called unstable."""
TRY_ROWS: dict[Method, int] = {"kmeans": 10_000, "latent": 3_000, "kprototypes": 1_000}
STARTS: dict[Method, int] = {"kmeans": 2, "latent": 1, "kprototypes": 1}
"""How often a trial begins anew; the groups that are taken begin more often."""
SILHOUETTE_ROWS = 1_500
QUICK, THOROUGH = 3, 10
"""Bootstrap samples for each number that is tried, and for the groups that are taken."""
SURELY_STABLE, SURELY_ALIKE = 0.8, 0.6
"""What a trial with few bootstrap samples must reach: adjusted Rand over all, Jaccard of the weakest group."""
CLEAR = 0.35
"""From this silhouette on there are gaps between groups (Kaufman and Rousseeuw call more than 0.25 weak, 0.5 reasonable)."""
APART_ENOUGH = 0.5
NEARLY = 0.95
ENOUGH_GAIN = 0.95


@dataclass(frozen=True)
class Candidate:
    """One number of groups, as it did on the sample."""

    k: int
    silhouette: float | None
    stability: float | None
    weakest: float | None
    bic: float | None


@dataclass(frozen=True)
class Stability:
    """Mean adjusted Rand index with groupings of bootstrap samples, and each group's mean best Jaccard."""

    rand: float
    jaccard: tuple[float, ...]
    samples: int


@dataclass(frozen=True)
class Choice:
    """The number taken. `reason` is a code of `locale/cluster.yaml`; `candidates` what it was weighed against."""

    k: int
    reason: str
    candidates: tuple[Candidate, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        return {"k": self.k, "reason": self.reason, "candidates": [asdict(each) for each in self.candidates]}


def choose(
    method: Method, encoding: Encoding, encoded: Encoded, most: int, *, seed: int, last: int | None = None
) -> Choice:
    """Propose a number of groups between 2 and `most` (latent classes: from 1). `last` is the number of the last run."""
    rows = encoded.take(some(len(encoded), TRY_ROWS[method]))
    found = [
        _candidate(method, encoding, rows, k, seed) for k in range(1 if method == "latent" else 2, most + 1)
    ]
    best, reason = _by_bic(found) if method == "latent" else _by_shape(found)
    kept = next((each for each in found if each.k == last), None)
    if kept is not None and kept.k != best.k and _nearly(kept, best, found):
        return Choice(kept.k, "cluster.reason.as_before", tuple(found))
    return Choice(best.k, reason, tuple(found))


def _candidate(method: Method, encoding: Encoding, rows: Encoded, k: int, seed: int) -> Candidate:
    found = fit(method, encoding, rows, k, seed=seed, starts=STARTS[method])
    if method == "latent":
        return Candidate(k, None, None, None, found.bic)
    labels = found.scorer.labels(encoding, rows)
    stable = stability(method, encoding, rows, found, seed=seed, samples=QUICK)
    return Candidate(k, silhouette(encoding, rows, labels), stable.rand, min(stable.jaccard), None)


def _by_shape(found: Sequence[Candidate]) -> tuple[Candidate, str]:
    stable = [each for each in found if _stable(each)]
    if not stable:
        return max(found, key=lambda each: (each.stability or 0.0, -each.k)), "cluster.reason.most_stable"
    best = max(stable, key=lambda each: (each.silhouette or 0.0, -each.k))
    if (best.silhouette or 0.0) >= CLEAR:
        return best, "cluster.reason.silhouette"
    apart = [each for each in stable if (each.silhouette or 0.0) >= APART_ENOUGH * (best.silhouette or 0.0)]
    return max(apart, key=lambda each: each.k), "cluster.reason.no_gaps"


def _stable(each: Candidate) -> bool:
    return (each.stability or 0.0) >= SURELY_STABLE and (each.weakest or 0.0) >= SURELY_ALIKE


def _by_bic(found: Sequence[Candidate]) -> tuple[Candidate, str]:
    """The smallest BIC, or a smaller number that gains nearly as much: real columns are never quite as classes assume, and
    on many customers BIC then buys further classes for the difference."""
    best = min(found, key=lambda each: (each.bic, each.k))
    first, gain = found[0].bic or 0.0, (found[0].bic or 0.0) - (best.bic or 0.0)
    enough = next(each for each in found if first - (each.bic or 0.0) >= ENOUGH_GAIN * gain)
    return enough, "cluster.reason.bic" if enough is best else "cluster.reason.bic_gain"


def _nearly(kept: Candidate, best: Candidate, found: Sequence[Candidate]) -> bool:
    if kept.bic is not None and best.bic is not None:
        gain = (found[0].bic or 0.0) - best.bic
        return gain > 0 and (found[0].bic or 0.0) - kept.bic >= NEARLY * gain
    least = NEARLY if (best.silhouette or 0.0) >= CLEAR else NEARLY * APART_ENOUGH
    stable = (kept.stability or 0.0) >= min(STABLE, best.stability or 0.0)
    return stable and (kept.silhouette or 0.0) >= least * (best.silhouette or 0.0)


def some(count: int, most: int) -> NDArray[np.int64]:
    """At most `most` places out of `count`, evenly spread (rows stand in the order of ids, so any step is as good)."""
    return np.arange(count) if count <= most else np.linspace(0, count - 1, most).astype(np.int64)


def silhouette(encoding: Encoding, encoded: Encoded, labels: NDArray[np.int64]) -> float | None:
    """Mean silhouette width of a sample in the space of k-means; None with fewer than two groups."""
    from sklearn.metrics import silhouette_score

    places = some(len(encoded), SILHOUETTE_ROWS)
    rows, chosen = encoded.take(places), labels[places]
    groups = len(np.unique(chosen))
    if not 2 <= groups < len(chosen):
        return None
    one_hot = encoding.one_hot(rows.codes)
    design = np.concatenate([np.nan_to_num(rows.numbers), one_hot * level_weights(encoding, one_hot)], axis=1)
    with one_thread():
        return round(float(silhouette_score(design, chosen)), 6)


def stability(
    method: Method, encoding: Encoding, rows: Encoded, found: Fit, *, seed: int, samples: int = THOROUGH
) -> Stability:
    """Fit again on bootstrap samples of `rows` and compare whom each fit puts together (Hennig 2007)."""
    base = found.scorer.labels(encoding, rows)
    k = found.scorer.groups
    rand, alike = [], []
    for number in range(samples):
        drawn = np.random.default_rng([seed, number]).integers(0, len(rows), len(rows))
        again = fit(
            method, encoding, rows.take(np.sort(drawn)), k, seed=seed + number + 1, starts=STARTS[method]
        )
        other = again.scorer.labels(encoding, rows)
        rand.append(adjusted_rand(base, other))
        best = jaccard(contingency(base, other)).max(axis=1)
        alike.append(np.pad(best, (0, k - len(best))))
    return Stability(
        round(float(np.mean(rand)), 6),
        tuple(round(float(value), 6) for value in np.mean(alike, axis=0)),
        samples,
    )


__all__ = [
    "STABLE",
    "TRY_ROWS",
    "Candidate",
    "Choice",
    "Stability",
    "choose",
    "silhouette",
    "some",
    "stability",
]
