"""What customers will do: lifetime value, churn, next purchase, next best offer."""
