"""The cluster schemes of the library on customers whose kinds are known, and what they call them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.scheme.people import Row, everything
from tests.scheme.planted import found

from kequn.engine import EngineSettings, open_engine
from kequn.scheme import load_schemes
from kequn.scheme.clusters.agreement import adjusted_rand
from kequn.scheme.library import texts

MANY = 900


def behaviour(rng: np.random.Generator, kind: int) -> Row:
    """0: comes often and lately; 1: came once, long ago; 2: waits for promotions."""
    return {
        "recency_days": max(1, int((15, 420, 60)[kind] * rng.lognormal(0, 0.25))),
        "frequency": max(1, int(rng.poisson((30, 2, 9)[kind]))),
        "monetary": int((900_000, 20_000, 90_000)[kind] * rng.lognormal(0, 0.25)),
        "promotion_share": float(np.clip(rng.normal((0.1, 0.3, 0.9)[kind], 0.06), 0, 1).round(3)),
        "preferred_channel": ("app", "门店", "天猫")[kind if rng.random() < 0.85 else int(rng.integers(3))],
    }


def people(rng: np.random.Generator, kind: int) -> Row:
    """0: families; 1: young singles; 2: older couples who spend."""
    return {
        "age": int(rng.normal((37, 23, 58)[kind], 3)),
        "marital_status": ("married", "single", "married")[kind],
        "household_size_band": ("3", "1", "2")[kind] if rng.random() < 0.9 else "4",
        "children": int(rng.poisson(1.6)) + 1 if kind == 0 else 0,
        "frequency": max(1, int(rng.poisson((12, 5, 20)[kind]))),
        "revenue_12m": int((200_000, 60_000, 700_000)[kind] * rng.lognormal(0, 0.3)),
        "recency_days": max(1, int(60 * rng.lognormal(0, 0.5))),
    }


def attitudes(rng: np.random.Generator, kind: int) -> Row:
    """0: looks at prices; 1: looks for quality; 2: shares new things."""
    means = {
        "trait_price_conscious": (4.6, 2.0, 2.4),
        "trait_quality_seeking": (2.2, 4.6, 3.0),
        "trait_novelty_seeking": (2.5, 2.0, 4.6),
        "trait_social_sharing": (2.2, 2.4, 4.5),
    }
    return {name: float(np.clip(rng.normal(each[kind], 0.35), 1, 5).round(2)) for name, each in means.items()}


@pytest.mark.parametrize(
    ("scheme", "draw", "names"),
    [
        ("behaviour_groups", behaviour, ({"爱促销", "低频", "高频", "高额", "久未购买", "近期活跃", "低额"})),
        ("mixed_groups", people, ({"子女多", "年轻", "年长", "多为未婚", "1人家庭为主", "2人家庭为主", "3人家庭为主", "近一年高额", "高频"})),
        ("attitude_groups", attitudes, ({"在意价格", "看重品质", "爱尝新", "爱分享"})),
    ],
)  # fmt: skip
def test_the_kinds_that_are_there_are_found_and_named(
    tmp_path: Path, scheme: str, draw: Any, names: set[str]
) -> None:
    rng = np.random.default_rng(2)
    owners = rng.integers(0, 3, MANY)
    rows: list[Row] = [{"customer_id": f"C{n:04d}", **draw(rng, int(kind))} for n, kind in enumerate(owners)]
    text = next(text for name, text in texts().items() if Path(name).stem == scheme)
    declared = load_schemes({f"{scheme}.yaml": text}, everything())[scheme]
    engine = open_engine(EngineSettings(memory_limit="1GB"))
    try:
        result, labels = found(engine, tmp_path, rows, declared)
    finally:
        engine.close()
    groups = sorted(set(labels.values()))
    assert adjusted_rand(np.array([groups.index(labels[row["customer_id"]]) for row in rows]), owners) >= 0.95
    told = [segment.title["zh"].split(" · ")[0] for segment in result.segments if segment.id in groups]
    assert len(told) == 3 and set(told) <= names, told
