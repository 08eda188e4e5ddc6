"""The health score: bounded, monotone, explained, with bands that observed churn decides."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kequn.predict.features import FeatureMatrix, read_features
from kequn.predict.health import (
    BANDS,
    DEFAULT_EDGES,
    WEIGHTS,
    HealthScale,
    components,
    fit_bands,
    fit_health,
    health,
    health_reasons,
    health_scores,
    scale_of,
)
from kequn.predict.past import Past
from tests.predict.world import AS_OF, START, Shop

NAMES = (
    "recency_days",
    "gap_mean_days",
    "orders_90d",
    "orders_prev_90d",
    "distinct_categories",
    "refund_share",
    "late_payments_12m",
    "usage_periods",
)
SCALE = HealthScale(30.0, 8.0, {})
number = st.floats(0, 500)


def matrix(*rows: tuple[float, ...]) -> FeatureMatrix:
    return FeatureMatrix(pa.array([f"c{n}" for n in range(len(rows))]), NAMES, np.array(rows, dtype=float))


def score(*row: float) -> int:
    return int(health_scores(components(matrix(row), SCALE))[0])


@settings(deadline=None)
@given(
    st.tuples(
        number, st.floats(1, 400), number, number, number, st.floats(0, 1), st.integers(0, 6), st.just(12.0)
    ),
    st.floats(0, 300),
)
def test_each_component_moves_the_score_the_right_way(row: tuple[float, ...], step: float) -> None:
    base = score(*row)
    assert 0 <= base <= 100
    for place, sign in ((0, -1), (2, 1), (3, -1), (4, 1), (5, -1), (6, -1)):
        moved = list(row)
        moved[place] = min(moved[place] + step, 1.0) if place == 5 else moved[place] + step
        assert sign * (score(*moved) - base) >= 0, NAMES[place]


def test_a_perfect_customer_scores_100_and_a_lost_one_0() -> None:
    assert score(10, 30, 500, 100, 50, 0, 0, 12) >= 97
    assert score(3000, 30, 0, 50, 0, 1, 5, 12) == 0


def test_what_is_unknown_is_left_out_and_does_not_count_as_bad() -> None:
    known = score(10, 30, 9, 3, 4, 0, 0, 12)
    assert score(10, 30, 9, 3, 4, np.nan, 0, 0) == pytest.approx(known, abs=12)
    only_recency = [10.0, 30.0, *[np.nan] * 6]
    assert score(*only_recency) == round(100 * np.interp(10 / 30, (0, 1), (1, 0.9)))


def test_the_largest_gap_to_the_average_customer_is_the_first_reason() -> None:
    scale = scale_of(matrix((10, 30, 3, 3, 4, 0, 0, 12), (20, 30, 3, 3, 4, 0, 0, 12)))
    parts = components(matrix((300, 30, 3, 3, 4, 0, 0, 12)), scale)
    told = health_reasons(parts, scale.means)[0]
    assert told[0] == "recency_trend_low"
    assert len(told) == 3


def test_every_reason_is_worded_in_both_languages() -> None:
    from kequn.i18n import catalogue

    lacking = [
        code
        for name in WEIGHTS
        for side in ("low", "high")
        if not all(
            catalogue().get(code := f"predict.health_{name}_{side}", {}).get(lang) for lang in ("zh", "en")
        )
    ]
    assert lacking == []


def test_bands_part_where_the_odds_of_churn_double_and_halve() -> None:
    scores = np.repeat(np.arange(0, 100, 10), 200)
    rate = np.repeat([0.9, 0.9, 0.8, 0.4, 0.35, 0.3, 0.2, 0.1, 0.05, 0.05], 200)
    churned = (np.arange(len(scores)) % 200) < rate * 200
    # 40.5 % churn: twice its odds are 57.7 %, between 20 (80 %) and 30 (40 %); half of them 25.4 %, between 50 and 60
    assert fit_bands(scores, churned) == (26, 55)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 100), st.booleans()), min_size=2, max_size=80))
def test_band_edges_are_always_in_order(rows: list[tuple[int, bool]]) -> None:
    watch, healthy = fit_bands(np.array([row[0] for row in rows]), np.array([row[1] for row in rows]))
    assert 0 <= watch <= healthy <= 101


def test_observed_churn_falls_from_band_to_band(shop: Shop) -> None:
    past = Past(shop.profile_at, shop.orders, START, AS_OF)
    found, card = fit_health(past, 60, read_features(shop.profile_at(AS_OF)))
    assert card.quality is not None and not card.quality["seen_in_fit"]
    churn = [card.quality["bands"][band]["churn"] for band in BANDS]
    assert churn == sorted(churn, reverse=True)
    assert card.baseline is not None and card.baseline["name"] == "recency"
    assert set(found.bands) <= set(BANDS)


def test_a_short_history_uses_the_default_bands_and_says_so(shop: Shop) -> None:
    past = Past(shop.profile_at, shop.orders, AS_OF, AS_OF)
    found, card = fit_health(past, 60, read_features(shop.profile_at(AS_OF)))
    assert not card.gate.ok
    assert card.notes[0]["code"] == "predict.note_bands_uncalibrated"
    assert np.array_equal(found.scores >= DEFAULT_EDGES[1], found.bands == "healthy")


def test_the_same_customer_scores_the_same_in_any_company() -> None:
    row = (25, 30, 3, 2, 4, 0.1, 1, 12)
    alone, among = (
        health_scores(components(matrix(row), SCALE)),
        health_scores(components(matrix((1,) * 8, row), SCALE)),
    )
    assert alone[0] == among[1]


def test_health_of_everybody_has_one_entry_per_customer(shop: Shop) -> None:
    scoring = read_features(shop.profile_at(AS_OF))
    found = health(scoring)
    assert len(found.scores) == len(found.bands) == len(found.reasons) == len(scoring)
