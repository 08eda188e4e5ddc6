"""What must hold for any parameters and any customer, however extreme."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kequn.predict.clv import BgBb, BgNbd, GammaGamma, MbgNbd, Nbd, ParetoNbd

positive = st.floats(-3, 3).map(lambda power: 10.0**power)
wild = st.floats(-5, 6).map(lambda power: 10.0**power)
customers = st.tuples(st.sampled_from([0, 1, 2, 7, 200, 100_000]), st.floats(0, 1), st.floats(0, 40_000)).map(
    lambda c: (c[0], c[1] * c[2] if c[0] else 0.0, c[2])
)
models = st.one_of(
    st.builds(BgNbd, *[positive] * 4), st.builds(MbgNbd, *[positive] * 4),
    st.builds(ParetoNbd, *[positive] * 4), st.builds(Nbd, *[positive] * 2),
)  # fmt: skip
wild_models = st.one_of(
    st.builds(BgNbd, *[wild] * 4), st.builds(MbgNbd, *[wild] * 4),
    st.builds(ParetoNbd, *[wild] * 4), st.builds(Nbd, *[wild] * 2),
)  # fmt: skip


@settings(deadline=None)
@given(wild_models, customers, st.floats(0, 40_000))
def test_no_argument_is_too_extreme(model, customer, t):
    """Finite, never NaN, within bounds; any RuntimeWarning of overflow is an error too."""
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        alive = float(model.p_alive(*customer))
        expected = float(model.expected_purchases(t, *customer))
        fresh = float(model.expected_from_start(t))
        chances = model.purchase_probability([0, 1, 50], t, *customer)
        likelihood = np.atleast_1d(model.log_likelihood(*customer))
    assert 0 <= alive <= 1
    assert np.isfinite(expected) and expected >= 0
    assert np.isfinite(fresh) and fresh >= 0
    assert np.all((chances >= 0) & (chances <= 1 + 1e-9))
    assert np.all(np.isfinite(likelihood))


@settings(deadline=None)
@given(models, customers, st.floats(0, 5000), st.floats(0, 5000))
def test_more_time_never_brings_fewer_purchases(model, customer, t, more):
    sooner, later = (float(model.expected_purchases(h, *customer)) for h in (t, t + more))
    assert later >= sooner * (1 - 1e-8) - 1e-12


@settings(deadline=None)
@given(models, customers, st.floats(0, 5000))
def test_nobody_buys_more_than_without_dropout(model, customer, t):
    steady = Nbd(model.r, model.alpha)
    assert (
        float(model.expected_purchases(t, *customer))
        <= float(steady.expected_purchases(t, *customer)) * (1 + 1e-8) + 1e-12
    )


@settings(deadline=None)
@given(models, st.integers(1, 50), st.floats(0, 1), st.floats(1, 1000), st.floats(0, 500))
def test_longer_silence_never_makes_a_customer_more_alive(model, x, share, T, silence):
    now, later = (float(model.p_alive(x, share * T, age)) for age in (T, T + silence))
    assert later <= now + 1e-9


@settings(deadline=None)
@given(models, customers, st.floats(0.05, 0.95))
def test_a_higher_chance_is_never_waited_for_shorter(model, customer, chance):
    short, long = (float(model.wait(level, *customer)) for level in (chance, min(chance + 0.04, 0.99)))
    assert 0 <= short <= long


@given(positive, positive, positive, st.integers(1, 10_000), st.floats(0, 1e7), st.floats(0, 1e7))
def test_expected_spend_lies_between_the_customer_and_everybody(p, q, v, count, mean, more):
    model = GammaGamma(p, q + 1, v)
    low, high = model.expected_spend(count, [mean, mean + more])
    assert low <= high * (1 + 1e-9)
    edges = sorted((model.mean, mean))
    assert edges[0] * (1 - 1e-9) <= low <= edges[1] * (1 + 1e-9)


@settings(deadline=None)
@given(
    st.builds(BgBb, *[wild] * 4),
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(0, 60),
)
def test_bg_bb_stays_in_its_bounds(model, x, gap, silence, ahead):
    used, last, n = (x, x + gap, x + gap + silence) if x else (0, 0, gap + silence)
    with np.errstate(over="raise", invalid="raise"):
        alive = float(model.p_alive(used, last, n))
        expected = float(model.expected_purchases(ahead, used, last, n))
        forever = float(model.discounted_expected_purchases(0.1, used, last, n))
    assert -1e-9 <= alive <= 1 + 1e-9
    assert 0 <= expected <= ahead * (1 + 1e-9)
    assert 0 <= forever <= 1 / 0.1 * (1 + 1e-6)


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_parameters_are_refused(bad):
    from kequn.errors import ModelError

    with pytest.raises(ModelError, match="clv_bad_parameter"):
        BgNbd(0.2, bad, 0.8, 2.4)
