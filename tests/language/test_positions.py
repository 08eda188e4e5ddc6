"""Where a rule is wrong: programs count characters from 0, people from 1."""

from __future__ import annotations

import pytest

from kequn.errors import RuleError
from kequn.i18n import explain
from kequn.language import Catalog, Column, compile_rule


def test_the_first_character_is_number_one_in_words() -> None:
    catalog = Catalog({"recency_days": Column("recency_days", "integer")})
    with pytest.raises(RuleError) as caught:
        compile_rule("recency_dayz > 3", catalog)
    assert caught.value.fields["position"] == 0
    assert "第 1 个字符" in explain(caught.value, "zh") and "character 1" in explain(caught.value, "en")
