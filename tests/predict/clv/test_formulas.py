"""Each prediction against an independent calculation: an integral, a sum or a limit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, special, stats

from kequn.predict.clv import BgBb, BgNbd, GammaGamma, MbgNbd, Nbd, ParetoNbd
from kequn.predict.clv.special import discounted_survival, log_gamma_ratio, purchases_until_dropout

MODELS = [
    BgNbd(0.5, 6.0, 0.9, 1.6),
    MbgNbd(0.5, 6.0, 0.9, 1.6),
    ParetoNbd(0.55, 10.6, 0.61, 11.7),
    Nbd(0.4, 12.0),
]
CUSTOMERS = [(0, 0.0, 20.0), (2, 11.0, 20.0), (9, 19.5, 20.0)]


def purchases_over_p(shape: float, y: float, a: float, b: float) -> float:
    """E[(1 - (1 + p y)^-R) / p], p ~ Beta(a, b), on the scale where the density is flat."""
    beta = stats.beta(a, b)
    found = integrate.quad(
        lambda u: -np.expm1(-shape * np.log1p(p * y)) / p if (p := beta.ppf(u)) > 0 else shape * y,
        0,
        1,
        limit=400,
    )
    return float(found[0])


@pytest.mark.parametrize(
    ("shape", "y", "a", "b"),
    [
        (0.24, 5, 0.79, 2.4),
        (3, 0.2, 1.0, 2.0),
        (3, 0.2, 1.00001, 2.0),
        (0.5, 4, 0.4, 0.6),
        (40, 3, 2.5, 90),
        (0.3, 1000, 3, 0.7),
    ],
)
def test_purchases_until_dropout_is_the_mean_over_dropout_rates(shape, y, a, b):
    assert float(purchases_until_dropout(shape, y, a, b)) == pytest.approx(
        purchases_over_p(shape, y, a, b), rel=1e-6
    )


@pytest.mark.parametrize(("near", "a", "b"), [(1e-3, 1.0, 2.0), (2e-2, 0.4, 0.6)])
def test_purchases_until_dropout_is_smooth_where_the_closed_form_is_singular(near, a, b):
    left, middle, right = (float(purchases_until_dropout(2.0, 1.5, a + d, b + d)) for d in (-near, 0, near))
    assert middle == pytest.approx((left + right) / 2, rel=near**2 * 3 + 1e-9)


@pytest.mark.parametrize("z", [1e-6, 0.01, 1.0, 30.0])
@pytest.mark.parametrize("s", [0.3, 1.0, 4.0])
def test_discounted_survival_is_tricomis_function(s, z):
    direct = special.exp1(z) * np.exp(z) if s == 1 else integrate.quad(
        lambda w: np.exp(-z * np.expm1(w) + (1 - s) * w), 0, np.log1p(700 / z), limit=500
    )[0]  # fmt: skip
    assert float(discounted_survival(s, z)) == pytest.approx(direct, rel=1e-9)


@pytest.mark.parametrize("r", [0.3, 50.0, 2e4, 1e9])
def test_log_gamma_ratio_is_a_sum_of_logarithms(r):
    assert float(log_gamma_ratio(r, 25)) == pytest.approx(float(np.log(r + np.arange(25)).sum()), rel=1e-11)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.kind)
@pytest.mark.parametrize("customer", CUSTOMERS)
def test_probabilities_of_n_purchases_sum_to_one_and_to_the_mean(model, customer):
    n = np.arange(600)
    chances = model.purchase_probability(n, 8.0, *customer)
    assert chances.sum() == pytest.approx(1, abs=1e-9)
    assert (n * chances).sum() == pytest.approx(float(model.expected_purchases(8.0, *customer)), rel=1e-7)
    fresh = model.pmf(n, 8.0)
    assert fresh.sum() == pytest.approx(1, abs=1e-9)
    assert (n * fresh).sum() == pytest.approx(float(model.expected_from_start(8.0)), rel=1e-7)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.kind)
@pytest.mark.parametrize("customer", CUSTOMERS)
def test_waiting_until_a_chance_gives_that_chance(model, customer):
    wait = float(model.wait(0.3, *customer))
    bought = 1 - float(model.purchase_probability(0, wait, *customer)) if np.isfinite(wait) else None
    never = 1 - float(model.purchase_probability(0, 1e12, *customer))
    assert bought == pytest.approx(0.3, abs=1e-9) if bought is not None else never <= 0.3 + 1e-6


@pytest.mark.parametrize("t_x", [0.0, 5.0, 19.0])
def test_pareto_likelihood_is_the_one_with_two_hypergeometric_functions(t_x):
    """Fader & Hardie 2005, alpha ≥ beta, in the paper's own form."""
    r, alpha, s, beta, x, T = 0.55, 11.7, 0.61, 10.6, 3 if t_x else 0, 20.0

    def term(at: float) -> float:
        z = (alpha - beta) / (alpha + at)
        return float(special.hyp2f1(r + s + x, s + 1, r + s + x + 1, z)) / (alpha + at) ** (r + s + x)

    alive = (alpha + T) ** -(r + x) * (beta + T) ** -s
    inside = alive + s / (r + s + x) * (term(t_x) - term(T))
    expected = (
        special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha) + s * np.log(beta) + np.log(inside)
    )
    model = ParetoNbd(r, alpha, s, beta)
    assert float(model.log_likelihood(x, t_x, T)[0]) == pytest.approx(expected, abs=1e-11)
    assert float(model.p_alive(x, t_x, T)) == pytest.approx(alive / inside, rel=1e-10)


