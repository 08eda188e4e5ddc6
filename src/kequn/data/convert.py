"""Text and foreign types to the types of the data standard, as DuckDB SQL.

Facts are always built by DuckDB, so full DuckDB SQL is allowed here. `install` creates the macros in a connection;
`conversion` says how a raw column becomes a canonical one. NULL in means NULL out; NULL out for a
raw value that isn't blank means that the value can't be read (the caller quarantines it). No expression ever raises.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kequn.data.standard import Type

if TYPE_CHECKING:
    import duckdb

ABSURD_MINOR_UNITS = 10**13
"""Money beyond this (either sign) is refused as a mistake: 100 billion yuan in one cell."""

_MARKS = {
    "CNY": "CN¥|RMB|CNY|¥|￥|人民币|元|圆|整",
    "USD": "US\\$|USD|\\$|美元",
    "HKD": "HK\\$|HKD|\\$|港元|港币|元",
    "TWD": "NT\\$|TWD|\\$|新台币|元",
    "JPY": "JP¥|JPY|¥|￥|円|日元",
    "EUR": "EUR|€|欧元",
    "GBP": "GBP|£|英镑",
}
_CURRENCY_NAMES = {
    "CNY": ("cny", "rmb", "人民币", "元", "¥", "￥", "cn¥", "人民币元"),
    "USD": ("usd", "us$", "$", "美元"),
    "HKD": ("hkd", "hk$", "港币", "港元"),
    "TWD": ("twd", "nt$", "新台币"),
    "JPY": ("jpy", "jp¥", "円", "日元"),
    "EUR": ("eur", "€", "欧元"),
    "GBP": ("gbp", "£", "英镑"),
}
_ANY_MARK = "[¥￥$€£₩₽₹元圆円]|\\b(?:RMB|CNY|USD|EUR|GBP|JPY|HKD|TWD|KRW)\\b"
_BLANKS = ("' '", "chr(9)", "chr(10)", "chr(13)", "chr(160)", "chr(12288)", "chr(65279)")
_BLANK = " || ".join(_BLANKS)
_MISSING = "'', '-', '--', '—', '——', '/', 'null', '\\N', 'none', 'n/a', '#n/a', '无', '空'"
_NO_TEXT = r"'NULL', 'null', '\N', '#N/A'"
"""What databases and Excel write for nothing. Other words for it (none, 无, -) may be meant in a text."""
_TRUE = "'true', 't', 'yes', 'y', '1', '1.0', '是', '对', '真', '有', '√', '✓', 'on'"
_FALSE = "'false', 'f', 'no', 'n', '0', '0.0', '否', '错', '假', '无', '没有', '×', 'off'"
_WORDED = "['%d %b %Y', '%d-%b-%Y', '%d-%b-%y', '%b %d, %Y', '%d %B %Y', '%B %d, %Y', '%d %b %Y %H:%M:%S', '%a, %d %b %Y %H:%M:%S']"


@dataclass(frozen=True)
class Money:
    """The currency of the workspace and the digits of its minor unit (2: 1 yuan = 100 fen)."""

    currency: str = "CNY"
    digits: int = 2

    def names(self) -> tuple[str, ...]:
        """Spellings of this currency in a currency column, folded."""
        return (self.currency.lower(), *_CURRENCY_NAMES.get(self.currency, ()))


@dataclass(frozen=True)
class Writing:
    """How values are written in one source.

    `decimal` is `.` or `,`; `date_order` reads `1/2/2026` (mdy: 2 January is refused, it is the 1st month's 2nd day);
    `zone` is the source's time zone, `to_zone` the workspace's.
    """

    decimal: str = "."
    date_order: str = "mdy"
    zone: str = "Asia/Shanghai"
    to_zone: str = "Asia/Shanghai"


def literal(text: object) -> str:
    """A DuckDB string literal."""
    return "'" + str(text).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A quoted DuckDB identifier."""
    return '"' + name.replace('"', '""') + '"'


def install(con: duckdb.DuckDBPyConnection, money: Money) -> None:
    """Create the conversion macros (`kq_…`) in a connection."""
    for statement in (*_number_macros(money), *_time_macros()):
        con.execute("CREATE OR REPLACE TEMP MACRO " + statement)


def _number_macros(money: Money) -> tuple[str, ...]:
    marks = _MARKS.get(money.currency, money.currency)
    scale = 10**money.digits
    short = f"DECIMAL({17 - money.digits},{money.digits})"
    small = f"TRY_CAST(n AS {short})"
    cents = f"(?:\\.\\d{{1,{money.digits}}})?" if money.digits else ""
    outer = " OR ".join(f"prefix(t, {mark}) OR suffix(t, {mark})" for mark in _BLANKS)
    tidy = f"regexp_replace(kq_narrow(t), '(?i){marks}|[\\s'']', '', 'g')"
    return (
        f"kq_trim(t) AS trim(t, {_BLANK})",
        # trimming by a set of characters costs four times as much as seeing that there is nothing to trim
        f"kq_tidy(t) AS (t <> '' AND NOT ({outer}))",
        "kq_blank(t) AS (t IS NULL OR kq_trim(t) = '')",
        f"kq_missing(t) AS (t IS NULL OR lower(kq_trim(t)) IN ({_MISSING}))",
        "kq_narrow(t) AS translate(kq_trim(t), '０１２３４５６７８９．，－＋（）：／　−' || chr(160), '0123456789.,-+():/ - ')",
        # plain numbers, and those with thousands separators and a mark of this currency
        "kq_fast_point(t) AS COALESCE(TRY_CAST(t AS DECIMAL(38,18)), CASE WHEN regexp_full_match(t, "
        f"'(?:{marks})?[-+]?\\d{{1,3}}(?:,\\d{{3}})*(?:\\.\\d+)?')"
        f" THEN TRY_CAST(regexp_replace(t, ',|{marks}', '', 'g') AS DECIMAL(38,18)) END)",
        "kq_fast_comma(t) AS CASE WHEN regexp_full_match(t, '[-+]?\\d+(?:,\\d+)?')"
        " THEN TRY_CAST(replace(t, ',', '.') AS DECIMAL(38,18)) END",
        # sign, digits and Chinese unit of a tidied amount; brackets or a trailing minus mean negative
        f"kq_parts(t) AS regexp_extract(regexp_replace(regexp_replace({tidy}, '^\\((.*)\\)$', '-\\1'), '^([^-+].*)-$', '-\\1'),"
        " '^([-+]?)([0-9.,]+)(千万|百万|十万|万|亿|千)?$', ['sign', 'digits', 'unit'])",
        "kq_exponent(u) AS CASE u WHEN '' THEN '' WHEN '千' THEN 'e3' WHEN '万' THEN 'e4' WHEN '十万' THEN 'e5'"
        " WHEN '百万' THEN 'e6' WHEN '千万' THEN 'e7' ELSE 'e8' END",
        "kq_exact(sign, digits, unit) AS TRY_CAST(sign || digits || kq_exponent(unit) AS DECIMAL(38,18))",
        "kq_slow_point(p) AS CASE WHEN regexp_full_match(p.digits, '\\d{1,3}(,\\d{3})+(\\.\\d*)?|\\d+\\.?\\d*|\\.\\d+')"
        " THEN kq_exact(p.sign, replace(p.digits, ',', ''), p.unit) END",
        "kq_slow_comma(p) AS CASE WHEN regexp_full_match(p.digits, '\\d{1,3}(\\.\\d{3})+(,\\d*)?|\\d+,?\\d*|,\\d+')"
        " THEN kq_exact(p.sign, replace(replace(p.digits, '.', ''), ',', '.'), p.unit) END",
        # half a minor unit is rounded away from zero; beyond 10^15 the cell is saturated and then refused as absurd
        f"kq_minor(d) AS CASE WHEN abs(d) < 1000000000000000 THEN TRY_CAST(TRY_CAST(round(d, {money.digits}) AS DECIMAL(24,{money.digits}))"
        f" * {scale} AS BIGINT) WHEN d IS NOT NULL THEN TRY_CAST(sign(d) AS BIGINT) * 9000000000000000000 END",
        # floor() would raise at the ends of 38 digits
        "kq_integer(n) AS CASE WHEN TRY_CAST(n AS BIGINT) = n THEN TRY_CAST(n AS BIGINT) END",
        # an amount of whole minor units, also as plain text, and its number of them, in 64 bits
        f"kq_short(t) AS CASE WHEN regexp_full_match(t, '[-+]?\\d{{1,12}}{cents}') THEN TRY_CAST(t AS {short}) END",
        f"kq_small(n) AS CASE WHEN {small} = n THEN {small} END",
        f"kq_small_minor(n) AS TRY_CAST(n * CAST({scale} AS DECIMAL({money.digits + 1},0)) AS BIGINT)",
        f"kq_rest(d) AS CASE WHEN abs(d) < 1000000000000000 THEN NULLIF(d - round(d, {money.digits}), 0) END",
        # a double that is a whole number of minor units but for binary noise needs no way through text
        f"kq_near(x) AS (abs(x) < 1e13 AND abs(x * {scale} - round(x * {scale})) <= 1e-6)",
        f"kq_double_minor(x, d) AS CASE WHEN kq_near(x) THEN TRY_CAST(round(x * {scale}) AS BIGINT) WHEN isfinite(x) AND abs(x) >= 1e15"
        " THEN TRY_CAST(sign(x) AS BIGINT) * 9000000000000000000 ELSE kq_minor(d) END",
        f"kq_other_currency(t) AS regexp_matches(regexp_replace(kq_trim(t), '(?i){marks}', '', 'g'), '(?i){_ANY_MARK}')",
        f"kq_boolean(t) AS CASE WHEN lower(kq_narrow(t)) IN ({_TRUE}) THEN TRUE WHEN lower(kq_narrow(t)) IN ({_FALSE}) THEN FALSE END",
    )


_DAY = (
    "(?:(\\d{4}) ?[-/.年] ?(\\d{1,2}) ?[-/.月] ?(\\d{1,2}) ?[日号]?|(\\d{1,2})[-/.](\\d{1,2})[-/.](\\d{4}))"
)
_CLOCK = (
    "(?:[ T]*(上午|下午|凌晨|早上|中午|晚上|AM|PM)? ?(\\d{1,2}) ?[:时點点] ?(\\d{1,2})? ?[:分]? ?(\\d{1,2})?"
    "(?:[.,](\\d{1,6})\\d*)? ?秒? ?(AM|PM)?)? ?(Z|UTC|GMT|[+-]\\d{2}:?\\d{2}|[+-]\\d{2})?"
)
_PARTS = "['y', 'mo', 'd', 'a', 'b', 'year', 'half', 'h', 'mi', 's', 'f', 'half2', 'zone']"
_PLAIN_TIME = "\\d{4}[-/]\\d{1,2}[-/]\\d{1,2}(?:[ T]\\d{1,2}:\\d{1,2}(?::\\d{1,2}(?:\\.\\d{1,6})?)?)?"


def _time_macros() -> tuple[str, ...]:
    hour = (
        "CASE WHEN upper(p.half || p.half2) IN ('PM', '下午', '晚上') AND TRY_CAST(p.h AS INTEGER) < 12 THEN CAST(TRY_CAST(p.h AS INTEGER) + 12 AS VARCHAR)"
        " WHEN upper(p.half || p.half2) IN ('AM', '上午', '凌晨') AND p.h = '12' THEN '0' ELSE p.h END"
    )
    return (
        f"kq_fast_time(t) AS CASE WHEN regexp_full_match(t, '{_PLAIN_TIME}') THEN TRY_CAST(t AS TIMESTAMP) END",
        f"kq_time_parts(t) AS regexp_extract(kq_narrow(t), '(?i)^{_DAY}{_CLOCK}$', {_PARTS})",
        "kq_day(p, dmy) AS CASE WHEN p.y <> '' THEN p.y || '-' || p.mo || '-' || p.d WHEN p.year = '' THEN NULL"
        " WHEN dmy THEN p.year || '-' || p.b || '-' || p.a ELSE p.year || '-' || p.a || '-' || p.b END",
        f"kq_clock(p) AS CASE WHEN p.h = '' THEN '' ELSE ' ' || {hour} || ':' || COALESCE(NULLIF(p.mi, ''), '0') || ':'"
        " || COALESCE(NULLIF(p.s, ''), '0') || CASE WHEN p.f = '' THEN '' ELSE '.' || p.f END END",
        "kq_offset(z) AS CASE WHEN upper(z) IN ('Z', 'UTC', 'GMT') THEN '+00:00' WHEN length(z) = 5 THEN z[1:3] || ':' || z[4:5]"
        " WHEN length(z) = 3 THEN z || ':00' ELSE z END",
        # a date is a date everywhere: the source's zone only matters where a time of day is written
        "kq_moved(ts, zone, to_zone) AS CASE WHEN zone = to_zone THEN ts ELSE (ts AT TIME ZONE zone) AT TIME ZONE to_zone END",
        "kq_fast_moved(ts, t, zone, to_zone) AS CASE WHEN zone = to_zone OR NOT contains(t, ':') THEN ts ELSE kq_moved(ts, zone, to_zone) END",
        "kq_parts_time(p, dmy, zone, to_zone) AS CASE WHEN p.h = '' AND p.zone <> '' THEN NULL WHEN p.zone <> ''"
        " THEN TRY_CAST(kq_day(p, dmy) || kq_clock(p) || kq_offset(p.zone) AS TIMESTAMPTZ) AT TIME ZONE to_zone"
        " WHEN p.h = '' THEN TRY_CAST(kq_day(p, dmy) AS TIMESTAMP)"
        " ELSE kq_moved(TRY_CAST(kq_day(p, dmy) || kq_clock(p) AS TIMESTAMP), zone, to_zone) END",
        "kq_serial(t) AS TIMESTAMP '1899-12-30' + to_microseconds(TRY_CAST(round(TRY_CAST(t AS DOUBLE) * 86400000) AS BIGINT) * 1000)",
        # digits only: compact dates, Excel serial numbers, seconds or milliseconds since 1970; else dates with month names
        "kq_other_time(t, zone, to_zone) AS CASE"
        " WHEN regexp_full_match(t, '\\d{8}') THEN try_strptime(t, '%Y%m%d')"
        " WHEN regexp_full_match(t, '\\d{5}') THEN kq_serial(t)"
        " WHEN regexp_full_match(t, '\\d{5}\\.\\d{1,15}') THEN kq_moved(kq_serial(t), zone, to_zone)"
        " WHEN regexp_full_match(t, '\\d{12}') THEN kq_moved(try_strptime(t, '%Y%m%d%H%M'), zone, to_zone)"
        " WHEN regexp_full_match(t, '\\d{14}') THEN kq_moved(try_strptime(t, '%Y%m%d%H%M%S'), zone, to_zone)"
        " WHEN regexp_full_match(t, '\\d{10}') THEN to_timestamp(TRY_CAST(t AS BIGINT)) AT TIME ZONE to_zone"
        " WHEN regexp_full_match(t, '\\d{13}') THEN to_timestamp(TRY_CAST(t AS BIGINT) / 1000) AT TIME ZONE to_zone"
        " WHEN regexp_full_match(t, '.*[A-Za-z]{3}.*\\d.*[+-]\\d{4}') THEN try_strptime(t, '%a, %d %b %Y %H:%M:%S %z') AT TIME ZONE to_zone"
        f" WHEN regexp_full_match(t, '.*[A-Za-z]{{3}}.*') AND regexp_matches(t, '\\d') THEN try_strptime(t, {_WORDED}) END",
        "kq_month(t) AS CASE WHEN regexp_full_match(t, '\\d{6}') THEN TRY_CAST(t[1:4] || '-' || t[5:6] || '-01' AS TIMESTAMP)"
        " WHEN regexp_full_match(t, '\\d{4} ?[-/.年] ?\\d{1,2} ?月?')"
        " THEN TRY_CAST(regexp_replace(t, '^(\\d{4})\\D+(\\d{1,2})\\D*$', '\\1-\\2-01') AS TIMESTAMP) END",
    )


_INTEGERS = frozenset(
    (
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "HUGEINT",
        "UTINYINT",
        "USMALLINT",
        "UINTEGER",
        "UBIGINT",
        "UHUGEINT",
    )
)
_FLOATS = ("DOUBLE", "FLOAT")
_DECIMAL = re.compile(r"DECIMAL\(\d+,(\d+)\)")


def is_number(raw_type: str) -> bool:
    """Is this DuckDB type a number?"""
    return raw_type.startswith("DECIMAL") or raw_type in _INTEGERS or raw_type in _FLOATS


def as_text(raw: str, raw_type: str) -> str:
    """A raw column as text: whole doubles without `.0` (pandas writes ids with gaps that way), NaN as missing."""
    if raw_type == "VARCHAR":
        return raw
    if raw_type in _FLOATS:
        whole = f"abs({raw}) < 1e15 AND {raw} = floor({raw})"
        return f"CASE WHEN isnan({raw}) THEN NULL WHEN {whole} THEN CAST(TRY_CAST({raw} AS BIGINT) AS VARCHAR) ELSE CAST({raw} AS VARCHAR) END"
    return f"CAST({raw} AS VARCHAR)"


LAYERS = 4


@dataclass(frozen=True)
class Conversion:
    """How one raw column becomes canonical: expressions to be stacked in `LAYERS` nested selects.

    Slow parsing (regular expressions with groups) then happens once per cell, and only for cells that the quick way
    left open. `name` and, for money, `rest` (what rounding took off, in major units) exist after the last layer.
    """

    name: str
    layers: tuple[tuple[tuple[str, str], ...], ...]
    rest: str | None = None
    scratch: tuple[str, ...] = ()


def conversion(
    name: str, kind: Type, raw: str, raw_type: str, writing: Writing, *, exact_text: bool = False
) -> Conversion:
    """The conversion of the raw column `raw` (an identifier, of DuckDB type `raw_type`) into the column `name`.

    `exact_text` keeps outer blanks (ids). Money comes in minor units, times in the workspace's local time.
    """
    if kind == "text":
        return _last(name, _text(raw, raw_type, exact_text))
    if kind == "boolean":
        plain = raw if raw_type == "BOOLEAN" else f"kq_boolean({as_text(raw, raw_type)})"
        return _last(
            name, plain if raw_type != "VARCHAR" else f"CASE WHEN NOT kq_missing({raw}) THEN {plain} END"
        )
    if kind in ("date", "timestamp"):
        return _time(name, kind, raw, raw_type, writing)
    if _is_short(raw_type) and kind != "number":
        return _short_number(name, kind, raw, raw_type)
    return _number(name, kind, raw, raw_type, writing)


def _last(name: str, sql: str) -> Conversion:
    return Conversion(name, ((), (), (), ((identifier(name), sql),)))


def _text(raw: str, raw_type: str, exact: bool) -> str:
    if raw_type != "VARCHAR":
        return as_text(raw, raw_type)
    written = f"{raw} NOT IN ({_NO_TEXT})"
    if not exact:
        return f"CASE WHEN kq_tidy({raw}) AND {written} THEN {raw} WHEN NOT kq_blank({raw}) AND {written} THEN kq_trim({raw}) END"
    # what sorts between ! and ~ begins with a visible letter: no need to trim it to know that it isn't blank
    return f"CASE WHEN {raw} > '!' AND {raw} < '~' AND {written} THEN {raw} WHEN NOT kq_blank({raw}) AND {written} THEN {raw} END"


def _is_short(raw_type: str) -> bool:
    """Whether every value fits 128 bits with 18 decimals: whole numbers of up to 64 bits, and decimals but the finest."""
    decimal = _DECIMAL.fullmatch(raw_type)
    return int(decimal[1]) <= 18 if decimal else raw_type in _INTEGERS and "HUGE" not in raw_type


def _short_number(name: str, kind: Type, raw: str, raw_type: str) -> Conversion:
    """Numbers that come as numbers: read in 64 bits, a fiftieth of the work; what doesn't fit goes the long way of `_number`."""
    if kind == "decimal":
        return _last(name, f"TRY_CAST({raw} AS DECIMAL(18,3))")
    if kind == "integer":
        return _last(name, f"kq_integer({raw})")
    quick, exact, target = (identifier(f"__{part}_{name}") for part in ("q", "d", "x"))
    slots = (
        ((quick, f"kq_small({raw})"),),
        (),
        ((exact, f"CASE WHEN {quick} IS NULL THEN TRY_CAST({raw} AS DECIMAL(38,18)) END"),),
    )
    last = (identifier(name), f"COALESCE(kq_small_minor({quick}), kq_minor({exact}))")
    if raw_type in _INTEGERS:
        return Conversion(name, (*slots, (last,)), None, (quick, exact))
    return Conversion(name, (*slots, (last, (target, f"kq_rest({exact})"))), target, (quick, exact))


def _number(name: str, kind: Type, raw: str, raw_type: str, writing: Writing) -> Conversion:
    short, quick, parts, exact, target = (
        identifier(f"__{part}_{name}") for part in ("s", "q", "p", "d", "x")
    )
    # quantities and plain amounts need no exact decimal on the way: 38 digits are ten times slower than 18
    plain = raw_type == "VARCHAR" and writing.decimal != "," and kind in ("decimal", "money")
    straight = f"TRY_CAST({raw} AS DECIMAL(18,3))" if kind == "decimal" else f"kq_short({raw})"
    if raw_type in _FLOATS:
        needed = f"NOT kq_near({raw})" if kind == "money" else "TRUE"
        first = f"CASE WHEN isfinite({raw}) AND {needed} THEN TRY_CAST(CAST({raw} AS VARCHAR) AS DECIMAL(38,18)) END"
        slots = [((quick, first),), (), ((exact, quick),)]
    elif raw_type != "VARCHAR":
        slots = [((quick, f"TRY_CAST({raw} AS DECIMAL(38,18))"),), (), ((exact, quick),)]
    else:
        way = "comma" if writing.decimal == "," else "point"
        first = f"kq_fast_{way}({raw})"
        if plain:
            first = f"CASE WHEN {straight} IS NULL THEN {first} END"
        unless = f" AND {short} IS NULL" if plain else ""
        slots = [
            ((short, straight), (quick, first)) if plain else ((quick, first),),
            (
                (
                    parts,
                    f"CASE WHEN {quick} IS NULL AND NOT kq_missing({raw}){unless} THEN kq_parts({raw}) END",
                ),
            ),
            ((exact, f"COALESCE({quick}, kq_slow_{way}({parts}))"),),
        ]
    whole = f"kq_small_minor({short})" if plain else "NULL"
    last = {
        "money": f"kq_double_minor({raw}, {exact})"
        if raw_type in _FLOATS
        else f"COALESCE({whole}, kq_minor({exact}))",
        "integer": f"kq_integer({exact})",
        "decimal": f"COALESCE({short if plain else 'NULL'}, TRY_CAST({exact} AS DECIMAL(18,3)))",
        "number": f"CASE WHEN isfinite({raw}) THEN CAST({raw} AS DOUBLE) END"
        if raw_type in _FLOATS
        else f"CAST({exact} AS DOUBLE)",
    }[kind]
    exacts = kind == "money" and raw_type not in _INTEGERS
    final = [(identifier(name), last)] + ([(target, f"kq_rest({exact})")] if exacts else [])
    used = tuple(alias for slot in slots for alias, _ in slot)
    return Conversion(name, (*slots, tuple(final)), target if exacts else None, used)


def _time(name: str, kind: Type, raw: str, raw_type: str, writing: Writing) -> Conversion:
    zone, to_zone = literal(writing.zone), literal(writing.to_zone)
    wanted = "DATE" if kind == "date" else "TIMESTAMP"
    if raw_type == "DATE":
        return _last(name, f"CASE WHEN isfinite({raw}) THEN CAST({raw} AS {wanted}) END")
    if raw_type == "TIMESTAMP WITH TIME ZONE":
        return _last(
            name, f"CASE WHEN isfinite({raw}) THEN CAST({raw} AT TIME ZONE {to_zone} AS {wanted}) END"
        )
    if raw_type.startswith("TIMESTAMP"):
        local = f"TRY_CAST({raw} AS TIMESTAMP)"
        moved = local if kind == "date" else f"kq_moved({local}, {zone}, {to_zone})"
        return _last(name, f"CASE WHEN isfinite({local}) THEN CAST({moved} AS {wanted}) END")
    if kind == "date":  # a date has no zone
        zone = to_zone
    text = as_text(raw, raw_type)
    dmy = "TRUE" if writing.date_order == "dmy" else "FALSE"
    narrow, quick, parts = (identifier(f"__{part}_{name}") for part in ("n", "q", "p"))
    month = f"kq_month({narrow}), " if kind == "date" else ""
    slots: list[tuple[tuple[str, str], ...]] = [
        ((quick, f"kq_fast_moved(kq_fast_time({text}), {text}, {zone}, {to_zone})"),),
        ((narrow, f"CASE WHEN {quick} IS NULL AND NOT kq_missing({text}) THEN kq_narrow({text}) END"),),
        ((parts, f"CASE WHEN {narrow} IS NOT NULL THEN kq_time_parts({narrow}) END"),),
    ]
    slow = f"COALESCE({month}kq_parts_time({parts}, {dmy}, {zone}, {to_zone}), kq_other_time({narrow}, {zone}, {to_zone}))"
    value = f"CASE WHEN {narrow} IS NULL THEN {quick} ELSE {slow} END"
    used = tuple(alias for slot in slots for alias, _ in slot)
    return Conversion(name, (*slots, ((identifier(name), f"CAST({value} AS {wanted})"),)), None, used)


def stacked(source: str, conversions: Sequence[Conversion]) -> str:
    """The query that adds the converted columns to all columns of the query or table `source`."""
    query = source
    for layer in range(LAYERS):
        added = [f"{sql} AS {alias}" for one in conversions for alias, sql in one.layers[layer]]
        if added:
            query = f"(SELECT *, {', '.join(added)} FROM {query})"
    return query


__all__ = [
    "ABSURD_MINOR_UNITS",
    "Conversion",
    "Money",
    "Writing",
    "as_text",
    "conversion",
    "identifier",
    "install",
    "is_number",
    "literal",
    "stacked",
]
