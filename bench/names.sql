-- The eleven names of the built-in RFM scheme by hand.
SELECT customer_id, recency_days, frequency, monetary, r, f, m,
  CASE WHEN r >= 4 AND f >= 4 AND m >= 4 THEN 'champions' WHEN r >= 4 AND f >= 4 THEN 'loyal' WHEN r >= 4 AND m >= 4 THEN 'big_spenders'
    WHEN r >= 4 AND f BETWEEN 2 AND 3 THEN 'potential_loyal' WHEN r >= 4 THEN 'new' WHEN r = 3 AND f >= 3 THEN 'need_attention'
    WHEN r = 3 THEN 'about_to_sleep' WHEN f >= 4 AND m >= 4 THEN 'cant_lose' WHEN f >= 3 THEN 'at_risk'
    WHEN r = 2 THEN 'hibernating' WHEN r = 1 THEN 'lost' END AS segment
FROM ({scored})
