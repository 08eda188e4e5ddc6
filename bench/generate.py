"""Seeded orders for the benchmark: the same rows on every machine, because each value comes from an md5 of its key.

A heavy tail of customers (median 4 orders, 99th percentile about 21, the largest in the thousands), about 2.1 lines an
order, three years up to `AS_OF`. Two shapes of the same facts, both in the order the data room writes (by customer, then
time): `flat/` as a shop would export it, and `facts/` as the data standard has it (ids as text, money in minor units).
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import duckdb

from bench.scale import Scale

AS_OF = "2026-11-01"
DAYS = 1096
CATEGORIES, BRANDS, PRODUCTS = 24, 800, 60_000
CUSTOMERS_PER_PART = 250_000


MACROS = """
CREATE MACRO bits(h, shift, n) AS CAST((h >> shift) & CAST((CAST(1 AS BIGINT) << n) - 1 AS UBIGINT) AS BIGINT);
CREATE MACRO u(h, shift) AS (bits(h, shift, 20) + 0.5) / 1048576.0;
CREATE MACRO pick(words, x) AS words[1 + CAST(floor(x * len(words)) AS INTEGER)];
"""

PRODUCT = f"""
CREATE TABLE product AS
WITH drawn AS (SELECT n, md5_number_lower('p' || n) AS h, md5_number_upper('p' || n) AS g FROM range({PRODUCTS}) r(n))
SELECT n, printf('P%05d', n) AS product_id,
  CASE WHEN u(h, 0) >= 0.005 THEN printf('品类%02d', CAST(floor({CATEGORIES} * pow(u(h, 20), 1.6)) AS INT)) END AS category,
  printf('子类%03d', CAST(floor(120 * u(h, 40)) AS INT)) AS subcategory,
  printf('品牌%03d', CAST(floor({BRANDS} * pow(u(g, 0), 2)) AS INT)) AS brand,
  CAST(round(100 * exp(3.4 + 0.9 * sqrt(-2 * ln(u(g, 20))) * cos(2 * pi() * u(g, 40)))) AS BIGINT) AS price
FROM drawn
"""

CUSTOMER = """
CREATE OR REPLACE TABLE customer AS
WITH drawn AS (
  SELECT n, md5_number_lower('c' || n) AS h, md5_number_upper('c' || n) AS g FROM range({start}, {stop}) r(n)
), sized AS (
  SELECT n, h, g, bits(h, 0, 40) / 1099511627776.0 AS rare,
    sqrt(-2 * ln(u(g, 0))) * cos(2 * pi() * u(g, 20)) AS normal
  FROM drawn
)
SELECT n, printf('C%07d', n) AS customer_id,
  CAST(CASE WHEN rare < 0.0001 THEN 120 * pow(0.0001 / (rare + 1e-9), 0.55)
    ELSE floor(4.0 * exp(0.71 * normal)) END AS INTEGER) AS orders,
  DATE '{as_of}' - CAST(1 + floor(2600 * pow(u(g, 40), 1.4)) AS INTEGER) AS signup_date,
  CASE WHEN bits(h, 40, 8) >= 10 THEN pick(['一线', '新一线', '二线', '三线', '四线', '五线'], bits(h, 40, 8) / 256.0) END AS city_tier,
  pick(['female', 'female', 'female', 'male', 'male', NULL], bits(h, 48, 6) / 64.0) AS gender,
  1945 + CAST(floor(63 * bits(h, 54, 10) / 1024.0) AS INTEGER) AS birth_year,
  printf('省份%02d', CAST(floor(31 * pow(bits(g, 48, 16) / 65536.0, 1.3)) AS INTEGER)) AS province,
  pick(['search', 'advertising', 'social', 'referral', 'store', NULL], bits(g, 40, 10) / 1024.0) AS acquisition_channel
