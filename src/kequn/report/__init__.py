"""One self-contained HTML report."""

from kequn.report.page import write_report

__all__ = ["write_report"]
