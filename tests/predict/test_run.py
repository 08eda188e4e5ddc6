"""The whole step: one row per customer, honest cards, the same answer however the profile was built."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kequn.errors import ModelError
from kequn.i18n import catalogue
from kequn.predict import (
    PREDICTION_COLUMNS,
    PredictInputs,
    PredictResult,
    PredictSettings,
    load_model,
    predict,
)
from kequn.predict.features import read_features
from kequn.predict.recommend import OfferRules
from tests.predict.world import AS_OF, START, Shop

SETTINGS = PredictSettings(churn_days=60)


def run(shop: Shop, folder: Path, profile: Path | None = None, **changes: object) -> PredictResult:
    inputs = PredictInputs(
        profile or shop.profile_at(AS_OF), AS_OF, START, shop.facts, shop.profile_at, folder, SETTINGS
    )
    return predict(replace(inputs, **changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def result(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> PredictResult:
    return run(shop, tmp_path_factory.mktemp("predicted"))


def table(result: PredictResult) -> pa.Table:
    return pq.read_table(result.prediction[0])


def test_every_customer_has_one_row_with_the_declared_columns(shop: Shop, result: PredictResult) -> None:
    found, profile = table(result), pq.read_table(shop.profile_at(AS_OF))
    assert found.column_names == ["customer_id", *PREDICTION_COLUMNS]
    assert found.column("customer_id").to_pylist() == sorted(profile.column("customer_id").to_pylist())


def test_who_never_bought_has_no_figures(result: PredictResult) -> None:
    row = next(row for row in table(result).to_pylist() if row["customer_id"] == "never")
    assert {value for name, value in row.items() if name != "customer_id"} == {None}


def test_figures_stay_within_their_bounds_and_fit_together(result: PredictResult) -> None:
    for row in table(result).to_pylist():
        if row["customer_id"] == "never":
            continue
        for name in ("p_alive", "p_purchase_30d", "p_purchase_90d", "p_purchase", "p_churn"):
            assert 0 <= row[name] <= 1
        # within 30 days implies within 60 and within 90
        assert row["p_purchase_30d"] <= 1 - row["p_churn"] + 1e-9 <= row["p_purchase_90d"] + 2e-9
        assert 0 <= row["health_score"] <= 100
        assert row["clv_12m"] >= 0 and row["expected_orders_12m"] >= 0
        assert row["next_order_on"] is None or row["next_order_on"] >= AS_OF


def test_there_is_a_card_for_each_model(result: PredictResult) -> None:
    names = [card.model for card in result.cards]
    for name in ("gamma_gamma", "purchase_30d", "purchase_90d", "churn", "health", "recommend"):
        assert name in names
    assert {"bg_nbd", "mbg_nbd"} & set(names)


def test_cards_are_json_with_the_promised_keys(result: PredictResult) -> None:
    listed = json.loads(json.dumps(result.as_list(), allow_nan=False))
    for card in listed:
        assert {"model", "parameters", "log_likelihood", "gate", "quality", "baseline", "published"} <= set(
            card
        )
        assert set(card["gate"]) == {"ok", "code", "needed", "found"}
        assert isinstance(card["published"], bool)


def test_every_code_on_a_card_is_worded(result: PredictResult) -> None:
    known = catalogue()
    codes = [card.gate.code for card in result.cards] + [
        entry["code"] for card in result.cards for entry in card.notes
    ]
    assert [code for code in codes if code not in known] == []


def test_the_next_best_offer_is_the_first_recommendation(result: PredictResult) -> None:
    first = {
        row["customer_id"]: row["product_id"]
        for row in pq.read_table(result.recommendation[0]).to_pylist()
        if row["rank"] == 1
    }
    for row in table(result).to_pylist():
        assert row["next_best_offer"] == first.get(row["customer_id"])


def test_a_profile_in_another_order_and_in_major_units_gives_the_same_tables(
    shop: Shop, result: PredictResult, tmp_path: Path
) -> None:
    other = run(
        shop,
        tmp_path,
        shop.profile_at(AS_OF, name="spark", order="hash(customer_id)", money="DECIMAL"),
        profile_at=lambda day: shop.profile_at(day, name="spark", order="hash(customer_id)", money="DECIMAL"),
    )
    assert table(other).equals(table(result))
    assert pq.read_table(other.recommendation[0]).equals(pq.read_table(result.recommendation[0]))


def test_a_saved_model_scores_as_it_did_in_the_run(shop: Shop, result: PredictResult) -> None:
    scoring = read_features(shop.profile_at(AS_OF))
    model = load_model(result.models, "purchase_30d")
    column = {row["customer_id"]: row["p_purchase_30d"] for row in table(result).to_pylist()}
    assert model.score(scoring).tolist() == [column[key] for key in scoring.customer_ids.to_pylist()]


def test_a_model_that_was_not_fitted_cannot_be_loaded(result: PredictResult) -> None:
    with pytest.raises(ModelError) as raised:
        load_model(result.models, "purchase_7d")
    assert raised.value.code == "predict.no_model"


def test_without_orders_there_are_cards_and_no_made_up_figures(shop: Shop, tmp_path: Path) -> None:
    found = run(shop, tmp_path, facts={}, history_start=None)
    rows = table(found)
    for name in ("p_purchase_30d", "p_purchase_90d", "next_best_offer"):
        if name == "next_best_offer":
            assert rows.column(name).null_count == rows.num_rows
    card = next(card for card in found.cards if card.model == "purchase_30d")
    assert not card.gate.ok and card.quality is None and not card.published


@pytest.mark.parametrize("months", [1, 1200])
def test_any_horizon_gives_finite_money(shop: Shop, tmp_path: Path, months: int) -> None:
    found = run(shop, tmp_path, settings=replace(SETTINGS, horizon_months=months, discount_rate=1.0))
    values = table(found).column("clv").drop_null().to_pylist()
    assert values and all(0 <= value < 10**15 for value in values)


@pytest.mark.parametrize(
    ("name", "value"), [("discount_rate", -0.1), ("discount_rate", 1.5), ("margin_rate", 2.0)]
)
def test_impossible_settings_are_refused(shop: Shop, tmp_path: Path, name: str, value: float) -> None:
    with pytest.raises(ModelError) as raised:
        run(shop, tmp_path, settings=replace(SETTINGS, **{name: value}))
    assert raised.value.code == "predict.clv_bad_setting"


def rewritten(shop: Shop, folder: Path, orders_sql: str) -> Shop:
    """The shop with other orders."""
    folder.mkdir()
    with duckdb.connect() as con:
        con.execute(
            f"COPY ({orders_sql.format(orders=shop.orders[0])}) TO '{folder}/orders.parquet' (FORMAT parquet)"
        )
        for name in ("order_lines", "products"):
            con.execute(
                f"COPY (SELECT * FROM '{shop.folder}/{name}.parquet') TO '{folder}/{name}.parquet' (FORMAT parquet)"
            )
    return Shop(folder)


STRANGE: dict[str, str] = {
    "everybody bought once": "SELECT * FROM '{orders}' QUALIFY ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY ordered_at) = 1",
    "one customer with thousands of orders": "SELECT * FROM '{orders}' UNION ALL SELECT 'w' || n, 'whale', TIMESTAMP '2025-01-01' + INTERVAL (n % 364) DAY, 100, 'completed' FROM RANGE(5000) t(n)",
    "all amounts are zero": "SELECT * REPLACE (0 AS amount) FROM '{orders}'",
    "all amounts are equal": "SELECT * REPLACE (1000 AS amount) FROM '{orders}'",
    "amounts are missing": "SELECT * REPLACE (CASE WHEN hash(order_id) % 3 = 0 THEN NULL ELSE amount END AS amount) FROM '{orders}'",
    "all orders on one day": "SELECT * REPLACE (TIMESTAMP '2025-12-31' AS ordered_at) FROM '{orders}'",
    "sales without a customer": "SELECT * REPLACE (CASE WHEN hash(order_id) % 3 = 0 THEN NULL ELSE customer_id END AS customer_id) FROM '{orders}'",
    "two customers": "SELECT * FROM '{orders}' WHERE customer_id IN ('c00001', 'c00002')",
}


@pytest.mark.parametrize("what", sorted(STRANGE))
def test_strange_orders_give_finite_figures_or_none(shop: Shop, tmp_path: Path, what: str) -> None:
    odd = rewritten(shop, tmp_path / "odd", STRANGE[what])
    found = run(odd, tmp_path / "out", facts={"orders": odd.orders}, profile_at=odd.profile_at)
    for name, column in PREDICTION_COLUMNS.items():
        values = table(found).column(name).drop_null().to_pylist()
        if column.type in ("number", "money", "integer"):
            assert np.all(np.isfinite(np.asarray(values, dtype=float))), name
        if name.startswith("p_"):
            assert all(0 <= value <= 1 for value in values), name
    json.dumps(found.as_list(), allow_nan=False)


def test_a_contract_business_gets_its_churn_from_contracts(shop: Shop, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    people = [f"c{number:05d}" for number in range(400)]
    starts = [date(2023, 1, 1 + int(rng.integers(0, 28))) for _ in people]
    ends = [date(2024, int(rng.integers(1, 13)), 5) if rng.random() < 0.5 else None for _ in people]
    pq.write_table(
        pa.table(
            {
                "customer_id": people,
                "product_id": ["plan"] * 400,
                "from": starts,
                "to": pa.array(ends, pa.date32()),
            }
        ),
        tmp_path / "holdings.parquet",
    )
    facts = {**shop.facts, "holdings": (tmp_path / "holdings.parquet",)}
    found = run(shop, tmp_path / "out", facts=facts, settings=replace(SETTINGS, contract=True))
    card = next(card for card in found.cards if card.model == "contract_churn")
    assert card.gate.ok
    churn = {row["customer_id"]: row["p_churn"] for row in table(found).to_pylist()}
    ended = {key for key, end in zip(people, ends, strict=True) if end is not None}
    assert all(churn[key] is None for key in ended if key in churn)


def test_excluded_customers_get_no_offer(shop: Shop, tmp_path: Path) -> None:
    rules = OfferRules(excluded_customers=frozenset({"c00001"}))
    found = run(shop, tmp_path, settings=replace(SETTINGS, rules=rules))
    offer = {row["customer_id"]: row["next_best_offer"] for row in table(found).to_pylist()}
    assert offer["c00001"] is None


def test_a_missing_library_closes_its_models_only(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import kequn.predict.extra as extra

    real: Callable[[str], object] = extra.load

    def without(name: str) -> object:
        if name.startswith("implicit"):
            raise ModelError("predict.extra_missing", library="implicit", detail="gone")
        return real(name)

    monkeypatch.setattr("kequn.predict.recommend.recommenders.load", without)
    found = run(shop, tmp_path)
    card = next(card for card in found.cards if card.model == "recommend")
    assert not card.gate.ok and card.notes[0]["code"] == "predict.extra_missing"
    assert found.recommendation == ()
    assert table(found).column("p_purchase_30d").null_count == 1


def test_importing_the_room_loads_no_heavy_library() -> None:
    script = (
        "import sys, kequn.predict, kequn.act; kequn.predict.PREDICTION_COLUMNS;"
        "print([m for m in ('pandas', 'sklearn', 'lightgbm', 'implicit', 'lifelines', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
