"""Assignment: partition, ties, quotas, layers, staying, refining. Each on both engines."""

from __future__ import annotations

import hashlib
import random
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.scheme.oracles import cut
from tests.scheme.people import AS_OF, Row, everything, members, random_people, run, write

from kequn.engine import Engine, EngineSettings, open_engine
from kequn.errors import ConfigError, KequnError
from kequn.scheme import Previous, load_schemes
from kequn.scheme.cuts import Standing, Standings, places, quantile_cuts, round_half_up
from kequn.scheme.kind import Quantiles
from kequn.scheme.library import texts

RFM = texts()["rfm.yaml"]
TIERS = """
scheme: tier
kind: tiers
rank_by: [score, monetary]
then_by: [frequency]
segments: [{id: top, share: 0.1}, {id: next, share: 0.25}, {id: rest, share: 0.65}]
"""
TWO = """
scheme: two
kind: rules
segments:
- {id: new, when: "recency_days <= 30"}
otherwise: {id: old}
"""


def buyer(key: str, recency: int | None = 10, frequency: int = 1, monetary: int = 100) -> Row:
    return {
        "customer_id": key,
        "recency_days": recency,
        "frequency": frequency,
        "monetary": monetary,
        "score": None,
    }


# cut points
@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=60),
    st.lists(st.integers(1, 99), min_size=1, max_size=4, unique=True),
)
def test_a_cut_is_the_smallest_value_that_reaches_its_share(values: list[int], percents: list[int]) -> None:
    shares = [Fraction(percent, 100) for percent in sorted(percents)]
    at = places(Quantiles("monetary", tuple(shares)), len(values))
    found = quantile_cuts(Standings({place: standing(values, place) for place in at}, None), at)
    assert found == [cut(values, share) for share in shares]


def standing(values: list[int], place: int) -> Standing:
    value = sorted(values)[place]
    return Standing(value, sum(v < value for v in values), sum(v <= value for v in values))


def test_cut_points_of_many_columns_are_those_of_sorted_lists(engine: Engine, tmp_path: Path) -> None:
    rng = random.Random(3)
    names = [  # more than one query takes
        "recency_days", "monetary", "clv_12m", "score", "orders_30d", "orders_90d", "orders_180d", "tenure_days",
    ]  # fmt: skip
    rows: list[Row] = [
        {"customer_id": f"C{n:02d}", "frequency": n % 3}
        | {name: rng.choice([None, *range(-9, 9)]) if name != "tenure_days" else None for name in names}
        for n in range(90)
    ]
    text = "scheme: {0}\nkind: bands\nscope: frequency > 0\ncolumn: {0}\nbins: 3\nsegments: [{{id: a}}, {{id: b}}, {{id: c}}]\n"
    found = run(engine, tmp_path, rows, [text.format(name) for name in names]).results
    for name in names:
        values = [row[name] for row in rows if row["frequency"] and row[name] is not None]
        wanted = [cut(values, Fraction(step, 3)) for step in (1, 2)] if values else []
        assert found[name].bound.cuts["bands"]["values"] == wanted, name
        assert found[name].bound.cuts["bands"]["customers"] == len(values)


def test_half_a_customer_counts_as_one_in_a_quota() -> None:
    assert [round_half_up(Fraction(n, 10)) for n in (4, 5, 14, 15, 25)] == [0, 1, 1, 2, 3]


# grids
def test_the_best_customer_gets_5_5_5_and_the_worst_1_1_1(engine: Engine, tmp_path: Path) -> None:
    rows = [buyer(f"C{n}", recency=101 - n, frequency=n, monetary=n * 100) for n in range(1, 101)]
    assignment = run(engine, tmp_path, rows, [RFM])
    wide = {row["customer_id"]: row for row in pq.read_table(list(assignment.wide)).to_pylist()}
    assert [wide["C100"][f"rfm_{axis}"] for axis in "rfm"] == [5, 5, 5]
    assert [wide["C1"][f"rfm_{axis}"] for axis in "rfm"] == [1, 1, 1]
    assert members(tmp_path, "rfm")["C100"] == "champions"


