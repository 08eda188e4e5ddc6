"""Named lists that may overlap: by rule, by segment, by upload."""
