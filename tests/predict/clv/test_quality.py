"""Statistics from purchases, and the honest comparison with naive baselines on held-out days."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from kequn.predict.clv import Purchases, Statistics, ValueSettings, backtest, holdout_quality
from kequn.predict.clv.quality import mid_ranks, score
from tests.predict.clv.customers import cdnow_folder, cdnow_purchases


def simulated(n: int, days: int, seed: int) -> Purchases:
    """Purchases of customers who leave (a quarter per purchase) over `days`."""
    rng = np.random.default_rng(seed)
    customer, day, amount = [], [], []
    for i in range(n):
        now, gap, level = rng.integers(0, days // 2), rng.gamma(2, 25), rng.gamma(4, 1000)
        while now < days:
            customer.append(i)
            day.append(int(now))
            amount.append(round(rng.gamma(6, level / 6)) + 1)
            if rng.random() < 0.25:
                break
            now += rng.exponential(gap)
    return Purchases.of(customer, day, amount)


def test_statistics_count_days_not_orders():
    purchases = Purchases.of([2, 1, 2, 2, 1], [5, 3, 9, 9, 20], [100, 50, 10, 30, 999])
    customers, found = purchases.statistics(as_of=12)
    assert customers.tolist() == [1, 2]
    assert found.x.tolist() == [0, 1] and found.t_x.tolist() == [0, 4] and found.T.tolist() == [9, 7]
    assert found.orders.tolist() == [1, 2] and found.mean_spend.tolist() == [50, 70]
    assert found.last_year.tolist() == [50, 140]


def test_a_purchase_without_amount_counts_as_a_purchase_but_not_in_the_mean():
    _, found = Purchases.of([1, 1, 1], [0, 10, 20], [100, np.nan, 300]).statistics(as_of=30)
    assert found.x.tolist() == [2] and found.orders.tolist() == [2] and found.mean_spend.tolist() == [200]


def test_last_year_begins_365_days_before_the_cut():
    _, found = Purchases.of([1, 1, 1], [0, 35, 36], [1, 10, 100]).statistics(as_of=400)
    assert found.last_year.tolist() == [110]


def test_totals_of_the_holdout_leave_new_customers_out():
    days, money = Purchases.of([1, 1, 7, 3], [50, 50, 51, 52], [5, 6, 9, np.nan]).totals(np.array([1, 2, 3]))
    assert days.tolist() == [1, 0, 1] and money.tolist() == [11, 0, 0]


def test_ranks_share_the_mean_of_ties():
    values = np.array([3.0, 1, 3, 2, 3])
    assert mid_ranks(values).tolist() == stats.rankdata(values).tolist()


def test_scores_of_perfect_useless_and_reversed_predictions():
    actual = np.array([0.0, 0, 0, 1, 9])
    perfect, useless, reversed_ = (score("p", p, actual) for p in (actual, np.ones(5), -actual))
    assert (
        perfect.mae == 0
        and perfect.gini == perfect.best_gini > 0
        and perfect.rank_correlation == pytest.approx(1)
    )
    assert useless.gini == pytest.approx(0, abs=1e-12) and np.isnan(useless.rank_correlation)
    assert reversed_.gini == pytest.approx(-perfect.gini)
    assert useless.top_share == pytest.approx(0.1)


def test_nothing_bought_and_nothing_predicted_give_no_made_up_score():
    nothing = score("p", np.ones(4), np.zeros(4))
    assert np.isnan(nothing.gini) and np.isnan(nothing.top_share) and nothing.mae == 1
    undefined = score("p", np.array([1, np.nan, 2, 3]), np.ones(4))
    assert np.isnan(undefined.gini) and np.isnan(undefined.mae)
    assert undefined.as_record()["gini"] is None


def test_the_model_beats_both_baselines_where_customers_leave():
    quality = backtest(simulated(3000, 900, seed=1), as_of=900, holdout_days=240)
    names = [s.name for s in quality.money]
    assert names == [quality.method, "mean_times_rate", "last_year"]
    assert quality.beats_baselines == {"mae": True, "gini": True}
    model, rate = quality.purchases
    assert abs(model.predicted / model.actual - 1) < abs(rate.predicted / rate.actual - 1)


def test_a_baseline_that_wins_is_shown_as_winning():
    """Where next year repeats last year exactly, nothing can beat last year."""
    rng = np.random.default_rng(2)
    x = rng.integers(0, 12, 500)
    spend = rng.gamma(3, 500, 500).round() + 1
    last = np.where(x > 0, rng.integers(1, 365, 500), 0)
    year = spend * (x + 1)
    statistics = Statistics.of(x, last, np.full(500, 365), spend, last_year=year)
    quality = holdout_quality(statistics, x + 1.0, year, 365)
    assert quality.beats_baselines == {"mae": False, "gini": False}
    assert quality.money[-1].mae == 0


def test_cdnow_holdout_is_predicted_better_than_naively():
    folder = cdnow_folder()
    quality = backtest(Purchases.of(*cdnow_purchases(folder)), as_of=10135 + 273, holdout_days=273)
    assert quality.customers == 2357
    assert quality.beats_baselines["mae"]
    assert quality.purchases[0].predicted == pytest.approx(quality.purchases[0].actual, rel=0.2)
    pareto = backtest(
        Purchases.of(*cdnow_purchases(folder)), 10135 + 273, 273, ValueSettings(model="pareto_nbd")
    )
    assert pareto.beats_baselines == {"mae": True, "gini": True}
