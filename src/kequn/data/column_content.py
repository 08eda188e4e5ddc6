"""What the values of a column look like: dates, amounts, phone numbers, provinces … judged on a sample."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from kequn.data.standard import Column, Value, fold

JUDGED = 1_000
"""Most distinct values of a column that are looked at one by one."""
ID_SET = 50_000
_MARK = r"(?:rmb|cny|usd|us\$|hk\$|eur|gbp|人民币|[¥￥$€£])"
_NUMBER = re.compile(
    rf"[-+(]?\s*{_MARK}?\s*[-+]?(\d{{1,3}}([,. ' ]\d{{3}})+|\d+)([.,]\d+)?(e[-+]?\d+)?\s*(?:万|亿|千)?\s*(?:元|圆|{_MARK})?\s*\)?",
    re.I,
)
_INTEGER = re.compile(r"[-+]?(0|[1-9]\d{0,17})")
_MONEY_MARK = re.compile(rf"{_MARK}|元$|圆$", re.I)
_CLOCK = r"([ T]+\s*(上午|下午)?\s*\d{1,2}[:时点]\d{1,2}.*)?"
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DATE = re.compile(
    rf"\d{{4}}\s?[-/.年]\s?\d{{1,2}}\s?[-/.月]\s?\d{{1,2}}\s?[日号]?{_CLOCK}|\d{{1,2}}[-/.]\d{{1,2}}[-/.](\d{{4}}|\d{{2}}){_CLOCK}"
    rf"|(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(\d{{4}}|\d{{6}})?|\d{{1,2}}[- ]({_MONTHS})[a-z]*[- ]\d{{2,4}}.*"
    rf"|({_MONTHS})[a-z]* \d{{1,2}},? \d{{4}}.*",
    re.I,
)
_COMPACT = re.compile(r"\d{8}|\d{12}|\d{14}")
_TIME = re.compile(r"\d[ T]\s*(上午|下午)?\s*\d{1,2}[:时点]\d|^\d{12}$|^\d{14}$")
_DAY_FIRST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.]\d{2,4}(?!\d)")
_COMMA_DECIMAL = re.compile(r"\d,\d{1,2}(?!\d)|\d,\d{4,}|\d\.\d{3},\d")
_POINT_DECIMAL = re.compile(r"\d\.\d{1,2}(?!\d)|\d\.\d{4,}|\d,\d{3}\.\d|\d,\d{3},\d{3}")
_UNSURE_DECIMAL = re.compile(r"(?<!\d)\d{1,3},\d{3}(?!\d)")
_PHONE = re.compile(
    r"(\+?86[- ]?)?1[3-9]\d(\d{8}|\*{4}\d{4}|[- ]\d{4}[- ]\d{4})|\+\d[\d -]{7,16}|0\d{2,3}-\d{7,8}|400-?\d{3}-?\d{4}"
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[a-z]{2,}", re.I)
_AGENT = re.compile(r"Mozilla/|Dalvik/|okhttp|MicroMessenger", re.I)
_WRAPPED = re.compile(r'="[^"]*"\t*|\'\d.*|[^\t]+\t+')
_BOOLEANS = frozenset(("true", "false", "yes", "no", "y", "n", "是", "否", "有", "无", "t", "f"))
_PROVINCES = frozenset(
    [
        "北京",
        "天津",
        "河北",
        "山西",
        "内蒙古",
        "辽宁",
        "吉林",
        "黑龙江",
        "上海",
        "江苏",
        "浙江",
        "安徽",
        "福建",
        "江西",
        "山东",
        "河南",
        "湖北",
        "湖南",
        "广东",
        "广西",
        "海南",
        "重庆",
        "四川",
        "贵州",
        "云南",
        "西藏",
        "陕西",
        "甘肃",
        "青海",
        "宁夏",
        "新疆",
        "台湾",
        "香港",
        "澳门",
    ]
)
_PROVINCE_END = re.compile(r"(省|市|自治区|特别行政区|壮族自治区|回族自治区|维吾尔自治区|壮族|回族|维吾尔)$")


@dataclass(frozen=True)
class Content:
    """The values of one column in a sample of a file.

    `rows` sampled, `filled` of them not blank, `distinct` different filled values; `values` are at most `JUDGED` of these as
    text without outer blanks; `typed` is the kind of a typed column (number, integer, timestamp, date, boolean), else None.
    """

    rows: int
    filled: int
    distinct: int
    values: tuple[str, ...]
    ids: frozenset[str]
    typed: str | None = None

    @property
    def unique(self) -> bool:
        """Whether (nearly) every row is filled and no two are alike, as in a key."""
        return self.filled >= 0.98 * self.rows > 0 and self.distinct >= 0.98 * self.filled

    @cached_property
    def integer(self) -> float:
        """Share of whole numbers without leading zeros."""
        return 1.0 if self.typed == "integer" else self._share(_INTEGER.fullmatch)

    @cached_property
    def number(self) -> float:
        """Share of numbers and amounts in any writing."""
        return 1.0 if self.typed in ("integer", "number") else self._share(_NUMBER.fullmatch)

    @cached_property
    def money(self) -> float:
        """Share of amounts with a currency mark."""
        return self._share(lambda text: _MONEY_MARK.search(text) and _NUMBER.fullmatch(text))

    @cached_property
    def date(self) -> float:
        """Share of dates, with or without a time of day."""
        return 1.0 if self.typed in ("date", "timestamp") else self._share(_DATE.fullmatch)

    @cached_property
    def compact_date(self) -> bool:
        """Whether the dates are digits only, such as 20260105."""
        return self.date >= 0.9 and self._share(_COMPACT.fullmatch) >= 0.9

    @cached_property
    def timed(self) -> bool:
        """Whether dates carry a time of day."""
        return self.typed == "timestamp" or self._share(_TIME.search) >= 0.5

    @cached_property
    def phone(self) -> float:
        """Share of telephone numbers, masked ones included."""
        return self._share(_PHONE.fullmatch)

    @cached_property
    def email(self) -> float:
        """Share of e-mail addresses, masked ones included."""
        return self._share(_EMAIL.fullmatch)

    @cached_property
    def province(self) -> float:
        """Share of names of Chinese provinces."""
        return self._share(lambda text: _PROVINCE_END.sub("", text) in _PROVINCES)

    @cached_property
    def boolean(self) -> float:
        """Share of words for yes and no (0 and 1 are numbers)."""
        return 1.0 if self.typed == "boolean" else self._share(lambda text: text.lower() in _BOOLEANS)

    @cached_property
    def agent(self) -> float:
        """Share of user agents of browsers and apps."""
        return self._share(_AGENT.search)

    @cached_property
    def wrapped(self) -> float:
        """Share of values wrapped for Excel, such as `="001"`."""
        return self._share(_WRAPPED.fullmatch)

    @cached_property
    def negative(self) -> float:
        """Share of negative numbers."""
        return self._share(lambda text: text.startswith(("-", "(")))

    @cached_property
    def length(self) -> float:
        """Mean length in letters."""
        return sum(map(len, self.values)) / max(1, len(self.values))

    @cached_property
    def date_orders(self) -> frozenset[str]:
        """What the dates prove: {dmy}, {mdy}, both (they contradict each other), or {unsure}; empty without such dates."""
        pairs = [(int(m[1]), int(m[2])) for text in self.values if (m := _DAY_FIRST.match(text))]
        if not pairs or self.date < 0.5:
            return frozenset()
        proved = {"dmy" for day, _ in pairs if day > 12} | {"mdy" for _, day in pairs if day > 12}
        return frozenset(proved or {"unsure"})

    @cached_property
    def decimals(self) -> frozenset[str]:
        """What the numbers prove about the decimal sign: `.`, `,`, or unsure (1,234 only)."""
        if self.typed or self.number < 0.5:
            return frozenset()
        proved = {"," for text in self.values if _COMMA_DECIMAL.search(text)}
        proved |= {"." for text in self.values if _POINT_DECIMAL.search(text)}
        return frozenset(proved or ({"unsure"} if any(map(_UNSURE_DECIMAL.search, self.values)) else ()))

    def known(self, column: Column) -> float:
        """Share of values that the vocabulary of a column knows."""
        words = column.synonyms
        return self._share(lambda text: fold(text) in words) if words else 0.0

    def unknown(self, column: Column) -> list[str]:
        """Values that the vocabulary of a column doesn't know."""
        return [text for text in self.values if fold(text) not in column.synonyms]

    def _share(self, test: Callable[[str], object]) -> float:
        return sum(1 for text in self.values if test(text)) / len(self.values) if self.values else 0.0


