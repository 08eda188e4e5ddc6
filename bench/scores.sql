-- R, F and M scores by hand: the 12 cut points are exact and stand as literals, so equal values never differ in score.
SELECT *,
  CASE WHEN recency_days <= {r1} THEN 5 WHEN recency_days <= {r2} THEN 4 WHEN recency_days <= {r3} THEN 3 WHEN recency_days <= {r4} THEN 2
    WHEN recency_days > {r4} THEN 1 END AS r,
  CASE WHEN frequency <= {f1} THEN 1 WHEN frequency <= {f2} THEN 2 WHEN frequency <= {f3} THEN 3 WHEN frequency <= {f4} THEN 4
    WHEN frequency > {f4} THEN 5 END AS f,
  CASE WHEN monetary <= {m1} THEN 1 WHEN monetary <= {m2} THEN 2 WHEN monetary <= {m3} THEN 3 WHEN monetary <= {m4} THEN 4
    WHEN monetary > {m4} THEN 5 END AS m
FROM {source} WHERE frequency > 0