def test_the_best_customers_get_5_even_when_half_of_all_share_the_best_value(
    engine: Engine, tmp_path: Path
) -> None:
    rows = [
        buyer(
            f"C{n}",
            recency=1 if n < 10 else 50,
            frequency=9 if n < 10 else 1,
            monetary=900 if n < 10 else 100,
        )
        for n in range(20)
    ]
    assignment = run(engine, tmp_path, rows, [RFM])
    wide = {row["customer_id"]: row for row in pq.read_table(list(assignment.wide)).to_pylist()}
    assert [wide["C0"][f"rfm_{axis}"] for axis in "rfm"] == [5, 5, 5]
    assert [wide["C19"][f"rfm_{axis}"] for axis in "fm"] == [1, 1]


def test_equal_values_never_get_different_scores(engine: Engine, tmp_path: Path) -> None:
    rng = random.Random(5)
    rows = [
        buyer(
            f"C{n:03d}", rng.choice([1, 2, 3, 90]), rng.choice([1, 1, 1, 2, 3]), rng.choice([100, 200, 300])
        )
        for n in range(150)
    ]
    wide = pq.read_table(list(run(engine, tmp_path, rows, [RFM]).wide)).to_pylist()
    by_id = {row["customer_id"]: row for row in rows}
    for axis, column in (("r", "recency_days"), ("f", "frequency"), ("m", "monetary")):
        scores: dict[int, set[int]] = {}
        for row in wide:
            scores.setdefault(by_id[row["customer_id"]][column], set()).add(row[f"rfm_{axis}"])
        assert all(len(found) == 1 for found in scores.values()), axis


def test_row_order_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    rows = random_people(7, 60)
    scheme_texts = [RFM, texts()["value_tier.yaml"], TWO]
    first = run(engine, tmp_path / "a", rows, scheme_texts)
    random.Random(1).shuffle(rows)
    second = run(engine, tmp_path / "b", rows, scheme_texts)
    assert {n: r.digest for n, r in first.results.items()} == {n: r.digest for n, r in second.results.items()}


def test_segments_worked_out_range_by_range_are_those_worked_out_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(EngineSettings(memory_limit="1GB"))
    rows, scheme_texts = random_people(9, 60), [RFM, texts()["value_tier.yaml"], TWO]
    whole = run(engine, tmp_path / "whole", rows, scheme_texts)
    monkeypatch.setattr("kequn.profile.ranges.ROWS_PER_RANGE", 25)
    parts = run(engine, tmp_path / "parts", rows, scheme_texts)
    assert (len(whole.wide), len(parts.wide)) == (1, 3)
    assert pq.read_table(list(parts.wide)).to_pylist() == pq.read_table(list(whole.wide)).to_pylist()
    assert {n: r.digest for n, r in parts.results.items()} == {n: r.digest for n, r in whole.results.items()}
    engine.close()


def test_cells_of_a_grid_add_up_to_its_customers(engine: Engine, tmp_path: Path) -> None:
    assignment = run(engine, tmp_path, random_people(8, 80), [RFM])
    cells = assignment.cells.to_pylist()
    assert sum(cell["customers"] for cell in cells) == assignment.results["rfm"].customers
    assert len({cell["cell"] for cell in cells}) == len(cells)


# tiers
@pytest.mark.parametrize("count", [1, 2, 7, 10, 99])
def test_tier_quotas_are_exact_also_when_everybody_is_equal(
    engine: Engine, tmp_path: Path, count: int
) -> None:
    rows = [{"customer_id": f"C{n:03d}", "monetary": 100, "frequency": None} for n in range(count)]
    found = run(engine, tmp_path, rows, [TIERS]).results["tier"].counts
    ends = [round_half_up(Fraction(count * percent, 100)) for percent in (10, 35, 100)]
    assert list(found.values()) == [ends[0], ends[1] - ends[0], ends[2] - ends[1], 0]


