"""Invented people, companies and days for the samples: a seeded `World` that draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import TypeVar

T = TypeVar("T")
START, END = date(2024, 1, 1), date(2025, 12, 31)
"""The samples tell two years, so that every window of the library has its history."""
DAYS = (END - START).days
SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
FEMALE = [
    "婷",
    "雅琴",
    "思雨",
    "佳怡",
    "欣然",
    "静",
    "丽娟",
    "晓燕",
    "梦洁",
    "雨桐",
    "诗涵",
    "慧敏",
    "秀英",
    "海霞",
    "若曦",
    "文君",
    "梓萱",
    "芳",
    "玉兰",
    "嘉欣",
    "一诺",
    "月华",
    "春梅",
    "艳",
]
MALE = ["伟", "建国", "浩然", "子轩", "志强", "俊杰", "明", "宇航", "文博", "国栋", "海涛", "晨", "鹏飞", "嘉豪", "天宇", "军", "一鸣", "振华", "立群", "磊", "家辉", "思远", "永康", "睿"]  # fmt: skip
PLACES = (
    ("上海市", "上海市", "一线", 14), ("北京市", "北京市", "一线", 12), ("广东省", "深圳市", "一线", 11), ("广东省", "广州市", "一线", 10),
    ("浙江省", "杭州市", "新一线", 9), ("四川省", "成都市", "新一线", 9), ("江苏省", "苏州市", "新一线", 6), ("湖北省", "武汉市", "新一线", 6),
    ("陕西省", "西安市", "新一线", 5), ("山东省", "青岛市", "新一线", 4), ("福建省", "厦门市", "二线", 4), ("云南省", "昆明市", "二线", 3),
    ("辽宁省", "沈阳市", "二线", 3), ("广西壮族自治区", "南宁市", "二线", 3), ("河北省", "保定市", "三线", 2), ("江西省", "赣州市", "三线", 2),
    ("湖南省", "岳阳市", "三线", 2), ("河南省", "周口市", "四线", 2), ("甘肃省", "天水市", "四线", 1),
)  # fmt: skip
EDUCATION = (("高中", 25), ("大专", 30), ("本科", 36), ("硕士研究生", 9))


@dataclass(frozen=True)
class Person:
    """Somebody invented. `zest` (mean 1) says how much more than others this person buys."""

    id: str
    name: str
    gender: str
    birth: date
    province: str
    city: str
    tier: str
    married: str
    household: int
    children: int
    education: str
    income: int
    zest: float
    since: date

    @property
    def age(self) -> int:
        """Years at the end of the sample."""
        return (END - self.birth).days * 100 // 36525


class World:
    """Draws from one seed; Python's own generator, whose sequence is the same on every machine and version."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.random.random() < probability

    def pick(self, values: Sequence[T]) -> T:
        """One of the values, all as likely."""
        return values[int(self.random.random() * len(values))]

    def weighted(self, pairs: Sequence[tuple[T, float]]) -> T:
        """One of the values by its weight."""
        mark = self.random.random() * sum(weight for _, weight in pairs)
        for value, weight in pairs:
            mark -= weight
            if mark < 0:
                return value
        return pairs[-1][0]

    def count(self, mean: float) -> int:
        """A Poisson number (Knuth's product of uniforms)."""
        limit, product, number = math.exp(-min(mean, 500.0)), self.random.random(), 0
        while product > limit:
            product *= self.random.random()
            number += 1
        return number

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * self.random.random()

    def spread(self, sigma: float) -> float:
        """A factor with median 1: lognormal."""
        return math.exp(self.random.gauss(0.0, sigma))

    def day(self, first: date = START, last: date = END) -> date:
        """A day from `first` to `last`, both included."""
        return first + timedelta(days=int(self.random.random() * ((last - first).days + 1)))

    def moment(self, day: date, hours: Sequence[int] = range(8, 23)) -> datetime:
        """A time of that day, in one of the hours."""
        return datetime(
            day.year, day.month, day.day, self.pick(hours), int(self.between(0, 60)), int(self.between(0, 60))
        )

    def full_name(self, female: bool) -> str:
        """A Chinese name, surname first."""
        return self.pick(SURNAMES) + self.pick(FEMALE if female else MALE)

    def person(
        self, number: int, prefix: str, female: float = 0.5, ages: Sequence[tuple[int, float]] = ()
    ) -> Person:
        """Person `number`; `female` is the share of women, `ages` weights of the decade of age."""
        is_female = self.chance(female)
        decade = self.weighted(ages or ((20, 28), (30, 30), (40, 20), (50, 13), (60, 9)))
        age = decade + int(self.between(0, 10))
        province, city, tier, _ = self.weighted([(place, place[3]) for place in PLACES])
        married = self.weighted(
            (("未婚", 75), ("已婚", 23), ("离异", 2))
            if age < 28
            else (("未婚", 14), ("已婚", 78), ("离异", 8))
        )
        children = self.weighted(((0, 25), (1, 50), (2, 25))) if married != "未婚" and 27 <= age < 52 else 0
        household = 1 + (married == "已婚") + children + (married == "已婚" and self.chance(0.12))
        income = (
            int(95_000 * self.spread(0.5) * {"一线": 1.5, "新一线": 1.15}.get(tier, 0.85) / 1_000) * 1_000
        )
        birth = date(END.year - age, 1, 1) + timedelta(days=int(self.between(0, 364)))
        since = (
            START - timedelta(days=int(self.between(0, 900)))
            if self.chance(0.55)
            else self.day(START, END - timedelta(days=20))
        )
        return Person(
            f"{prefix}{number:05d}", self.full_name(is_female), "女" if is_female else "男", birth, province, city, tier, married,
            household, children, self.weighted(EDUCATION), income, self.spread(0.7), since,
        )  # fmt: skip


def is_big_sale(day: date) -> bool:
    """618 (16-18 June) and Double 11 (9-11 November)."""
    return (day.month == 6 and 16 <= day.day <= 18) or (day.month == 11 and 9 <= day.day <= 11)


SPRING_FESTIVALS = (date(2024, 2, 10), date(2025, 1, 29))
MID_AUTUMN = (date(2024, 9, 17), date(2025, 10, 6))


def is_festive(day: date) -> bool:
    """The three weeks before Spring Festival and the ten days before Mid-Autumn, when people buy for the feast."""
    return any(0 <= (feast - day).days <= 21 for feast in SPRING_FESTIVALS) or any(
        0 <= (feast - day).days <= 10 for feast in MID_AUTUMN
    )


__all__ = [
    "END",
    "MID_AUTUMN",
    "PLACES",
    "SPRING_FESTIVALS",
    "START",
    "Person",
    "World",
    "is_big_sale",
    "is_festive",
]
