"""Gates say what was found and what is needed, in words."""

from __future__ import annotations

import numpy as np

from kequn.predict.gates import Gate, Minimum, check, first_failing, rarer


def test_the_first_shortage_is_told() -> None:
    gate = check(Minimum(buyers=100, repeat_buyers=30), buyers=500, repeat_buyers=12)
    assert (gate.ok, gate.code, gate.needed, gate.found) == (False, "predict.gate_repeat_buyers", 30, 12)


def test_an_open_gate_names_the_tightest_condition() -> None:
    gate = check(Minimum(buyers=100, repeat_buyers=30), buyers=500, repeat_buyers=31)
    assert (gate.ok, gate.code) == (True, "predict.gate_repeat_buyers")


def test_a_gate_speaks_both_languages() -> None:
    gate = Gate(False, "predict.gate_buyers", 300, 12)
    assert gate.sentence("en") == "not enough data: 12 customers with an order, of 300 needed"
    assert "12" in gate.sentence("zh") and "300" in gate.sentence("zh")
    assert Gate(True, "predict.gate_buyers", 300, 400).sentence("en").startswith("enough data")


def test_the_rarer_outcome_is_counted() -> None:
    assert rarer(np.array([True, False, False])) == 1
    assert rarer(np.array([True, True])) == 0


def test_the_first_failing_gate_wins() -> None:
    good, bad = Gate(True, "a", 1, 2), Gate(False, "b", 1, 0)
    assert first_failing([good, bad, good]) is bad
    assert first_failing([good]) is good
