"""Products in the light of all customers: the median unit price of their category and the day they came to market."""

from __future__ import annotations

from kequn.language import portable
from kequn.profile.enrich.tables import Enriched, Facts, Job, has

LISTED = "SELECT product_id, category, price FROM products WHERE price > 0 AND category IS NOT NULL"
SOLD = (
    "SELECT product_id, MAX(category) AS category, CAST(FLOOR(CAST(SUM(amount) AS DOUBLE) / CAST(SUM(quantity) AS DOUBLE) + 0.5) AS BIGINT) AS price "
    "FROM order_lines WHERE ordered_at < DATE '{as_of}' AND amount > 0 AND quantity > 0 AND category IS NOT NULL AND product_id IS NOT NULL "
    "GROUP BY product_id"
)
MEDIAN = (
    "SELECT category, MAX(price) AS median_price FROM (SELECT category, price, "
    "ROW_NUMBER() OVER (PARTITION BY category ORDER BY price, product_id) AS place, COUNT(*) OVER (PARTITION BY category) AS products "
    "FROM ({prices}) AS p) AS ranked WHERE place * 2 = products OR place * 2 = products + 1 GROUP BY category"
)
"""The lower median: an amount that a product really has, the same integer on every engine."""
LAUNCHED = (
    "SELECT product_id, CAST(MIN(ordered_at) AS DATE) AS launched_on FROM order_lines "
    "WHERE ordered_at < DATE '{as_of}' AND product_id IS NOT NULL GROUP BY product_id"
)
BOTH = (
    "SELECT l.product_id AS product_id, m.median_price AS median_price, l.launched_on AS launched_on "
    "FROM ({launched}) AS l LEFT JOIN ({prices}) AS p ON l.product_id = p.product_id LEFT JOIN ({medians}) AS m ON p.category = m.category"
)


def enrich_products(job: Job) -> Enriched:
    """One row per product that was sold. Prices: the list price where there is one, else what was paid per unit."""
    columns = product_columns(job.facts)
    if not columns:
        return Enriched()
    launched = LAUNCHED.format(as_of=job.as_of.isoformat())
    query = launched
    if "median_price" in columns:
        prices = (
            LISTED
            if job.has("products.price", "products.category")
            else SOLD.format(as_of=job.as_of.isoformat())
        )
        query = BOTH.format(launched=launched, prices=prices, medians=MEDIAN.format(prices=prices))
    job.engine.write_parquet(portable(query), job.folder / "enriched_product")
    return Enriched({"enriched_product": job.deliver("enriched_product", columns)})


def product_columns(facts: Facts) -> list[str]:
    """The columns of `enriched_product` that the facts allow."""
    if not has(facts, "order_lines.product_id", "order_lines.ordered_at"):
        return []
    priced = has(facts, "products.price", "products.category") or has(
        facts, "order_lines.category", "order_lines.quantity"
    )
    return ["product_id", *(["median_price"] if priced else []), "launched_on"]


__all__ = ["enrich_products", "product_columns"]
