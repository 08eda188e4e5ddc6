"""The further built-in schemes against oracles in plain Python, on random rows with ties and unknowns."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from tests.scheme.oracles import ORACLES, cut
from tests.scheme.people import Row, everything, members, random_people, run

from kequn.engine import Engine, EngineSettings, open_engine
from kequn.scheme.library import texts
from kequn.scheme.loading import load_schemes

Oracle = Callable[[Row], str]
TRAITS = (
    "novelty_seeking",
    "quality_seeking",
    "health_conscious",
    "family_centred",
    "social_sharing",
    "price_conscious",
)


def people(seed: int, count: int = 200) -> list[Row]:
    rng = random.Random(seed)

    def maybe(*values: Any, missing: float = 0.2) -> Any:
        return None if rng.random() < missing else rng.choice(values)

    rows = []
    for number in range(count):
        frequency = rng.choice([0, 1, 2, 7])
        row: Row = {
            "customer_id": f"C{number:04d}", "frequency": frequency, "birth_year": maybe(1920, 1946, 1964, 1965, 1979, 1980, 1994, 1995, 2009, 2010),
            "price_index": maybe(0.5, 0.8, 0.801, 1.0, 1.2, 2.0), "products_held": rng.choice([0, 1, 2, 3, 4, 9]),
            "life_event_share": maybe(0.0, 0.4, 0.39), "gift_share": maybe(0.0, 0.5), "festival_share": maybe(0.0, 0.4), "festive_share": maybe(0.0, 0.5, 0.49), "local_event_share": maybe(0.0, 0.4, 0.39), "sale_day_share": maybe(0.0, 0.4),
            "weekend_share": maybe(0.0, 0.6, 0.59), "net_contribution": maybe(-500, 3_000, 3_400, 9_000, 900_000),
            "average_order_value": 10_000 if frequency else None, "urban_rural": maybe("urban", "suburban", "rural"),
            "distance_km_store": maybe(0.2, 1.0, 2.999, 3.0, 10.0, 30.0, 500.0), "preferred_device": maybe("phone", "手机", "desktop", "冰箱"),
            "events_90d": rng.choice([0, 0, 1, 2, 3, 50]), "preferred_platform": maybe("app", "微信", "h5", "其他"),
            "adoption_earliness": maybe(1.0, 0.5, 0.5, rng.random()), "new_products_used": rng.choice([0, 1, 2]),
            "industry_class": maybe("software", "storage", "other", "public"), "company_size_cn": maybe("large", "medium", "micro"),
            "company_size_eu": maybe("large", "small"), "ownership": maybe("state_owned", "sme", "multinational", "listed"),
            "budget_shown": maybe(0, 100, 100, rng.randrange(90_000)), "deal_intent": maybe("clear", "hesitant", "latent", "refused"),
            "deal_hesitation": maybe("price", "budget", missing=0.5), "bill_mean_6m": maybe(0, 5_000, 5_000, rng.randrange(30_000)),
            "usage_periods": rng.choice([0, 5]), "unpaid_amount": rng.choice([0, 100]), "late_payments_12m": rng.choice([0, 1]),
            "viewed_category_share": maybe(0.1, 0.6, 0.9), "trait_recommend": maybe(0.0, 6.0, 7.0, 8.0, 9.0, 10.0), "is_retained": maybe(True, False),
            "account_assets": maybe(0, 5_000_000, 4_999_999, 50_000_000, 300_000_000, missing=0.1), "credit_score": maybe(*map(Decimal, (450, 500, 600, 699, 700)), missing=0.1),
            "statements_in_order": maybe(True, True, False, missing=0.1), "risk_assessed": maybe(True, True, False, missing=0.1),
            "risk_level": maybe("低", "高"), "loss_months_12m": rng.choice([0, 1, 2, 4, 5, 12]), "account_return_rate": maybe(*map(Decimal, ("-0.01", "0", "0.03")), missing=0.1), "guarantee": maybe(True, False, missing=0.1),
            "now_age_days": maybe(0, 60, 61, 400), "now_distance_km": maybe(0.4, 10.0, 10.001, 100.0, 2_000.0),
            "spring_festival_share": maybe(0.0, 0.4, 0.39), "mid_autumn_share": maybe(0.0, 0.4, missing=0.5), "dragon_boat_share": maybe(0.0, 0.6),
            "qixi_share": maybe(0.0, 0.4), "monetary": rng.choice([-50, 10_000]) if frequency else 0,
            "monthly_spend_12m": maybe(100, 100, rng.randrange(90_000)),
        }  # fmt: skip
        row |= {f"trait_{name}": maybe(1.0, 3.5, 3.5, 4.25, 5.0) for name in TRAITS}
        rows.append(row)
    return rows


def steps(column: str, *parts: tuple[float, str]) -> Oracle:
    """The name of the last part whose lower edge a value reaches."""
    return lambda row: (
        "unknown"
        if row[column] is None
        else next((name for edge, name in reversed(parts) if row[column] >= edge), "unknown")
    )


def labels(column: str, meaning: dict[Any, str], otherwise: str = "unknown") -> Oracle:
    return lambda row: meaning.get(row[column], otherwise)


def thirds(rows: list[Row], column: str, names: tuple[str, str, str]) -> Oracle:
    values = [row[column] for row in rows if row[column] is not None]
    low, high = cut(values, Fraction(1, 2)), cut(values, Fraction(4, 5))
    return lambda row: (
        "unknown"
        if row[column] is None
        else names[0]
        if row[column] > high
        else names[1]
        if row[column] > low
        else names[2]
    )


def occasion(row: Row) -> str:
    for name, limit in (
        ("life_event", 0.4),
        ("gift", 0.4),
        ("festival", 0.4),
        ("festive", 0.5),
        ("local_event", 0.4),
        ("sale_day", 0.4),
        ("weekend", 0.6),
    ):
        if (row[f"{name}_share"] or 0) >= limit and (name != "festive" or row["frequency"] >= 2):
            return "festival" if name == "festive" else name
    return "everyday"


def festival(row: Row) -> str:
    for name in ("spring_festival", "mid_autumn", "dragon_boat", "qixi"):
        if (row[f"{name}_share"] or 0) >= 0.4:
            return name
    return "many_festivals" if (row["festive_share"] or 0) >= 0.5 else "any_day"


def whereabouts(row: Row) -> str:
    if row["now_age_days"] is not None and row["now_age_days"] > 60:
        return "stale"
    far = row["now_distance_km"]
    return "unknown" if far is None else "here" if far <= 10 else "around" if far <= 100 else "elsewhere"


def profitability(row: Row) -> str:
    if row["net_contribution"] is None:
        return "unknown"
    left = math.floor((row["net_contribution"] - 3_000) / row["frequency"] + 0.5) - 200
    return (
        "loss"
        if (row["net_contribution"] - 3_000) / row["frequency"] - 200 < 0
        else "thin"
        if left < 500
        else "profit"
    )


def enterprise_type(row: Row) -> str:
    if row["ownership"] in ("state_owned", "multinational"):
        return str(row["ownership"])
    china, europe = row["company_size_cn"], row["company_size_eu"]
    if china == "large" or (china is None and europe == "large"):
        return "large"
    return (
        "sme" if row["ownership"] == "sme" or china in ("medium", "micro") or europe == "small" else "unknown"
    )


def relationship_grade(row: Row) -> str:
    if row["deal_intent"] == "clear" and row["deal_hesitation"] == "budget":
        return "b"
    return {"clear": "a", "hesitant": "b", "latent": "c", "refused": "d", None: "not_gradable"}[
        row["deal_intent"]
    ]


def lifestyle(row: Row) -> str:
    for name in TRAITS:
        value = row[f"trait_{name}"]
        others = [
            row[f"trait_{other}"] for other in TRAITS if other != name and row[f"trait_{other}"] is not None
        ]
        if value is not None and value >= 3.5 and others and value >= max(others):
            return name
    return "even"


def bank_grade(row: Row) -> str:
    assets, credit, rate = row["account_assets"], row["credit_score"], row["account_return_rate"]
    inputs = (assets, credit, rate, row["statements_in_order"], row["risk_assessed"], row["guarantee"])
    if any(value is None for value in inputs):
        return "not_gradable"
    if credit < 500:
        return "d"
    points = max(
        p for edge, p in ((0, 0), (5_000_000, 10), (50_000_000, 18), (300_000_000, 25)) if assets >= edge
    )
    points += 25 if credit >= 700 else 15 if credit >= 600 else 0
    points += (
        15 * row["statements_in_order"] + (15 if row["risk_level"] == "低" else 10) * row["risk_assessed"]
    )
    points += (10 if rate >= Decimal("0.03") else 6 if rate >= 0 else 0) + 10 * row["guarantee"]
    points += 5 if row["loss_months_12m"] < 2 else 3 if row["loss_months_12m"] < 5 else 0
    percent = Fraction(points * 100, 105)
    grade = "a" if percent >= 75 else "b" if percent >= 55 else "c" if percent >= 35 else "d"
    if not row["statements_in_order"]:
        grade = max(grade, "b")
    return grade if row["risk_assessed"] else max(grade, "c")


def adoption(rows: list[Row]) -> Oracle:
    ranked = sorted(
        (row for row in rows if row["adoption_earliness"] is not None),
        key=lambda row: (-row["adoption_earliness"], -row["new_products_used"], row["customer_id"]),
    )
    found = {}
    for place, row in enumerate(ranked, start=1):
        for name, share in (
            ("innovator", 25),
            ("early_adopter", 160),
            ("early_majority", 500),
            ("late_majority", 840),
            ("laggard", 1000),
        ):
            if place <= math.floor(Fraction(len(ranked) * share, 1000) + Fraction(1, 2)):
                found[row["customer_id"]] = name
                break
    return lambda row: found.get(row["customer_id"], "not_adopted")


def oracles(rows: list[Row]) -> dict[str, tuple[Oracle, Callable[[Row], bool]]]:
    def everyone(row: Row) -> bool:
        return True

    def buyer(row: Row) -> bool:
        return bool(row["frequency"] > 0)

    events = [row["events_90d"] for row in rows]
    busy, some = cut(events, Fraction(4, 5)), cut(events, Fraction(2, 5))
    levels = ("high", "medium", "low")
    sizes = {name: name for name in ("large", "medium", "small", "micro")}
    plain: dict[str, Oracle] = {
        "generation": steps("birth_year", (0, "silent"), (1946, "boomer"), (1965, "gen_x"), (1980, "millennial"), (1995, "gen_z"), (2010, "alpha")),
        "product_holdings": steps("products_held", (0, "none"), (1, "one"), (2, "two_three"), (4, "four_up")),
        "urban_rural": labels("urban_rural", {name: name for name in ("urban", "suburban", "rural")}),
        "distance_band": steps("distance_km_store", (0, "walk"), (1, "near"), (3, "district"), (10, "region"), (30, "far")),
        "device_preference": labels("preferred_device", {"phone": "phone", "手机": "phone", "desktop": "desktop"}, "other"),
        "online_activity": lambda row: "offline" if row["events_90d"] == 0 else "high" if row["events_90d"] >= busy else "medium" if row["events_90d"] >= some else "low",
        "platform_preference": labels("preferred_platform", {"app": "app", "微信": "mini_program", "h5": "web"}, "other"),
        "adoption": adoption(rows),
        "whereabouts": whereabouts,
        "industry": labels("industry_class", {"software": "software", "storage": "transport", "public": "public"}, "other"),
        "company_size_cn": labels("company_size_cn", sizes), "company_size_eu": labels("company_size_eu", sizes),
        "ownership": labels("ownership", {name: name for name in ("state_owned", "sme", "multinational", "listed")}, "other"),
        "budget_level": thirds(rows, "budget_shown", levels), "enterprise_type": enterprise_type, "relationship_grade": relationship_grade,
        "bank_grade": bank_grade, "telecom_value": thirds(rows, "bill_mean_6m", levels), "lifestyle": lifestyle,
        "interest": steps("viewed_category_share", (0, "varied"), (0.6, "focused")), "retention": labels("is_retained", {True: "retained", False: "lost"}),
        "recommendation": steps("trait_recommend", (0, "detractor"), (7, "passive"), (9, "promoter")),
    }  # fmt: skip
    scoped: dict[str, tuple[Oracle, Callable[[Row], bool]]] = {
        "spending_power": (thirds([row for row in rows if buyer(row)], "monthly_spend_12m", levels), buyer),
        "price_level": (lambda row: "unknown" if row["price_index"] is None else "premium" if row["price_index"] >= 1.2 else "value" if row["price_index"] <= 0.8 else "middle", buyer),
        "occasion": (occasion, buyer), "festival": (festival, lambda row: row["frequency"] >= 2 and row["monetary"] > 0),
        "profitability": (profitability, buyer),
        "payment_behaviour": (
            lambda row: "punctual" if not row["late_payments_12m"] else "overdue" if row["unpaid_amount"] else "irregular", lambda row: row["usage_periods"] > 0,
        ),
    }  # fmt: skip
    return {**{name: (oracle, everyone) for name, oracle in plain.items()}, **scoped}


@pytest.mark.parametrize("seed", [1, 2])
def test_the_further_schemes_agree_with_their_oracles(engine: Engine, tmp_path: Path, seed: int) -> None:
    rows = people(seed)
    expected = oracles(rows)
    assignment = run(engine, tmp_path, rows, {f"{name}.yaml": texts()[f"{name}.yaml"] for name in expected})
    assert assignment.unavailable == {}
    for name, (oracle, within) in expected.items():
        assert members(tmp_path, name) == {row["customer_id"]: oracle(row) for row in rows if within(row)}, (
            name
        )


def test_every_built_in_scheme_has_an_oracle() -> None:
    """A scheme that joins the library needs an independent answer; groups found in the data are tested on their own."""
    known = {*ORACLES, *oracles(people(1)), "value_by_life_stage", "income_level.band"}
    schemes = load_schemes({f: t for f, t in texts().items() if f.count(".") == 1}, everything())
    found_in_data = {name for name, scheme in schemes.items() if scheme.kind.name == "cluster"}
    assert {file.removesuffix(".yaml") for file in texts()} == known | found_in_data


def test_income_given_as_a_band_agrees_with_its_oracle(engine: Engine, tmp_path: Path) -> None:
    bands = {
        "250K+": "high",
        "高": "high",
        "50-74K": "middle",
        "10-20万": "middle",
        "Under 15K": "low",
        "low": "low",
    }
    told = [*bands, "a fortune", "", None, "250k+"]
    rows: list[Row] = [{"customer_id": f"C{n}", "income_band": told[n % len(told)]} for n in range(40)]
    run(engine, tmp_path, rows, {"income_level.yaml": texts()["income_level.band.yaml"]})
    assert members(tmp_path, "income_level") == {
        row["customer_id"]: bands.get(row["income_band"], "unknown") for row in rows
    }


def test_the_overview_matrix_agrees_with_its_parts(engine: Engine, tmp_path: Path) -> None:
    rows = random_people(5)
    names = ("value_tier", "life_stage", "value_by_life_stage", "loyalty")
    run(engine, tmp_path, rows, {f"{name}.yaml": texts()[f"{name}.yaml"] for name in names})
    tiers, stages = ORACLES["value_tier"](rows), ORACLES["life_stage"](rows)
    crossed = {key: f"{tiers[key]}+{stages[key]}" for key in tiers if key in stages}
    assert members(tmp_path, "value_by_life_stage") == crossed


def test_the_overview_matrix_crosses_value_and_life_stage() -> None:
    schemes = load_schemes({f: t for f, t in texts().items() if f.count(".") == 1}, everything())
    crossed = schemes["value_by_life_stage"]
    assert "platinum+young_family" in {segment.id for segment in crossed.segments}
    assert len(crossed.segments) == 5 * 8


def test_a_missing_input_is_never_the_lowest_grade(tmp_path: Path) -> None:
    rows = people(3)
    for row in rows:
        row["guarantee"] = None
    engine = open_engine(EngineSettings(memory_limit="1GB"))
    try:
        run(engine, tmp_path, rows, {"bank_grade.yaml": texts()["bank_grade.yaml"]})
    finally:
        engine.close()
    assert set(members(tmp_path, "bank_grade").values()) == {"not_gradable"}
