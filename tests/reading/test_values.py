"""Codes never reach a person as codes: values, booleans, segments and columns in words, in both languages."""

from __future__ import annotations

from typing import Any

import pytest

from kequn.definitions import validate
from kequn.errors import ConfigError
from kequn.profile.declaration import FeatureFile, library
from kequn.reading.values import column_title, value_title, value_titles

MANIFEST: dict[str, Any] = {
    "columns": [
        {"name": "gender", "title": {"zh": "性别", "en": "Gender"}, "values": {"male": {"zh": "男", "en": "Male"}}},
        {"name": "city", "title": {"zh": "城市", "en": "City"}},
    ],
    "prediction_columns": [{"name": "p_churn", "title": {"zh": "流失概率", "en": "Churn"}}],
    "schemes": {"rfm": {"title": {"zh": "RFM", "en": "RFM"}, "segment_titles": {"new": {"zh": "新客", "en": "New"}}}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("column", "value", "zh", "en"),
    [
        ("gender", "male", "男", "Male"),
        ("gender", "不愿说", "不愿说", "不愿说"),
        ("city", "深圳", "深圳", "深圳"),
        ("is_retained", True, "是", "yes"),
        ("is_retained", "false", "否", "no"),
        ("seg_rfm", "new", "新客", "New"),
    ],
)
def test_a_value_is_said_in_words_where_it_has_any(column: str, value: object, zh: str, en: str) -> None:
    titles = value_titles(MANIFEST)
    assert (value_title(titles, column, value, "zh"), value_title(titles, column, value, "en")) == (zh, en)


def test_a_column_and_a_scheme_have_their_titles_and_the_unknown_its_name() -> None:
    said = [column_title(MANIFEST, name, "zh") for name in ("gender", "p_churn", "seg_rfm", "seg_gone", "x")]
    assert said == ["性别", "流失概率", "RFM", "seg_gone", "x"]


def test_a_column_taken_over_from_a_table_keeps_the_titles_of_the_standard() -> None:
    titled = {feature.name: feature.value_titles for file in library() for feature in file.features}
    assert titled["gender"]["female"] == {"zh": "女", "en": "Female"}
    assert titled["deal_intent"] and titled["top_season"]["summer"]["zh"] == "夏季"
    assert titled["age"] == {}
    assert all(
        set(words) == {"zh", "en"} and all(words.values())
        for titles in titled.values()
        for words in titles.values()
    )


def test_an_unknown_vocabulary_is_refused_with_the_known_ones() -> None:
    wrong = {"features": [{"name": "a", "from": "customers", "sql": "gender", "values": "gendre"}]}
    with pytest.raises(ConfigError) as error:
        validate(FeatureFile, wrong, "features.yaml")
    assert "gendre" in str(error.value.fields) and "gender" in str(error.value.fields)