def test_pareto_purchases_are_smooth_where_s_is_one():
    left, middle, right = (
        float(ParetoNbd(0.5, 9.0, s, 12.0).expected_from_start(30)) for s in (0.999, 1.0, 1.001)
    )
    assert middle == pytest.approx((left + right) / 2, rel=1e-6)


def test_discounted_purchases_of_pareto_are_the_discounted_increments():
    model, rate, customer = ParetoNbd(0.55, 10.6, 0.61, 11.7), 0.05, (3, 15.0, 20.0)
    edges = np.linspace(0, 600, 60_001)
    steps = np.diff(model.mean_if_alive(edges, 3, 20.0)) * float(model.p_alive(*customer))
    summed = (steps * np.exp(-rate * (edges[1:] + edges[:-1]) / 2)).sum()
    assert float(model.discounted_expected_purchases(rate, *customer)) == pytest.approx(summed, rel=1e-6)


def test_discounted_purchases_of_bg_bb_are_the_discounted_increments():
    model, rate = BgBb(1.2, 0.75, 0.66, 2.78), 0.1
    expected = model.expected_purchases(np.arange(0, 401), 3, 4, 6)
    summed = (np.diff(expected) / (1 + rate) ** np.arange(1, 401)).sum()
    assert float(model.discounted_expected_purchases(rate, 3, 4, 6)) == pytest.approx(summed, rel=1e-9)


def test_bg_bb_probabilities_sum_to_one_and_to_the_mean():
    model, k = BgBb(1.2, 0.75, 0.66, 2.78), np.arange(9)
    chances = model.purchase_probability(k, 8, 3, 4, 6)
    assert chances.sum() == pytest.approx(1, abs=1e-12)
    assert (k * chances).sum() == pytest.approx(float(model.expected_purchases(8, 3, 4, 6)), rel=1e-12)
    assert model.pmf(k, 8).sum() == pytest.approx(1, abs=1e-12)


def test_without_dropout_the_models_are_the_nbd():
    steady, customer = Nbd(0.5, 6.0), (4, 12.0, 20.0)
    for model in (BgNbd(0.5, 6.0, 1e-9, 1e3), MbgNbd(0.5, 6.0, 1e-9, 1e3), ParetoNbd(0.5, 6.0, 1e-9, 1e3)):
        assert model.expected_purchases(30, *customer) == pytest.approx(
            float(steady.expected_purchases(30, *customer)), rel=1e-6
        )
        assert model.log_likelihood(*customer) == pytest.approx(
            float(steady.log_likelihood(*customer)), abs=1e-6
        )


def test_expected_spend_moves_from_everybody_to_the_customer():
    model = GammaGamma(6.25, 3.74, 15.44)
    spend = model.expected_spend([0, 1, 5, 10_000], 80.0)
    assert spend[0] == pytest.approx(model.mean)
    assert np.all(np.diff(spend) > 0) and spend[3] == pytest.approx(80.0, rel=1e-3)


def test_spend_of_bad_amounts_is_bounded():
    model = GammaGamma(6.25, 3.74, 15.44)
    missing, negative, zero = model.expected_spend([3, 3, 3], [np.nan, -10.0, 0.0])
    assert missing == pytest.approx(model.mean)
    assert negative == zero and 0 < zero < model.mean
