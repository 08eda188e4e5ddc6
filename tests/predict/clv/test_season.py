"""Seasonal multipliers: found where years agree, silent where they don't or are too few."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from kequn.predict.clv import estimate_season

DAYS = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
SHAPE = np.array([0.7, 0.8, 0.9, 1.0, 1.0, 0.9, 0.8, 0.9, 1.0, 1.1, 1.7, 1.6])


def months(years: int, growth: float = 0.0, shape: np.ndarray = SHAPE) -> np.ndarray:
    k = np.arange(12 * years)
    return 40 * DAYS[k % 12] * shape[k % 12] * np.exp(growth * k)


@pytest.mark.parametrize("years", [2, 3, 5])
@pytest.mark.parametrize("growth", [0.0, 0.02, -0.01])
def test_a_repeated_pattern_is_found_under_a_trend(years, growth):
    season = estimate_season(date(2022, 1, 1), months(years, growth))
    expected = SHAPE / ((SHAPE * DAYS).sum() / DAYS.sum())
    assert season.known and season.reliability > 0.95
    assert np.array(season.index) == pytest.approx(expected, abs=0.03)


def test_multipliers_average_one_over_a_year():
    season = estimate_season(date(2022, 1, 1), months(3))
    assert (np.array(season.index) * DAYS).sum() == pytest.approx(DAYS.sum())


def test_years_that_start_elsewhere_give_the_same_months():
    jan = estimate_season(date(2022, 1, 1), months(4))
    jul = estimate_season(date(2022, 7, 1), months(4)[6:-6])
    assert jul.index == pytest.approx(jan.index, abs=0.03)


def test_noise_is_shrunk_to_almost_nothing():
    rng = np.random.default_rng(0)
    counts = rng.poisson(1000 * np.exp(rng.normal(0, 0.3, 36)))
    season = estimate_season(date(2022, 1, 1), counts)
    raw = np.array([counts[k::12].mean() for k in range(12)]) / counts.mean()
    assert np.ptp(season.index) < 0.75 * np.ptp(raw)


@pytest.mark.parametrize(
    ("counts", "code"), [(months(2)[:23], "gate_season"), (np.full(36, 3), "gate_season_orders")]
)
def test_too_little_history_gives_no_season_and_says_what_is_missing(counts, code):
    season = estimate_season(date(2022, 1, 1), counts)
    assert not season.known and season.gate.code == f"predict.clv_{code}"
    assert season.gate.found < season.gate.needed
    assert season.index == (1.0,) * 12
    assert season.levels(date(2024, 1, 1), [100], [0, 30, 60]).tolist() == [1, 1]


def test_months_without_orders_do_not_break_the_estimate():
    counts = months(3)
    counts[[1, 13, 25]] = 0
    index = np.array(estimate_season(date(2022, 1, 1), counts).index)
    assert np.all(np.isfinite(index) & (index > 0)) and index.argmin() == 1


def test_levels_compare_the_period_with_the_days_the_rates_were_learnt_in():
    season = estimate_season(date(2022, 1, 1), months(3))
    index = np.array(season.index)
    first = date(2025, 11, 1)
    learnt_all_year = season.levels(first, [365], [0, 30])
    assert learnt_all_year[0] == pytest.approx(index[10], rel=0.02)
    learnt_in_peak = season.levels(date(2026, 1, 1), [61], [0, 31])  # November and December
    assert learnt_in_peak[0] == pytest.approx(index[0] / ((30 * index[10] + 31 * index[11]) / 61), rel=1e-9)


def test_levels_of_a_whole_year_are_one_if_a_whole_year_was_seen():
    season = estimate_season(date(2022, 1, 1), months(3))
    assert season.levels(date(2025, 4, 1), [365, 365], [0, 365])[0] == pytest.approx(1, abs=2e-3)
