"""Bad input is named or survived, never turned into a made-up figure."""

from __future__ import annotations

import numpy as np
import pytest

from kequn.errors import ModelError
from kequn.i18n import explain, say
from kequn.predict.clv import (
    Statistics,
    ValueSettings,
    aggregate,
    choose_purchase_model,
    estimate_season,
    fit_bg_bb,
    fit_bg_nbd,
    fit_bg_nbd_covariates,
    fit_gamma_gamma,
    fit_mbg_nbd,
    fit_nbd,
    fit_pareto_nbd,
    holdout_quality,
    lifetime_value,
)
from tests.predict.clv.customers import bg_nbd_customers, means, steady_customers

FITS = [fit_bg_nbd, fit_mbg_nbd, fit_pareto_nbd, fit_nbd]
NONE = np.zeros(300, dtype=np.int64)


def code_of(call, *arguments, **named) -> str:
    with pytest.raises(ModelError) as caught:
        call(*arguments, **named)
    for lang in ("zh", "en"):
        words = explain(caught.value, lang)
        assert "{" not in words and caught.value.code not in words
    return caught.value.code


@pytest.mark.parametrize("fit", FITS)
def test_fits_refuse_customers_who_all_bought_once(fit):
    assert code_of(fit, NONE, NONE, np.full(300, 90)) == "predict.clv_no_repeat_buyers"


@pytest.mark.parametrize("fit", FITS)
def test_fits_refuse_a_day_on_which_no_time_has_passed(fit):
    assert code_of(fit, NONE + 1, NONE, NONE) == "predict.clv_no_time"


@pytest.mark.parametrize(
    ("x", "t_x", "T", "column"),
    [
        ([1, -1], [1, 0], [2, 2], "x"),
        ([1, 0.5], [1, 0], [2, 2], "x"),
        ([1, 1], [1, 3], [2, 2], "t_x"),
        ([1, 0], [1, 1], [2, 2], "t_x"),
        ([1, 1], [1, np.nan], [2, 2], "t_x"),
        ([1, 1], [1, 1], [2, np.nan], "T"),
        ([1, 1], [1, 1], [2, np.inf], "T"),
    ],
)
def test_an_impossible_history_is_named_with_its_row(x, t_x, T, column):
    with pytest.raises(ModelError) as caught:
        aggregate(x, t_x, T)
    assert caught.value.code == "predict.clv_bad_history"
    assert caught.value.fields["column"] == column and caught.value.fields["row"] == 1


def test_empty_and_uneven_columns_are_refused():
    assert code_of(aggregate, [], [], []) == "predict.clv_no_customers"
    assert code_of(aggregate, [1, 2], [1], [2, 3]) == "predict.clv_lengths"
    assert code_of(Statistics.of, [1, 2], [1, 1], [2, 3], [5]) == "predict.clv_lengths"


@pytest.mark.parametrize("mean", [0.0, -3.0, np.nan, np.inf])
def test_gamma_gamma_refuses_amounts_it_cannot_have_seen(mean):
    assert code_of(fit_gamma_gamma, [1, 2, 3], [10.0, mean, 5.0]) == "predict.clv_bad_spend"


def test_gamma_gamma_refuses_constant_money():
    assert code_of(fit_gamma_gamma, np.full(100, 3), np.full(100, 25.0)) == "predict.clv_constant_money"


def test_bg_bb_refuses_more_purchases_than_opportunities():
    assert code_of(fit_bg_bb, [3, 1], [2, 1], [6, 6]) == "predict.clv_bad_history"


def test_covariates_must_be_whole_and_vary():
    x, t_x, T = bg_nbd_customers(300, seed=1)
    gap = np.where(np.arange(300) == 7, np.nan, 1.0)
    none = np.zeros((300, 0))
    assert (
        code_of(fit_bg_nbd_covariates, x, t_x, T, purchase=gap, dropout=none) == "predict.clv_bad_covariates"
    )
    assert (
        code_of(fit_bg_nbd_covariates, x, t_x, T, purchase=np.ones(300), dropout=none)
        == "predict.clv_constant_covariate"
    )
    assert (
        code_of(fit_bg_nbd_covariates, x, t_x, T, purchase=np.ones(9), dropout=none[:9])
        == "predict.clv_lengths"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"discount_rate": -0.1}, {"discount_rate": 1.01}, {"discount_rate": float("nan")}, {"horizon_months": -1},
        {"horizon_months": 1201}, {"period_months": 0}, {"margin": 1.5}, {"margin": -0.1},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_named(wrong):
    with pytest.raises(ModelError) as caught:
        ValueSettings(**wrong)
    assert caught.value.code == "predict.clv_bad_setting"
    assert caught.value.fields["name"] in wrong