def test_ties_of_a_tier_go_by_the_second_column_unknown_last_then_by_id(
    engine: Engine, tmp_path: Path
) -> None:
    rows = [
        {"customer_id": key, "monetary": 100, "frequency": f}
        for key, f in [("d", None), ("c", 1), ("b", 2), ("a", 1)]
    ]
    text = TIERS.replace("0.25", "0.4").replace("0.65", "0.5")
    run(engine, tmp_path, rows, [text])
    assert members(tmp_path, "tier") == {"a": "next", "b": "next", "c": "rest", "d": "rest"}
    text = TIERS.replace("0.1}", "0.7}").replace("0.25", "0.05").replace("0.65", "0.25")
    run(engine, tmp_path, rows, [text])
    assert members(tmp_path, "tier") == {"a": "top", "b": "top", "c": "top", "d": "rest"}


def test_tiers_name_the_column_they_ranked_by(engine: Engine, tmp_path: Path) -> None:
    rows = [{"customer_id": f"C{n}", "monetary": n, "score": float(n % 3), "frequency": 1} for n in range(10)]
    manifest = run(engine, tmp_path, rows, [TIERS]).results["tier"].manifest()
    assert manifest["cuts"]["tiers"]["columns"] == ["score", "frequency"]


def test_a_customer_without_a_value_is_not_ranked(engine: Engine, tmp_path: Path) -> None:
    rows = [{"customer_id": f"C{n}", "monetary": None if n < 5 else n, "frequency": 1} for n in range(15)]
    found = run(engine, tmp_path, rows, [TIERS]).results["tier"].counts
    assert found == {"top": 1, "next": 3, "rest": 6, "unknown": 5}


# bands, scope, decimals
def test_an_edge_belongs_to_the_band_above_and_a_quantile_to_the_band_below(
    engine: Engine, tmp_path: Path
) -> None:
    edges = "scheme: edge\nkind: bands\ncolumn: monetary\nedges: [1, 2.5]\nsegments: [{id: low}, {id: mid}, {id: high}]\n"
    halves = (
        "scheme: half\nkind: bands\ncolumn: monetary\nquantiles: [0.5]\nsegments: [{id: low}, {id: high}]\n"
    )
    rows = [buyer(f"C{n}", monetary=value) for n, value in enumerate([99, 100, 249, 250])] + [
        {**buyer("C9"), "monetary": None}
    ]
    run(engine, tmp_path, rows, [edges, halves])
    assert list(members(tmp_path, "edge").values()) == ["low", "mid", "mid", "high", "unknown"]
    assert list(members(tmp_path, "half").values()) == ["low", "low", "high", "high", "unknown"]


def test_bands_of_a_decimal_and_of_a_number_column(engine: Engine, tmp_path: Path) -> None:
    from decimal import Decimal

    text = "scheme: {0}\nkind: bands\ncolumn: {0}\nquantiles: [0.5]\nsegments: [{{id: low}}, {{id: high}}]\n"
    rows: list[Row] = [
        {"customer_id": f"C{n}", "weight": Decimal(value), "score": float(value)}
        for n, value in enumerate(["0.1", "0.3", "0.3", "0.7"])
    ]
    run(engine, tmp_path, rows, [text.format("weight"), text.format("score")])
    assert list(members(tmp_path, "weight").values()) == ["low", "low", "low", "high"]
    assert members(tmp_path, "weight") == members(tmp_path, "score")


def test_cut_points_use_customers_in_scope_only_and_others_get_no_row(engine: Engine, tmp_path: Path) -> None:
    text = "scheme: s\nkind: bands\nscope: frequency > 1\ncolumn: monetary\nquantiles: [0.5]\nsegments: [{id: low}, {id: high}]\n"
    rows = [buyer(f"C{n}", frequency=2 if n < 4 else 1, monetary=n * 100) for n in range(50)]
    rows.append({**buyer("unknown"), "frequency": None})
    assignment = run(engine, tmp_path, rows, [text])
    assert members(tmp_path, "s") == {"C0": "low", "C1": "low", "C2": "high", "C3": "high"}
    assert assignment.results["s"].outside == 47
    assert assignment.results["s"].bound.cuts["bands"]["values"] == [100]