FROM sized
"""

ORDER = """
CREATE OR REPLACE TABLE placed AS
WITH drawn AS (
  SELECT c.n, c.customer_id, c.signup_date, k, md5_number_lower('o' || c.n || '-' || k) AS h,
    md5_number_upper('o' || c.n || '-' || k) AS g
  FROM customer c, unnest(range(c.orders)) AS numbers(k)
), timed AS (
  SELECT *, least({days}, date_diff('day', signup_date, DATE '{as_of}')) AS open_days FROM drawn
)
SELECT n, customer_id, printf('O%07d%04d', n, k) AS order_id, h, g,
  CAST(DATE '{as_of}' AS TIMESTAMP) - to_days(CAST(1 + floor(open_days * u(h, 0)) AS INTEGER))
    + to_seconds(CAST(least(86399, floor(86400 * (0.3 + 0.7 * sqrt(u(h, 20))))) AS BIGINT)) AS ordered_at,
  CASE WHEN u(h, 40) < 0.44 THEN 1 WHEN u(h, 40) < 0.72 THEN 2 WHEN u(h, 40) < 0.87 THEN 3 WHEN u(h, 40) < 0.95 THEN 4
    WHEN u(h, 40) < 0.985 THEN 5 ELSE 6 END AS lines,
  pick(['app', 'app', 'wechat', 'web', 'store', 'store'], bits(g, 0, 10) / 1024.0) AS channel,
  CASE WHEN bits(g, 10, 10) < 256 THEN 1 + bits(g, 20, 2) END AS tenths_off,
  CASE WHEN bits(g, 22, 10) < 120 THEN printf('Q%02d', bits(g, 32, 5)) END AS coupon_id,
  printf('S%03d', bits(g, 37, 7)) AS store,
  bits(g, 44, 10) AS fate, bits(g, 54, 5) AS refund_days
FROM timed
"""

LINE = """
CREATE OR REPLACE TABLE line AS
WITH drawn AS (
  SELECT o.n, o.customer_id, o.order_id, o.ordered_at, o.channel, o.tenths_off, o.fate, l AS line_no,
    md5_number_lower(o.order_id || '-' || l) AS h
  FROM placed o, unnest(range(1, o.lines + 1)) AS numbers(l)
)
SELECT d.customer_id, d.order_id, d.ordered_at, d.line_no, d.channel, d.fate, p.product_id, p.category, p.subcategory, p.brand,
  CAST(1 + floor(3.2 * pow(u(d.h, 20), 3)) AS BIGINT) AS quantity, p.price,
  p.price * CAST(1 + floor(3.2 * pow(u(d.h, 20), 3)) AS BIGINT) AS list_amount,
  (p.price * CAST(1 + floor(3.2 * pow(u(d.h, 20), 3)) AS BIGINT) * coalesce(d.tenths_off, 0) + 5) // 10 AS discount
FROM drawn d JOIN product p ON p.n = CAST(floor({products} * pow(u(d.h, 0), 2)) AS BIGINT)
"""

FLAT_LINES = """
SELECT order_id, CAST(line_no AS INTEGER) AS line_no, customer_id, ordered_at AS order_ts, category, product_id AS sku,
  CAST(quantity AS INTEGER) AS qty, list_amount - discount AS amount, channel
