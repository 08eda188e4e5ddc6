"""Numbers as people of each language read them: 68.4 万 and 13.89 亿, or 684 K and 1.39 B.

`None` and NaN show as a dash: undefined is never 0.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.utils.translation import get_language

DASH = "–"
SYMBOLS = {
    "CNY": "¥",
    "JPY": "¥",
    "USD": "$",
    "EUR": "€",
    "GBP": "£",
    "HKD": "HK$",
    "TWD": "NT$",
    "KRW": "₩",
    "INR": "₹",
}
CHINESE = ((Decimal(10) ** 8, "亿", 2), (Decimal(10) ** 4, "万", 1))
ENGLISH = ((Decimal(10) ** 9, "B", 2), (Decimal(10) ** 6, "M", 1), (Decimal(10) ** 3, "K", 1))
FULL_BELOW = 10_000
Number = int | float | Decimal


def _decimal(value: Any) -> Decimal | None:
    if value is None or isinstance(value, bool) or value == "":
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    try:
        return Decimal(str(value))
    except ArithmeticError:
        return None


def _rounded(value: Decimal, places: int) -> str:
    return f"{value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):,}"


def is_english() -> bool:
    return (get_language() or "").startswith("en")


def number(value: Any, places: int = 0) -> str:
    """In full, with separators of thousands: 208,609."""
    exact = _decimal(value)
    return DASH if exact is None else _rounded(exact, places)


def compact(value: Any, prefix: str = "") -> str:
    """Short enough for a tile: below 10,000 in full, above in 万 and 亿, or K, M and B."""
    exact = _decimal(value)
    if exact is None:
        return DASH
    sign, size = ("-" if exact < 0 else ""), abs(exact)
    for index, (unit, name, places) in enumerate(units := ENGLISH if is_english() else CHINESE):
        if size >= max(unit, FULL_BELOW):
            text = _rounded(size / unit, places)
            if (
                index and Decimal(text.replace(",", "")) * unit >= units[index - 1][0]
            ):  # 9,999.96 万 is 1.00 亿
                unit, name, places = units[index - 1]
                text = _rounded(size / unit, places)
            return f"{sign}{prefix}{text} {name}"
    return f"{sign}{prefix}{_rounded(size, 0 if size == size.to_integral() or size >= 100 else 1)}"


def money(value: Any, currency: str = "CNY") -> str:
    """An amount in major units, short: ¥13.89 亿."""
    return compact(value, SYMBOLS.get(currency, f"{currency} "))


def money_exact(value: Any, currency: str = "CNY", places: int = 2) -> str:
    """An amount in major units, in full: ¥6,006.50."""
    exact = _decimal(value)
    if exact is None:
        return DASH
    return f"{'-' if exact < 0 else ''}{SYMBOLS.get(currency, f'{currency} ')}{_rounded(abs(exact), places)}"


def percent(value: Any, places: int = 1) -> str:
    """A share (0 to 1) in percent: 20.9%."""
    exact = _decimal(value)
    return DASH if exact is None else f"{_rounded(exact * 100, places)}%"


def change(value: Any, places: int = 1) -> str:
    """A relative change (0.084) with its sign: +8.4%."""
    exact = _decimal(value)
    if exact is None:
        return DASH
    text = f"{_rounded(exact * 100, places)}%"
    return f"+{text}" if exact > 0 else text


def duration(seconds: float | None) -> str:
    """A length of time: 0.8 s, 42 s, 3 min 5 s, 1 h 12 min."""
    if seconds is None:
        return DASH
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