def look_at(column: pa.Array | pa.ChunkedArray) -> Content:
    """Judge a column of a sample."""
    kind = _kind(column.type)
    text = column if pa.types.is_string(column.type) else pc.cast(column, pa.string(), safe=False)
    bare = pc.utf8_trim_whitespace(pc.fill_null(text, ""))
    if kind == "number":
        bare = pc.replace_substring_regex(bare, r"^(-?\d+)\.0+$", r"\1")
    bare = bare.filter(pc.not_equal(bare, ""))
    distinct = pc.unique(bare)
    step = max(1, len(distinct) // JUDGED)
    values = tuple(distinct.take(pa.array(range(0, len(distinct), step), pa.int64())).to_pylist()[:JUDGED])
    ids = frozenset(distinct.slice(0, ID_SET).to_pylist())
    return Content(len(column), len(bare), len(distinct), values, ids, kind)


def look_at_all(batch: pa.RecordBatch | pa.Table) -> Mapping[str, Content]:
    """Judge each column of a sample that can be written as text."""
    found = {}
    for name in batch.schema.names:
        if not pa.types.is_nested(batch.schema.field(name).type):
            found[name] = look_at(batch.column(name))
    return found


def _kind(kind: pa.DataType) -> str | None:
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_timestamp(kind):
        return "timestamp"
    if pa.types.is_date(kind):
        return "date"
    return "boolean" if pa.types.is_boolean(kind) else None


__all__ = ["Content", "Value", "look_at", "look_at_all"]
