"""The rule language: what is understood, what is refused, and that both engines agree."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from kequn.engine import Engine, Parquet
from kequn.errors import KequnError, RuleError
from kequn.i18n import explain
from kequn.language import Catalog, Column, compile_expression, compile_rule, matches

COLUMNS = [
    Column("recency_days", "integer", {"zh": "最近消费距今"}),
    Column("city_tier", "text", {"zh": "城市等级"}),
    Column("gender", "text"),
    Column("monetary", "money"),
    Column("frequency", "integer"),
    Column("m90", "money"),
    Column("m90_prev", "money"),
    Column("share", "number"),
    Column("last_order_at", "date"),
    Column("is_vip", "boolean"),
]
CATALOG = Catalog(
    {item.name: item for item in COLUMNS},
    schemes={"rfm": ("champions", "lost")},
    behaviours={"orders": {"category": "text", "channel": "text"}, "events": {"type": "text"}},
    as_of=date(2026, 11, 1),
)
ROWS = pa.table(
    {
        "customer_id": ["a", "b", "c", "d"],
        "recency_days": pa.array([10, 200, None, 181], pa.int64()),
        "city_tier": ["一线", "二线", "一线", None],
        "gender": ["女", "男", None, "女"],
        "monetary": pa.array([100_000, 99_999, 0, -500], pa.int64()),
        "frequency": pa.array([3, 1, 0, 2], pa.int64()),
        "m90": pa.array([100, 0, 50, 70], pa.int64()),
        "m90_prev": pa.array([0, 10, 50, 10], pa.int64()),
        "share": [0.5, None, 0.25, 1.0],
        "last_order_at": pa.array([date(2026, 10, 22), date(2026, 4, 15), None, date(2026, 5, 4)]),
        "is_vip": [True, False, None, True],
    }
)


def members(engine: Engine, rule: str, folder: Path) -> set[str]:
    pq.write_table(ROWS, folder / "profile.parquet")
    engine.view("profile", Parquet((folder / "profile.parquet",)))
    compiled = compile_rule(rule, CATALOG, {"lapsed_days": 180})
    found = engine.sql(exp.select("customer_id").from_("profile").where(matches(compiled)))
    return set(found["customer_id"].to_pylist())


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("recency_days > :lapsed_days AND city_tier IN ('一线', '二线')", {"b"}),
        ("城市等级 = '一线'", {"a", "c"}),
        ("monetary >= 1000", {"a"}),
        ("monetary < -4.99", {"d"}),
        ("monetary / frequency > 400", {"b"}),
        ("m90 / m90_prev > 1.2", {"d"}),
        ("NOT (gender = '女')", {"b"}),
        ("gender IS NULL OR gender <> '女'", {"b", "c"}),
        ("last_order_at >= as_of - INTERVAL 90 DAY", {"a"}),
        ("last_order_at = '2026-05-04'", {"d"}),
        ("is_vip", {"a", "d"}),
        ("COALESCE(recency_days, 999) > 500", {"c"}),
        ("frequency BETWEEN 1 AND 2", {"b", "d"}),
        ("city_tier LIKE '%线'", {"a", "b", "c"}),
        ("CASE WHEN share > 0.4 THEN 1 ELSE 0 END = 1", {"a", "d"}),
    ],
)
def test_rules_match_the_same_customers_on_both_engines(
    engine: Engine, rule: str, expected: set[str], tmp_path: Path
) -> None:
    assert members(engine, rule, tmp_path) == expected


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("", "language.empty"),
        ("1=1; DROP TABLE profile", "language.semicolon"),
        ("city_tier = '1' -- AND gender = 'x'", "language.comment"),
        ("city_tier = '1' /* hidden */", "language.comment"),
        ("gender = NULL", "language.null"),
        ("city_tier = 1", "language.types"),
        ("m90 = 'NaN'", "language.types"),
        ("share < 1e400", "language.number"),
        ("recency_days = 1 = 1", "language.chained"),
        ("(recency_days, share) = (1, 2)", "language.outside_subset"),
        ("read_csv('x') = 1", "language.outside_subset"),
        ("getenv('HOME') = 'x'", "language.unknown_function"),
        ("random() > 0.5", "language.outside_subset"),
        ("now() - INTERVAL 1 DAY > last_order_at", "language.unknown_function"),
        ("CURRENT_DATE > last_order_at", "language.outside_subset"),
        ("EXISTS (SELECT 1)", "language.outside_subset"),
        ("recency_days IN (SELECT 1)", "language.outside_subset"),
        ("frequency > 1 UNION SELECT 1", "language.outside_subset"),
        ("COLUMNS(*) > 1", "language.outside_subset"),
        ("main.profile.gender = 'x'", "language.qualified"),
        ("gender ~ 'x'", "language.outside_subset"),
        ("frequency", "language.needs_condition"),
        ("monetary > frequency", "language.types"),
        ("'O''Brien\\' OR 1=1'", "language.syntax"),
        ("recency_dayz > 3", "language.unknown_column"),
        ("segment('rmf') = 'x'", "language.unknown_scheme"),
        ("segment('rfm') = 'loser'", "language.unknown_segment"),
        ("'loser' <> segment('rfm')", "language.unknown_segment"),
        ("segment('rfm') IN ('lost', 'loser')", "language.unknown_segment"),
        ("frequency > :nothing", "language.unknown_parameter"),
        ("gender LIKE 'a\\%'", "language.like_backslash"),
        ("orders(colour = 'red') > 1", "language.unknown_column"),
        ("orders(days = 0) > 1", "language.term_days"),
        ("last_order_at > '2026-02-30'", "language.date"),
        ("(" * 100 + "1" + ")" * 100 + " = 1", "language.too_deep"),
        ("frequency > 1 OR " * 400 + "frequency > 1", "language.too_long"),
        ("gender = 'a\x00b'", "language.control_character"),
    ],
)
def test_anything_outside_the_language_is_refused_in_words(rule: str, code: str) -> None:
    with pytest.raises(RuleError) as caught:
        compile_rule(rule, CATALOG, {"lapsed_days": 180})
    assert caught.value.code == code
    assert explain(caught.value, "zh") != explain(caught.value, "en")
    assert "{" not in explain(caught.value, "zh")


def test_an_unknown_name_is_answered_with_position_and_nearest() -> None:
    with pytest.raises(RuleError) as caught:
        compile_rule("frequency > 1 AND recency_dayz > 3", CATALOG)
    assert caught.value.fields["near"] == "recency_days"
    assert caught.value.fields["position"] == 18


def test_equal_behaviour_terms_share_one_hidden_column() -> None:
    first = compile_rule("orders(channel = 'app', days = 90) >= 2", CATALOG)
    second = compile_rule("orders(days = 90, channel = 'app') < 1", CATALOG)
    assert set(first.terms) == set(second.terms)


def test_canonical_text_compiles_to_itself() -> None:
    rule = compile_rule("not (frequency>3) and monetary between 1 and 2", CATALOG)
    again = compile_rule(rule.canonical, CATALOG)
    assert again.canonical == rule.canonical
    assert again.digest == rule.digest


def test_sums_of_doubles_are_refused_in_features() -> None:
    with pytest.raises(RuleError) as caught:
        compile_expression("SUM(share)", CATALOG, aggregates=True)
    assert caught.value.code == "language.sum_of_double"


ATOMS = st.sampled_from(
    ["recency_days > 100", "frequency = 1", "gender = '女'", "city_tier IN ('一线')", "m90 / m90_prev >= 1", "share IS NULL",
     "monetary > 999.99", "last_order_at < as_of - INTERVAL 6 MONTH", "is_vip = TRUE", "segment('rfm') = 'lost'"]
)  # fmt: skip
RULES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        inner.map(lambda text: f"NOT ({text})"),
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(RULES)
def test_every_generated_rule_round_trips_and_a_customer_is_in_or_out(rule: str) -> None:
    compiled = compile_rule(rule, CATALOG)
    assert compile_rule(compiled.canonical, CATALOG).tree.sql("duckdb") == compiled.tree.sql("duckdb")
    connection = duckdb.connect()
    connection.register("source", ROWS)
    connection.execute("CREATE VIEW profile AS SELECT *, 'lost' AS seg_rfm FROM source")
    values = exp.select(exp.alias_(matches(compiled), "inside")).from_("profile").sql("duckdb")
    assert all(row[0] in (True, False) for row in connection.execute(values).fetchall())


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=120))
def test_no_text_makes_the_compiler_fail_otherwise_than_with_a_rule_error(text: str) -> None:
    try:
        compile_rule(text, CATALOG)
    except KequnError as error:
        assert explain(error, "zh")
