"""What the content of a column says about the canonical column that its name suggests."""

from __future__ import annotations

from kequn.data.column_content import Content
from kequn.data.standard import Column


def content_bonus(column: Column, content: Content) -> tuple[float, bool]:
    """What the content says about a column whose name fits: a bonus or a malus, and whether it confirms."""
    if column.type in ("money", "decimal", "number", "integer"):
        good = max(content.number, content.boolean if column.type == "integer" else 0.0)
        if good >= 0.9 and not _only_dates(content):
            return 0.03, True
        # `5+` and `3 or more` are bands, not numbers.
        return (-0.5, False) if good < 0.5 or column.type == "integer" else (-0.15, False)
    if column.type in ("date", "timestamp"):
        if content.date >= 0.8:
            return 0.03, True
        serial = content.number >= 0.9 and all(
            20_000 <= _number(text) < 80_000 for text in content.values[:200]
        )
        epoch = content.integer >= 0.9 and all(len(text) in (10, 13) for text in content.values[:200])
        month = column.name in ("period", "month") and content.number + content.date > 0.5
        return (0.0, True) if serial or epoch or month or _is_birth_year(column, content) else (-0.5, False)
    if column.type == "boolean":
        return (0.03, True) if content.boolean >= 0.9 or content.distinct <= 2 else (-0.4, False)
    if column.values:
        known = content.known(column)
        return (0.04, True) if known >= 0.6 else (-0.35, False) if content.number >= 0.9 else (-0.1, False)
    return _by_text_content(column, content)


def _by_text_content(column: Column, content: Content) -> tuple[float, bool]:
    if column.name in ("phone", "email"):
        share = content.phone if column.name == "phone" else content.email
        return (0.04, True) if share >= 0.5 else (-0.3, False)
    if column.name == "province":
        if content.province >= 0.6:
            return 0.25, True
        return (-0.2, False) if content.number >= 0.9 else (0.0, False)
    if column.name.endswith("_band") and content.integer >= 0.9:
        return (0.3, True) if column.name == "age_band" and is_age(content) else (-0.5, False)
    if column.name == "user_agent":
        return (0.04, True) if content.agent >= 0.5 else (-0.2, False)
    texts = (
        "name",
        "customer_name",
        "product_name",
        "city",
        "country",
        "category",
        "brand",
        "address",
        "industry",
        "subject",
    )
    if column.name in ("country", "city", "industry") and content.integer >= 0.9:
        return -0.5, False
    if column.name in texts and content.number >= 0.9 and not content.integer < 0.9:
        return -0.2, False
    if column.name == "customer_id" and content.phone >= 0.5 and any("*" in one for one in content.values):
        # 138****0001 is the number of many people.
        return -0.5, False
    if column.name.endswith("_id") and (_only_dates(content) or content.length > 80 or content.money > 0.3):
        return -0.5, False
    if column.name.endswith("_id") and content.number >= 0.9 and content.integer < 0.5:
        return -0.3, False
    return 0.0, False


def content_alone(column: Column, content: Content) -> float:
    """A column whose header says nothing, recognised by what stands in it."""
    if content.distinct < 2:
        return 0.0
    if column.name == "phone" and content.phone >= 0.8:
        return 0.7
    if column.name == "email" and content.email >= 0.8:
        return 0.7
    if column.name == "user_agent" and content.agent >= 0.8:
        return 0.7
    if column.name == "province" and content.province >= 0.9:
        return 0.65
    if (
        column.name == "gender"
        and content.known(column) >= 0.95
        and all(len(text) > 1 or text > "z" for text in content.values)
    ):
        return 0.65
    return 0.0


def _only_dates(content: Content) -> bool:
    return content.date >= 0.9 and not content.compact_date


def _is_birth_year(column: Column, content: Content) -> bool:
    return column.name == "birth_date" and is_year(content)


def is_year(content: Content) -> bool:
    """Whether the values are years of birth."""
    return content.integer >= 0.95 and all(1880 <= _number(text) <= 2100 for text in content.values)


def is_age(content: Content) -> bool:
    """Whether the values are ages in years."""
    ages = [_number(text) for text in content.values]
    return (
        content.integer >= 0.95 and len(ages) > 1 and all(0 <= age <= 120 for age in ages) and max(ages) > 12
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0


__all__ = ["content_alone", "content_bonus", "is_age", "is_year"]
