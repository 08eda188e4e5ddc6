"""Analytic gradients and Hessians against finite differences, and each objective against its model's own formula."""

from __future__ import annotations

import numpy as np
import pytest

from kequn.predict.clv import BgBb, BgNbd, GammaGamma, MbgNbd, Nbd, ParetoNbd, aggregate
from kequn.predict.clv.beta_geometric_fit import BetaGeometricObjective
from kequn.predict.clv.bg_bb import BgBbObjective
from kequn.predict.clv.covariates import CovariateObjective, gather
from kequn.predict.clv.fit import WeakPrior
from kequn.predict.clv.gamma_gamma import GammaGammaObjective, spend_history
from kequn.predict.clv.nbd import NbdObjective
from kequn.predict.clv.pareto_nbd_fit import ParetoObjective
from tests.predict.clv.customers import bg_nbd_customers, donors, means

STEP = 1e-5


def assert_derivatives(objective, theta):
    value, gradient, hessian = objective(theta)
    sides = [(objective(theta + STEP * e), objective(theta - STEP * e)) for e in np.eye(len(theta))]
    by_value = np.array([(up[0] - down[0]) / (2 * STEP) for up, down in sides])
    by_gradient = np.array([(up[1] - down[1]) / (2 * STEP) for up, down in sides])
    assert np.isfinite(value)
    assert gradient == pytest.approx(by_value, abs=2e-7 * np.abs(gradient).max() + 1e-5)
    assert np.abs(hessian - by_gradient).max() <= 1e-7 * np.abs(hessian).max()
    assert np.array_equal(hessian, hessian.T) or np.allclose(hessian, hessian.T, rtol=1e-12)


@pytest.fixture(scope="module")
def history():
    x, t_x, T = bg_nbd_customers(400, seed=3)
    x[0], t_x[0] = 500, 100  # one who buys all the time
    return aggregate(x, np.ceil(t_x), T).scaled(100.0)


POINTS = [(0.3, 0.5, 0.8, 2.0), (0.3, 30.0, 0.8, 0.05), (5.0, 0.01, 20.0, 0.4), (0.02, 0.5, 0.8, 200.0)]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize(
    ("objective", "model"),
    [
        (lambda h: BetaGeometricObjective(h, 0), BgNbd),
        (lambda h: BetaGeometricObjective(h, 1), MbgNbd),
        (ParetoObjective, ParetoNbd),
        (NbdObjective, Nbd),
    ],
)
def test_purchase_objectives_have_the_derivatives_of_their_models(history, objective, model, point):
    parameters = point[: len(model.names)]
    target = objective(history)
    assert_derivatives(target, np.log(parameters))
    rows = model(*parameters).log_likelihood(history.x, history.t_x, history.T)
    assert target(np.log(parameters))[0] == pytest.approx(float((rows * history.weight).sum()), rel=1e-11)


@pytest.mark.parametrize("point", [(5.0, 4.0, 12.0), (0.5, 1.5, 0.01), (200.0, 0.4, 3.0)])
def test_gamma_gamma_objective_has_the_derivatives_of_its_model(point):
    x = bg_nbd_customers(300, seed=4)[0]
    count, mean = x + 1, means(x, seed=4) / 1000
    target = GammaGammaObjective(spend_history(count, mean))
    assert_derivatives(target, np.log(point))
    rows = GammaGamma(*point).log_likelihood(count, mean)
    assert target(np.log(point))[0] == pytest.approx(float(rows.sum()), rel=1e-11)


@pytest.mark.parametrize("point", [(1.2, 0.75, 0.66, 2.78), (0.1, 5.0, 3.0, 0.3), (40.0, 60.0, 0.01, 9.0)])
def test_bg_bb_objective_has_the_derivatives_of_its_model(point):
    x, t_x, many = donors()
    target = BgBbObjective(aggregate(np.repeat(x, many), np.repeat(t_x, many), 6))
    assert_derivatives(target, np.log(point))
    rows = BgBb(*point).log_likelihood(x, t_x, 6) * many
    assert target(np.log(point))[0] == pytest.approx(float(rows.sum()), rel=1e-11)


def test_covariate_objective_has_the_derivatives_of_its_model():
    x, t_x, T = bg_nbd_customers(300, seed=5)
    rng = np.random.default_rng(5)
    z, w = rng.integers(0, 3, (300, 2)).astype(float), rng.normal(size=(300, 1))
    target = CovariateObjective(gather(x, t_x, T, z, w, unit=100.0))
    theta = np.array([-1.2, -1.0, -0.2, 0.8, 0.3, -0.2, 0.4, -0.1])
    assert_derivatives(target, theta)
    alpha, a, b = -1.0 - z @ theta[4:6], -0.2 + w[:, 0] * 0.4, 0.8 - w[:, 0] * 0.1
    rows = BgNbd(np.exp(-1.2), np.exp(alpha), np.exp(a), np.exp(b)).log_likelihood(x, t_x / 100, T / 100)
    assert target(theta)[0] == pytest.approx(float(rows.sum()), rel=1e-11)


def test_a_weak_prior_adds_its_own_derivatives(history):
    prior = WeakPrior({"a": 0.7, "b": 2.0}, spread=1.3)
    assert_derivatives(prior.add_to(BetaGeometricObjective(history, 0), BgNbd.names), np.log(POINTS[0]))
