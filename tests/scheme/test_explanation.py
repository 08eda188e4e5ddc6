"""Explanations agree with the assignment, show every value and threshold, and their changes really move the customer."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.scheme.oracles import ORACLES
from tests.scheme.people import AS_OF, catalog_for, everything, members, random_people, run

from kequn.engine import EngineSettings, open_engine
from kequn.scheme import Bound, Explainer, Explanation, bind, explain, load_scheme, load_schemes
from kequn.scheme.library import offer, texts

TYPE = """
scheme: t
kind: rules
parameters: {lapsed_days: 180}
segments:
- {id: potential, when: frequency = 0}
- {id: lapsed, when: "recency_days > :lapsed_days"}
- {id: high, when: "monetary >= 5000 AND (frequency > 3 OR NOT (recency_days > 30))"}
otherwise: {id: regular}
"""


def bound(text: str, cuts: dict[str, Any] | None = None) -> Bound:
    return bind(load_scheme(text, "t.yaml", everything()), everything(), AS_OF, cuts or {})


def row(recency: Any = 40, frequency: Any = 2, monetary: Any = Decimal("6000.00")) -> dict[str, Any]:
    return {"customer_id": "C1", "recency_days": recency, "frequency": frequency, "monetary": monetary}


def test_each_clause_shows_value_threshold_and_whether_it_passed() -> None:
    found = explain(bound(TYPE), row())
    assert (found.segment, found.in_scope) == ("regular", True)
    assert [(clause.segment, clause.passed, clause.decisive) for clause in found.clauses] == [
        ("potential", False, False), ("lapsed", False, False), ("high", False, False),
    ]  # fmt: skip
    lapsed = found.clauses[1].condition
    assert (lapsed.column, lapsed.value, lapsed.sign, lapsed.threshold) == ("recency_days", 40, ">", 180)
    assert lapsed.title["zh"] == "最近消费距今"
    money, either = found.clauses[2].condition.parts
    assert (money.value, money.threshold, money.passed) == (Decimal("6000.00"), Decimal("5000.00"), True)
    assert (either.shape, either.passed) == ("or", False)
    assert [part.passed for part in either.parts] == [False, False]


def test_the_nearest_change_is_one_number_and_respects_earlier_segments() -> None:
    found = explain(bound(TYPE), row())
    lapsed, high, potential = (found.changes[name] for name in ("lapsed", "high", "potential"))
    assert lapsed is not None and (lapsed.column, lapsed.needed, lapsed.direction) == (
        "recency_days",
        181,
        "up",
    )
    assert high is not None and (high.column, high.value, high.needed) == ("recency_days", 40, 30)
    assert potential is not None and potential.needed == 0
    both_missing = explain(bound(TYPE), row(recency=200, frequency=5, monetary=Decimal("1.00")))
    assert both_missing.changes["high"] is None  # lapsed comes first, and more money alone does not undo that


def test_no_change_is_offered_for_what_nobody_can_change() -> None:
    text = "scheme: t\nkind: bands\ncolumn: age\nedges: [30]\nsegments: [{id: young}, {id: old}]\n"
    found = explain(bound(text), {"customer_id": "C1", "age": 20})
    assert found.segment == "young" and found.changes == {"old": None, "unknown": None}


def test_an_unknown_value_is_shown_as_unknown_not_as_failed() -> None:
    found = explain(bound(TYPE), row(recency=None))
    assert found.clauses[1].passed is None
    assert found.segment == "regular"


def test_out_of_scope_is_said_with_its_reason() -> None:
    found = explain(bound(TYPE.replace("kind: rules", "kind: rules\nscope: frequency > 5")), row())
    assert (found.in_scope, found.segment, found.changes) == (False, None, {})
    assert found.scope is not None and found.scope.passed is False and found.scope.threshold == 5


def test_points_of_a_scorecard_are_visible() -> None:
    text = """
scheme: card
kind: scorecard
minimum_known: 0.2
items:
- {id: spend, title: {zh: 消费, en: Spend}, column: monetary, edges: [100], points: [0, 30]}
- {id: often, choices: [{when: frequency > 3, points: 70}], missing: skip}
segments: [{id: a, at_least: 50}, {id: b}]
"""
    found = explain(bound(text), row())
    assert [(c.item, c.points, c.most) for c in found.contributions] == [("spend", 30, 30), ("often", 0, 70)]
    assert found.scores == {"score_card": 30.0} and found.segment == "b"
    better = found.changes["a"]
    assert better is not None and (better.column, better.needed) == ("frequency", 4)
    assert explain(bound(text), row(frequency=None)).scores == {"score_card": 100.0}


def test_what_keeps_a_customer_is_named() -> None:
    text = TYPE.replace('> :lapsed_days"', '> :lapsed_days", stay: recency_days > 20').replace(
        "{id: regular}", "{id: regular, override: [vip]}"
    )
    here = bound(text)
    stayed = explain(here, {**row(), "prev_seg_t": "lapsed", "prev_since_t": AS_OF}, AS_OF)
    assert (stayed.segment, stayed.rule_segment, stayed.held_by) == ("lapsed", "regular", "stay")
    named = explain(here, {**row(), "customer_id": "vip", "frequency": 0})
    assert (named.segment, named.rule_segment, named.held_by) == ("regular", "potential", "override")


@pytest.mark.parametrize("seed", [21, 22])
def test_explanations_agree_with_the_assignment_for_every_built_in_scheme(tmp_path: Path, seed: int) -> None:
    engine = open_engine(EngineSettings())
    rows = random_people(seed, 40)
    usable = offer(everything(), catalog_for(rows)).usable
    chosen = {usable[name].file: texts()[usable[name].file] for name in ORACLES}
    assignment = run(engine, tmp_path, rows, chosen)
    schemes = load_schemes(chosen, everything())
    wide = {r["customer_id"]: r for r in engine.sql(_all("_kequn_wide")).to_pylist()}
    for name, result in assignment.results.items():
        here = bind(schemes[name], catalog_for(rows), AS_OF, result.manifest()["cuts"], schemes)
        found = members(tmp_path, name)
        explainer = Explainer(here)
        for person in rows[:12]:
            key = person["customer_id"]
            said = explainer.explain({**wide[key], **person})
            assert said.segment == found.get(key), (name, key)
            assert said.in_scope == (key in found)
            _check_changes(explainer, {**wide[key], **person}, said)
    engine.close()


def _all(view: str) -> Any:
    from sqlglot import exp

    return exp.select("*").from_(view)


def _check_changes(explainer: Explainer, person: dict[str, Any], said: Explanation) -> None:
    """Whoever makes the change is in the segment that was promised."""
    for segment, change in said.changes.items():
        if change is not None:
            needed = change.needed
            if explainer.bound.catalog.columns[change.column].type == "money":
                assert isinstance(needed, Decimal)
                needed = int(needed * 100)
            assert explainer.explain({**person, change.column: needed}).segment == segment


def test_a_grid_explains_scores_and_what_lifts_a_customer() -> None:
    cuts = {axis: {"values": [10, 20, 30, 40]} for axis in "RFM"}
    found = explain(bound(texts()["rfm.yaml"], cuts), {**row(5, 35, Decimal("0.05")), "customer_id": "x"})
    assert found.scores == {"rfm_r": 5, "rfm_f": 4, "rfm_m": 1}
    assert found.segment == "loyal"
    up = found.changes["champions"]
    assert up is not None and (up.column, up.needed) == ("monetary", Decimal("0.31"))
