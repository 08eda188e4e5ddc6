"""Gathering customers into distinct statistics loses nothing and changes no figure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kequn.predict.clv import aggregate, fit_bg_nbd, fit_gamma_gamma, fit_mbg_nbd
from kequn.predict.clv.packing import distinct
from tests.predict.clv.customers import bg_nbd_customers, means

histories = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 500), st.integers(0, 500)).map(
        lambda row: (row[0], min(row[1], row[2]) if row[0] else 0, row[2])
    ),
    min_size=1,
    max_size=60,
)


def counted(columns) -> dict[tuple[float, ...], int]:
    found: dict[tuple[float, ...], int] = {}
    for row in zip(*(np.asarray(c).tolist() for c in columns), strict=True):
        found[row] = found.get(row, 0) + 1
    return found


@given(histories, st.sampled_from([1, 7, 100]))
def test_rows_are_the_distinct_customers_with_their_counts(rows, steps):
    x, t_x, T = (np.array(column) for column in zip(*rows, strict=True))
    history = aggregate(x, t_x / steps, T / steps)
    found = {
        (int(a), float(b), float(c)): int(w)
        for a, b, c, w in zip(history.x, history.t_x, history.T, history.weight, strict=True)
    }
    assert found == counted((x, t_x / steps, T / steps))
    assert list(found) == sorted(found)


@given(histories)
def test_every_customer_finds_its_own_row(rows):
    x, t_x, T = (np.array(column) for column in zip(*rows, strict=True))
    history, place = distinct(x, t_x, T)
    assert np.array_equal(history.x[place], x)
    assert np.array_equal(history.t_x[place], t_x)
    assert np.array_equal(history.T[place], T)
    assert np.array_equal(np.bincount(place), history.weight)


def test_a_customer_with_a_hundred_thousand_orders_does_not_break_the_counting():
    x, t_x, T = bg_nbd_customers(5000, seed=1)
    x = np.append(x, [100_000, 100_000, 99_999])
    t_x, T = np.append(np.ceil(t_x), [200, 200, 150]), np.append(T, [273, 273, 273])
    history, place = distinct(x, t_x, T)
    assert counted((x, t_x, T)) == {
        (a, b, c): w for a, b, c, w in zip(*(v.tolist() for v in (history.x, history.t_x, history.T, history.weight)), strict=True)
    }  # fmt: skip
    assert np.array_equal(history.x[place], x)


def test_times_on_no_grid_keep_one_row_per_customer():
    x, t_x, T = bg_nbd_customers(50, seed=1)
    history, place = distinct(x, t_x, T)
    assert len(history.x) == 50 and history.customers == 50
    assert np.array_equal(history.t_x[place], t_x)


def test_a_grid_of_seconds_needs_no_table_of_seconds():
    history = aggregate([1, 0], [40_000_000, 0], [80_000_000, 9])
    assert len(history.last.values) == 2
    assert history.T.tolist() == [9, 80_000_000]


@pytest.mark.parametrize("fit", [fit_bg_nbd, fit_mbg_nbd])
def test_fits_of_gathered_and_single_rows_agree(fit):
    x, t_x, T = bg_nbd_customers(4000, seed=2)
    gathered, single = fit(x, np.ceil(t_x), T), fit(x, np.ceil(t_x), T, gather=False)
    assert gathered.rows < single.rows == 4000
    assert gathered.log_likelihood == pytest.approx(single.log_likelihood, rel=1e-12)
    assert gathered.parameters == pytest.approx(single.parameters, rel=1e-7)
    assert gathered.standard_errors == pytest.approx(single.standard_errors, rel=1e-6)


def test_the_order_of_customers_changes_no_bit():
    x, t_x, T = bg_nbd_customers(3000, seed=6)
    t_x = np.ceil(t_x)
    shuffled = np.random.default_rng(0).permutation(len(x))
    assert fit_bg_nbd(x, t_x, T).parameters == fit_bg_nbd(x[shuffled], t_x[shuffled], T[shuffled]).parameters


def test_the_unit_of_time_and_of_money_changes_only_units():
    x, t_x, T = bg_nbd_customers(3000, seed=7)
    days, weeks = fit_bg_nbd(x, t_x, T), fit_bg_nbd(x, t_x / 7, T / 7)
    assert weeks.parameters["alpha"] * 7 == pytest.approx(days.parameters["alpha"], rel=1e-9)
    assert weeks.log_likelihood == pytest.approx(days.log_likelihood + x.sum() * np.log(7), rel=1e-12)
    cents = fit_gamma_gamma(x + 1, means(x, seed=7))
    major = fit_gamma_gamma(x + 1, means(x, seed=7) / 100)
    assert major.parameters["v"] * 100 == pytest.approx(cents.parameters["v"], rel=1e-7)
    assert major.log_likelihood == pytest.approx(cents.log_likelihood + len(x) * np.log(100), rel=1e-11)
