"""Cells that a spreadsheet program must not take for formulas."""

from __future__ import annotations

from typing import Any

DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def safe_cell(value: Any) -> Any:
    """Text that begins like a formula gets an apostrophe before it; numbers and the rest stay as they are.

    >>> safe_cell("=1+1"), safe_cell("-5"), safe_cell(-5), safe_cell("林")
    ("'=1+1", '-5', -5, '林')
    """
    if not isinstance(value, str) or not value.startswith(DANGEROUS):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
