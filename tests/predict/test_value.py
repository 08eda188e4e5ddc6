"""Lifetime value from profile columns: the papers' statistics, the papers' figures, and cards that tell the baseline."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from kequn.predict.clv import ValueSettings
from kequn.predict.features import FeatureMatrix, read_features
from kequn.predict.labels import repeat_orders_by_month, totals_between
from kequn.predict.past import Past
from kequn.predict.purchases import statistics_of
from kequn.predict.value import fit_value
from tests.predict.clv.customers import cdnow_folder, cdnow_purchases
from tests.predict.world import AS_OF, START, Shop

NAMES = ("recency_days", "frequency", "purchase_days", "tenure_days", "monetary")


def matrix(*rows: tuple[float, ...]) -> FeatureMatrix:
    ids = pa.array([f"c{n:05d}" for n in range(len(rows))])
    return FeatureMatrix(ids, NAMES, np.array(rows, dtype=float))


def test_ages_are_counted_from_day_to_day() -> None:
    # bought 10 days and 1 day before as_of, i.e. on the last known day: 9 days from first to last, 9 days of age
    known = statistics_of(matrix((1, 2, 2, 10, 500)))
    assert (known.x[0], known.t_x[0], known.T[0], known.mean_spend[0]) == (1, 9, 9, 250)


def test_several_orders_on_one_day_are_one_purchase() -> None:
    known = statistics_of(matrix((5, 3, 1, 5, 900), (5, 3, 2, 8, 900)))
    assert known.x.tolist() == [0, 1]
    assert known.t_x.tolist() == [0, 3]


def test_orders_stand_in_where_the_profile_has_no_days() -> None:
    rows = matrix((5, 3, np.nan, 8, 900), (5, 9, np.nan, 8, 900), (5, 9, np.nan, 5, 900))
    assert statistics_of(rows).x.tolist() == [2, 3, 0]


def test_an_unknown_last_year_is_not_a_baseline() -> None:
    assert statistics_of(matrix((5, 3, 1, 5, 900))).last_year is None


def test_cdnow_gives_the_published_figures() -> None:
    """Fader, Hardie & Lee 2005, Marketing Science 24(2), Table 2: r .243, alpha 4.414, a .793, b 2.426, LL -9582.4."""
    folder = cdnow_folder()
    end = date(1997, 10, 1)
    days: dict[int, dict[date, int]] = {}
    for customer, number, cents in zip(*cdnow_purchases(folder), strict=True):
        day = date(1970, 1, 1) + timedelta(days=int(number))
        if day < end:
            bought = days.setdefault(int(customer), {})
            bought[day] = bought.get(day, 0) + int(cents)
    rows = [
        ((end - max(d)).days, len(d), len(d), (end - min(d)).days, sum(d.values()))
        for _, d in sorted(days.items())
    ]
    assert len(rows) == 2357
    past = Past(lambda _: Path(), (), date(1997, 1, 1), end)
    found = fit_value(past, matrix(*rows), ValueSettings(model="bg_nbd"))
    card = next(card for card in found.cards if card.model == "bg_nbd")
    assert card.published and card.gate.ok
    assert card.log_likelihood == pytest.approx(-9582.43, abs=0.005)
    for name, value in {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}.items():
        assert card.parameters[name] == pytest.approx(value, abs=0.0015)
    assert card.parameters["time_unit"] == "week"
    assert found.columns["expected_orders_12m"].sum() > 0


def test_the_model_is_judged_beside_its_baselines_on_held_out_days(shop: Shop) -> None:
    past = Past(shop.profile_at, shop.orders, START, AS_OF)
    found = fit_value(past, read_features(shop.profile_at(AS_OF)), ValueSettings())
    card = next(card for card in found.cards if card.published and card.model != "gamma_gamma")
    assert card.quality is not None and card.baseline is not None
    assert card.quality["window"] == AS_OF - timedelta(days=120)
    assert card.baseline["name"] in ("mean_times_rate", "last_year")
    assert card.quality["predicted"] == pytest.approx(card.quality["actual"], rel=0.35)
    assert (
        card.quality["mae"] < card.baseline["mae"]
    )  # the shop's customers do leave, which the baseline can't know


def test_twelve_months_stay_twelve_months_whatever_the_horizon(shop: Shop) -> None:
    past = Past(shop.profile_at, shop.orders, START, AS_OF)
    scoring = read_features(shop.profile_at(AS_OF))
    year = fit_value(past, scoring, ValueSettings()).columns
    longer = fit_value(past, scoring, ValueSettings(horizon_months=36)).columns
    assert np.array_equal(year["clv_12m"], longer["clv_12m"])
    assert np.all(longer["clv"] >= longer["clv_12m"])


def test_the_chance_to_buy_grows_with_the_days(shop: Shop) -> None:
    past = Past(shop.profile_at, shop.orders, START, AS_OF)
    found = fit_value(past, read_features(shop.profile_at(AS_OF)), ValueSettings())
    soon, later = found.buys_within(30), found.buys_within(90)
    assert soon is not None and later is not None
    assert np.all(soon <= later)
    assert np.all((soon >= 0) & (later <= 1))


def test_months_without_orders_count_as_zero_and_first_orders_are_left_out(tmp_path: Path) -> None:
    import duckdb

    file = tmp_path / "orders.parquet"
    with duckdb.connect() as con:
        con.execute(
            f"""COPY (SELECT * FROM (VALUES ('a', TIMESTAMP '2025-01-05', 100), ('a', TIMESTAMP '2025-01-20', 100),
                  ('a', TIMESTAMP '2025-03-02', 100), ('b', TIMESTAMP '2025-03-03', -50), ('b', TIMESTAMP '2025-04-02', 100))
                t(customer_id, ordered_at, amount)) TO '{file}' (FORMAT parquet)"""
        )
    assert repeat_orders_by_month((file,), date(2025, 4, 15)) == (date(2025, 1, 1), [1, 0, 1])
    rows = totals_between((file,), date(2025, 1, 1), date(2025, 4, 1)).to_pylist()
    assert rows == [{"customer_id": "a", "days": 3, "amount": 300}]
