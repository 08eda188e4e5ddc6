"""Numbers in both languages, charts and spreadsheets."""

from __future__ import annotations

import json
import math
from decimal import Decimal

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from kequn.web.ui import charts, numbers
from kequn.web.ui.spreadsheet import DANGEROUS, safe_cell


@pytest.mark.parametrize(
    ("value", "zh", "en"),
    [
        (0, "0", "0"), (999, "999", "999"), (9_999, "9,999", "9,999"), (10_000, "1.0 万", "10.0 K"), (12_345, "1.2 万", "12.3 K"), (684_123, "68.4 万", "684.1 K"),
        (208_609, "20.9 万", "208.6 K"), (99_999_999, "1.00 亿", "100.0 M"), (1_389_000_000, "13.89 亿", "1.39 B"), (-12_345, "-1.2 万", "-12.3 K"),
        (Decimal("3.26"), "3.3", "3.3"), (0.5, "0.5", "0.5"), (None, "–", "–"), (math.nan, "–", "–"), (math.inf, "–", "–"), ("", "–", "–"),
    ],
)  # fmt: skip
def test_a_short_number_reads_as_each_language_does(value: object, zh: str, en: str) -> None:
    with translation.override("zh-hans"):
        assert numbers.compact(value) == zh
    with translation.override("en"):
        assert numbers.compact(value) == en


@given(st.decimals(-(10**14), 10**14, places=2, allow_nan=False))
def test_a_short_number_is_never_off_by_more_than_half_of_its_last_digit(value: Decimal) -> None:
    with translation.override("zh-hans"):
        text = numbers.compact(value).replace(",", "")
    unit = next((unit for unit, name, _ in numbers.CHINESE if text.endswith(name)), Decimal(1))
    shown = Decimal(text.rstrip("万亿 ")) * unit
    places = len(text.rstrip("万亿 ").partition(".")[2])
    assert abs(shown - value) <= unit * Decimal(1).scaleb(-places) / 2


def test_money_percent_change_and_duration() -> None:
    with translation.override("zh-hans"):
        assert numbers.money(Decimal("1389000000"), "CNY") == "¥13.89 亿"
        assert numbers.money_exact(Decimal("-6006.5"), "CNY") == "-¥6,006.50"
        assert numbers.money_exact(5, "CHF") == "CHF 5.00"
    assert (numbers.percent(0.2086), numbers.percent(None)) == ("20.9%", "–")
    assert (numbers.change(0.084), numbers.change(-0.084), numbers.change(0)) == ("+8.4%", "-8.4%", "0.0%")
    assert [numbers.duration(s) for s in (0.84, 42, 185, 4320, None)] == [
        "0.8 s",
        "42 s",
        "3 min 5 s",
        "1 h 12 min",
        "–",
    ]


def test_every_chart_has_its_figures_as_a_table() -> None:
    made = [
        charts.lines("a", "a", "m", ["1", "2"], {"x": [1, None]}),
        charts.bars("b", "b", "m", ["1", "2"], {"x": [1, 2]}, horizontal=True),
        charts.heat("c", "c", ["r1", "r2"], ["f1"], [[3, None]], labels=("f", "r", "n")),
        charts.sankey("d", "d", [("x", "x", 3)], labels=("a", "b", "n")),
        charts.bubbles("e", "e", [("x", 1, 2, 3)], labels=("g", "x", "y", "n")),
        charts.radar("f", "f", [("p", 1)], {"x": [0.5]}, label="m"),
    ]
    for chart in made:
        assert not chart.empty and all(len(row) == len(chart.columns) for row in chart.rows)
        json.dumps(chart.payload)
    assert [cell["text"] for row in made[0].table for cell in row] == ["1", "1", "2", "–"]
    assert made[2].rows == (("f1", "r1", 3),)
    assert charts.lines("g", "g", "m", [], {}).empty


@given(st.text())
def test_no_text_cell_begins_like_a_formula_unless_it_is_a_number(text: str) -> None:
    cell = safe_cell(text)
    if cell.startswith(DANGEROUS):
        float(cell)
        assert cell == text
    assert cell in (text, f"'{text}")
