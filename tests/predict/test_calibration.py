"""Measures against naive versions and scikit-learn; calibration keeps order and meaning."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from kequn.predict.calibration import (
    Calibration,
    beats,
    fit_calibration,
    lift_at,
    quality,
    reliability,
    rounded,
)


def sample(count: int = 400, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = np.round(rng.beta(2, 3, count), 3)
    return p, rng.random(count) < p


def test_quality_agrees_with_scikit_learn() -> None:
    p, happened = sample()
    found = quality(p, happened)
    assert found["brier"] == pytest.approx(brier_score_loss(happened, p))
    assert found["log_loss"] == pytest.approx(log_loss(happened, p))
    assert found["auc"] == pytest.approx(roc_auc_score(happened, p))


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    p, happened = sample(60)
    pairs = [(a > b) + (a == b) / 2 for a in p[happened] for b in p[~happened]]
    assert quality(p, happened)["auc"] == pytest.approx(np.mean(pairs))


def test_lift_of_tied_probabilities_does_not_depend_on_the_order_of_rows() -> None:
    p = np.array([0.9, 0.5, 0.5, 0.5, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
    happened = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0], dtype=bool)
    shuffled = np.array([0, 2, 3, 4, 1, 5, 6, 7, 8, 9])
    assert lift_at(p, happened, 0.3) == pytest.approx(lift_at(p[shuffled], happened[shuffled], 0.3))
    assert lift_at(p, happened, 0.3) == pytest.approx((1 + 2 * 0.25) / 3 / 0.2)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=1, max_size=200), st.integers(1, 12))
def test_reliability_keeps_every_customer_and_never_splits_equal_values(
    rows: list[tuple[int, bool]], bins: int
) -> None:
    p, happened = np.array([row[0] / 10 for row in rows]), np.array([row[1] for row in rows])
    curve = reliability(p, happened, bins)
    assert sum(row["customers"] for row in curve) == len(rows)
    assert sum(row["customers"] * row["observed"] for row in curve) == pytest.approx(happened.sum())
    means = [row["predicted"] for row in curve]
    assert all(a < b for a, b in itertools.pairwise(means))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**16), st.sampled_from(["sigmoid", "isotonic"]))
def test_calibration_never_turns_the_order_round(seed: int, kind: str) -> None:
    p, happened = sample(120, seed)
    calibrated = fit_calibration(p, happened, kind).apply(np.sort(p))
    assert np.all(np.diff(calibrated) >= 0)
    assert np.all((calibrated > 0) & (calibrated < 1))


@pytest.mark.parametrize("kind", ["sigmoid", "isotonic"])
def test_calibration_corrects_a_model_that_is_too_sure(kind: str) -> None:
    rng = np.random.default_rng(5)
    truth = rng.uniform(0.05, 0.95, 6000)
    happened = rng.random(6000) < truth
    odds = truth / (1 - truth)
    too_sure = odds**3 / (1 + odds**3)
    fitted = fit_calibration(too_sure[:3000], happened[:3000], kind)
    assert np.mean(np.abs(fitted.apply(too_sure[3000:]) - truth[3000:])) < 0.03


@pytest.mark.parametrize("value", [True, False])
def test_one_class_gives_a_constant_that_is_neither_0_nor_1(value: bool) -> None:
    fitted = fit_calibration(np.linspace(0.1, 0.9, 50), np.full(50, value))
    p = fitted.apply(np.array([0.0, 0.5, 1.0]))
    assert len(set(p)) == 1
    assert 0 < p[0] < 1


def test_a_score_that_points_the_wrong_way_gives_the_overall_rate() -> None:
    p, happened = sample(500)
    assert len(set(fit_calibration(1 - p, happened, "sigmoid").apply(p))) == 1


def test_a_calibration_survives_its_file() -> None:
    p, happened = sample(3000)
    for kind in ("isotonic", "sigmoid"):
        fitted = fit_calibration(p, happened, kind)
        assert np.array_equal(Calibration.from_dict(fitted.as_dict()).apply(p), fitted.apply(p))


def test_a_tie_goes_to_the_simpler_model() -> None:
    p, happened = sample()
    assert not beats(p, p, happened)
    assert beats(p, np.full(len(p), happened.mean()), happened)
    assert not beats(np.full(len(p), happened.mean()), p, happened)


def test_quality_of_one_class_has_no_auc() -> None:
    found = quality(np.array([0.2, 0.3]), np.array([True, True]))
    assert np.isnan(found["auc"])
    assert np.isfinite(found["log_loss"])


def test_published_probabilities_have_six_decimals() -> None:
    assert rounded([0.12345678]).tolist() == [0.123457]
