"""Mapping expressions are a strict whitelist, sources.yaml errors say where, and reasons have words."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kequn.data.convert import Money, install
from kequn.data.expression import compile_expression, parse_expression
from kequn.data.row_checks import row_problems
from kequn.data.sources import Sources, parse_sources
from kequn.data.stage import Room
from kequn.data.standard import SHAPES, TABLES, table
from kequn.errors import ConfigError
from kequn.i18n import catalogue


@pytest.mark.parametrize(
    "text",
    [
        "a; DROP TABLE x", "(SELECT 1)", "read_csv('x')", "t.a", "a IN (SELECT 1)", "getenv('HOME')", "CAST(a AS JSON)", "a -- b",
        "a +", "*", "COUNT(*)", "?", "$1", "a::INT[]", "CURRENT_DATE", "a /* x */", "x -> x + 1", "a COLLATE nocase", "[a]", "{'k': a}",
        "a OVER ()", "random()", "", "(" * 60 + "a" + ")" * 60, "a" * 3000, "INTERVAL 1 DAY", "columns('x')", "a LIKE b", "a.b.c",
    ],
)  # fmt: skip
def test_anything_outside_the_whitelist_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_expression(text)
    assert caught.value.code.startswith("data.expression_")


@given(st.text(alphabet="ab1()+-*/'\"=<>,. |;select", max_size=40))
def test_no_text_makes_the_parser_fail_in_another_way(text: str) -> None:
    try:
        parsed = parse_expression(text)
    except ConfigError:
        return
    assert set(parsed.headers) <= {part for part in parsed.headers if part in text}


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("sales + disc", ("1.5", "0.25"), "1.750000"),
        ("sales * -disc", ("1.5", "2"), "-3.000000000000"),
        ("sales / disc", ("1", "0"), None),
        ("COALESCE(sales, disc)", (None, "7"), "7"),
        ("CASE WHEN sales > 100 THEN 'big' ELSE 'small' END", ("1,000", "x"), "big"),
        ("CASE WHEN disc = 'x' THEN sales ELSE '0' END", ("5", "x"), "5"),
        ("sales || '-' || disc", ("a", "b"), "a-b"),
        ("NULLIF(disc, 'none')", ("1", "none"), None),
        ("sales IN ('1', '2')", ("2", ""), "true"),
        ("CAST(sales AS INT) + 1", ("¥41", ""), "42"),
        ("sales = 5", ("5.0", ""), "true"),
    ],
)
def test_computed_columns_mean_what_they_say(
    text: str, values: tuple[str, str], expected: str | None
) -> None:
    with duckdb.connect() as con:
        install(con, Money("CNY", 2))
        con.execute("CREATE TABLE raw AS SELECT ?::VARCHAR AS h_0, ?::VARCHAR AS h_1", list(values))
        names = {"sales": '"h_0"', "disc": '"h_1"'}

        def number(alias: str) -> str:
            return f"TRY_CAST(COALESCE(kq_fast_point({alias}), kq_slow_point(kq_parts({alias}))) AS DECIMAL(18,6))"

        sql, _ = compile_expression(parse_expression(text), names, dict.fromkeys(names, "VARCHAR"), number)
        assert con.execute(f"SELECT CAST({sql} AS VARCHAR) FROM raw").fetchone() == (expected,)


def test_a_header_may_hold_quotes_and_blanks() -> None:
    parsed = parse_expression('"总 金额" + "a""b"')
    assert parsed.headers == ("总 金额", 'a"b')


HEAD = "orders:\n- name: a\n  files: [x.csv]\n"


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        (HEAD + "  columns: {order_id: o, ordered_at: d, amont: c}", "data.unknown_column", 4),
        (HEAD + "  columns: {order_id: o}", "data.column_not_mapped", 4),
        (HEAD + "  columns: {order_id: o, ordered_at: {sql: 'now()'}}", "data.expression_not_allowed", 4),
        (HEAD + "  time_zone: Mars/Base\n  columns: {order_id: o, ordered_at: d}", "data.unknown_time_zone", 4),
        (HEAD + "  columns: {order_id: o, ordered_at: d, status: s}\n  values: {stats: {a: b}}", "data.unknown_column", 5),
        (HEAD + "  columns: {order_id: o, ordered_at: d, source: s}", "data.unknown_column", 4),
        (HEAD + "  columns: {order_id: o, ordered_at: d}\n  custom: {amount: {type: text}}", "data.unknown_column", 5),
        (HEAD + "  columns: {order_id: o, ordered_at: d}\n- name: a\n  files: [y.csv]\n  columns: {order_id: o, ordered_at: d}", "data.source_twice", 5),
        (HEAD + "  colums: {}", "definitions.unknown_key_near", 4),
        ("order: []", "definitions.unknown_key_near", 1),
        (HEAD + "  format: {decimal: ';'}\n  columns: {}", "definitions.not_one_of", 4),
        ("flat_orders:\n- name: a\n  files: [x.csv]\n  columns: {ordered_at: d, price: p}", "data.column_not_mapped", 4),
    ],
)  # fmt: skip
def test_mistakes_in_sources_say_where_they_are(text: str, code: str, line: int) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_sources(text, "shop/sources.yaml")
    assert (caught.value.code, caught.value.fields["file"], caught.value.fields["line"]) == (
        code,
        "shop/sources.yaml",
        line,
    )


def test_sources_has_every_table_that_can_be_delivered() -> None:
    assert set(Sources.model_fields) == (set(TABLES) - {"identities"}) | set(SHAPES)


def test_every_reason_of_a_refused_row_has_words() -> None:
    from datetime import datetime

    with duckdb.connect() as con:
        room = Room(con, Money(), "Asia/Shanghai", datetime(2026, 1, 1))
        source = parse_sources(
            HEAD + "  cancelled_prefix: C\n  columns: {order_id: o, ordered_at: d}"
        ).orders[0]
        for name in Sources.model_fields:
            columns = dict(table(name).mappable)
            types = {f"r_{column}": "VARCHAR" for column in columns}
            for problem in row_problems(room, table(name), source, columns, types, {}):
                assert problem.reason in catalogue()
    for reason in ("data.duplicate_key", "data.no_order"):
        assert reason in catalogue()
