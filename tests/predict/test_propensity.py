"""Purchase and churn: honest against their baselines, reproducible, monotone, and never made up."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from kequn.predict.calibration import expit, logit
from kequn.predict.features import FeatureMatrix, read_features
from kequn.predict.learners import Boosted, Logit, RateTable, learner_from
from kequn.predict.past import Past, Window, stack, usable
from kequn.predict.propensity import LADDER, Propensity, PropensityFit, fit_propensity
from kequn.predict.reasons import reasons
from tests.predict.world import AS_OF, START, Shop


def past_of(shop: Shop, **changes: object) -> Past:
    return replace(Past(shop.profile_at, shop.orders, START, AS_OF), **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def scoring(shop: Shop) -> FeatureMatrix:
    return read_features(shop.profile_at(AS_OF))


@pytest.fixture(scope="module")
def fitted(shop: Shop, scoring: FeatureMatrix) -> PropensityFit:
    return fit_propensity(past_of(shop), 30, scoring, "purchase_30d")


def rows(count: int = 400, seed: int = 1) -> tuple[FeatureMatrix, np.ndarray]:
    """Customers whose chance to buy falls with recency and rises with frequency."""
    rng = np.random.default_rng(seed)
    recency, frequency = rng.integers(1, 200, count).astype(float), rng.integers(1, 20, count).astype(float)
    values = np.column_stack([recency, frequency, rng.normal(size=count)])
    p = expit(1 - recency / 40 + frequency / 5)
    ids = pa.array([f"c{n:04d}" for n in range(count)])
    return FeatureMatrix(ids, ("recency_days", "frequency", "tenure_days"), values), rng.random(count) < p


def test_windows_lie_one_horizon_apart_and_end_before_today(shop: Shop) -> None:
    cutoffs = past_of(shop).cutoffs(30, 30, 4)
    assert cutoffs == [AS_OF - timedelta(days=30 * step) for step in (1, 2, 3, 4)]
    assert past_of(shop).cutoffs(90, 90, 9)[-1] >= START + timedelta(days=90)


def test_a_window_labels_exactly_who_bought_in_it(shop: Shop) -> None:
    import duckdb

    cutoff = AS_OF - timedelta(days=30)
    window = past_of(shop).window(cutoff, 30)
    with duckdb.connect() as con:
        found = con.execute(
            f"SELECT DISTINCT customer_id FROM '{shop.orders[0]}' WHERE ordered_at >= ? AND ordered_at < ?",
            [cutoff, AS_OF],
        ).fetchall()
    bought = {row[0] for row in found}
    assert window.bought.tolist() == [key in bought for key in window.matrix.customer_ids.to_pylist()]


def test_every_step_of_the_ladder_is_measured_on_the_held_out_window(fitted: PropensityFit) -> None:
    card = fitted.card
    assert card.quality is not None and card.baseline is not None
    assert set(card.quality["candidates"]) == set(LADDER)
    assert card.quality["window"] == AS_OF - timedelta(days=30)
    assert card.baseline["name"] == "logit"
    assert max(card.parameters["training_cutoffs"]) < card.parameters["calibration_cutoff"]
    assert card.used in LADDER
    used = card.quality["candidates"][card.used]
    assert used["log_loss"] <= card.quality["candidates"]["base_rate"]["log_loss"]
    assert used["auc"] > 0.65


def test_probabilities_mean_what_they_say(shop: Shop, fitted: PropensityFit) -> None:
    assert fitted.card.quality is not None and fitted.card.used is not None
    used = fitted.card.quality["candidates"][fitted.card.used]
    assert used["mean_probability"] == pytest.approx(used["base_rate"], abs=0.06)


def test_the_same_data_give_the_same_scores(
    shop: Shop, scoring: FeatureMatrix, fitted: PropensityFit
) -> None:
    again = fit_propensity(past_of(shop), 30, scoring, "purchase_30d")
    assert fitted.model is not None and again.model is not None
    assert np.array_equal(fitted.model.score(scoring), again.model.score(scoring))


def test_a_customers_score_does_not_depend_on_who_else_is_scored(
    scoring: FeatureMatrix, fitted: PropensityFit
) -> None:
    assert fitted.model is not None
    some = np.zeros(len(scoring), dtype=bool)
    some[::7] = True
    assert np.array_equal(fitted.model.score(scoring.rows(some)), fitted.model.score(scoring)[some])


def test_pure_noise_is_published_as_the_overall_rate(shop: Shop, scoring: FeatureMatrix) -> None:
    rng = np.random.default_rng(1)

    class Noise(Past):
        def window(self, cutoff: date, horizon_days: int) -> Window:
            window = super().window(cutoff, horizon_days)
            return replace(window, bought=rng.random(len(window.bought)) < 0.3)

    fit = fit_propensity(Noise(shop.profile_at, shop.orders, START, AS_OF), 30, scoring, "purchase_30d")
    assert fit.card.used == "base_rate"
    assert not fit.card.published
    assert fit.card.notes[0]["code"] == "predict.note_simpler_model"
    assert fit.model is not None
    assert len(set(fit.model.score(scoring))) == 1


def test_one_class_gives_no_model_and_says_how_many_cases_are_missing(
    shop: Shop, scoring: FeatureMatrix
) -> None:
    class Always(Past):
        def window(self, cutoff: date, horizon_days: int) -> Window:
            window = super().window(cutoff, horizon_days)
            return replace(window, bought=np.ones(len(window.bought), dtype=bool))

    fit = fit_propensity(Always(shop.profile_at, shop.orders, START, AS_OF), 30, scoring, "purchase_30d")
    assert fit.model is None
    assert (fit.card.gate.ok, fit.card.gate.code, fit.card.gate.found) == (
        False,
        "predict.gate_rarer_outcome",
        0,
    )


def test_a_short_history_falls_back_to_the_table_of_rates(shop: Shop, scoring: FeatureMatrix) -> None:
    fit = fit_propensity(past_of(shop, start=AS_OF - timedelta(days=200)), 90, scoring, "purchase_90d")
    assert fit.card.used == "table"
    assert fit.card.gate.code == "predict.gate_history_days"
    assert (fit.card.gate.needed, fit.card.gate.found) == (360, 200)
    assert any(entry["code"] == "predict.note_untested" for entry in fit.card.notes)


def test_a_table_that_is_no_better_than_the_overall_rate_is_not_used(
    shop: Shop, scoring: FeatureMatrix
) -> None:
    class Reversed(Past):
        """Who was silent longest bought, and a horizon later it is the other way round."""

        def window(self, cutoff: date, horizon_days: int) -> Window:
            window = super().window(cutoff, horizon_days)
            silence = window.matrix.column("recency_days")
            silent = silence > np.median(silence)
            return replace(window, bought=silent if cutoff < AS_OF - timedelta(days=100) else ~silent)

    past = Reversed(shop.profile_at, shop.orders, AS_OF - timedelta(days=300), AS_OF)
    fit = fit_propensity(past, 90, scoring, "purchase_90d")
    assert not fit.card.gate.ok and fit.card.quality is not None and fit.card.baseline is not None
    assert fit.card.quality["log_loss"] > fit.card.baseline["log_loss"]
    assert fit.card.used == fit.card.baseline["name"] == "base_rate"
    assert fit.model is not None and len(set(fit.model.score(scoring))) == 1


def test_no_orders_give_no_model(shop: Shop, scoring: FeatureMatrix) -> None:
    fit = fit_propensity(past_of(shop, orders=()), 30, scoring, "purchase_30d")
    assert fit.model is None
    assert fit.card.gate.found == 0


@pytest.mark.parametrize("horizon", [1, 3650])
def test_extreme_horizons_neither_fail_nor_invent(shop: Shop, scoring: FeatureMatrix, horizon: int) -> None:
    fit = fit_propensity(past_of(shop), horizon, scoring, "purchase")
    if fit.model is not None:
        assert np.all(np.isfinite(fit.model.score(scoring)))
    else:
        assert not fit.card.gate.ok


@pytest.mark.parametrize("learner", [RateTable, Logit, Boosted])
def test_a_model_survives_its_file(learner: type) -> None:
    matrix, happened = rows()
    fitted = learner.fit(matrix, happened)
    assert np.array_equal(learner_from(fitted.as_dict()).raw(matrix), fitted.raw(matrix))


def test_a_longer_silence_never_raises_the_chance_to_buy() -> None:
    matrix, happened = rows(2000)
    model = Boosted.fit(matrix, happened)
    for shift in (1, 10, 100):
        moved = matrix.values.copy()
        moved[:, 0] += shift
        assert np.all(
            model.raw(FeatureMatrix(matrix.customer_ids, matrix.names, moved)) <= model.raw(matrix) + 1e-12
        )


def test_contributions_add_up_to_the_log_odds() -> None:
    matrix, happened = rows(2000)
    for model in (Boosted.fit(matrix, happened), Logit.fit(matrix, happened)):
        _, parts = model.contributions(matrix)
        rest = logit(model.raw(matrix)) - parts.sum(axis=1)
        assert np.ptp(rest) < 1e-5


def test_the_feature_that_decides_stands_first_among_the_reasons() -> None:
    matrix, happened = rows(2000)
    model = Propensity("churn", 30, Boosted.fit(matrix, happened), fit_none())
    told = reasons(model, matrix.rows(np.arange(len(matrix)) < 50))
    assert all(len(one) == 3 for one in told)
    assert sum(one[-1].feature == "tenure_days" for one in told) > 40
    assert told[0][0].title["zh"]


def fit_none():  # type: ignore[no-untyped-def]
    from kequn.predict.calibration import Calibration

    return Calibration("none")


def test_the_table_counts_what_happened() -> None:
    ids = pa.array([f"c{n}" for n in range(200)])
    values = np.column_stack([np.repeat([5.0, 90.0], 100), np.ones(200)])
    happened = np.concatenate([np.arange(100) < 80, np.arange(100) < 10])
    table = RateTable.fit(FeatureMatrix(ids, ("recency_days", "frequency"), values), happened)
    found = table.raw(FeatureMatrix(ids, ("recency_days", "frequency"), values))
    assert found[0] == pytest.approx((80 + 20 * 0.45) / 120)
    assert found[-1] == pytest.approx((10 + 20 * 0.45) / 120)


def test_missing_values_do_not_break_the_logit() -> None:
    matrix, happened = rows()
    holes = matrix.values.copy()
    holes[::3, 1] = np.nan
    constant = np.column_stack([holes, np.full(len(holes), 7.0)])
    model = Logit.fit(FeatureMatrix(matrix.customer_ids, (*matrix.names, "gaps"), constant), happened)
    assert np.all(
        np.isfinite(model.raw(FeatureMatrix(matrix.customer_ids, (*matrix.names, "gaps"), constant)))
    )
    assert model.weights[3] == 0


def test_a_feature_that_is_unknown_at_any_cut_off_is_left_out() -> None:
    matrix, _ = rows(10)
    unknown = matrix.values.copy()
    unknown[:, 2] = np.nan
    assert usable([matrix, FeatureMatrix(matrix.customer_ids, matrix.names, unknown)]) == (
        "recency_days",
        "frequency",
    )


def test_stacked_windows_keep_their_rows_and_labels() -> None:
    matrix, happened = rows(30)
    window = Window(AS_OF, 30, matrix, happened)
    both, labels = stack([window, window], ("frequency",))
    assert both.values.shape == (60, 1)
    assert labels.tolist() == [*happened.tolist(), *happened.tolist()]


def test_a_profile_from_the_future_stops_the_fit(shop: Shop, scoring: FeatureMatrix) -> None:
    from kequn.errors import ModelError

    def liar(_: date) -> Path:
        return shop.profile_at(AS_OF)

    with pytest.raises(ModelError) as raised:
        fit_propensity(past_of(shop, profile_at=liar), 30, scoring, "purchase_30d")
    assert raised.value.code == "predict.profile_from_the_future"