def test_an_unknown_model_is_named_with_the_known_ones():
    assert code_of(ValueSettings, model="prophet") == "predict.clv_unknown_model"
    assert code_of(choose_purchase_model, aggregate([1], [1], [2]), "prophet") == "predict.clv_unknown_model"


@pytest.mark.parametrize("T", [90, 0])
def test_customers_who_all_bought_once_get_a_simple_estimate_and_say_so(T):
    found = lifetime_value(Statistics.of(NONE, NONE, NONE + T, np.full(300, 500.0)))
    assert found.method == "mean_times_rate" and found.models.choice.fit is None
    closed = {
        gate.code: (gate.needed, gate.found) for gate in found.gates if not gate.ok and gate.model == "bg_nbd"
    }
    assert closed["predict.clv_gate_repeat_buyers"] == (50, 0)
    assert np.isnan(found.p_alive).all() and np.isnan(found.p_soon).all() and np.isnan(found.wait_days).all()
    # nobody ever came back: no purchases; on the first day nothing is known at all
    assert np.isnan(found.clv).all() if T == 0 else (found.clv == 0).all()


def test_gates_have_words_and_say_how_much_is_missing():
    few = lifetime_value(Statistics.of([3, 0], [10, 0], [30, 40], [500.0, 100.0]))
    assert {(g.code, g.needed, g.found) for g in few.gates if g.model == "nbd"} == {
        ("predict.clv_gate_buyers", 50, 2),
        ("predict.clv_gate_repeat_buyers", 20, 1),
        ("predict.clv_gate_history_days", 56, 40),
    }
    assert all(say(g.code, lang) != g.code for g in few.gates for lang in ("zh", "en"))


def test_every_warning_has_words():
    assert all(
        say(code, "zh") != code
        for code in lifetime_value(Statistics.of(*steady_customers(3000, 0), NONE[:1].repeat(3000))).warnings
    )


@pytest.mark.parametrize("amount", [0.0, -500.0])
def test_worthless_purchases_are_worth_nothing(amount):
    found = lifetime_value(Statistics.of(*steady_customers(1000, 1), np.full(1000, amount)))
    assert "predict.clv_unpriced_customers" in found.warnings and found.models.spend is None
    assert (found.clv == 0).all() and (found.expected_purchases > 0).all()


def test_missing_amounts_leave_money_undefined_and_purchases_known():
    found = lifetime_value(Statistics.of(*steady_customers(1000, 1), np.full(1000, np.nan)))
    assert np.isnan(found.clv).all() and np.isnan(found.expected_revenue).all()
    assert (found.expected_purchases > 0).all()


def test_a_customer_without_amounts_is_expected_to_spend_like_everybody():
    x, t_x, T = steady_customers(2000, 2)
    mean = means(x, 2)
    mean[0] = np.nan
    found = lifetime_value(Statistics.of(x, t_x, T, mean))
    assert found.models.spend is not None
    assert found.expected_spend[0] == pytest.approx(found.models.spend.model.mean, abs=0.5)


def test_constant_money_is_used_as_it_is():
    found = lifetime_value(Statistics.of(*steady_customers(1000, 1), np.full(1000, 2500.0)))
    assert "predict.clv_constant_money" in found.warnings
    assert (found.expected_spend == 2500).all()


def test_one_customer_with_a_hundred_thousand_orders_is_survived():
    x, t_x, T = steady_customers(3000, 3)
    x, t_x, T = np.append(x, 100_000), np.append(t_x, 300), np.append(T, 301)
    for model in ("auto", "pareto_nbd", "nbd"):
        found = lifetime_value(Statistics.of(x, t_x, T, means(x, 3)), ValueSettings(120, model=model))
        assert np.isfinite(found.clv).all() and (found.clv >= 0).all()


def test_monthly_orders_must_be_counts():
    from datetime import date

    assert code_of(estimate_season, date(2024, 1, 1), [5, -1, 3]) == "predict.clv_bad_orders"


def test_a_holdout_must_fit_its_customers():
    some = Statistics.of([1], [1], [2], [5.0])
    assert code_of(holdout_quality, some, np.ones(2), np.ones(2), 30) == "predict.clv_bad_holdout"
    assert code_of(holdout_quality, some, np.ones(1), np.ones(1), 0) == "predict.clv_bad_holdout"
