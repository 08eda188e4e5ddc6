"""Next best offers: fair measures, no forbidden product, one list for all channels, reasons that are true."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.metrics import ndcg_score

from kequn.predict.recommend import (
    CatalogueSettings,
    OfferRules,
    Recommendations,
    RecommendSettings,
    Sales,
    fit_recommendations,
    offered_lately,
)
from kequn.predict.recommend.evaluation import better, hits, lookup, measure
from kequn.predict.recommend.interactions import SalesLog, bought_since, catalogue, interactions
from kequn.predict.recommend.recommenders import NOBODY, Factors, Neighbours, Popularity, best
from tests.predict.world import AS_OF, START, Shop

SMALL = RecommendSettings(goods=CatalogueSettings(minimum_buyers=3))


@pytest.fixture(scope="module")
def sales(shop: Shop) -> Sales:
    return Sales(shop.lines, shop.products)


@pytest.fixture(scope="module")
def found(sales: Sales) -> Recommendations:
    return fit_recommendations(sales, AS_OF, START, SMALL)


def bought_before(shop: Shop) -> dict[str, set[str]]:
    table = pq.read_table(shop.lines[0], columns=["customer_id", "product_id"])
    owned: dict[str, set[str]] = {}
    for customer, product in zip(table.column(0).to_pylist(), table.column(1).to_pylist(), strict=True):
        owned.setdefault(customer, set()).add(product)
    return owned


def test_ndcg_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    relevant = rng.random((30, 12)) < 0.3
    relevant[:, 3] |= ~relevant.any(axis=1)
    relevant[0] = False
    scores = rng.random((30, 12))
    lists = np.argsort(-scores, axis=1)[:, :10]
    figures, gain = measure(lists, csr_array(relevant.astype(np.float32)), 12)
    assert np.isnan(gain[0])
    assert figures["ndcg_10"] == pytest.approx(ndcg_score(relevant[1:], scores[1:], k=10))
    naive = [
        np.mean([relevant[row, item] for item in lists[row]]) for row in range(1, 30) if relevant[row].any()
    ]
    assert figures["precision_10"] == pytest.approx(np.mean(naive))


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_lookup_finds_what_the_matrix_holds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.integers(0, 3, (6, 5)).astype(np.float32)
    rows, columns = rng.integers(0, 6, 20), rng.integers(0, 5, 20)
    assert lookup(csr_array(dense), rows, columns).tolist() == dense[rows, columns].tolist()


def test_an_empty_place_in_a_list_is_no_hit() -> None:
    assert hits(np.array([[0, NOBODY]]), csr_array(np.ones((1, 3), dtype=np.float32))).tolist() == [
        [True, False]
    ]


def test_a_difference_within_chance_is_not_better() -> None:
    rng = np.random.default_rng(1)
    base = rng.random(200)
    assert not better(base, base)
    assert better(base + 0.1, base)
    assert not better(base + rng.normal(0, 1, 200) * 0.5 - 0.05, base)


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 4), min_size=6, max_size=6), min_size=1, max_size=5), st.integers(1, 8)
)
def test_best_takes_the_largest_and_ties_go_to_the_smaller_number(rows: list[list[int]], k: int) -> None:
    scores = np.array(rows, dtype=np.float32)
    for row, chosen in zip(rows, best(scores, k), strict=True):
        naive = sorted((item for item in range(6) if row[item] > 0), key=lambda item: (-row[item], item))[:k]
        got = [int(item) for item in chosen if item != NOBODY]
        assert [row[item] for item in got] == [row[item] for item in naive]
        if len(set(row)) == 6:
            assert got == naive


@pytest.mark.parametrize("kind", ["popularity", "bm25", "als"])
def test_no_recommender_offers_what_is_owned_or_blocked(kind: str) -> None:
    rng = np.random.default_rng(4)
    days = csr_array((rng.random((80, 25)) < 0.3).astype(np.float32))
    blocked = np.zeros(25, dtype=bool)
    blocked[[0, 7]] = True
    model = {
        "popularity": lambda: Popularity(25),
        "bm25": lambda: Neighbours.fit(days),
        "als": lambda: Factors.fit(days),
    }[kind]()
    lists = model.top(days, 10, blocked)
    owned = days.toarray() > 0
    for row, items in enumerate(lists):
        real = items[items != NOBODY]
        assert len(set(real)) == len(real)
        assert not owned[row, real].any()
        assert not blocked[real].any()


def test_popularity_gives_everybody_the_first_products_they_lack() -> None:
    days = csr_array(np.array([[1, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=np.float32))
    assert Popularity(4).top(days, 2, np.zeros(4, dtype=bool)).tolist() == [[1, 2], [0, 1], [NOBODY, NOBODY]]


@pytest.mark.parametrize("kind", [Factors, Neighbours])
def test_recommenders_repeat_themselves_for_any_number_of_threads(kind: type) -> None:
    rng = np.random.default_rng(4)
    days = csr_array((rng.random((120, 30)) < 0.2).astype(np.float32))
    none = np.zeros(30, dtype=bool)
    assert np.array_equal(
        kind.fit(days, threads=1).top(days, 5, none), kind.fit(days, threads=2).top(days, 5, none)
    )


def test_taste_is_found_and_beats_popularity(found: Recommendations) -> None:
    card = found.card
    assert card.quality is not None and card.baseline is not None
    assert card.used in ("bm25", "als")
    unseen = card.quality["unseen_only"]
    assert unseen[card.used]["ndcg_10"] > unseen["popularity"]["ndcg_10"]
    assert set(unseen) == {"popularity", "bm25", "als"}
    assert card.quality["ndcg_10"] > card.baseline["ndcg_10"]


def test_probabilities_of_offers_mean_what_they_say(found: Recommendations) -> None:
    assert found.card.quality is not None
    measured = found.card.quality["probability"]
    assert measured["mean_probability"] == pytest.approx(measured["base_rate"], rel=0.25)


def test_each_customer_has_ranks_from_one_without_gaps_and_no_product_twice(found: Recommendations) -> None:
    seen: dict[str, list[tuple[int, str]]] = {}
    for row in found.table.to_pylist():
        seen.setdefault(row["customer_id"], []).append((row["rank"], row["product_id"]))
    for offers in seen.values():
        assert [rank for rank, _ in offers] == list(range(1, len(offers) + 1))
        assert len({product for _, product in offers}) == len(offers)


def test_offers_are_ranked_by_probability_times_margin(found: Recommendations) -> None:
    rows = found.table.to_pylist()
    for one, other in itertools.pairwise(rows):
        if one["customer_id"] == other["customer_id"]:
            assert one["expected_margin"] >= other["expected_margin"]


def test_the_reason_of_a_new_product_is_something_the_customer_bought(
    shop: Shop, found: Recommendations
) -> None:
    owned = bought_before(shop)
    told = 0
    for row in found.table.to_pylist():
        if row["again"]:
            assert (
                row["reason_product_id"] == row["product_id"]
                and row["product_id"] in owned[row["customer_id"]]
            )
        elif row["reason_product_id"] is not None:
            assert row["reason_product_id"] in owned[row["customer_id"]]
            assert row["product_id"] not in owned[row["customer_id"]]
            told += 1
    assert told > 0


def test_without_repurchase_only_unseen_products_are_offered(shop: Shop, sales: Sales) -> None:
    settings = replace(SMALL, goods=replace(SMALL.goods, repurchase="never"))
    owned = bought_before(shop)
    rows = fit_recommendations(sales, AS_OF, START, settings).table.to_pylist()
    assert rows
    assert all(row["product_id"] not in owned[row["customer_id"]] for row in rows)


def test_repurchase_goes_by_the_type_of_product(shop: Shop, sales: Sales) -> None:
    settings = CatalogueSettings(minimum_buyers=3, repurchase={"k0": True, "k1": False}, repurchase_rate=2.0)
    with SalesLog(sales, AS_OF, settings) as log:
        goods = catalogue(log, AS_OF)
    by_product = {key: f"k{int(key[1:]) % 30 % 6}" for key in goods.product_ids.to_pylist()}
    expected = [by_product[key] == "k0" for key in goods.product_ids.to_pylist()]
    assert goods.repurchase.tolist() == expected


def test_what_is_out_of_stock_or_excluded_is_never_offered(shop: Shop, tmp_path: Path) -> None:
    products = pq.read_table(shop.products[0]).to_pylist()
    for row in products:
        row["stock"] = 0.0 if row["product_id"] == "p000" else 5.0 if row["product_id"] == "p001" else None
    pq.write_table(pa.Table.from_pylist(products), tmp_path / "products.parquet")
    rules = OfferRules(excluded_products=frozenset({"p002"}), excluded_customers=frozenset({"c00001"}))
    table = fit_recommendations(
        Sales(shop.lines, (tmp_path / "products.parquet",)), AS_OF, START, SMALL, rules
    ).table
    offered = set(table.column("product_id").to_pylist())
    assert not offered & {"p000", "p002"}
    assert "p001" in offered
    assert "c00001" not in table.column("customer_id").to_pylist()


def test_a_product_for_some_goes_to_nobody_else(sales: Sales, found: Recommendations) -> None:
    first = found.table.column("product_id").to_pylist()[0]
    rules = OfferRules(eligible={first: frozenset({"c00000"})})
    table = fit_recommendations(sales, AS_OF, START, SMALL, rules).table
    holders = {row["customer_id"] for row in table.to_pylist() if row["product_id"] == first}
    assert holders <= {"c00000"}


def test_only_the_listed_products_are_offered(sales: Sales) -> None:
    rules = OfferRules(products=frozenset({"p003", "p004", "p033"}))
    table = fit_recommendations(sales, AS_OF, START, SMALL, rules).table
    assert set(table.column("product_id").to_pylist()) <= {"p003", "p004", "p033"}


def test_an_offer_made_lately_is_not_made_again(sales: Sales, found: Recommendations, tmp_path: Path) -> None:
    first = found.table.to_pylist()[0]
    touches = tmp_path / "touches.parquet"
    when = datetime.combine(AS_OF, datetime.min.time())
    rows = [
        {
            "customer_id": first["customer_id"],
            "offer_id": first["product_id"],
            "sent_at": when - timedelta(days=3),
        },
        {"customer_id": first["customer_id"], "offer_id": "old", "sent_at": when - timedelta(days=90)},
        {"customer_id": first["customer_id"], "offer_id": "future", "sent_at": when},
    ]
    pq.write_table(pa.Table.from_pylist(rows), touches)
    tired = offered_lately((touches,), AS_OF, 30)
    assert tired == {(first["customer_id"], first["product_id"])}
    table = fit_recommendations(sales, AS_OF, START, SMALL, OfferRules(), tired).table
    again = [row for row in table.to_pylist() if row["customer_id"] == first["customer_id"]]
    assert again
    assert all(row["product_id"] != first["product_id"] for row in again)


def test_the_same_sales_give_the_same_offers_in_any_order_of_rows(
    shop: Shop, sales: Sales, found: Recommendations, tmp_path: Path
) -> None:
    table = pq.read_table(shop.lines[0])
    order = np.random.default_rng(0).permutation(table.num_rows)
    pq.write_table(table.take(pa.array(order)), tmp_path / "lines.parquet")
    again = fit_recommendations(Sales((tmp_path / "lines.parquet",), shop.products), AS_OF, START, SMALL)
    assert again.table.equals(found.table)


def test_the_future_is_not_read(shop: Shop, sales: Sales) -> None:
    cutoff = AS_OF - timedelta(days=60)
    with SalesLog(sales, cutoff, SMALL.goods) as log:
        last = log.ask("SELECT MAX(day) AS day FROM purchase").column("day").to_pylist()[0]
        goods = catalogue(log, cutoff)
        known = interactions(log, goods, cutoff - timedelta(days=30))
        after = bought_since(log, goods, known)
    assert last < cutoff
    assert known.as_of == cutoff - timedelta(days=30)
    assert known.ages.data.min() >= 1
    assert after.shape == known.days.shape


def test_a_single_product_gives_no_offers_and_says_why(tmp_path: Path) -> None:
    rows = [
        {
            "customer_id": f"c{n}",
            "product_id": "only",
            "ordered_at": datetime(2025, 1 + n % 12, 1),
            "amount": 100,
        }
        for n in range(600)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "lines.parquet")
    found = fit_recommendations(Sales((tmp_path / "lines.parquet",)), AS_OF, START, SMALL)
    assert found.table.num_rows == 0
    assert (found.card.gate.ok, found.card.gate.code, found.card.gate.found) == (
        False,
        "predict.gate_products",
        1,
    )


def test_no_lines_give_no_offers() -> None:
    found = fit_recommendations(Sales(()), AS_OF, START, SMALL)
    assert found.table.num_rows == 0
    assert found.card.gate.code == "predict.gate_order_lines"


def test_a_short_history_gives_no_offers(sales: Sales) -> None:
    found = fit_recommendations(sales, AS_OF, date(2025, 12, 1), SMALL)
    assert found.card.gate.code == "predict.gate_history_days"


def test_what_loses_money_is_not_offered(shop: Shop, tmp_path: Path) -> None:
    table = pq.read_table(shop.lines[0]).to_pylist()
    for row in table:
        if row["product_id"] == "p001":
            row["cost"] = row["amount"] * 2
    pq.write_table(pa.Table.from_pylist(table), tmp_path / "lines.parquet")
    found = fit_recommendations(Sales((tmp_path / "lines.parquet",), shop.products), AS_OF, START, SMALL)
    assert "p001" not in found.table.column("product_id").to_pylist()
    assert found.table.num_rows
