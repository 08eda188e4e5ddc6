"""Questionnaires: scores, reverse items, missing and careless answers, reliability by hand; interests from views and searches."""

from __future__ import annotations

import random
import statistics
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.profile.enriching import ago, on_duckdb

from kequn.errors import ConfigError
from kequn.profile.enrich import EnrichSettings
from kequn.profile.enrich.reliability import reliability
from kequn.profile.questionnaire import questionnaires, shipped, shown

MINE = """
questionnaire: mine
title: {zh: 我的问卷, en: Mine}
scale: {low: 1, high: 5}
items:
- {id: q1, zh: 一, en: one}
- {id: q2, zh: 二, en: two, also: [第二题]}
- {id: q3, zh: 三, en: three}
- {id: q4, zh: 四, en: four, reverse: true}
- {id: q5, zh: 五, en: five}
traits:
- {id: calm, title: {zh: 平和, en: Calm}, items: [q1, q2, q3, q4]}
"""


def answer(
    customer: str,
    item: str,
    value: float | None,
    days: int = 5,
    questionnaire: str = "mine",
    state: str | None = None,
) -> dict[str, Any]:
    return {"customer_id": customer, "questionnaire": questionnaire, "item": item, "answered_at": ago(days),
            "value": None if value is None else Decimal(str(value)), "state": state}  # fmt: skip


def test_alpha_of_a_worked_example_is_right_by_hand() -> None:
    # Items 1 2 3 4, 1 2 2 4, 1 2 2 3: variances 20/12, 19/12, 8/12. Totals 3 6 7 11: variance 131/12. 3/2 × (1 - 47/131) = 126/131.
    people = [[1, 1, 1], [2, 2, 2], [3, 2, 2], [4, 4, 3]]
    assert [statistics.variance(column) for column in zip(*people, strict=True)] == pytest.approx(
        [20 / 12, 19 / 12, 8 / 12]
    )
    found = reliability(people)
    assert found.alpha == pytest.approx(126 / 131)
    assert reliability(people[::-1]) == found


def test_item_rest_correlation_is_the_correlation_with_the_other_items() -> None:
    rng = random.Random(3)
    people = [[rng.randrange(1, 6) for _ in range(5)] for _ in range(40)]
    found = reliability(people)
    matrix = np.array(people)
    for place, value in enumerate(found.item_rest):
        rest = matrix.sum(axis=1) - matrix[:, place]
        assert value == pytest.approx(float(np.corrcoef(matrix[:, place], rest)[0, 1]))


def test_reliability_is_undefined_without_differences_or_with_one_item() -> None:
    assert reliability([[3, 3], [3, 3]]).alpha is None
    assert reliability([[3], [4]]).alpha is None
    assert reliability(np.zeros((0, 3), dtype=int)).alpha is None


def test_scores_reverse_items_and_follow_the_policy_for_missing_answers(tmp_path: Path) -> None:
    answers = [
        *[answer("full", item, value) for item, value in (("q1", 5), ("第二题", 4), ("q3", 4), ("q4", 1), ("q5", 3))],
        *[answer("three", item, value) for item, value in (("q1", 2), ("q2", 2), ("q4", 3))],
        *[answer("half", item, value) for item, value in (("q1", 2), ("q2", 2))],
        *[answer("off", item, value) for item, value in (("q1", 7), ("q2", 2.5), ("q3", 4), ("q4", 4))],
        *[answer("same", item, 3) for item in ("q1", "q2", "q3", "q4", "q5")],
        answer("again", "q1", 1, days=9), answer("again", "q1", 5, days=2), answer("again", "q2", 5), answer("again", "q3", 5), answer("again", "q1", 1, days=-2),
        answer("no", "q1", 4, state="refused"), answer("no", "q2", None), answer("no", "q9", 4), answer("full", "x", 1, questionnaire="unknown"),
    ]  # fmt: skip
    customers = [
        {"customer_id": name} for name in ("full", "three", "half", "off", "same", "again", "no", "none")
    ]
    rows, found = on_duckdb(
        tmp_path,
        {"customers": customers, "responses": answers},
        EnrichSettings(questionnaires={"mine.yaml": MINE}),
    )
    scores = {name: row["trait_calm"] for name, row in rows.items()}
    assert scores == {
        "full": (5 + 4 + 4 + 5) / 4, "three": round((2 + 2 + 3) / 3, 6), "half": None, "off": None, "same": None, "again": 5.0, "no": None, "none": None,
    }  # fmt: skip
    report = found.report["questionnaires"]["mine"]
    assert (report["off_scale"], report["careless"], report["unknown_items"]) == (2, 1, {"q9": 1})
    assert report["traits"]["calm"]["scored"] == 3
    codes = [warning.code for warning in found.warnings]
    assert codes == ["enrich.questionnaire_unknown", "enrich.answers", "enrich.unreliable"]


