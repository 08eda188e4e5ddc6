-- R, F and M of each customer by hand: orders first, then customers.
WITH placed AS (
  SELECT customer_id, order_id, MIN(order_ts) AS ordered_at, CAST(SUM(amount) AS BIGINT) AS amount
  FROM order_lines WHERE order_ts < DATE '2026-11-01' GROUP BY customer_id, order_id
)
SELECT customer_id, DATE '2026-11-01' - MAX(CAST(ordered_at AS DATE)) AS recency_days, COUNT(*) AS frequency,
  CAST(SUM(amount) AS BIGINT) AS monetary
FROM placed GROUP BY customer_id
