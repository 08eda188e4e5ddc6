"""Customers to test on: simulated ones, CDNOW, and the donors of the BG/BB paper."""

from __future__ import annotations

from datetime import date
from importlib.util import find_spec
from pathlib import Path

import numpy as np

# (x, t_x, donors) of 11,104 first-time donors of 1995 over the six years that followed: Fader, Hardie & Shang 2010,
# *Marketing Science* 29(6), Table 1 (published counts).
DONORS = (
    (6, 6, 1203), (5, 6, 728), (4, 6, 512), (3, 6, 357), (2, 6, 234), (1, 6, 129), (5, 5, 335), (4, 5, 284),
    (3, 5, 225), (2, 5, 173), (1, 5, 119), (4, 4, 240), (3, 4, 181), (2, 4, 155), (1, 4, 78), (3, 3, 322),
    (2, 3, 255), (1, 3, 129), (2, 2, 613), (1, 2, 277), (1, 1, 1091), (0, 0, 3464),
)  # fmt: skip


def donors() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x and t_x of each pattern, and how many donors share it."""
    x, t_x, many = (np.array(column) for column in zip(*DONORS, strict=True))
    return x, t_x, many


def cdnow_folder() -> Path:
    """CDNOW's academic licence keeps it out of the repository; the package lifetimes (MIT), which tests install, has it."""
    found = find_spec("lifetimes")
    assert found is not None, "install the dev extra: pip install -e '.[dev]'"
    assert found.origin is not None
    return Path(found.origin).parent / "datasets"


def cdnow_purchases(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Customer, day (since 1970-01-01) and cents of each of the 6,919 purchases."""
    lines = [line.split() for line in (folder / "CDNOW_sample.txt").read_text().splitlines() if line.strip()]
    days = [
        (date(int(d[:4]), int(d[4:6]), int(d[6:])) - date(1970, 1, 1)).days
        for d in (line[2] for line in lines)
    ]
    return (
        np.array([int(line[1]) for line in lines]),
        np.array(days),
        np.array([round(float(line[4]) * 100) for line in lines]),
    )


def bg_nbd_customers(
    n: int, seed: int, *, r: float = 0.243, alpha: float = 30.9, a: float = 0.793, b: float = 2.426,
    first: int = 0, ages: tuple[int, int] = (189, 273),
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """x, t_x, T in days of customers who behave as (M)BG/NBD says; times of purchase are continuous."""
    rng = np.random.default_rng(seed)
    T = rng.integers(ages[0], ages[1] + 1, n).astype(float)
    rate, leave = rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n)
    x, t_x, now = np.zeros(n, dtype=np.int64), np.zeros(n), np.zeros(n)
    active = np.arange(n) if first == 0 else np.flatnonzero(rng.random(n) > leave)
    while len(active):
        now[active] += rng.exponential(1, len(active)) / np.maximum(rate[active], 1e-300)
        active = active[now[active] <= T[active]]
        x[active] += 1
        t_x[active] = now[active]
        active = active[rng.random(len(active)) > leave[active]]
    return x, t_x, T


def pareto_customers(
    n: int, seed: int, r: float, alpha: float, s: float, beta: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, t_x, T of customers who buy and die as Pareto/NBD says."""
    rng = np.random.default_rng(seed)
    T = rng.integers(189, 274, n).astype(float)
    rate, death = rng.gamma(r, 1 / alpha, n), rng.exponential(1, n) / rng.gamma(s, 1 / beta, n)
    life = np.minimum(T, death)
    x = rng.poisson(rate * life)
    t_x = np.where(x > 0, life * rng.random(n) ** (1 / np.maximum(x, 1)), 0.0)
    return x, t_x, T


def steady_customers(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, t_x, T in whole days of customers who never leave: the data on which dropout has no maximum."""
    rng = np.random.default_rng(seed)
    T = rng.integers(100, 360, n)
    x = rng.poisson(rng.gamma(0.5, 1 / 40, n) * T)
    last = np.ceil(T * rng.random(n) ** (1 / np.maximum(x, 1))).astype(np.int64)
    return x, np.where(x > 0, np.minimum(last, T), 0), T


def means(x: np.ndarray, seed: int, p: float = 6.25, q: float = 3.74, v: float = 1544.0) -> np.ndarray:
    """Mean money of x + 1 orders each, whole minor units, as Gamma-Gamma says."""
    rng = np.random.default_rng(seed)
    level = rng.gamma(q, 1 / v, len(x))
    return np.maximum(np.rint(rng.gamma(p * (x + 1)) / level / (x + 1)), 1)