# scorecards
def test_a_gate_caps_or_decides_and_missing_inputs_are_never_the_lowest_grade(
    engine: Engine, tmp_path: Path
) -> None:
    text = """
scheme: grade_card
kind: scorecard
items:
- {id: spend, column: monetary, edges: [1, 2], points: [0, 5, 10]}
- {id: often, choices: [{when: frequency >= 3, points: 10}]}
gates:
- {when: "grade = 'refused'", grade: d, missing: ignore}
- {when: recency_days > 100, at_most: b}
segments: [{id: a, at_least: 75}, {id: b, at_least: 50}, {id: c, at_least: 25}, {id: d}]
otherwise: {id: ungraded}
"""
    people: list[tuple[str, Any, Any, Any, Any, str]] = [
        ("best", 200, 3, 1, None, "a"),
        ("half", 0, 3, 1, None, "b"),
        ("quarter", 100, 1, 1, None, "c"),
        ("nothing", 0, 1, 1, None, "d"),
        ("capped", 200, 3, 101, None, "b"),
        ("refused", 200, 3, 1, "refused", "d"),
        ("no_money", None, 3, 1, None, "ungraded"),
        ("no_count", 200, None, 1, None, "ungraded"),
        ("no_gate", 200, 3, None, None, "ungraded"),
    ]
    rows = [
        {"customer_id": key, "monetary": m, "frequency": f, "recency_days": r, "grade": g}
        for key, m, f, r, g, _ in people
    ]
    run(engine, tmp_path, rows, [text])
    assert members(tmp_path, "grade_card") == {key: wanted for key, *_, wanted in people}


# references
def test_segments_scores_and_crosses_come_after_what_they_refer_to(engine: Engine, tmp_path: Path) -> None:
    uses = """
scheme: uses
kind: rules
segments:
- {id: hot, when: "segment('two') = 'new' AND rfm_m >= 4"}
otherwise: {id: cold}
"""
    crossed = "scheme: crossed\nkind: cross\nof: [two, uses]\n"
    rows = [buyer(f"C{n}", recency=10 if n % 2 else 90, monetary=n * 100) for n in range(20)]
    assignment = run(
        engine, tmp_path, rows, {"b.yaml": crossed, "a.yaml": uses, "c.yaml": TWO, "d.yaml": RFM}
    )
    two, hot, both = (members(tmp_path, name) for name in ("two", "uses", "crossed"))
    assert {key for key, segment in hot.items() if segment == "hot"} == {f"C{n}" for n in (13, 15, 17, 19)}
    assert both == {key: f"{two[key]}+{hot[key]}" for key in two}
    assert sum(assignment.results["crossed"].counts.values()) == 20


def test_a_cross_has_the_intersected_scope(engine: Engine, tmp_path: Path) -> None:
    other = "scheme: other\nkind: given\nscope: frequency > 1\ncolumn: frequency\nsegments: [{id: two, values: [2]}]\n"
    rows = [buyer(f"C{n}", frequency=n) for n in range(4)]
    run(
        engine,
        tmp_path,
        rows,
        [
            TWO.replace("kind: rules", "kind: rules\nscope: frequency < 3"),
            other,
            "scheme: x\nkind: cross\nof: [two, other]\n",
        ],
    )
    assert members(tmp_path, "x") == {"C2": "new+two"}


def test_a_refinement_cuts_within_the_parent_and_moves_nobody(engine: Engine, tmp_path: Path) -> None:
    parent = TWO + "refine: {old: halves}\n"
    child = (
        "scheme: halves\nkind: bands\ncolumn: monetary\nquantiles: [0.5]\nsegments: [{id: low}, {id: high}]\n"
    )
    rows = [buyer(f"C{n}", recency=10 if n < 8 else 90, monetary=n * 100) for n in range(12)]
    run(engine, tmp_path / "plain", rows, [TWO])
    assignment = run(engine, tmp_path, rows, [parent, child])
    assert members(tmp_path, "two") == members(tmp_path / "plain", "two")
    inside = members(tmp_path, "two", "sub_segment")
    assert {key: sub for key, sub in inside.items() if sub} == {
        "C8": "low",
        "C9": "low",
        "C10": "high",
        "C11": "high",
    }
    assert assignment.results["two"].manifest()["refinements"]["old"]["cuts"]["bands"]["values"] == [900]
    assert assignment.results["halves"].bound.cuts["bands"]["values"] == [500]


