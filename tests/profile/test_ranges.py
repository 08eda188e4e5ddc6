"""A profile built in ranges of customers is the profile built at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.factory import AS_OF, SomeFacts, random_facts

from kequn.engine import Engine, EngineSettings, open_engine
from kequn.profile import FeatureFile, Registry, customer_ranges, ranges
from kequn.profile.plan import PlanInput, Planner
from kequn.profile.registry import present, relations

CROSSING = FeatureFile.model_validate(
    {
        "grains": {
            "bought_product": "SELECT customer_id, product_id, SUM(amount) AS amount FROM line GROUP BY customer_id, product_id",
            "product_sale": "SELECT product_id, SUM(amount) AS revenue FROM bought_product GROUP BY product_id",
            "market_of": "SELECT c.customer_id AS customer_id, p.revenue AS revenue"
            " FROM bought_product AS c JOIN product_sale AS p ON c.product_id = p.product_id",
        },
        "features": [{"name": "market", "from": "market_of", "sql": "SUM(revenue)", "empty": 0}],
    }
)
"""What all customers together spent on a customer's products: no range of customers knows it alone."""


def started(facts: SomeFacts, folder: Path) -> Engine:
    engine = open_engine(EngineSettings(memory_limit="1GB"))
    facts.register(engine, folder)
    return engine


@pytest.mark.parametrize("extra", [(), (CROSSING,)], ids=["library", "across customers"])
def test_ranges_give_the_same_cells_as_one_pass(
    extra: tuple[FeatureFile, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = random_facts(11)
    engine = started(facts, tmp_path)
    plan = Registry(extra).plan(facts.delivered, AS_OF, None)
    monkeypatch.setattr(ranges, "ROWS_PER_RANGE", 40)
    parts = customer_ranges(engine, plan.tables)
    rows = [row for part in parts for row in engine.sql(plan.within(part)).to_pylist()]
    whole = engine.sql(plan.query).to_pylist()
    assert len(parts) > 3
    assert sorted(rows, key=lambda row: row["customer_id"]) == sorted(
        whole, key=lambda row: row["customer_id"]
    )


def test_ranges_follow_the_bytes_of_the_ids_and_leave_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = SomeFacts(
        {"customers": [{"customer_id": key} for key in ("a", "B", "é", "客", "10", "9", " ", "o'x")]}
    )
    engine = started(facts, tmp_path)
    monkeypatch.setattr(ranges, "ROWS_PER_RANGE", 1)
    parts = customer_ranges(engine, ["customers"])
    plan = Registry().plan(facts.delivered, AS_OF, None)
    found = [row["customer_id"] for part in parts for row in engine.sql(plan.within(part)).to_pylist()]
    assert found == [" ", "10", "9", "B", "a", "o'x", "é", "客"]


def test_a_small_profile_is_one_range(tmp_path: Path) -> None:
    facts = random_facts(3)
    assert customer_ranges(started(facts, tmp_path), ["customers", "orders"]) == [ranges.EVERYONE]


def test_a_shared_grain_that_crosses_customers_is_computed_whole() -> None:
    facts = random_facts(5)
    grains = {"line": "SELECT customer_id, product_id, amount FROM order_lines", **CROSSING.grains}
    given = PlanInput(relations(facts.delivered), present(facts.delivered), None, AS_OF)
    planner = Planner(grains, CROSSING.features, given)
    assert ranges.narrowed({"bought_product"}, list(grains), planner.relations) == set()
    assert ranges.narrowed({"bought_product"}, ["line", "bought_product"], planner.relations) == {
        "bought_product"
    }
