"""One row per customer: grains and declared features."""
