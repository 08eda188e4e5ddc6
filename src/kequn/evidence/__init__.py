"""Is the grouping worth using: certificate, stability, migration, drift."""
