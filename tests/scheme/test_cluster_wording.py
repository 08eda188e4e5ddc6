"""Names of groups read like something a person would say, in both languages."""

from __future__ import annotations

import numpy as np
import pytest

from kequn.profile.declaration import all_declarations
from kequn.scheme.clusters.encoding import MISSING
from kequn.scheme.clusters.naming import Trait, _distinct
from kequn.scheme.clusters.wording import level_words, number_words

TITLES = {item.name: item.title for item in all_declarations()[1]}


@pytest.mark.parametrize(
    ("column", "above", "zh", "en"),
    [
        ("children", True, "子女多", "many children"),
        ("children", False, "子女少", "few children"),
        ("orders_90d", True, "近90天购买次数多", "many orders, last 90 days"),
        ("distance_km", False, "距最近地点近", "short distance to the nearest place"),
        ("top_category_share", True, "首位品类占比高", "high share of the top category"),
        ("trait_recommend", False, "不愿推荐", "would not recommend"),
        ("account_assets", False, "管理资产低", "low assets under management"),
    ],
)
def test_a_number_is_many_long_far_or_high_by_what_it_counts(
    column: str, above: bool, zh: str, en: str
) -> None:
    assert number_words(column, TITLES[column], above) == {"zh": zh, "en": en}


@pytest.mark.parametrize(
    ("column", "level", "above", "zh", "en"),
    [
        ("marital_status", "married", True, "多为已婚", "mostly married"),
        ("marital_status", "married", False, "少有已婚", "seldom married"),
        ("household_size_band", "1", True, "1人家庭为主", "mostly households of 1"),
        ("age_band", "18-24", True, "多为18-24岁", "mostly aged 18-24"),
        ("top_category", "母婴", True, "爱买母婴", "buys 母婴 most"),
        ("preferred_channel", "天猫", False, "少在天猫买", "seldom buys in 天猫"),
        ("income_band", "10万+", True, "收入段多为10万+", "income band mostly 10万+"),
        ("age_band", MISSING, True, "年龄段未知", "age band unknown"),
        ("is_referred", "true", False, "由他人推荐：否", "was referred: no"),
    ],
)
def test_a_value_is_told_by_its_title(column: str, level: str, above: bool, zh: str, en: str) -> None:
    assert level_words(column, level, TITLES[column], above) == {"zh": zh, "en": en}


def test_a_column_of_the_workspace_is_told_by_its_own_title() -> None:
    own = {"zh": "宠物数", "en": "Pets"}
    assert number_words("x_pets", own, True) == {"zh": "宠物数高", "en": "high pets"}
    assert number_words("x_nps", {"zh": "NPS", "en": "NPS"}, False) == {"zh": "NPS低", "en": "low NPS"}


@pytest.mark.parametrize(("effect", "zh", "en"), [(1.6, "明显满意", "Clearly satisfied"), (0.5, "略满意", "Slightly satisfied")])  # fmt: skip
def test_two_groups_of_one_kind_are_told_apart_by_how_clear_it_is(effect: float, zh: str, en: str) -> None:
    words = number_words("trait_satisfaction", TITLES["trait_satisfaction"], True)
    traits = [(0, Trait("trait_satisfaction", None, effect, 5.0, 3.0, words))]
    used: list[set[str]] = [{"满意"}, {"Satisfied"}]
    assert _distinct(traits, (), np.ones((1, 1)), used) == {"zh": zh, "en": en}
