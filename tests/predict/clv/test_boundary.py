"""Data on which a model has no maximum: the fit says so, and a simpler or a held one is used."""

from __future__ import annotations

import numpy as np
import pytest

from kequn.predict.clv import (
    aggregate,
    choose_purchase_model,
    fit_bg_bb,
    fit_bg_nbd,
    fit_gamma_gamma,
    fit_nbd,
    fit_pareto_nbd,
)
from tests.predict.clv.customers import bg_nbd_customers, steady_customers


@pytest.mark.parametrize("fit", [fit_bg_nbd, fit_pareto_nbd])
def test_customers_who_never_leave_drive_the_fit_to_its_boundary(fit):
    customers = steady_customers(4000, seed=0)
    found, steady = fit(*customers), fit_nbd(*customers)
    assert found.boundary
    assert "predict.clv_no_dropout" in found.warnings
    assert found.log_likelihood == pytest.approx(steady.log_likelihood, abs=3)
    later = found.model.expected_purchases(365, *customers).sum()
    assert later == pytest.approx(steady.model.expected_purchases(365, *customers).sum(), rel=0.02)


@pytest.mark.parametrize("wanted", ["auto", "bg_nbd", "pareto_nbd"])
def test_a_model_without_dropout_falls_back_to_the_nbd(wanted):
    choice = choose_purchase_model(aggregate(*steady_customers(4000, seed=0)), wanted)
    assert choice.fit is not None and choice.fit.kind == "nbd"
    assert any(fit.boundary for fit in choice.tried) and choice.tried[-1].kind == "nbd"
    assert choice.warnings[-1] == "predict.clv_used_nbd"


def test_another_boundary_is_fitted_again_with_weak_priors():
    n = 3000
    history = aggregate(
        np.full(n, 1), np.full(n, 3), np.full(n, 300)
    )  # all came back once and were never seen again
    choice = choose_purchase_model(history, "bg_nbd")
    assert choice.tried[0].boundary
    assert choice.fit is not None and choice.fit.prior is not None
    assert "predict.clv_weak_prior" in choice.warnings


def test_equal_customers_have_no_spread_of_rates():
    fit = fit_nbd(np.full(500, 5), np.full(500, 200), np.full(500, 300))
    assert fit.boundary and fit.warnings == ("predict.clv_equal_rates",)
    assert fit.model.expected_purchases(300, 5, 200, 300) == pytest.approx(5, rel=1e-3)


def test_equal_spenders_are_a_boundary_of_gamma_gamma():
    rng = np.random.default_rng(1)
    fit = fit_gamma_gamma(np.full(500, 3), np.where(rng.random(500) < 0.01, 101, 100))
    assert fit.boundary and "predict.clv_equal_money" in fit.warnings


def test_a_good_fit_says_nothing():
    fit = fit_bg_nbd(*bg_nbd_customers(5000, seed=2))
    assert not fit.boundary and fit.warnings == ()
    assert fit.as_record()["boundary"] is False


def test_little_proof_of_dropout_is_said_without_calling_it_a_boundary():
    fits = [fit_bg_nbd(*steady_customers(400, seed=seed)) for seed in range(30)]
    inside = [fit for fit in fits if not fit.boundary]
    assert inside and all("predict.clv_dropout_unproven" in fit.warnings for fit in inside)


def test_the_likelier_model_is_chosen():
    customers = bg_nbd_customers(20_000, seed=3, r=2.0, alpha=40.0, a=1.0, b=3.0, first=1)
    choice = choose_purchase_model(aggregate(*customers))
    likelihoods = {fit.kind: fit.log_likelihood for fit in choice.tried}
    assert choice.fit is not None and choice.fit.kind == "mbg_nbd" == max(
        likelihoods, key=likelihoods.__getitem__
    )


def test_donors_who_never_stop_are_a_boundary_of_bg_bb():
    rng = np.random.default_rng(4)
    used = rng.random((4000, 8)) < rng.beta(2, 2, 4000)[:, None]
    last = np.where(used.any(axis=1), 8 - np.argmax(used[:, ::-1], axis=1), 0)
    fit = fit_bg_bb(used.sum(axis=1), last, 8)
    steady = fit.parameters["gamma"] / (fit.parameters["gamma"] + fit.parameters["delta"])
    assert steady < 0.01
