"""Predictions of a whole run: business rules of offers, sums by segment, tiers by lifetime value, what a reader is told."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.predict.world import AS_OF, open_shop

from kequn.errors import ConfigError
from kequn.i18n import say
from kequn.pipeline import run
from kequn.pipeline.check import check_workspace
from kequn.pipeline.setup import library_texts
from kequn.reading import scheme_overview
from kequn.reading.forecast import card_of, model_title, offered, trust, what_moved
from kequn.snapshot import Snapshot
from kequn.workspace import Workspace

SETTINGS = f"""\
name: shop
as_of: {AS_OF}
settings: {{margin_rate: 0.5, horizon_months: 24, discount_rate: 0.08}}
"""
OFFERS = """\
offers:
  per_customer: 3
  never: [p000, k1, nonsense]
  not_for: frequency >= 12
  eligible: {p030: orders(days = 60) >= 1, k2: visits_of_unknown_kind > 3}
"""
SOURCES = """\
orders:
- {name: shop, files: [data/orders.parquet], columns: {order_id: order_id, customer_id: customer_id, ordered_at: ordered_at, amount: amount, status: status}}
order_lines:
- {name: shop, files: [data/order_lines.parquet], columns: {order_id: order_id, line_no: line_no, product_id: product_id, amount: amount}}
products:
- {name: shop, files: [data/products.parquet], columns: {product_id: product_id, name: name, category: category}}
"""
SCHEMES = ("value_tier", "transaction_type")


def made(folder: Path, offers: str = "") -> Workspace:
    """A workspace over the invented shop, with two schemes of the library."""
    shop = open_shop(folder / "data")
    goods = pq.read_table(shop.products[0])
    kinds = [f"k{int(product[1:]) % 6}" for product in goods.column("product_id").to_pylist()]
    pq.write_table(goods.append_column("category", pa.array(kinds)), shop.products[0])
    (folder / "kequn.yaml").write_text(SETTINGS + offers, encoding="utf-8")
    (folder / "sources.yaml").write_text(SOURCES, encoding="utf-8")
    (folder / "schemes").mkdir()
    for name, text in library_texts().items():
        if Path(name).stem in SCHEMES:
            (folder / "schemes" / Path(name).name).write_text(text, encoding="utf-8")
    return Workspace.open(folder)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    offers = OFFERS.replace("visits_of_unknown_kind > 3", "age >= 18")  # nobody's age is known here
    return made(tmp_path_factory.mktemp("predictions") / "shop", offers)


@pytest.fixture(scope="module")
def snapshot(workspace: Workspace) -> Snapshot:
    return run(workspace).snapshot


@pytest.fixture(scope="module")
def manifest(snapshot: Snapshot) -> dict[str, Any]:
    found: dict[str, Any] = snapshot.manifest.model_dump(mode="json")
    return found


def rows(snapshot: Snapshot, sql: str) -> list[tuple[Any, ...]]:
    with snapshot.connect() as con:
        return con.execute(sql).fetchall()


def test_offers_keep_the_rules_of_the_workspace(snapshot: Snapshot) -> None:
    offers = rows(snapshot, "SELECT r.*, p.frequency, p.orders_60d FROM (SELECT customer_id, rank, product_id FROM recommendation) r "
                  "JOIN (SELECT customer_id, frequency, CASE WHEN recency_days <= 60 THEN 1 ELSE 0 END AS orders_60d FROM profile) p USING (customer_id)")  # fmt: skip
    assert len(offers) > 100
    products = Counter(product for _, _, product, *_ in offers)
    of_k1 = {product for product in products if int(product[1:]) % 6 == 1}
    of_k2 = {product for product in products if int(product[1:]) % 6 == 2}
    assert "p000" not in products
    assert not of_k1
    assert not of_k2
    assert max(rank for _, rank, *_ in offers) == 3
    assert all(frequency < 12 for *_, frequency, _ in offers)
    assert products["p030"] > 0
    assert all(lately for _, _, product, _, lately in offers if product == "p030")


def test_what_has_no_effect_is_a_warning(manifest: dict[str, Any]) -> None:
    told = {warning["code"]: warning for warning in manifest["warnings"]}
    assert told["pipeline.offer_unknown"]["name"] == "nonsense"
    assert told["pipeline.offer_rule_unavailable"]["where"] == "offers.eligible.k2"


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        ("p_churn > 0.5", "p_churn"),
        ("segment('value_tier') = 'gold'", "segment"),
        ("frequenci > 3", "frequency"),
    ],
)
def test_a_rule_that_offers_can_not_use_is_refused_with_its_place(
    tmp_path: Path, workspace: Workspace, rule: str, word: str
) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(workspace.folder, folder, ignore=shutil.ignore_patterns("snapshots"))
    (folder / "kequn.yaml").write_text(SETTINGS + f'offers: {{not_for: "{rule}"}}\n', encoding="utf-8")
    with pytest.raises(ConfigError) as told:
        check_workspace(Workspace.open(folder))
    assert told.value.fields["where"] == "offers.not_for"
    assert word in str(told.value.fields)


def test_each_segment_has_the_sums_of_its_members_predictions(snapshot: Snapshot) -> None:
    for scheme in SCHEMES:
        with snapshot.connect() as con:
            shown = {row["segment"]: row for row in scheme_overview(con, scheme)}
        summed = rows(snapshot, f"""SELECT a.segment, SUM(clv_12m), SUM(clv), SUM(expected_revenue_12m), SUM(CAST(expected_orders_12m AS DECIMAL(18, 6)))
            FROM prediction JOIN assignment a USING (customer_id) WHERE a.scheme = '{scheme}' GROUP BY ALL""")  # fmt: skip
        assert summed
        for segment, year, whole, revenue, orders in summed:
            row = shown[segment]
            assert (row["clv_12m"], row["clv"], row["expected_revenue_12m"]) == (year, whole, revenue)
            assert Decimal(f"{row['expected_orders_12m']:.6f}") == orders


def test_tiers_rank_by_lifetime_value_and_the_manifest_says_so(
    snapshot: Snapshot, manifest: dict[str, Any]
) -> None:
    assert manifest["cuts"]["value_tier"]["tiers"]["columns"][0] == "clv_12m"
    best = "SELECT MIN(clv_12m), MAX(clv_12m) FROM prediction JOIN assignment a USING (customer_id) WHERE a.scheme = 'value_tier' AND segment = '{}'"
    [(lowest_platinum, _)], [(_, highest_lead)] = (
        rows(snapshot, best.format(name)) for name in ("platinum", "lead")
    )
    assert lowest_platinum >= highest_lead


def test_the_sensitivity_table_holds_the_value_of_the_settings_in_use(
    snapshot: Snapshot, manifest: dict[str, Any]
) -> None:
    table = next(
        card["parameters"]["sensitivity"]
        for card in manifest["models"]
        if card["parameters"].get("sensitivity")
    )
    values = {(row["horizon_months"], row["discount_rate"]): row["clv"] for row in table}
    assert {row["margin"] for row in table} == {0.5}
    [(total, customers)] = rows(snapshot, "SELECT CAST(SUM(clv) AS DOUBLE), COUNT(clv) FROM prediction")
    assert values[24.0, 0.08] == pytest.approx(total, abs=0.005 * customers)
    assert values[6.0, 0.08] < values[12.0, 0.08] < values[24.0, 0.08] < values[36.0, 0.08]
    assert values[24.0, 0.05] > values[24.0, 0.08] > values[24.0, 0.15]


def test_cards_keep_their_contract(manifest: dict[str, Any]) -> None:
    keys = {"model", "parameters", "log_likelihood", "gate", "quality", "baseline", "published"}
    assert all(keys <= set(card) for card in manifest["models"])
    assert json.loads(json.dumps(manifest["models"])) == manifest["models"]
    for column in (
        "clv",
        "p_alive",
        "p_churn",
        "p_purchase",
        "p_purchase_30d",
        "health_score",
        "next_best_offer",
    ):
        assert card_of(manifest["models"], column) is not None, column
        assert all(
            trust(manifest["models"], column, lang) not in ("", say("reading.trust_untested", lang))
            for lang in ("zh", "en")
        )


def test_what_moved_a_chance_is_told_for_buyers_in_their_units(
    snapshot: Snapshot, manifest: dict[str, Any]
) -> None:
    with snapshot.connect() as con:
        asked = con.execute("SELECT customer_id, recency_days, monetary FROM profile JOIN prediction USING (customer_id) "
                            "WHERE p_purchase_30d IS NOT NULL ORDER BY recency_days DESC, customer_id LIMIT 1").fetchall()[0]  # fmt: skip
        con.execute(
            "SELECT * FROM profile"
        ).fetchone()  # a page's connection may hold a result that was not read to its end
        moved = what_moved(con, snapshot.folder, manifest, asked[0], "en")
        assert what_moved(con, snapshot.folder, manifest, "nobody", "en") == []
    assert moved
    for one in moved:
        parts = [abs(reason["contribution"]) for reason in one["reasons"]]
        assert parts == sorted(parts, reverse=True)
        known = {reason["feature"]: reason for reason in one["reasons"]}
        assert parts, one
        if "recency_days" in known:
            assert known["recency_days"]["value"] == asked[1]
            # the longest silence of all speaks for churn and against a purchase
            assert (known["recency_days"]["contribution"] > 0) == (one["column"] == "p_churn")
        if "monetary" in known:
            assert known["monetary"]["value"] == pytest.approx(float(asked[2]))


def test_an_offer_says_why_with_names(snapshot: Snapshot) -> None:
    with snapshot.connect() as con:
        some = con.execute("SELECT customer_id FROM recommendation WHERE NOT again LIMIT 1").fetchall()
        found = (
            con.sql(f"SELECT * FROM recommendation WHERE customer_id = '{some[0][0]}' ORDER BY rank")
            .to_arrow_table()
            .to_pylist()
        )
        told = offered(con, found, "zh")
        named = dict(con.execute("SELECT product_id, name FROM product").fetchall())
    assert told and all(row["product"] == named[row["product_id"]] in row["why"] for row in told)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("purchase_60d", "Purchase within 60 days"),
        ("mbg_nbd", "Modified BG/NBD (may leave after the first purchase too)"),
        ("own", "own"),
    ],
)
def test_every_model_has_a_title_whatever_the_days(name: str, words: str) -> None:
    assert model_title(name, "en") == words
