"""Measurements: our own SQL against hand-written SQL, Polars and pandas, and the whole run (`make bench`)."""
