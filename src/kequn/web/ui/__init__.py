"""The design system: numbers, icons, charts, tables, forms and the shell around every page."""
