"""What is wrong with a scheme is said when it is loaded: what, where, and the nearest right name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scheme.people import everything

from kequn.errors import ConfigError
from kequn.i18n import LANGUAGES, catalogue, explain
from kequn.language import compile_rule
from kequn.scheme import available, load_scheme, load_schemes, with_parameters
from kequn.scheme.library import texts
from kequn.scheme.reach import complement, intersection, region_of, union, within


def rules(*segments: tuple[str, str], more: str = "") -> str:
    listed = "\n".join(f'- {{id: {name}, when: "{rule}"}}' for name, rule in segments)
    return f"scheme: s\nkind: rules\n{more}segments:\n{listed}\n"


def refused(text: str, code: str) -> dict[str, Any]:
    """The fields of the error; it must be worded in both languages without a hole."""
    with pytest.raises(ConfigError) as caught:
        load_scheme(text, "schemes/s.yaml", everything())
    assert caught.value.code == code, str(caught.value)
    for lang in LANGUAGES:
        words = explain(caught.value, lang)
        assert "{" not in words and code not in words, words
    return caught.value.fields


# names and shapes
def test_an_unknown_column_is_named_with_its_place_and_the_nearest_name() -> None:
    fields = refused(rules(("a", "frequency > 1"), ("b", "recency_dais > 3")), "scheme.rule")
    assert (fields["file"], fields["line"], fields["where"]) == ("schemes/s.yaml", 5, "segments.1.when")
    assert (fields["position"], fields["word"], fields["near"]) == (0, "recency_dais", "recency_days")


def test_the_sentence_of_a_wrong_rule_holds_both_the_line_and_the_mistake() -> None:
    with pytest.raises(ConfigError) as caught:
        load_scheme(rules(("a", "recency_dais > 1")), "s.yaml", everything())
    assert re.search(r"s\.yaml.*4.*recency_dais.*recency_days", explain(caught.value, "zh"))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (rules(("a", "frequency >")), "scheme.rule"),
        (rules(("a", "city_tier = 1")), "scheme.rule"),
        (rules(("a", "frequency > :days")), "scheme.rule"),
        (rules(("a", "segment('nowhere') = 'x'")), "scheme.rule"),
        (rules(("A!", "frequency > 1")), "scheme.bad_id"),
        (rules(("a", "frequency > 1")).replace("scheme: s", "scheme: 方案"), "scheme.bad_id"),
        (rules(("a", "frequency > 1"), ("a", "frequency > 0")), "scheme.segment_twice"),
        (rules(("unknown", "frequency > 1")), "scheme.segment_twice"),
        (rules(("a", "frequency > 1"), more="colour: red\n"), "definitions.unknown_key"),
        (rules(("a", "frequency > 1"), more="title: {fr: Bonjour}\n"), "scheme.language"),
        (rules(("a", "frequency > 1"), more="parameters: {two words: 1}\n"), "scheme.parameter_name"),
        (rules(("a", "frequency > 1"), more="refine: {b: s}\n"), "scheme.unknown_segment"),
        (rules(("a", "frequency > 1"), more="refine: {a: s}\n"), "scheme.cycle"),
        (rules(("a", "frequency > 1"), more="refine: {a: other}\n"), "scheme.unknown_scheme"),
        (rules(("a", "frequency > 1"), more="optional: [frequenzy]\n"), "scheme.unknown_column"),
        (rules(("a", "frequency > 1")).replace("rules", "ruels"), "scheme.unknown_kind"),
        ("scheme: s\nkind: rules\nsegments: []\n", "definitions.out_of_range"),
        ("kind: rules\n", "definitions.missing_key"),
    ],
)  # fmt: skip
def test_a_wrong_rules_scheme_is_refused(text: str, code: str) -> None:
    refused(text, code)


BANDS = "scheme: s\nkind: bands\ncolumn: {column}\n{cut}\nsegments: [{{id: a}}, {{id: b}}]\n"


@pytest.mark.parametrize(
    ("column", "cut", "code"),
    [
        ("monetary", "edges: [1.005]", "scheme.money_digits"),
        ("monetary", "edges: [2, 1]", "scheme.cuts_rise"),
        ("monetary", "quantiles: [20]", "scheme.share_range"),
        ("monetary", "", "scheme.one_way_to_cut"),
        ("monetary", "edges: [1]\nbins: 2", "scheme.one_way_to_cut"),
        ("monetary", "bins: 3", "scheme.band_count"),
        ("monetary", "bins: 11", "definitions.out_of_range"),
        ("city_tier", "bins: 2", "scheme.column_type"),
        ("monetery", "bins: 2", "scheme.unknown_column"),
    ],
)
def test_wrong_bands_are_refused(column: str, cut: str, code: str) -> None:
    refused(BANDS.format(column=column, cut=cut), code)


@pytest.mark.parametrize(
    ("shares", "code"),
    [((0.5, 0.4), "scheme.shares_sum"), ((80, 20), "scheme.share_range"), ((1, 0), "scheme.share_range")],
)
def test_wrong_tiers_are_refused(shares: Sequence[float], code: str) -> None:
    listed = ", ".join(f"{{id: t{n}, share: {share}}}" for n, share in enumerate(shares))
    refused(f"scheme: s\nkind: tiers\nrank_by: monetary\nsegments: [{listed}]\n", code)


def test_tenths_add_up_to_one_exactly() -> None:
    listed = ", ".join(f"{{id: t{n}, share: 0.1}}" for n in range(10))
    load_scheme(f"scheme: s\nkind: tiers\nrank_by: monetary\nsegments: [{listed}]\n", "s.yaml", everything())


GRID = """
scheme: s
kind: grid
axes: [{{id: R, column: recency_days, bins: 3, better: low}}, {{id: F, column: frequency, edges: [2, 5]}}]
segments: [{{id: a, cells: {a}}}, {{id: b, cells: {b}}}]
"""


def test_a_hole_in_a_grid_is_listed_cell_by_cell() -> None:
    fields = refused(GRID.format(a="[R = 3]", b="['R in 1-2, F >= 2']"), "scheme.grid_hole")
    assert fields["cells"] == ["R1 F1", "R2 F1"] and fields["count"] == 2


def test_an_overlap_in_a_grid_names_both_groups_and_the_cells() -> None:
    fields = refused(GRID.format(a="[R >= 2]", b="['R <= 2']"), "scheme.grid_overlap")
    assert (fields["other"], fields["segment"], fields["line"]) == ("a", "b", 5)
    assert fields["cells"] == ["R2 F1", "R2 F2", "R2 F3"]


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ("[R is 3]", "scheme.cell_pattern"),
        ("['R = 1, R = 2']", "scheme.cell_pattern"),
        ("[M = 1]", "scheme.unknown_axis"),
        ("[R in 2-4]", "scheme.cell_range"),
        ("[R in 3-2]", "scheme.cell_range"),
        ("[R = 0]", "scheme.cell_range"),
    ],
)
def test_a_wrong_cell_pattern_is_refused(cells: str, code: str) -> None:
    refused(GRID.format(a=cells, b="[R = 3]"), code)


CARD = """
scheme: s
kind: scorecard
items: [{items}]
gates: [{gates}]
segments: [{segments}]
"""
ITEM = "{id: i, column: frequency, edges: [2], points: [0, 5]}"
GRADES = "{id: a, at_least: 50}, {id: b}"


@pytest.mark.parametrize(
    ("items", "gates", "segments", "code"),
    [
        ("{id: i}", "", GRADES, "scheme.item_needs_one"),
        (f"{ITEM}, {ITEM}", "", GRADES, "scheme.item_twice"),
        ("{id: i, column: frequency, edges: [2], points: [0]}", "", GRADES, "scheme.band_count"),
        ("{id: i, column: frequency, edges: [2], points: [0, -1]}", "", GRADES, "scheme.points"),
        ("{id: i, column: frequency, edges: [], points: [1]}", "", GRADES, "scheme.one_way_to_cut"),
        (ITEM, "{when: frequency > 1}", GRADES, "scheme.gate_needs_one"),
        (ITEM, "{when: frequency > 1, grade: z}", GRADES, "scheme.unknown_grade"),
        (ITEM, "{when: frequency >, grade: a}", GRADES, "scheme.rule"),
        (ITEM, "", "{id: a, at_least: 50}, {id: b, at_least: 60}, {id: c}", "scheme.grades_fall"),
        (ITEM, "", "{id: a, at_least: 50}, {id: b, at_least: 40}", "scheme.last_grade"),
    ],
)
def test_a_wrong_scorecard_is_refused(items: str, gates: str, segments: str, code: str) -> None:
    refused(CARD.format(items=items, gates=gates, segments=segments), code)


def test_a_label_that_means_two_segments_is_refused() -> None:
    text = "scheme: s\nkind: given\ncolumn: city_tier\nsegments: [{id: a, values: [x, y]}, {id: b, values: [y]}]\n"
    assert refused(text, "scheme.value_twice")["other"] == "a"


@pytest.mark.parametrize(
    ("of", "code"),
    [
        ("[a, nowhere]", "scheme.unknown_scheme"),
        ("[a, a]", "scheme.crossed_twice"),
        ("[a]", "definitions.out_of_range"),
    ],
)
def test_a_wrong_cross_is_refused(of: str, code: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_schemes(
            {
                "a": rules(("x", "frequency > 1")).replace("scheme: s", "scheme: a"),
                "c": f"scheme: c\nkind: cross\nof: {of}\n",
            },
            everything(),
        )
    assert caught.value.code == code


def test_two_files_with_the_same_scheme_are_refused() -> None:
    text = rules(("x", "frequency > 1"))
    with pytest.raises(ConfigError) as caught:
        load_schemes({"a.yaml": text, "b.yaml": text}, everything())
    assert caught.value.code == "scheme.scheme_twice" and caught.value.fields["other"] == "a.yaml"


# clauses that can never be reached
@pytest.mark.parametrize(
    "clauses",
    [
        ("recency_days > 90", "recency_days > 180"),
        ("recency_days >= 91", "recency_days > 90"),
        ("recency_days <= 90", "recency_days > 90", "recency_days = 5"),
        (
            "recency_days < 10 OR recency_days > 20",
            "recency_days BETWEEN 10 AND 20",
            "recency_days IN (3, 15)",
        ),
        ("NOT (recency_days > 90)", "recency_days < 10 AND frequency > 3"),
        ("monetary >= 99.99", "monetary > 99.98"),
        ("90 < recency_days", "recency_days > 95"),
        ("city_tier IN ('一线', '二线')", "city_tier = '一线' AND frequency > 1"),
        ("recency_days IS NOT NULL", "recency_days > 95"),
        ("top_brand_share >= 0.5", "top_brand_share > 0.5"),
    ],
)
def test_a_clause_that_earlier_ones_have_taken_is_refused(clauses: tuple[str, ...]) -> None:
    fields = refused(rules(*((f"c{n}", rule) for n, rule in enumerate(clauses))), "scheme.unreachable")
    assert fields["segment"] == f"c{len(clauses) - 1}"


@pytest.mark.parametrize(
    "rule",
    [
        "frequency > 5 AND frequency < 3",
        "frequency > 5 AND frequency < 6",
        "city_tier = 'a' AND city_tier = 'b'",
    ],
)
def test_a_clause_that_contradicts_itself_is_refused(rule: str) -> None:
    refused(rules(("a", rule)), "scheme.contradiction")


@pytest.mark.parametrize(
    "clauses",
    [
        ("recency_days > 180", "recency_days > 90"),
        ("recency_days > 90 AND frequency > 1", "recency_days > 180"),
        ("recency_days > frequency", "recency_days > 3"),
        ("recency_days < 10", "recency_days BETWEEN 9 AND 11"),
        ("recency_days <> 5", "recency_days = 5"),
        ("top_brand_share > 5", "top_brand_share >= 5"),
        ("recency_days > 90", "recency_days IS NULL"),
        ("city_tier = '一线'", "city_tier IN ('一线', '二线')"),
    ],
)
def test_a_clause_that_somebody_can_reach_is_left_alone(clauses: tuple[str, ...]) -> None:
    load_scheme(rules(*((f"c{n}", rule) for n, rule in enumerate(clauses))), "s.yaml", everything())


def test_a_threshold_read_off_the_data_is_not_judged_before_it_is_known() -> None:
    more = "parameters: {high: {of: monetary, quantile: 0.9}}\n"
    load_scheme(rules(("a", "monetary >= 1"), ("b", "monetary >= :high"), more=more), "s.yaml", everything())


COMPARISON = st.builds(
    lambda sign, value: f"frequency {sign} {value}",
    st.sampled_from([">", ">=", "<", "<=", "=", "<>"]),
    st.integers(-3, 3),
)
CONDITION = st.recursive(
    COMPARISON, lambda inner: st.one_of(st.builds("({} AND {})".format, inner, inner), st.builds("({} OR {})".format, inner, inner), st.builds("NOT ({})".format, inner)), max_leaves=6
)  # fmt: skip


@given(CONDITION, CONDITION)
def test_regions_agree_with_trying_every_value(left: str, right: str) -> None:
    a, b = (region_of(compile_rule(text, everything()).tree, everything()) for text in (left, right))
    assert a is not None and b is not None
    tries = range(-6, 7)

    def holds(text: str, value: int) -> bool:
        python = text.replace("frequency", str(value)).replace("<>", "!=").replace(" = ", " == ").lower()
        return bool(eval(python))  # noqa: S307

    def inside(region: Any, value: int) -> bool:
        return any(low <= (0, value, 0) < high for low, high in region)

    for value in tries:
        assert inside(a[1], value) == holds(left, value)
        assert inside(union(a[1], b[1]), value) == (holds(left, value) or holds(right, value))
        assert inside(intersection(a[1], b[1]), value) == (holds(left, value) and holds(right, value))
        assert inside(complement(a[1]), value) != holds(left, value)
    assert within(a[1], b[1]) == all(holds(right, value) for value in tries if holds(left, value))


# fingerprints and what is needed
def test_words_change_the_metadata_fingerprint_only() -> None:
    one = load_scheme(texts()["rfm.yaml"], "a.yaml", everything())
    two = load_scheme(
        texts()["rfm.yaml"].replace("重要价值客户", "冠军").replace("owner: null", "owner: 王芳"),
        "b.yaml",
        everything(),
    )
    assert one.fingerprint == two.fingerprint
    assert one.metadata_fingerprint != two.metadata_fingerprint


def test_a_threshold_changes_the_definition_and_spaces_in_a_rule_do_not() -> None:
    def of(text: str) -> str:
        return load_scheme(text, "a.yaml", everything()).fingerprint

    base = rules(("a", "frequency > 3"), more="parameters: {n: 3}\n")
    assert of(base) == of(rules(("a", "frequency   >  3"), more="parameters: {n: 3}\n"))
    assert of(base) != of(rules(("a", "frequency > 4"), more="parameters: {n: 3}\n"))
    assert of(base) != of(base.replace("{n: 3}", "{n: 4}"))


def test_available_names_missing_columns_facts_and_schemes() -> None:
    from dataclasses import replace

    text = rules(("a", "frequency > 1 AND events(type = 'cart', days = 7) > 0"))
    scheme = load_scheme(text, "s.yaml", everything())
    here = replace(everything(), columns={}, behaviours={})
    assert available(scheme, everything()) == ()
    assert available(scheme, here) == ("events", "frequency")


def test_parameters_are_changed_without_losing_comments() -> None:
    text = texts()["transaction_type.yaml"]
    changed = with_parameters(text, {"lapsed_days": 97})
    assert changed.splitlines()[0] == text.splitlines()[0].rstrip()
    assert load_scheme(changed, "a.yaml", everything()).spec.parameters["lapsed_days"] == 97
    with pytest.raises(ConfigError):
        with_parameters(text, {"nothing": 1})


def test_every_code_of_this_room_is_worded_and_every_sentence_is_used() -> None:
    folder = Path(__file__).parents[2] / "src" / "kequn" / "scheme"
    raised = {
        code
        for file in folder.rglob("*.py")
        for code in re.findall(r'"(scheme\.[a-z_]+)"', file.read_text("utf-8"))
    }
    worded = {code for code in catalogue() if code.startswith("scheme.")}
    assert raised == worded
    assert all(set(catalogue()[code]) == set(LANGUAGES) for code in worded)