def test_what_a_workspace_lacks_is_listed_with_what_depends_on_it(engine: Engine, tmp_path: Path) -> None:
    uses = "scheme: uses\nkind: rules\nsegments: [{id: a, when: \"segment('cards') = 'x'\"}]\n"
    cards = "scheme: cards\nkind: given\ncolumn: grade\nsegments: [{id: x}]\n"
    assignment = run(engine, tmp_path, [buyer("C1")], [TWO, uses, cards])
    assert set(assignment.results) == {"two"}
    assert assignment.unavailable == {"cards": ("grade",), "uses": ("scheme:cards",)}


# memory of the last run
STAY = """
scheme: stay
kind: rules
segments:
- {id: lapsed, when: recency_days > 180, stay: recency_days > 150}
- {id: busy, when: frequency >= 5, minimum_days: 60}
otherwise: {id: calm, override: [vip]}
"""


def test_staying_minimum_days_and_overrides(engine: Engine, tmp_path: Path) -> None:
    before = [
        buyer("a", 200),
        buyer("b", 200),
        buyer("c", 1, 5),
        buyer("d", 1, 5),
        buyer("e", 1),
        buyer("vip", 200),
    ]
    start = AS_OF - timedelta(days=100)
    run(engine, tmp_path / "first", before, [STAY], as_of=start)
    assert members(tmp_path / "first", "stay") == {
        "a": "lapsed", "b": "lapsed", "c": "busy", "d": "busy", "e": "calm", "vip": "calm",
    }  # fmt: skip
    previous = {"stay": Previous("r1", (tmp_path / "first" / "assignment" / "stay-00000.parquet",))}
    now = [
        buyer("a", 160),
        buyer("b", 140),
        buyer("c", 1, 4),
        buyer("d", 1, 5),
        buyer("e", 1),
        buyer("f", 160),
        buyer("vip", 1),
    ]
    soon = start + timedelta(days=59)
    result = run(engine, tmp_path / "second", now, [STAY], as_of=soon, previous=previous).results["stay"]
    assert members(tmp_path / "second", "stay") == {
        "a": "lapsed", "b": "calm", "c": "busy", "d": "busy", "e": "calm", "f": "calm", "vip": "calm",
    }  # fmt: skip
    assert members(tmp_path / "second", "stay", "rule_segment")["a"] == "calm"
    assert members(tmp_path / "second", "stay", "since") == {
        "a": start, "b": soon, "c": start, "d": start, "e": start, "f": soon, "vip": start,
    }  # fmt: skip
    assert result.previous == "r1"
    later = start + timedelta(days=60)
    run(engine, tmp_path / "third", now, [STAY], as_of=later, previous=previous)
    assert members(tmp_path / "third", "stay")["c"] == "calm"


def test_since_is_kept_over_many_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kequn.scheme.members.BATCH_ROWS", 7)
    engine = open_engine(EngineSettings())
    first, second = random_people(1, 60), random_people(2, 70)
    early = date(2026, 10, 1)
    run(engine, tmp_path / "a", first[::2], [TWO], as_of=early)
    previous = {"two": Previous("r1", (tmp_path / "a" / "assignment" / "two-00000.parquet",))}
    run(engine, tmp_path / "b", second, [TWO], previous=previous)
    was, now = members(tmp_path / "a", "two"), members(tmp_path / "b", "two")
    expected = {key: early if was.get(key) == segment else AS_OF for key, segment in now.items()}
    assert members(tmp_path / "b", "two", "since") == expected
    engine.close()


# proof
def test_the_digest_is_that_of_sorted_lines(engine: Engine, tmp_path: Path) -> None:
    assignment = run(engine, tmp_path, random_people(9, 40), [TWO])
    lines = "".join(f"{key},{segment}\n" for key, segment in sorted(members(tmp_path, "two").items()))
    assert assignment.results["two"].digest == hashlib.sha256(lines.encode()).hexdigest()


