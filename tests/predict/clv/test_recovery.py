"""Fits find the parameters that customers were simulated with, and say how sure they are."""

from __future__ import annotations

import numpy as np
import pytest

from kequn.predict.clv import (
    aggregate,
    fit_bg_bb,
    fit_bg_nbd,
    fit_bg_nbd_covariates,
    fit_gamma_gamma,
    fit_mbg_nbd,
    fit_nbd,
    fit_pareto_nbd,
)
from kequn.predict.clv.beta_geometric_fit import WEAK
from kequn.predict.clv.pareto_nbd_fit import ParetoObjective
from tests.predict.clv.customers import bg_nbd_customers, means, pareto_customers


def assert_found(fit, truth):
    """Every parameter within four standard errors, and those errors are small enough to mean something."""
    away = {n: abs(fit.parameters[n] - v) / fit.standard_errors[n] for n, v in truth.items()}
    assert max(away.values()) < 4, away
    assert all(fit.standard_errors[n] < 0.5 * abs(fit.parameters[n]) for n in truth)


@pytest.mark.parametrize(("fit", "first"), [(fit_bg_nbd, 0), (fit_mbg_nbd, 1)])
def test_beta_geometric_fits_find_the_truth(fit, first):
    truth = {"r": 0.6, "alpha": 40.0, "a": 0.8, "b": 2.5}
    assert_found(fit(*bg_nbd_customers(30_000, seed=11, first=first, **truth)), truth)


def test_pareto_fit_finds_the_truth():
    truth = {"r": 0.55, "alpha": 70.0, "s": 0.6, "beta": 80.0}
    assert_found(fit_pareto_nbd(*pareto_customers(30_000, 12, **truth)), truth)


def test_a_start_from_a_sample_of_rows_ends_at_the_same_top():
    customers = pareto_customers(30_000, 12, 0.55, 70.0, 0.6, 80.0)  # continuous times: one row per customer
    fit = fit_pareto_nbd(*customers)
    assert fit.rows > 20_000
    objective = ParetoObjective(aggregate(*customers))
    gradient, hessian = objective(np.log(list(fit.parameters.values())))[1:]
    assert np.abs(np.linalg.solve(hessian, gradient)).max() < 1e-5


def test_gamma_gamma_fit_finds_the_truth():
    x = np.random.default_rng(13).geometric(0.4, 30_000)
    assert_found(
        fit_gamma_gamma(x + 1, means(x, 13, p=6.25, q=3.74, v=1544.0)), {"p": 6.25, "q": 3.74, "v": 1544.0}
    )


def test_bg_bb_fit_finds_the_truth():
    rng, donors, years = np.random.default_rng(14), 30_000, 10
    chance, leave = rng.beta(1.2, 0.75, donors), rng.beta(0.66, 2.78, donors)
    alive_until = rng.geometric(leave) - 1
    used = (rng.random((donors, years)) < chance[:, None]) & (np.arange(years) < alive_until[:, None])
    last = np.where(used.any(axis=1), years - np.argmax(used[:, ::-1], axis=1), 0)
    fit = fit_bg_bb(used.sum(axis=1), last, years)
    assert_found(fit, {"alpha": 1.2, "beta": 0.75, "gamma": 0.66, "delta": 2.78})


def test_nbd_fit_finds_the_truth():
    rng = np.random.default_rng(15)
    T = rng.integers(100, 300, 20_000)
    x = rng.poisson(rng.gamma(0.7, 1 / 30, 20_000) * T)
    assert_found(fit_nbd(x, np.where(x > 0, T, 0), T), {"r": 0.7, "alpha": 30.0})


def test_covariates_find_their_effects_and_raise_the_likelihood():
    rng, n = np.random.default_rng(16), 30_000
    app, city = rng.integers(0, 2, n).astype(float), rng.integers(1, 5, n).astype(float)
    parts = [
        bg_nbd_customers(
            n, seed=17, r=0.6, alpha=60 * np.exp(-0.5 * app), a=0.8, b=2.5 * np.exp(-0.2 * city)
        ),
    ]
    x, t_x, T = parts[0]
    t_x = np.ceil(t_x)
    fit = fit_bg_nbd_covariates(
        x, t_x, T, purchase=app, dropout=city, purchase_names=["app"], dropout_names=["city"]
    )
    assert fit.names == ("r", "alpha", "a", "b", "rate:app", "a:city", "b:city")
    assert fit.parameters["rate:app"] == pytest.approx(0.5, abs=4 * fit.standard_errors["rate:app"])
    # a and b move together: what the data tell apart is their difference, the odds of leaving
    odds = fit.parameters["a:city"] - fit.parameters["b:city"]
    assert odds == pytest.approx(0.2, abs=0.08)
    assert fit.log_likelihood > fit_bg_nbd(x, t_x, T).log_likelihood + 50
    customers = fit.model.customers(app[:5], city[:5])
    assert np.all(
        (customers.p_alive(x[:5], t_x[:5], T[:5]) > 0)
        & (customers.expected_purchases(90, x[:5], t_x[:5], T[:5]) >= 0)
    )


def test_covariates_that_say_nothing_leave_the_fit_alone():
    x, t_x, T = bg_nbd_customers(5000, seed=18)
    nothing = np.random.default_rng(18).normal(3.0, 2.0, (5000, 1))
    plain, fit = (
        fit_bg_nbd(x, t_x, T),
        fit_bg_nbd_covariates(x, t_x, T, purchase=nothing, dropout=nothing[:, :0]),
    )
    assert abs(fit.parameters["rate:1"]) < 4 * fit.standard_errors["rate:1"]
    assert 0 <= fit.log_likelihood - plain.log_likelihood < 10


def test_without_covariates_the_covariate_fit_is_the_plain_one():
    x, t_x, T = bg_nbd_customers(2000, seed=19)
    none = np.zeros((2000, 0))
    plain, fit = fit_bg_nbd(x, t_x, T), fit_bg_nbd_covariates(x, t_x, T, purchase=none, dropout=none)
    assert fit.parameters == pytest.approx(plain.parameters, rel=1e-6)
    assert fit.standard_errors == pytest.approx(plain.standard_errors, rel=1e-5)
    assert fit.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-12)


def test_weak_priors_hardly_move_a_well_determined_fit():
    customers = bg_nbd_customers(20_000, seed=20)
    plain, held = fit_bg_nbd(*customers), fit_bg_nbd(*customers, prior=WEAK)
    assert held.prior is WEAK and plain.prior is None
    assert held.parameters == pytest.approx(plain.parameters, rel=0.02)
    assert plain.log_likelihood - 0.5 < held.log_likelihood <= plain.log_likelihood