def test_a_reliable_scale_gives_no_warning_and_a_noisy_one_does(tmp_path: Path) -> None:
    rng = random.Random(5)
    answers = []
    for number in range(120):
        mood = rng.randrange(1, 6)
        for item in ("q1", "q2", "q3"):
            answers.append(answer(f"c{number}", item, min(5, max(1, mood + rng.choice([-1, 0, 0, 1])))))
        answers.append(answer(f"c{number}", "q4", 6 - mood))
    customers = [{"customer_id": f"c{number}"} for number in range(120)]
    settings = EnrichSettings(questionnaires={"mine.yaml": MINE})
    _, good = on_duckdb(tmp_path / "a", {"customers": customers, "responses": answers}, settings)
    assert good.warnings == ()
    assert good.report["questionnaires"]["mine"]["traits"]["calm"]["alpha"] > 0.85
    noise = [{**row, "value": Decimal(rng.randrange(1, 6))} for row in answers]
    _, bad = on_duckdb(tmp_path / "b", {"customers": customers, "responses": noise}, settings)
    assert [warning.code for warning in bad.warnings] == ["enrich.unreliable"]


def test_four_prices_are_used_only_where_they_rise(tmp_path: Path) -> None:
    def prices(name: str, *values: float) -> list[dict[str, Any]]:
        items = ("too_cheap", "cheap", "expensive", "too_expensive")
        return [
            answer(name, item, value, questionnaire="price_sensitivity")
            for item, value in zip(items, values, strict=False)
        ]

    answers = [*prices("a", 10, 19.9, 30, 50), *prices("b", 30, 20, 10, 5), *prices("c", 10, 20)]
    rows, found = on_duckdb(
        tmp_path, {"customers": [{"customer_id": name} for name in "abc"], "responses": answers}
    )
    columns = ("price_too_cheap", "price_cheap", "price_expensive", "price_too_expensive")
    assert [rows["a"][name] for name in columns] == [1_000, 1_990, 3_000, 5_000]
    assert {rows[who][name] for who in "bc" for name in columns} == {None}
    assert [warning.code for warning in found.warnings] == ["enrich.prices_contradict"]


def test_one_question_is_a_trait_without_reliability(tmp_path: Path) -> None:
    answers = [
        answer("a", "nps", 10, questionnaire="satisfaction"),
        answer("b", "nps", 11, questionnaire="satisfaction"),
        answer("a", "csat", 4, questionnaire="satisfaction"),
    ]
    rows, found = on_duckdb(
        tmp_path, {"customers": [{"customer_id": name} for name in "ab"], "responses": answers}
    )
    assert (rows["a"]["trait_recommend"], rows["a"]["trait_satisfaction"], rows["b"]["trait_recommend"]) == (
        10.0,
        4.0,
        None,
    )
    assert [warning.code for warning in found.warnings] == ["enrich.answers"]


def test_shipped_questionnaires_speak_both_languages() -> None:
    assert set(shipped()) == {"lifestyle", "price_sensitivity", "satisfaction"}
    for questionnaire in shipped().values():
        assert questionnaire.title["zh"] and questionnaire.title["en"]
        assert all(item.zh and item.en for item in questionnaire.items)
        assert all(trait.title["zh"] and trait.title["en"] for trait in questionnaire.traits)
        assert len(shown(questionnaire, "en")) == len(questionnaire.items)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("low: 1, high: 5", "low: 5, high: 1"), ("[q1, q2, q3, q4]", "[q1, q9]"), ("id: q2,", "id: q1,"), ("items:", "itms:"),
        ("traits:", "prices: [q1, q2]\ntraits:"), ("{id: calm", "{id: Calm x"),
    ],
)  # fmt: skip
def test_a_wrong_questionnaire_is_refused(old: str, new: str) -> None:
    with pytest.raises(ConfigError):
        questionnaires({"mine.yaml": MINE.replace(old, new)})


def test_interest_comes_from_views_and_searches_before_purchases(tmp_path: Path) -> None:
    products = [
        {"product_id": "p1", "category": "茶叶", "subcategory": "绿茶", "brand": "山上", "name": "龙井礼盒"},
        {"product_id": "p2", "category": "咖啡", "subcategory": None, "brand": "山下", "name": "挂耳"},
    ]
    base = {"type": "view", "product_id": None, "search_text": None}
    events = [
        {**base, "customer_id": "a", "occurred_at": ago(3), "product_id": "p2"},
        {
            **base,
            "customer_id": "a",
            "occurred_at": ago(2),
            "type": "search",
            "search_text": "送礼 龙井礼盒 包邮",
        },
        {**base, "customer_id": "a", "occurred_at": ago(1), "type": "search", "search_text": "绿茶"},
        {**base, "customer_id": "b", "occurred_at": ago(1), "type": "search", "search_text": "不知所云"},
        {**base, "customer_id": "b", "occurred_at": ago(700), "product_id": "p1"},
    ]
    rows, found = on_duckdb(
        tmp_path,
        {"customers": [{"customer_id": name} for name in "abc"], "events": events, "products": products},
    )
    a, b = rows["a"], rows["b"]
    assert (a["interest_category"], a["viewed_category_share"], a["interests"]) == (
        "茶叶",
        pytest.approx(2 / 3),
        2,
    )
    assert (b["interest_category"], b["interest_events"], rows["c"]["interests"]) == (None, 0, 0)
    assert found.report["searches"] == {"distinct": 3, "understood": 2}
