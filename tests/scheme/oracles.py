"""The built-in schemes once more, as naively as possible: plain Python over rows, no SQL, no YAML, no shared code."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

Row = dict[str, Any]
Answer = dict[str, str]


def cut(values: Sequence[Any], share: Fraction) -> Any:
    """The smallest value with at least `share` of all values at or below it, by trying each."""
    for value in sorted(values):
        if sum(other <= value for other in values) >= share * len(values):
            return value
    raise AssertionError("no values")


def buyers(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["frequency"] is not None and row["frequency"] > 0]


def more(row: Row, name: str, than: float) -> bool:
    return row[name] is not None and row[name] > than


def least(row: Row, name: str, value: float) -> bool:
    return row[name] is not None and row[name] >= value


def transaction_type(rows: list[Row]) -> Answer:
    high = cut([r["monetary"] for r in rows if r["monetary"] is not None], Fraction(9, 10))
    often = cut([r["frequency"] for r in rows if r["frequency"] is not None], Fraction(8, 10))
    found = {}
    for row in rows:
        if row["frequency"] == 0:
            segment = "potential"
        elif more(row, "recency_days", 180):
            segment = "lapsed"
        elif row["tenure_days"] is not None and row["tenure_days"] <= 90:
            segment = "new"
        elif least(row, "monetary", high):
            segment = "high_value"
        elif least(row, "frequency", often) and least(row, "frequency", 2):
            segment = "frequent"
        else:
            segment = "regular"
        found[row["customer_id"]] = segment
    return found


def three_bands(
    rows: list[Row], column: str, names: tuple[str, str, str], low: Fraction, high: Fraction
) -> Answer:
    values = [row[column] for row in rows if row[column] is not None]
    first, second = cut(values, low), cut(values, high)
    found = {}
    for row in rows:
        value = row[column]
        if value is None:
            found[row["customer_id"]] = "unknown"
        elif value > second:
            found[row["customer_id"]] = names[0]
        elif value > first:
            found[row["customer_id"]] = names[1]
        else:
            found[row["customer_id"]] = names[2]
    return found


def purchase_frequency(rows: list[Row]) -> Answer:
    return three_bands(buyers(rows), "orders_365d", ("high", "medium", "low"), Fraction(1, 2), Fraction(4, 5))


def usage_rate(rows: list[Row]) -> Answer:
    return three_bands(
        buyers(rows), "quantity_365d", ("heavy", "medium", "light"), Fraction(1, 2), Fraction(4, 5)
    )


def income_level(rows: list[Row]) -> Answer:
    return three_bands(rows, "income", ("high", "middle", "low"), Fraction(1, 4), Fraction(3, 4))


LOYAL = {"frequency": (8, 14, 20), "standard_price_share": (5, 10, 15), "top_brand_share": (4, 7, 10)}


def loyalty_steps(rows: list[Row]) -> dict[str, list[tuple[float, int]]]:
    """For each column that is judged against other buyers: beyond which value how many points."""
    found = {}
    for name, points in LOYAL.items():
        values = [row[name] for row in buyers(rows) if row[name] is not None]
        found[name] = (
            [(cut(values, Fraction(share, 10)), p) for share, p in zip((4, 7, 9), points, strict=True)]
            if values
            else []
        )
    return found


def loyalty_points(row: Row, steps: dict[str, list[tuple[float, int]]]) -> float | None:
    got, possible = 0, 0
    everything = 10 + 15 + 20 + 15 + 10 + 10 + 5 * 5

    def add(points: int | None, most: int) -> None:
        nonlocal got, possible
        if points is not None:
            got, possible = got + points, possible + most

    def band(value: Any, *steps: tuple[float, int]) -> int | None:
        return None if value is None else max([0, *(points for edge, points in steps if value >= edge)])

    def chosen(value: Any, *wanted: Any) -> int | None:
        return None if value is None else 5 * (value in wanted)

    add(None if row["is_referred"] is None else 10 * row["is_referred"], 10)
    for name, points in LOYAL.items():
        value = row[name]
        add(None if value is None else max([0, *(p for edge, p in steps[name] if value > edge)]), points[-1])
    add(band(row["active_months_365d"], (3, 5), (6, 10), (9, 15)), 15)
    add(band(row["tenure_days"], (180, 4), (365, 7), (730, 10)), 10)
    add(chosen(row["life_stage"], "young_family", "mature_family"), 5)
    add(chosen(row["age_band"], "35-44", "45-54", "55-64"), 5)
    add(chosen(row["household_size_band"], "3", "4", "5+"), 5)
    add(chosen(row["home_ownership"], "Homeowner"), 5)
    add(chosen(row["urban_rural"], "rural"), 5)
    return got * 100 / possible if possible >= 0.4 * everything else None


def loyalty(rows: list[Row]) -> Answer:
    found = {}
    steps = loyalty_steps(rows)
    for row in buyers(rows):
        score = loyalty_points(row, steps)
        if score is None:
            found[row["customer_id"]] = "ungraded"
        else:
            found[row["customer_id"]] = (
                "devoted"
                if score >= 70
                else "leaning"
                if score >= 50
                else "wavering"
                if score >= 30
                else "uncommitted"
            )
    return found


def value_tier(rows: list[Row]) -> Answer:
    scope = [row for row in rows if row["recency_days"] is not None and row["recency_days"] <= 365]
    ranked = [row for row in scope if row["profit_12m"] is not None]

    steps = loyalty_steps(rows)

    def key(row: Row) -> tuple[Any, ...]:
        score = loyalty_points(row, steps) if row["frequency"] > 0 else None
        return (-row["profit_12m"], math.inf if score is None else -score, row["customer_id"])

    ranked.sort(key=key)
    found = {row["customer_id"]: "unranked" for row in scope}
    for place, row in enumerate(ranked, start=1):
        for name, percent in (("platinum", 1), ("gold", 5), ("iron", 20), ("lead", 100)):
            if place <= math.floor(Fraction(len(ranked) * percent, 100) + Fraction(1, 2)):
                found[row["customer_id"]] = name
                break
    return found


def customer_type(rows: list[Row]) -> Answer:
    spend = cut([r["monetary"] for r in rows if r["monetary"] is not None], Fraction(99, 100))
    found = {}
    for row in rows:
        if (more(row, "frequency", 0) and least(row, "monetary", spend)) or least(row, "referrals", 5):
            segment = "vip"
        elif row["frequency"] == 0:
            segment = "potential"
        else:
            segment = {"government": "government", "company": "enterprise"}.get(
                row["customer_kind"], "consumer"
            )
        found[row["customer_id"]] = segment
    return found


def five(rows: list[Row], column: str) -> dict[str, int | None]:
    """1 for the lowest fifth … 5 for the highest; a tie at the top that is too large still gets 5."""
    values = [row[column] for row in rows if row[column] is not None]
    cuts = [cut(values, Fraction(step, 5)) for step in range(1, 5)]
    below_top = [value for value in values if value < max(values)]
    if below_top:
        cuts = [min(point, max(below_top)) for point in cuts]
    return {
        row["customer_id"]: None if row[column] is None else 1 + sum(row[column] > point for point in cuts)
        for row in rows
    }


def rfm_scores(rows: list[Row]) -> dict[str, tuple[int, int, int] | None]:
    people = buyers(rows)
    recency, frequency, monetary = (five(people, name) for name in ("recency_days", "frequency", "monetary"))
    found: dict[str, tuple[int, int, int] | None] = {}
    for row in people:
        r, f, m = (scores[row["customer_id"]] for scores in (recency, frequency, monetary))
        found[row["customer_id"]] = None if r is None or f is None or m is None else (6 - r, f, m)
    return found


def rfm(rows: list[Row]) -> Answer:
    found = {}
    for key, scores in rfm_scores(rows).items():
        if scores is None:
            found[key] = "unknown"
            continue
        r, f, m = scores
        if r >= 4 and f >= 4:
            found[key] = "champions" if m >= 4 else "loyal"
        elif r >= 4:
            found[key] = "big_spenders" if m >= 4 else "new" if f == 1 else "potential_loyal"
        elif r == 3:
            found[key] = "need_attention" if f >= 3 else "about_to_sleep"
        elif f >= 3:
            found[key] = "cant_lose" if f >= 4 and m >= 4 else "at_risk"
        else:
            found[key] = "hibernating" if r == 2 else "lost"
    return found


def given(column: str, meaning: dict[Any, str], otherwise: str = "unknown") -> Callable[[list[Row]], Answer]:
    return lambda rows: {row["customer_id"]: meaning.get(row[column], otherwise) for row in rows}


def life_stage(rows: list[Row]) -> Answer:
    young, middle = {"18-24", "19-24", "25-34"}, {"45-54", "55-64"}
    found = {}
    for row in rows:
        age, size, children, married = (
            row[name] for name in ("age_band", "household_size_band", "children", "marital_status")
        )
        with_children = (children or 0) > 0 or size in ("3", "4", "5+")
        if row["life_stage"] is not None:
            segment = row["life_stage"]
        elif age == "65+":
            segment = "retired"
        elif age in middle and (children == 0 or (children is None and size in ("1", "2"))):
            segment = "empty_nest"
        elif age in middle and with_children:
            segment = "mature_family"
        elif age in young and with_children:
            segment = "new_family"
        elif age == "35-44" and with_children:
            segment = "young_family"
        elif age in young | {"35-44"} and (size == "2" or (size is None and married == "married")):
            segment = "couple"
        elif age in young | {"35-44"} and (
            size == "1" or (size is None and married in ("single", "divorced"))
        ):
            segment = "single"
        else:
            segment = "unknown"
        found[row["customer_id"]] = segment
    return found


def shopper_type(rows: list[Row]) -> Answer:
    people = buyers(rows)

    def share(name: str, of: Fraction) -> Any:
        return cut([row[name] for row in people if row[name] is not None], of)

    promotion, brand = share("promotion_share", Fraction(4, 5)), share("top_brand_share", Fraction(4, 5))
    paid, full = share("price_paid_ratio", Fraction(1, 5)), share("standard_price_share", Fraction(3, 5))
    found = {}
    for row in people:
        if (
            (more(row, "promotion_share", promotion) and least(row, "promotion_share", 0.3))
            or (row["price_paid_ratio"] is not None and row["price_paid_ratio"] < min(paid, 0.95))
            or least(row, "coupon_order_share", 0.5)
        ):
            segment = "price_seeker"
        elif more(row, "top_brand_share", brand) and least(row, "top_brand_share", 0.5):
            segment = "brand_seeker"
        elif more(row, "standard_price_share", full) and (
            least(row, "preferred_channel_share", 0.8) or least(row, "preferred_store_share", 0.8)
        ):
            segment = "convenience_seeker"
        else:
            segment = "mixed"
        found[row["customer_id"]] = segment
    return found


def season(rows: list[Row]) -> Answer:
    found = {}
    for row in rows:
        if more(row, "monetary", 0):
            strong = [
                name for name in ("spring", "summer", "autumn", "winter") if more(row, f"{name}_share", 0.5)
            ]
            found[row["customer_id"]] = strong[0] if strong else "year_round"
    return found


def channel(rows: list[Row]) -> Answer:
    meaning = {
        "门店": "store",
        "app": "app",
        "天猫": "marketplace",
        "小程序": "mini_program",
        "官网": "website",
        "电话": "phone",
    }
    return given("preferred_channel", meaning, "other")(buyers(rows))


AGES = {
    "0-17": "minor", "18-24": "age_18_24", "19-24": "age_18_24", "25-34": "age_25_34", "35-44": "age_35_44",
    "45-54": "age_45_54", "55-64": "age_55_64", "65+": "age_65_up",
}  # fmt: skip
ORACLES: dict[str, Callable[[list[Row]], Answer]] = {
    "age_band": given("age_band", AGES),
    "channel": channel,
    "city_tier": given(
        "city_tier", {"一线": "tier_1", "2": "tier_2", "Tier 3": "tier_3", "县城": "tier_4_5"}
    ),
    "customer_type": customer_type,
    "household": given(
        "household_size_band", {"1": "one", "2": "two", "3": "three_four", "4": "three_four", "5+": "five_up"}
    ),
    "income_level": income_level,
    "life_stage": life_stage,
    "loyalty": loyalty,
    "purchase_frequency": purchase_frequency,
    "region": given("province", {"上海市": "east", "广东": "south", "河南省": "central"}),
    "rfm": rfm,
    "season": season,
    "shopper_type": shopper_type,
    "transaction_type": transaction_type,
    "usage_rate": usage_rate,
    "value_tier": value_tier,
}

__all__ = ["ORACLES", "Answer", "Row", "cut", "loyalty_points", "rfm_scores"]
