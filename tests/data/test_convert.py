"""Text becomes money, dates, numbers and booleans exactly, or NULL: never a wrong value, never an exception."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kequn.data.convert import Money, Writing, _number, conversion, install, stacked
from kequn.data.standard import Type


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        install(connection, Money("CNY", 2))
        yield connection


CON = duckdb.connect()
install(CON, Money("CNY", 2))


def both(
    con: duckdb.DuckDBPyConnection,
    kind: Type,
    value: object,
    raw_type: str,
    writing: Writing,
    *,
    exact_text: bool = False,
) -> tuple[object, object]:
    one = conversion("value", kind, "r", raw_type, writing, exact_text=exact_text)
    source = stacked(f"(SELECT CAST(? AS {raw_type}) AS r)", [one])
    row = con.execute(f"SELECT value, {one.rest or 'NULL'} FROM {source}", [value]).fetchone()
    assert row is not None
    return row


def read(
    con: duckdb.DuckDBPyConnection,
    kind: Type,
    text: object,
    raw_type: str = "VARCHAR",
    writing: Writing | None = None,
) -> object:
    return both(con, kind, text, raw_type, writing or Writing())[0]


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("12", 1200), ("12.3", 1230), ("1,234.50", 123450), ("¥1,234.5", 123450), ("￥ 12.00", 1200), ("12.34元", 1234),
        ("CN¥12", 1200), ("RMB 12", 1200), ("人民币12元整", 1200), ("1.2万", 1200000), ("0.5亿", 5000000000), ("3千", 300000),
        ("(12.30)", -1230), ("（12.30）", -1230), ("-12.3", -1230), ("12.30-", -1230), ("−5", -500), ("１２．３", 1230),
        ("1.005", 101), ("-1.005", -101), ("1.00499999999999", 100), (" 12 ", 1200), ("1e2", 10000), (".5", 50), ("12.", 1200),
        ("", None), ("-", None), ("NaN", None), ("nan", None), ("inf", None), ("-Infinity", None), ("12,5", None), ("1,23,456", None),
        ("abc", None), ("$12", None), ("12%", None), ("1.2.3", None), ("--5", None), ("万", None), ("'; DROP TABLE x; --", None),
        ("1e400", None), ("99999999999999999999999999999999999999999", None), ("NULL", None),
    ],
)  # fmt: skip
def test_money_is_read_as_written(con: duckdb.DuckDBPyConnection, text: str, fen: int | None) -> None:
    assert read(con, "money", text) == fen


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("1.234,56", 123456),
        ("12,5", 1250),
        ("1.234", 123400),
        ("1 234,5", 123450),
        ("12", 1200),
        ("12.5", None),
        ("-1,005", -101),
    ],
)
def test_a_decimal_comma_is_read_where_the_source_says_so(
    con: duckdb.DuckDBPyConnection, text: str, fen: int | None
) -> None:
    assert read(con, "money", text, writing=Writing(decimal=",")) == fen


@given(st.decimals(min_value=-(10**9), max_value=10**9, allow_nan=False, allow_infinity=False, places=5))
def test_money_is_rounded_half_up_and_the_rest_is_reported(value: Decimal) -> None:
    for raw_type in ("VARCHAR", "DECIMAL(20,5)"):
        minor, rest = both(CON, "money", str(value), raw_type, Writing())
        fen = (value * 100).quantize(Decimal(1), ROUND_HALF_UP)
        assert minor == int(fen)
        assert (rest or 0) == value - fen / 100


SHORT = {
    "TINYINT": (-(2**7), 2**7 - 1), "INTEGER": (-(2**31), 2**31 - 1), "BIGINT": (-(2**63), 2**63 - 1), "UBIGINT": (0, 2**64 - 1),
    "DECIMAL(4,1)": (-9999, 9999), "DECIMAL(18,2)": (-(10**18) + 1, 10**18 - 1), "DECIMAL(18,5)": (-(10**18) + 1, 10**18 - 1),
    "DECIMAL(38,18)": (-(10**38) + 1, 10**38 - 1),
}  # fmt: skip
"""Types that are read the short way, with their least and largest number of last digits."""


@pytest.mark.parametrize("raw_type", list(SHORT))
@given(data=st.data())
def test_numbers_read_the_short_way_are_those_read_the_long_way(raw_type: str, data: st.DataObject) -> None:
    least, most = SHORT[raw_type]
    small = st.integers(max(least, -(10**6)), min(most, 10**6))
    digits = data.draw(st.none() | small | st.integers(least, most) | st.sampled_from([least, most]))
    scale = int(raw_type.rstrip(")").split(",")[1]) if "," in raw_type else 0
    value = None if digits is None else format(Decimal(digits).scaleb(-scale, Context(prec=60)), "f")
    for kind in ("money", "integer", "decimal"):
        found = both(CON, kind, value, raw_type, Writing())
        long = _number("value", kind, "r", raw_type, Writing())
        source = stacked(f"(SELECT CAST(? AS {raw_type}) AS r)", [long])
        wanted = CON.execute(f"SELECT value, {long.rest or 'NULL'} FROM {source}", [value]).fetchone()
        assert found == wanted, kind


@pytest.mark.parametrize("raw_type", ["HUGEINT", "UHUGEINT", "DECIMAL(38,30)"])
def test_numbers_too_fine_or_too_large_for_the_short_way_are_read_too(raw_type: str) -> None:
    assert both(CON, "money", "7", raw_type, Writing()) == (700, None)
    assert read(CON, "integer", "7", raw_type) == 7


@given(st.text(alphabet=[*" \t\n\r\xa0\u3000\ufeff\u2003", *"aß中~!\\"], max_size=6))
def test_texts_lose_their_outer_blanks_and_nothing_else(text: str) -> None:
    wanted = text.strip(" \t\n\r\xa0\u3000\ufeff")
    assert read(CON, "text", text) == (wanted or None)


@pytest.mark.parametrize(
    ("value", "fen"),
    [
        (1.005, 101),
        (0.285, 29),
        (1.15, 115),
        (0.1 + 0.2, 30),
        (-2.675, -268),
        (19.99, 1999),
        (float("nan"), None),
        (float("inf"), None),
    ],
)
def test_a_double_means_the_decimal_it_prints_as(
    con: duckdb.DuckDBPyConnection, value: float, fen: int | None
) -> None:
    assert read(con, "money", value, "DOUBLE") == fen


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-05", datetime(2026, 1, 5)), ("2026/1/5", datetime(2026, 1, 5)), ("20260105", datetime(2026, 1, 5)),
        ("2026年1月5日", datetime(2026, 1, 5)), ("2026年1月5日 13时04分05秒", datetime(2026, 1, 5, 13, 4, 5)),
        ("2026.1.5", datetime(2026, 1, 5)), ("2026-01-05 13:04", datetime(2026, 1, 5, 13, 4)),
        ("2026-01-05T13:04:05.123456", datetime(2026, 1, 5, 13, 4, 5, 123456)), ("2026/1/5 8:26", datetime(2026, 1, 5, 8, 26)),
        ("2026/1/5 下午 3:04", datetime(2026, 1, 5, 15, 4)), ("2026-01-05 03:04:05 PM", datetime(2026, 1, 5, 15, 4, 5)),
        ("2026-01-05 12:00 AM", datetime(2026, 1, 5)), ("20260105130405", datetime(2026, 1, 5, 13, 4, 5)),
        ("2026-01-05T05:04:05Z", datetime(2026, 1, 5, 13, 4, 5)), ("2026-01-05T13:04:05+08:00", datetime(2026, 1, 5, 13, 4, 5)),
        ("2026-01-05 00:04:05-05:00", datetime(2026, 1, 5, 13, 4, 5)), ("2026-01-05 13:04:05+0800", datetime(2026, 1, 5, 13, 4, 5)),
        ("Mon, 05 Jan 2026 13:04:05 +0800", datetime(2026, 1, 5, 13, 4, 5)), ("46027", datetime(2026, 1, 5)),
        ("46027.5", datetime(2026, 1, 5, 12)), ("1767589445", datetime(2026, 1, 5, 13, 4, 5)), ("1767589445000", datetime(2026, 1, 5, 13, 4, 5)),
        ("1/5/2026", datetime(2026, 1, 5)), ("12/1/2010 8:26", datetime(2010, 12, 1, 8, 26)), ("5 Jan 2026", datetime(2026, 1, 5)),
        ("２０２６/１/５", datetime(2026, 1, 5)), ("1969-12-31", datetime(1969, 12, 31)),
        ("2026-02-30", None), ("2026-13-01", None), ("infinity", None), ("epoch", None), ("13/13/2026", None), ("2026", None),
        ("yesterday", None), ("", None), ("2026-01-05 25:00", None), ("0", None),
    ],
)  # fmt: skip
def test_times_become_the_workspaces_local_time(
    con: duckdb.DuckDBPyConnection, text: str, expected: datetime | None
) -> None:
    assert read(con, "timestamp", text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-05 13:00:00", datetime(2026, 1, 6, 2)),
        ("2026-01-05", datetime(2026, 1, 5)),
        ("2026-01-05T13:00:00Z", datetime(2026, 1, 5, 21)),
    ],
)
def test_another_time_zone_moves_times_but_not_dates(
    con: duckdb.DuckDBPyConnection, text: str, expected: datetime
) -> None:
    assert read(con, "timestamp", text, writing=Writing(zone="America/New_York")) == expected


def test_day_first_is_read_where_the_source_says_so(con: duckdb.DuckDBPyConnection) -> None:
    assert read(con, "date", "5/1/2026", writing=Writing(date_order="dmy")) == date(2026, 1, 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01", date(2026, 1, 1)),
        ("202601", date(2026, 1, 1)),
        ("2026年1月", date(2026, 1, 1)),
        ("20260105", date(2026, 1, 5)),
        ("x", None),
    ],
)
def test_a_month_is_its_first_day(con: duckdb.DuckDBPyConnection, text: str, expected: date | None) -> None:
    assert read(con, "date", text) == expected


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("integer", "3", 3), ("integer", "3.0", 3), ("integer", "1,234", 1234), ("integer", "3.5", None), ("integer", "99999999999999999999", None),
        ("number", "30.25", 30.25), ("number", "inf", None), ("decimal", "1.5", Decimal("1.500")), ("decimal", "x", None),
        ("boolean", "是", True), ("boolean", "否", False), ("boolean", "Y", True), ("boolean", "n", False), ("boolean", "1", True),
        ("boolean", "FALSE", False), ("boolean", "maybe", None), ("boolean", "", None),
    ],
)  # fmt: skip
def test_numbers_and_truth_values(
    con: duckdb.DuckDBPyConnection, kind: Type, text: str, expected: object
) -> None:
    assert read(con, kind, text) == expected


@pytest.mark.parametrize(
    "text", ["007", " 7 ", "7\t", "😀", "'; DROP TABLE customers; --", "ａ", "\u200b7", "a\x00b"]
)
def test_ids_are_kept_exactly(con: duckdb.DuckDBPyConnection, text: str) -> None:
    assert both(con, "text", text, "VARCHAR", Writing(), exact_text=True)[0] == text


@pytest.mark.parametrize(
    ("value", "raw_type", "expected"),
    [
        (7, "BIGINT", "7"),
        (7.0, "DOUBLE", "7"),
        (7.5, "DOUBLE", "7.5"),
        (31198570044, "BIGINT", "31198570044"),
    ],
)
def test_numeric_ids_become_plain_text(
    con: duckdb.DuckDBPyConnection, value: object, raw_type: str, expected: str
) -> None:
    assert read(con, "text", value, raw_type) == expected


@given(
    st.text(max_size=30),
    st.sampled_from(["money", "integer", "number", "decimal", "text", "date", "timestamp", "boolean"]),
)
def test_no_text_makes_a_conversion_raise(text: str, kind: Type) -> None:
    encoded = text.encode("utf-8", "replace").decode()
    read(CON, kind, encoded, writing=Writing(zone="UTC"))
