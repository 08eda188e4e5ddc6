"""How samples become ratios, goals and tables."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from bench.measure import ContenderFailed, Sample, median, paired_ratio, run_once
from bench.results import GOALS, Goal
from bench.run import CONTENDERS, chosen_contenders
from bench.tables import BEGIN, END, NAMES, PAGES, rendered


def test_a_ratio_is_the_median_of_the_ratios_within_a_round() -> None:
    ours = [Sample(2, 1, 1), Sample(20, 10, 1), Sample(3, 1, 1)]
    theirs = [Sample(1, 1, 1), Sample(10, 10, 1), Sample(1, 1, 1)]
    assert paired_ratio(ours, theirs, "cpu_s") == 2
    assert median(ours) == {"cpu_s": 3, "wall_s": 1, "peak_gb": 1}


def test_a_command_is_measured_with_its_stages_and_its_memory() -> None:
    code = 'x = bytearray(200_000_000); x[::4096] = bytes(len(x[::4096])); print(\'{"stages": {}, "notes": {"rows": 3}}\')'
    sample = run_once([sys.executable, "-c", code])
    assert sample.notes == {"rows": 3}
    assert 0.2 <= sample.peak_gb < 8
    assert sample.cpu_s > 0


def test_a_failing_command_tells_why() -> None:
    with pytest.raises(ContenderFailed, match="ZeroDivisionError"):
        run_once([sys.executable, "-c", "1 / 0"])


def test_a_chosen_contender_brings_what_it_is_compared_with() -> None:
    assert [c.name for c in chosen_contenders(["registry19"], 10)] == ["scan", "hand19", "registry19"]
    assert [c.name for c in chosen_contenders(["refresh"], 10)] == [
        "deliver",
        "prepare",
        "run_schemes",
        "refresh",
    ]
    assert "pandas19" not in {c.name for c in chosen_contenders(None, 50)}


def test_a_goal_may_be_an_upper_or_a_lower_bound() -> None:
    assert Goal("a", "b", "cpu_s", 1.15).reached(1.15)
    assert not Goal("a", "b", "wall_s", 3, least=True).reached(2.9)
    assert Goal("a", "b", "cpu_s").reached(9) is None


def test_every_contender_and_goal_has_words_and_both_pages_have_room_for_the_tables() -> None:
    assert {contender.name for contender in CONTENDERS} == set(NAMES)
    assert {goal.name for goal in GOALS} | {goal.against for goal in GOALS if goal.against} <= set(NAMES)
    for page in PAGES.values():
        text = page.read_text(encoding="utf-8")
        assert text.count(BEGIN) == text.count(END) == 1


def test_a_missed_goal_is_shown_as_missed() -> None:
    results = {
        "machine": {"processor": "P", "cores": 2, "memory_gb": 24.0, "system": "Linux"},
        "versions": {"python": "3.11"},
        "scales": {
            "10": {
                "data": {"order_lines": 1_000_000, "customers": 100_000},
                "measurements": {"full": {"median": {"cpu_s": 5.0, "wall_s": 3.0, "peak_gb": 0.5}, "notes": {"columns": 99}, "samples": [1]}},
                "ratios": {"full/hand19:cpu_s": {"value": 4.5, "goal": 4, "reached": False}},
            }
        },
    }  # fmt: skip
    text = rendered(results, "en")
    assert "full profile (99 columns) | 5.0 | 3.0 | 0.50 | 1 |" in text
    assert "| 4.50 | ≤ 4 | ✗ |" in text
    assert "| 1,000,000 | 100,000 | 50 | 0.50 |" in text
    assert Path(PAGES["zh"]).parent.name == "zh"
