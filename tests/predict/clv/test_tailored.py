"""Covariates in lifetime value: the figures of each customer's own BG/NBD, and only where the data ask for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kequn.predict.clv import (
    Covariates,
    Statistics,
    ValueSettings,
    fit_models,
    lifetime_value,
    sensitivity,
    tailored,
)
from kequn.predict.clv.season import DAYS_PER_MONTH
from tests.predict.clv.customers import bg_nbd_customers

MANY = 4000


def statistics(effect: float, seed: int = 21) -> Statistics:
    """Customers of two channels, one of which buys e^`effect` times as often."""
    channel = np.arange(MANY) % 2
    x, t_x, T = bg_nbd_customers(
        MANY, seed=seed, r=0.8, alpha=50 * np.exp(-effect * channel), a=0.8, b=2.5  # type: ignore[arg-type]
    )  # fmt: skip
    known = Statistics.of(x, np.ceil(t_x), T, np.full(MANY, 3000.0))
    return replace(known, covariates=Covariates(("channel=ads",), np.array([[0.0], [1.0]]), channel))


def test_each_customer_gets_the_figures_of_their_own_parameters() -> None:
    known = statistics(0.7)
    how = ValueSettings(discount_rate=0.0)
    models = fit_models(known)
    found = lifetime_value(known, how, models=models)
    assert found.method == "bg_nbd_covariates"
    assert models.tailoring is not None and models.tailoring.gain > 20
    flags = (np.arange(MANY) % 2)[:, None].astype(float)
    own = models.tailoring.tailored.fit.model.customers(flags, flags)
    year = 12 * DAYS_PER_MONTH
    assert found.p_alive == pytest.approx(own.p_alive(known.x, known.t_x, known.T), abs=1e-6)
    expected = own.expected_purchases(year, known.x, known.t_x, known.T)
    assert found.expected_purchases == pytest.approx(expected, abs=1e-6)
    total = next(
        row["clv"] for row in sensitivity(known, how, models=models, discount_rates=(0.0,)) if row["horizon_months"] == 12
    )  # fmt: skip
    assert total == pytest.approx(found.clv.sum(), abs=MANY / 2)


def test_the_planted_effect_is_found_within_its_error() -> None:
    fit = fit_models(statistics(0.7)).tailoring.tailored.fit
    error = fit.standard_errors["rate:channel=ads"]
    assert fit.parameters["rate:channel=ads"] == pytest.approx(0.7, abs=4 * error)
    assert error < 0.1


def test_a_channel_that_says_nothing_is_not_used_and_the_reason_is_told() -> None:
    known = statistics(0.0, seed=22)
    models = fit_models(known)
    assert models.fit is models.choice.fit and models.fit.kind == "bg_nbd"
    assert "predict.clv_covariates_say_nothing" in models.warnings
    plain = lifetime_value(replace(known, covariates=None), ValueSettings(model="bg_nbd"))
    assert np.array_equal(lifetime_value(known, models=models).clv, plain.clv)


def test_too_few_repeat_buyers_for_the_coefficients_close_the_gate() -> None:
    known = statistics(0.7)
    few = slice(0, 300)
    covariates = Covariates(tuple("abcdefgh"), np.random.default_rng(1).random((300, 8)), np.arange(300))
    small = Statistics.of(known.x[few], known.t_x[few], known.T[few], known.mean_spend[few])
    models = fit_models(replace(small, covariates=covariates))
    gate = models.tailoring.gate
    assert (gate.ok, gate.needed, gate.code) == (False, 50 + 10 * 24, "predict.clv_gate_covariates")
    assert models.fit.kind == "bg_nbd"


def test_a_column_that_does_not_vary_is_left_out() -> None:
    known = statistics(0.7)
    table = np.array([[0.0, 5.0], [1.0, 5.0]])
    both = replace(known, covariates=Covariates(("channel=ads", "flat"), table, known.covariates.pattern))
    fit = fit_models(both).tailoring.tailored.fit
    assert fit.parameters == pytest.approx(fit_models(known).tailoring.tailored.fit.parameters)
    flat = replace(known, covariates=Covariates(("flat",), np.array([[5.0]]), np.zeros(MANY, dtype=np.int64)))
    assert "predict.clv_covariates_constant" in fit_models(flat).warnings


def test_many_customers_are_fitted_by_a_sample_and_all_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    known = statistics(0.7)
    whole = fit_models(known).tailoring.tailored.fit
    monkeypatch.setattr(tailored, "MOST_FITTED", 2500)
    models = fit_models(known)
    fit = models.tailoring.tailored.fit
    assert (fit.customers, whole.customers) == (2500, MANY)
    name = "rate:channel=ads"
    assert fit.parameters[name] == pytest.approx(whole.parameters[name], abs=3 * fit.standard_errors[name])
    assert models.tailoring.gain > 20
    assert np.isfinite(lifetime_value(known, models=models).clv).all()
    assert fit_models(known).tailoring.tailored.fit.parameters == fit.parameters
