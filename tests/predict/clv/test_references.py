"""The published numbers, to the digits that were printed."""

from __future__ import annotations

import numpy as np
import pytest

from kequn.predict.clv import (
    BgBb,
    BgNbd,
    Fit,
    GammaGamma,
    MbgNbd,
    ParetoNbd,
    Purchases,
    fit_bg_bb,
    fit_bg_nbd,
    fit_gamma_gamma,
    fit_mbg_nbd,
    fit_pareto_nbd,
)
from tests.predict.clv.customers import cdnow_folder, cdnow_purchases, donors

WEEK = 7.0
END_OF_CALIBRATION = 10134  # 1997-09-30 as a day number; ages of customers count to it
PUBLISHED = BgNbd(0.243, 4.414, 0.793, 2.426)
BTYD_DERT = ParetoNbd(0.5629966, 12.559037, 0.4081095, 10.5148048)
PAPER_BG_BB = BgBb(1.20, 0.75, 0.66, 2.78)


def half_unit(printed: str) -> float:
    """Half a unit of the last printed digit."""
    mantissa, _, exponent = printed.partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 0.5000001 * 10.0 ** (int(exponent or 0) - decimals)


def shows(value: float, printed: str) -> bool:
    return abs(float(value) - float(printed)) <= half_unit(printed)


@pytest.fixture(scope="module")
def cdnow() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    folder = cdnow_folder()
    statistics = (
        Purchases.of(*cdnow_purchases(folder))
        .before(END_OF_CALIBRATION + 1)
        .statistics(END_OF_CALIBRATION + 1)[1]
    )
    return statistics.x, statistics.t_x / WEEK, (statistics.T - 1) / WEEK


@pytest.fixture(scope="module")
def fits(cdnow: tuple[np.ndarray, ...]) -> dict[str, Fit]:
    return {fit.kind: fit for fit in (f(*cdnow) for f in (fit_bg_nbd, fit_mbg_nbd, fit_pareto_nbd))}


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("bg_nbd", {"r": ".243", "alpha": "4.414", "a": ".793", "b": "2.426"}),
        ("mbg_nbd", {"r": ".525", "alpha": "6.183", "a": ".891", "b": "1.614"}),
        ("pareto_nbd", {"r": ".553", "alpha": "10.578", "s": ".606", "beta": "11.669"}),
    ],
)
def test_cdnow_fits_give_the_published_parameters(fits, kind, parameters):
    fit = fits[kind]
    assert fit.customers == 2357
    assert not fit.boundary and fit.warnings == ()
    wrong = {
        name: fit.parameters[name]
        for name, printed in parameters.items()
        if not shows(fit.parameters[name], printed)
    }
    assert wrong == {}


@pytest.mark.parametrize(("kind", "printed"), [("bg_nbd", "-9582.429"), ("pareto_nbd", "-9595.0")])
def test_cdnow_log_likelihoods_are_those_of_the_papers(fits, kind, printed):
    assert shows(fits[kind].log_likelihood, printed)


def test_two_decimal_weeks_cost_three_thousandths_of_log_likelihood(cdnow):
    rounded = [np.round(column, 2) for column in cdnow]
    assert shows(fit_bg_nbd(*rounded).log_likelihood, "-9582.426")


def test_cdnow_predictions_are_those_of_the_walkthrough(fits):
    bg, pareto = fits["bg_nbd"].model, fits["pareto_nbd"].model
    assert shows(bg.expected_from_start(52), "1.4440")
    assert shows(bg.expected_purchases(52, 26, 30.857, 31), "25.757")
    assert shows(bg.p_alive(26, 30.857, 31), ".96885")
    assert shows(bg.expected_purchases(39, 2, 30.43, 38.86), "1.226")
    assert shows(pareto.expected_from_start(52), "1.4734")
    assert shows(pareto.expected_purchases(52, 26, 30.86, 31), "25.456")
    assert shows(pareto.p_alive(26, 30.857, 31), ".99787")


