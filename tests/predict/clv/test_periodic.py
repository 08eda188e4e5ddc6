"""BG/BB on a calendar says in days what BG/BB says in opportunities."""

from __future__ import annotations

import numpy as np
import pytest

from kequn.errors import ModelError
from kequn.predict.clv import (
    BgBb,
    Statistics,
    ValueSettings,
    choose_purchase_model,
    fit_bg_bb,
    lifetime_value,
)
from kequn.predict.clv.packing import aggregate
from kequn.predict.clv.periodic import PERIODS, PeriodicBgBb

MONTH = PERIODS["month"]
MODEL = BgBb(1.2, 0.75, 0.66, 2.78)
X, LAST, N = np.array([0, 1, 3, 6, 2, 0]), np.array([0, 2, 6, 6, 2, 0]), np.array([6, 6, 6, 6, 6, 0])


def in_days(periods: np.ndarray) -> np.ndarray:
    return np.rint(periods * MONTH)


def customers(many: int = 1500, months: int = 14) -> Statistics:
    rng = np.random.default_rng(3)
    chance, leaves = rng.beta(1.2, 1.5, many), rng.geometric(rng.beta(0.8, 6.0, many)) - 1
    used = (rng.random((many, months)) < chance[:, None]) & (np.arange(months) < leaves[:, None])
    last = np.where(used.any(axis=1), months - np.argmax(used[:, ::-1], axis=1), 0)
    return Statistics.of(used.sum(axis=1), in_days(last), np.full(many, in_days(np.array(months))), np.full(many, 5000.0))  # fmt: skip


def test_whole_periods_give_the_figures_of_the_paper() -> None:
    calendar = PeriodicBgBb(MODEL, MONTH)
    T, t_x = in_days(N), in_days(LAST)
    assert calendar.p_alive(X, t_x, T) == pytest.approx(MODEL.p_alive(X, LAST, N))
    for months in (1, 4, 12):
        found = calendar.expected_purchases(months * MONTH, X, t_x, T)
        assert found == pytest.approx(MODEL.expected_purchases(months, X, LAST, N))
        none = calendar.purchase_probability(0, months * MONTH, X, t_x, T)
        assert none == pytest.approx(MODEL.purchase_probability(0, months, X, LAST, N))


def test_a_part_of_a_period_counts_in_proportion_and_more_time_never_means_less() -> None:
    calendar = PeriodicBgBb(MODEL, MONTH)
    T, t_x = in_days(N), in_days(LAST)
    two, half, three = (calendar.expected_purchases(m * MONTH, X, t_x, T) for m in (2, 2.5, 3))
    assert half == pytest.approx((two + three) / 2)
    steps = np.stack([calendar.expected_purchases(days, X, t_x, T) for days in range(0, 400, 9)])
    assert np.all(np.diff(steps, axis=0) >= 0)


def test_silence_is_counted_like_the_sum_over_all_ways_to_be_silent() -> None:
    for months, silent in zip(range(1, 25), MODEL.silent_through(X, LAST, N), strict=False):
        assert silent == pytest.approx(MODEL.purchase_probability(0, months, X, LAST, N))


def test_the_wait_is_when_a_purchase_has_become_as_likely_as_asked() -> None:
    calendar = PeriodicBgBb(MODEL, MONTH)
    T, t_x = in_days(N), in_days(LAST)
    wait = calendar.wait(0.3, X, t_x, T)
    comes = np.isfinite(wait)
    assert comes.any() and not comes.all()  # who most likely left does not come back
    for place in np.flatnonzero(comes):
        none = calendar.purchase_probability(0, wait[place], X[place], t_x[place], T[place])
        assert 1 - none == pytest.approx(0.3)


def test_the_fit_is_that_of_whole_opportunities() -> None:
    known = customers()
    found = choose_purchase_model(aggregate(known.x, known.t_x, known.T), "bg_bb", MONTH)
    direct = fit_bg_bb(known.x, np.rint(known.t_x / MONTH), np.rint(known.T / MONTH))
    assert found.fit is not None
    assert found.fit.kind == "bg_bb"
    assert found.fit.parameters == pytest.approx(direct.parameters)
    assert found.fit.log_likelihood == pytest.approx(direct.log_likelihood)


def test_value_with_set_opportunities_adds_up_the_expected_periods() -> None:
    known = customers()
    found = lifetime_value(known, ValueSettings(model="bg_bb", discount_rate=0.0))
    assert found.method == "bg_bb"
    model = found.models.choice.fit.model.model
    months = np.rint(known.T / MONTH)
    expected = model.expected_purchases(12, known.x, np.rint(known.t_x / MONTH), months)
    assert found.expected_purchases == pytest.approx(expected, abs=1e-6)
    assert found.clv == pytest.approx(np.round(expected * 5000), abs=1)


def test_too_few_periods_close_the_gate_and_say_so() -> None:
    known = customers(months=4)
    choice = choose_purchase_model(aggregate(known.x, known.t_x, known.T), "bg_bb", MONTH)
    gate = next(gate for gate in choice.gates if gate.code == "predict.clv_gate_periods")
    assert (gate.ok, gate.found, gate.needed) == (False, 4, 6)
    assert choice.fit is None or choice.fit.kind == "nbd"


@pytest.mark.parametrize("days", [0, 0.5, 400, float("nan")])
def test_an_opportunity_lasts_between_a_day_and_a_year(days: float) -> None:
    with pytest.raises(ModelError, match="clv_bad_setting"):
        ValueSettings(model="bg_bb", opportunity_days=days)
