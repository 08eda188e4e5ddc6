"""Lifetime value: the sum it claims to be, monotone in its settings, one figure per distinct customer."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kequn.predict.clv import (
    Season,
    Statistics,
    ValueSettings,
    estimate_season,
    fit_models,
    lifetime_value,
    sensitivity,
)
from kequn.predict.clv.season import DAYS_PER_MONTH
from tests.predict.clv.customers import bg_nbd_customers, means


@pytest.fixture(scope="module")
def statistics() -> Statistics:
    x, t_x, T = bg_nbd_customers(3000, seed=30, first=1, r=0.6)
    return Statistics.of(x, np.ceil(t_x), T, means(x, 30), last_year=means(x, 30) * (x + 1))


@pytest.fixture(scope="module")
def models(statistics):
    return fit_models(statistics)


def test_value_is_the_discounted_sum_over_periods_one_customer_at_a_time(statistics, models):
    how = ValueSettings(horizon_months=7.5, period_months=2, discount_rate=0.2, margin=0.3)
    found = lifetime_value(statistics, how, models=models)
    model, spend = models.choice.fit.model, models.spend.model
    for i in (0, 7, 100, 2999):
        x, t_x, T = (float(c[i]) for c in (statistics.x, statistics.t_x, statistics.T))
        money = float(spend.expected_spend(x + 1, statistics.mean_spend[i]))
        total, reached = 0.0, 0.0
        for k, end in enumerate([2, 4, 6, 7.5]):
            now = float(model.expected_purchases(end * DAYS_PER_MONTH, x, t_x, T))
            total += (now - reached) * money * 0.3 / 1.2 ** ((2 * k + 1) / 12)
            reached = now
        assert found.clv[i] == pytest.approx(total, abs=0.5)
        assert found.expected_purchases[i] == pytest.approx(reached, abs=1e-6)
        assert found.expected_revenue[i] == pytest.approx(reached * money, abs=0.51)
        assert found.p_alive[i] == pytest.approx(float(model.p_alive(x, t_x, T)), abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(
    st.floats(0, 60), st.floats(0, 60), st.floats(0, 1), st.floats(0, 1), st.sampled_from([0.5, 1, 3, 12]),
)  # fmt: skip
def test_value_grows_with_the_horizon_and_falls_with_the_rate(
    statistics, models, horizon, more, rate, dearer, period
):
    small = Statistics.of(
        *(c[:60] for c in (statistics.x, statistics.t_x, statistics.T, statistics.mean_spend))
    )
    how = ValueSettings(horizon, period, min(rate, dearer))
    base = lifetime_value(small, how, models=models).clv
    assert np.all(
        lifetime_value(small, replace(how, horizon_months=horizon + more), models=models).clv >= base
    )
    assert np.all(
        lifetime_value(small, replace(how, discount_rate=max(rate, dearer)), models=models).clv <= base
    )
    assert np.all(base >= 0)


def test_a_season_keeps_value_monotone_in_the_horizon(statistics, models):
    season = Season(tuple(np.linspace(0.2, 1.8, 12)), replace(models.gates[0], ok=True), 1.0)
    values = [
        lifetime_value(statistics, ValueSettings(h), as_of=date(2026, 8, 1), season=season, models=models).clv
        for h in (0, 1, 5.5, 6, 11, 12, 13, 36)
    ]
    assert all(np.all(later >= sooner) for sooner, later in pairwise(values))


@pytest.mark.parametrize(("horizon", "rate"), [(0, 0.1), (1200, 0.0), (1200, 1.0)])
def test_extreme_settings_give_sensible_figures(statistics, models, horizon, rate):
    few = Statistics.of(
        *(c[:100] for c in (statistics.x, statistics.t_x, statistics.T, statistics.mean_spend))
    )
    found = lifetime_value(few, ValueSettings(horizon, discount_rate=rate), models=models)
    assert np.isfinite(found.clv).all() and (found.clv >= 0).all()
    assert (found.clv == 0).all() if horizon == 0 else found.clv.sum() > 0


def test_figures_are_rounded_and_bounded(statistics, models):
    found = lifetime_value(statistics, models=models)
    for column in (found.clv, found.expected_spend, found.expected_revenue, found.baseline_rate):
        assert np.array_equal(column, np.round(column))
    for column in (found.p_alive, found.p_soon):
        assert np.array_equal(column, np.round(column, 6)) and np.all((column >= 0) & (column <= 1))
    assert np.all(found.p_soon <= found.p_alive)
    waits = np.isfinite(found.wait_days)
    assert waits.any() and np.all(found.p_alive[waits] > 0.5) and np.all(found.p_alive[~waits] < 0.500001)
    assert np.all(found.clv <= found.expected_revenue + 1)


def test_the_order_of_customers_and_their_company_change_no_figure(statistics, models):
    order = np.random.default_rng(1).permutation(len(statistics))
    shuffled = Statistics(
        *(getattr(statistics, f)[order] for f in ("x", "t_x", "T", "orders", "mean_spend", "last_year"))
    )
    base = lifetime_value(statistics, models=models)
    again = lifetime_value(shuffled)
    for name in ("p_alive", "expected_purchases", "clv", "expected_revenue", "p_soon", "wait_days"):
        assert np.array_equal(getattr(again, name), getattr(base, name)[order], equal_nan=True)
    alone = Statistics(
        *(getattr(statistics, f)[:1] for f in ("x", "t_x", "T", "orders", "mean_spend", "last_year"))
    )
    assert lifetime_value(alone, models=models).clv[0] == base.clv[0]


def test_the_sensitivity_table_has_the_totals_of_each_setting(statistics, models):
    rows = sensitivity(
        statistics,
        ValueSettings(margin=0.4),
        horizons_months=(3, 12),
        discount_rates=(0.0, 0.2),
        margins=(0.2, 0.4),
        models=models,
    )
    assert len(rows) == 8
    for row in rows:
        how = ValueSettings(row["horizon_months"], discount_rate=row["discount_rate"], margin=row["margin"])
        total = lifetime_value(statistics, how, models=models).clv.sum()
        assert row["clv"] == pytest.approx(total, abs=len(statistics) / 2)


def test_baselines_stand_beside_the_model(statistics, models):
    found = lifetime_value(statistics, ValueSettings(horizon_months=12), models=models)
    rate = statistics.x / statistics.T * 365.25 * statistics.mean_spend
    assert found.baseline_rate == pytest.approx(rate, abs=1)
    assert found.baseline_last_year == pytest.approx(statistics.last_year * 365.25 / 365, abs=1)


def test_a_season_moves_money_to_its_months(statistics, models):
    months = 36
    peak = np.where(np.arange(months) % 12 >= 9, 3000, 1000)
    season = estimate_season(date(2023, 1, 1), peak)
    flat = lifetime_value(statistics, ValueSettings(3), models=models).expected_purchases.sum()
    in_peak = lifetime_value(
        statistics, ValueSettings(3), as_of=date(2026, 10, 1), season=season, models=models
    )
    assert in_peak.expected_purchases.sum() > 1.3 * flat


def test_over_whole_years_a_season_changes_little(statistics, models):
    season = estimate_season(date(2023, 1, 1), np.where(np.arange(36) % 12 >= 9, 3000, 1000))
    whole = [
        lifetime_value(
            statistics, ValueSettings(24), as_of=start, season=season, models=models
        ).expected_purchases.sum()
        for start in (date(2026, 1, 1), date(2026, 10, 1))
    ]
    quarter = [
        lifetime_value(
            statistics, ValueSettings(3), as_of=start, season=season, models=models
        ).expected_purchases.sum()
        for start in (date(2026, 1, 1), date(2026, 10, 1))
    ]
    assert max(quarter) / min(quarter) > 2 * max(whole) / min(whole)


@pytest.mark.parametrize("model", ["bg_nbd", "mbg_nbd", "pareto_nbd", "nbd"])
def test_every_model_scores_every_customer(statistics, model):
    found = lifetime_value(statistics, ValueSettings(model=model))
    assert found.method == model
    assert np.isfinite(found.clv).all() and found.clv.sum() > 0
