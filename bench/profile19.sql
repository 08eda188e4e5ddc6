-- The 19 columns by hand: what a careful analyst would write for DuckDB (ENGINE.md, "Formulations").
-- Orders first, then customers; gaps between purchase days by LAG; the top category by ROW_NUMBER, ties by name.
WITH placed AS MATERIALIZED (
  SELECT customer_id, order_id, MIN(order_ts) AS ordered_at, CAST(SUM(amount) AS BIGINT) AS amount
  FROM order_lines WHERE order_ts < DATE '2026-11-01' GROUP BY customer_id, order_id
), per_customer AS (
  SELECT customer_id, COUNT(*) AS frequency, CAST(SUM(amount) AS BIGINT) AS monetary,
    MIN(CAST(ordered_at AS DATE)) AS first_order, MAX(CAST(ordered_at AS DATE)) AS last_order,
    COUNT(*) FILTER (WHERE ISODOW(ordered_at) >= 6) AS weekend_orders,
    COUNT(*) FILTER (WHERE HOUR(ordered_at) >= 18) AS evening_orders,
    CAST(SUM(amount) FILTER (WHERE ordered_at >= DATE '2026-08-03') AS BIGINT) AS revenue_90d,
    CAST(SUM(amount) FILTER (WHERE ordered_at >= DATE '2026-05-05' AND ordered_at < DATE '2026-08-03') AS BIGINT) AS revenue_prev_90d
  FROM placed GROUP BY customer_id
), stepped AS (
  SELECT customer_id, NULLIF(CAST(ordered_at AS DATE) - LAG(CAST(ordered_at AS DATE)) OVER (PARTITION BY customer_id ORDER BY ordered_at),0) AS gap FROM placed
), gaps AS (
  SELECT customer_id, COUNT(gap) AS n, CAST(SUM(gap) AS BIGINT) AS total, CAST(SUM(gap * gap) AS BIGINT) AS squares
  FROM stepped GROUP BY customer_id
), categories AS (
  SELECT customer_id, category,
    ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY SUM(amount) DESC, category) AS place
  FROM order_lines WHERE order_ts < DATE '2026-11-01' AND category IS NOT NULL GROUP BY customer_id, category
), top AS (
  SELECT customer_id, COUNT(*) AS n_categories, MAX(CASE WHEN place = 1 THEN category END) AS top_category
  FROM categories GROUP BY customer_id
)
SELECT c.customer_id, c.city_tier, c.gender, DATE '2026-11-01' - p.first_order AS tenure_days,
  DATE '2026-11-01' - p.last_order AS recency_days, COALESCE(p.frequency, 0) AS frequency, COALESCE(p.monetary, 0) AS monetary,
  p.first_order, p.last_order, CAST(FLOOR(p.monetary / p.frequency + 0.5) AS BIGINT) AS aov, g.total / NULLIF(g.n, 0) AS gap_mean,
  CASE WHEN g.n > 1 THEN SQRT((g.n * g.squares - g.total * g.total) / (g.n * (g.n - 1))) END AS gap_std,
  COALESCE(t.n_categories, 0) AS n_categories, t.top_category, p.weekend_orders / p.frequency AS weekend_share,
  p.evening_orders / p.frequency AS evening_share, COALESCE(p.revenue_90d, 0) AS revenue_90d,
  COALESCE(p.revenue_prev_90d, 0) AS revenue_prev_90d, COALESCE(p.revenue_90d, 0) / NULLIF(p.revenue_prev_90d, 0) AS revenue_ratio
FROM customers c
LEFT JOIN per_customer p USING (customer_id) LEFT JOIN gaps g USING (customer_id) LEFT JOIN top t USING (customer_id)