def test_published_parameters_give_the_published_predictions_without_data():
    pareto = ParetoNbd(0.553, 10.578, 0.606, 11.669)
    assert PUBLISHED.expected_purchases(39, 2, 30.43, 38.86) == pytest.approx(1.226, abs=5e-4)
    assert PUBLISHED.expected_purchases(52, 26, 30.857, 31) == pytest.approx(25.757, abs=2e-3)
    assert PUBLISHED.p_alive(26, 30.857, 31) == pytest.approx(0.96885, abs=1e-5)
    assert pareto.expected_from_start(52) == pytest.approx(1.4734, abs=1e-3)
    assert pareto.expected_purchases(52, 26, 30.86, 31) == pytest.approx(25.456, abs=5e-3)
    assert pareto.p_alive(26, 30.857, 31) == pytest.approx(0.99787, abs=1e-5)


@pytest.mark.parametrize(("x", "t_x", "printed"), [(0, 0, "-0.59947"), (200, 38, "100.7957")])
def test_one_row_log_likelihoods_do_not_overflow(x, t_x, printed):
    assert shows(BgNbd(0.25, 4, 0.8, 2.5).log_likelihood(x, t_x, 40), printed)


@pytest.mark.parametrize(("t", "n", "printed"), [(39, 0, "0.5737864"), (2, 10, "1.07869e-7")])
def test_probability_of_n_purchases_is_that_of_the_manual(t, n, printed):
    assert shows(PUBLISHED.pmf(n, t), printed)


def test_gamma_gamma_matches_the_note_on_cdnow():
    folder = cdnow_folder()
    table = np.genfromtxt(folder / "cdnow_customers_summary_with_transactions.csv", delimiter=",", names=True)
    repeat = table["x"] > 0
    fit = fit_gamma_gamma(table["x"][repeat], table["zbar"][repeat])
    assert fit.customers == 946
    assert shows(fit.parameters["p"], "6.25") and shows(fit.parameters["q"], "3.74")
    assert fit.parameters["v"] == pytest.approx(15.44, abs=0.01)
    # the note's solver stopped beside the top: ours is no lower
    note = GammaGamma(6.25, 3.74, 15.44).log_likelihood(table["x"][repeat], table["zbar"][repeat]).sum()
    assert fit.log_likelihood >= note
    printed = [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17]
    assert fit.model.expected_spend(table["x"], table["zbar"])[:10] == pytest.approx(printed, abs=0.1)


def test_bg_bb_matches_the_paper_on_donations():
    x, t_x, many = donors()
    fit = fit_bg_bb(np.repeat(x, many), np.repeat(t_x, many), 6)
    printed = {"alpha": "1.204", "beta": ".750", "gamma": ".657", "delta": "2.783"}
    assert fit.customers == 11104
    assert all(shows(fit.parameters[name], value) for name, value in printed.items())
    assert shows(fit.log_likelihood, "-33225.58")
    assert shows((fit.model.expected_purchases(5, x, t_x, 6) * many).sum(), "12884.2")
    assert fit.model.expected_from_start(10) == pytest.approx(3.179805, abs=5e-5)  # BTYD stops near the top


@pytest.mark.parametrize(
    ("x", "t_x", "printed"),
    [
        (7, 35, "1.86418"),
        (1, 30, "2.1992"),
        (2, 30, "2.8435"),
        (3, 30, "2.8671"),
        (4, 30, "2.4454"),
        (5, 30, "1.8405"),
    ],
)
def test_discounted_purchases_of_pareto_nbd(x, t_x, printed):
    assert shows(BTYD_DERT.discounted_expected_purchases(0.0027, x, t_x, 77.86), printed)


@pytest.mark.parametrize(
    ("x", "t_x", "printed"),
    [
        (3, 4, "1.6214"),
        (1, 6, "1.802"),
        (2, 6, "2.621"),
        (3, 6, "3.440"),
        (4, 6, "4.259"),
        (5, 6, "5.078"),
        (6, 6, "5.898"),
    ],
)
def test_discounted_purchases_of_bg_bb(x, t_x, printed):
    assert shows(PAPER_BG_BB.discounted_expected_purchases(0.1, x, t_x, 6), printed)


def test_modified_bg_nbd_is_the_bg_nbd_with_one_more_chance_to_leave():
    plain, modified = BgNbd(0.5, 6.0, 0.9, 1.6), MbgNbd(0.5, 6.0, 0.9, 1.6)
    assert plain.p_alive(0, 0, 40) == 1
    assert modified.p_alive(0, 0, 0) == pytest.approx(1.6 / 2.5)
    assert modified.expected_from_start(20) < plain.expected_from_start(20)
