"""Money inside and outside: minor units in work, exact major units in what is published."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from kequn.language.typer import cast, column
from kequn.profile.plan import ProfileColumn


def published(
    columns: Sequence[ProfileColumn], relation: str | exp.Subquery, minor_unit_digits: int = 2
) -> exp.Select:
    """The profile `relation` as it is published: money as DECIMAL(18, digits) in major units. One row per customer."""
    return exp.select(*(_outward(item, minor_unit_digits) for item in columns)).from_(relation)


def inward(columns: Sequence[ProfileColumn], relation: str, minor_unit_digits: int = 2) -> exp.Select:
    """The published profile read back with money in minor units."""
    return exp.select(*(_inward(item, minor_unit_digits) for item in columns)).from_(relation)


def _outward(item: ProfileColumn, digits: int) -> exp.Expr:
    if item.type != "money":
        return column(item.name)
    unit = exp.Literal.number(f"{10**-digits:.{digits}f}")
    product = exp.Mul(
        this=cast(column(item.name), "DECIMAL(18, 0)"),
        expression=cast(unit, f"DECIMAL({digits + 1}, {digits})"),
    )
    return exp.alias_(cast(product, f"DECIMAL(18, {digits})"), item.name, quoted=True)


def _inward(item: ProfileColumn, digits: int) -> exp.Expr:
    if item.type != "money":
        return column(item.name)
    return exp.alias_(
        cast(exp.Mul(this=column(item.name), expression=exp.Literal.number(10**digits)), "BIGINT"),
        item.name,
        quoted=True,
    )


__all__ = ["inward", "published"]