def test_a_customer_with_two_rows_is_refused(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(KequnError) as caught:
        run(engine, tmp_path, [buyer("C1"), buyer("C2"), buyer("C1", 90)], [TWO])
    assert caught.value.code == "scheme.customer_twice" and caught.value.fields["id"] == "C1"


def test_empty_and_small_segments_are_warned_about(engine: Engine, tmp_path: Path) -> None:
    text = TWO.replace("kind: rules", "kind: rules\nguard: {min_customers: 3}") + ""
    codes = [warning.code for warning in run(engine, tmp_path, [buyer("C1")], [text]).warnings]
    assert codes == ["scheme.small_segment"]
    codes = [warning.code for warning in run(engine, tmp_path, [buyer("C1", 90)], [TWO]).warnings]
    assert codes == ["scheme.empty_segment"]


def test_no_customers_at_all_still_gives_files_and_counts(engine: Engine, tmp_path: Path) -> None:
    rows = [buyer("C1")]
    write(engine, tmp_path, rows)
    nobody = "scope: frequency > 100\n"
    assignment = run(
        engine,
        tmp_path,
        rows,
        [
            nobody + RFM.split("scope: frequency > 0\n")[0] + RFM.split("scope: frequency > 0\n")[1],
            nobody + TIERS,
        ],
    )
    assert [result.customers for result in assignment.results.values()] == [0, 0]
    assert members(tmp_path, "rfm") == {}


def test_segment_sums_are_exact_to_the_cent(engine: Engine, tmp_path: Path) -> None:
    rows = random_people(11, 90)
    assignment = run(engine, tmp_path, rows, [TWO])
    total = sum(row["monetary"] for row in assignment.segments.to_pylist())
    assert int(total * 100) == sum(row["monetary"] for row in rows)
    assert [row["segment"] for row in assignment.segments.to_pylist()] == ["new", "old"]


VALUES = st.one_of(st.none(), st.integers(0, 6))
PEOPLE = st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=25)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PEOPLE, st.integers(0, 3), st.integers(1, 5))
def test_everybody_in_scope_is_in_exactly_one_segment(
    tmp_path_factory: pytest.TempPathFactory, people: list[tuple[Any, ...]], low: int, bins: int
) -> None:
    folder = tmp_path_factory.mktemp("partition")
    rows = [
        {"customer_id": f"C{n:02d}", "recency_days": r, "frequency": f, "monetary": m, "score": None}
        for n, (r, f, m) in enumerate(people)
    ]
    grid = f"""
scheme: grid
kind: grid
axes: [{{id: A, column: recency_days, bins: {bins + 1}}}, {{id: B, column: monetary, edges: [0.02, 0.04], better: low}}]
segments: [{{id: first, cells: A = 1}}, {{id: others, cells: "A in 2-{bins + 1}"}}]
"""
    rules = f"""
scheme: rule
kind: rules
scope: "frequency >= {low}"
segments: [{{id: a, when: recency_days > {low}}}, {{id: b, when: NOT (monetary > 0.03)}}]
"""
    engine = open_engine(EngineSettings(threads=1))
    assignment = run(engine, folder, rows, [grid, rules, TIERS, "scheme: x\nkind: cross\nof: [rule, tier]\n"])
    for name, result in assignment.results.items():
        found = members(folder, name)
        assert len(found) == result.customers == sum(result.counts.values())
        assert result.customers + result.outside == len(rows)
    in_scope = {
        row["customer_id"] for row in rows if row["frequency"] is not None and row["frequency"] >= low
    }
    assert set(members(folder, "rule")) == in_scope == set(members(folder, "x"))
    engine.close()


def test_wrong_references_are_refused_before_anything_runs() -> None:
    circle = {
        "a.yaml": "scheme: a\nkind: rules\nsegments: [{id: x, when: \"segment('b') = 'y'\"}]\n",
        "b.yaml": "scheme: b\nkind: rules\nsegments: [{id: y, when: \"segment('c') = 'z'\"}]\n",
        "c.yaml": "scheme: c\nkind: rules\nsegments: [{id: z, when: \"segment('a') = 'x'\"}]\n",
    }
    with pytest.raises(ConfigError) as caught:
        load_schemes(circle, everything())
    assert caught.value.code == "scheme.cycle"
    assert set(caught.value.fields["names"]) == {"a", "b", "c"}