FROM line ORDER BY customer_id, ordered_at, order_id, line_no
"""

FLAT_CUSTOMERS = "SELECT customer_id, signup_date, city_tier, gender, birth_year, province FROM customer ORDER BY customer_id"

STATUS = "CASE WHEN fate < 20 THEN 'cancelled' WHEN fate < 24 THEN 'pending' WHEN fate < 60 THEN 'refunded' ELSE 'completed' END"

FACT_ORDERS = f"""
WITH total AS (
  SELECT order_id, sum(list_amount)::BIGINT AS list_amount, sum(discount)::BIGINT AS discount,
    sum(quantity * (price * 6 // 10))::BIGINT AS cost FROM line GROUP BY order_id
)
SELECT order_id, customer_id, ordered_at, list_amount - t.discount AS amount, list_amount, t.discount, cost, coupon_id,
  channel, CASE WHEN channel = 'store' THEN store END AS store_id, {STATUS} AS status,
  CASE WHEN fate BETWEEN 24 AND 59 THEN ordered_at + to_days(CAST(1 + refund_days AS INTEGER)) END AS refunded_at,
  CASE WHEN fate BETWEEN 24 AND 59 THEN list_amount - t.discount END AS refunded_amount
FROM placed JOIN total t USING (order_id) ORDER BY customer_id, ordered_at, order_id
"""

FACT_LINES = f"""
SELECT order_id, CAST(line_no AS BIGINT) AS line_no, product_id, CAST(quantity AS DECIMAL(18, 3)) AS quantity, price,
  list_amount - discount AS amount, list_amount, discount, customer_id, ordered_at, {STATUS} AS status, category, subcategory, brand
FROM line ORDER BY customer_id, ordered_at, order_id, line_no
"""

FACT_CUSTOMERS = """
SELECT customer_id, gender, make_date(birth_year, 6, 15) AS birth_date, city_tier, province, acquisition_channel,
  CAST(signup_date AS TIMESTAMP) AS registered_at FROM customer ORDER BY customer_id
"""

FACT_PRODUCTS = "SELECT product_id, category, subcategory, brand, price, price * 6 // 10 AS cost FROM product ORDER BY product_id"


TABLES = {
    "flat/order_lines": FLAT_LINES,
    "flat/customers": FLAT_CUSTOMERS,
    "facts/orders": FACT_ORDERS,
    "facts/order_lines": FACT_LINES,
    "facts/customers": FACT_CUSTOMERS,
}


def generate(customers: int, folder: Path, memory_limit: str = "4GB") -> Path:
    """Write the data of that many customers to `folder`, unless they lie there already."""
    if (folder / "done").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    con = duckdb.connect()
    con.execute(f"SET memory_limit = '{memory_limit}'")
    con.execute(MACROS)
    con.execute(PRODUCT)
    for part, start in enumerate(range(0, customers, CUSTOMERS_PER_PART)):
        stop = min(start + CUSTOMERS_PER_PART, customers)
        con.execute(CUSTOMER.format(start=start, stop=stop, as_of=AS_OF))
        con.execute(ORDER.format(as_of=AS_OF, days=DAYS))
        con.execute(LINE.format(products=PRODUCTS))
        for table, sql in TABLES.items():
            _write(con, sql, folder / table, part)
    _write(con, FACT_PRODUCTS, folder / "facts/products", 0)
    (folder / "done").touch()
    return folder


def _write(con: duckdb.DuckDBPyConnection, sql: str, folder: Path, part: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    con.execute(f"COPY ({sql}) TO '{folder / f'part-{part:05}.parquet'}' (FORMAT parquet, COMPRESSION zstd)")


def shape(folder: Path) -> dict[str, int | float]:
    """What the data look like: rows, buyers, orders per buyer, bytes."""
    con = duckdb.connect()
    orders, buyers, median, p99, largest = con.execute(
        f"""SELECT sum(n)::BIGINT, count(*), median(n), quantile_disc(n, 0.99), max(n)
        FROM (SELECT count(*) AS n FROM '{folder}/facts/orders/*.parquet' GROUP BY customer_id)"""
    ).fetchall()[0]
    lines = con.execute(f"SELECT count(*) FROM '{folder}/flat/order_lines/*.parquet'").fetchall()[0][0]
    customers = con.execute(f"SELECT count(*) FROM '{folder}/flat/customers/*.parquet'").fetchall()[0][0]
    size = sum(file.stat().st_size for file in (folder / "flat" / "order_lines").iterdir())
    return {
        "customers": customers, "buyers": buyers, "orders": orders, "order_lines": lines, "orders_median": median,
        "orders_p99": p99, "orders_max": largest, "flat_lines_megabytes": round(size / 1e6, 1),
    }  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("millions", type=int, choices=[1, 2, 10, 50])
    scale = Scale(parser.parse_args().millions)
    folder = generate(scale.customers, scale.folder)
    print(json.dumps({"notes": shape(folder)}))
