"""The workbench: pages and REST API over the same functions."""
