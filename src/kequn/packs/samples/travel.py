"""A travel agency with an app: bookings, searches, reviews; invented."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from kequn.packs.samples.files import write_csv, write_excel
from kequn.packs.samples.people import END, START, Person, World
from kequn.packs.samples.survey import HEADER

CUSTOMERS = 300
PLACES = ("云南", "新疆", "海南", "川西", "江南", "青甘")
SPOTS = ((26.87, 100.23), (43.88, 88.13), (18.25, 109.51), (30.05, 101.96), (31.32, 120.62), (36.90, 100.15))
"""丽江, 天池, 三亚, 康定, 苏州, 青海湖: where people are when they look something up on the way."""
HOMES = ((39.90, 116.41), (31.23, 121.47), (23.13, 113.26), (30.57, 104.07), (30.59, 114.31), (34.34, 108.94))
KINDS = {"自驾租车": (180, 900), "跟团游": (1200, 5200), "酒店机票": (900, 4200), "门票": (60, 320)}
GOODS = [
    (f"L{len(PLACES) * row + column + 1:03d}", f"{place}{kind}", kind, place)
    for row, kind in enumerate(KINDS)
    for column, place in enumerate(PLACES)
]
WORDS = {
    "self": ("{}自驾路线", "{}租车 价格", "房车 {}"),
    "group": ("{}跟团 五日", "{}旅行团", "老年 报团 {}"),
    "free": ("{}酒店", "{}机票", "{}攻略"),
}
REVIEWS = {
    "self": ("一路自驾很自由，停车方便", "开车走了三天，风景好"),
    "group": ("导游讲解细致，行程不赶", "跟团省心，餐食还行"),
    "free": ("酒店位置好，自己逛很舒服", "机票划算"),
}
HOLIDAYS = ((1, 25), (4, 30), (7, 15), (8, 5), (9, 29))


class Agency:
    """Draws one traveller after the other."""

    def __init__(self) -> None:
        self.world, self.moves = World(20260105), World(31)
        self.bookings: list[tuple[Any, ...]] = []
        self.lines: list[tuple[Any, ...]] = []
        self.events: list[tuple[Any, ...]] = []
        self.reviews: list[tuple[Any, ...]] = []

    def welcome(self, person: Person) -> None:
        """Searches, bookings and reviews of one traveller."""
        world = self.world
        weights = (
            {"self": 34, "group": 20, "free": 34, "none": 12}
            if person.age < 50
            else {"self": 15, "group": 60, "free": 12, "none": 13}
        )
        style = world.weighted(list(weights.items()))
        first = max(person.since, START)
        place = world.pick(PLACES)
        for _ in range(world.count(4)):
            self._search(person, style, place, world.day(first, END - timedelta(days=1)))
        if style == "none":
            return
        for _ in range(world.count(2.6 * min(2.0, person.zest))):
            self._book(person, style, place if world.chance(0.5) else world.pick(PLACES), first)
        if world.chance(0.15):
            for _ in range(3):
                self._search(
                    person, style, world.pick(PLACES), END - timedelta(days=1 + int(world.between(0, 25)))
                )

    def _search(self, person: Person, style: str, place: str, day: date) -> None:
        world = self.world
        words = (
            world.pick(WORDS.get(style, WORDS["free"])) if world.chance(0.8) else world.pick(WORDS["free"])
        )
        where = self._where(person, PLACES.index(place))
        device, platform = world.pick((("手机", "App"), ("手机", "小程序"), ("电脑", "网页")))
        self.events.append(
            (person.id, world.moment(day), "搜索", "", words.format(place), device, platform, *where)
        )
        if world.chance(0.6):
            item = world.pick([good for good in GOODS if good[3] == place])
            self.events.append((person.id, world.moment(day), "浏览", item[0], "", device, platform, *where))

    def _where(self, person: Person, place: int) -> tuple[float, float]:
        """At home, sometimes already on the way."""
        there = self.moves.chance(0.2)
        lat, lon = SPOTS[place] if there else HOMES[int(person.id[1:]) % len(HOMES)]
        return round(lat + self.moves.between(-0.03, 0.03), 5), round(
            lon + self.moves.between(-0.03, 0.03), 5
        )

    def _book(self, person: Person, style: str, place: str, first: date) -> None:
        world = self.world
        month, day = world.pick(HOLIDAYS)
        when = date(world.pick((2024, 2025)), month, day) - timedelta(days=int(world.between(5, 40)))
        if when < first or world.chance(0.2):
            when = world.day(first, END - timedelta(days=1))
        kind = (
            {"self": "自驾租车", "group": "跟团游", "free": "酒店机票"}[style]
            if world.chance(0.85)
            else world.pick(list(KINDS))
        )
        number, people, total = (
            f"Y{len(self.bookings) + 1:05d}",
            max(1, min(person.household, 1 + world.count(1))),
            0,
        )
        for line, wanted in enumerate(
            (kind, "门票") if world.chance(0.4) and kind != "门票" else (kind,), start=1
        ):
            item = next(good for good in GOODS if good[2] == wanted and good[3] == place)
            amount = int(world.between(*KINDS[wanted])) * (people if wanted != "自驾租车" else 3)
            total += amount
            self.lines.append((number, line, item[0], people, amount))
        self.bookings.append(
            (
                number,
                person.id,
                world.moment(when),
                total,
                int(total * 0.86),
                world.weighted((("App", 55), ("微信小程序", 30), ("门店", 15))),
                "已取消" if world.chance(0.05) else "已完成",
            )
        )
        if world.chance(0.45):
            back = when + timedelta(days=25)
            if back < END:
                self.reviews.append(
                    (
                        person.id,
                        "trip_review",
                        "review",
                        world.moment(back),
                        world.weighted(((5, 55), (4, 30), (2, 15))),
                        world.pick(REVIEWS[style]),
                    )
                )


def write(folder: Path) -> None:
    """Travellers, bookings, products, searches, reviews."""
    agency, world = Agency(), World(10)
    people = [world.person(number, "V", female=0.55) for number in range(1, CUSTOMERS + 1)]
    for person in people:
        agency.welcome(person)
    write_csv(folder / "旅客.csv", ("旅客编号", "姓名", "性别", "生日", "省份", "城市", "城市等级", "婚姻状况", "家庭人数", "子女数", "来源", "注册时间"),
              [(p.id, p.name, p.gender, p.birth, p.province, p.city, p.tier, p.married, p.household, p.children, world.pick(("搜索", "广告", "朋友推荐", "小红书")), f"{p.since} 20:00:00") for p in people])  # fmt: skip
    write_csv(
        folder / "预订.csv",
        ("预订号", "旅客编号", "预订时间", "金额", "成本", "渠道", "状态"),
        agency.bookings,
    )
    write_csv(folder / "预订明细.csv", ("预订号", "行号", "产品编号", "人数", "金额"), agency.lines)
    write_excel(folder / "旅游产品.xlsx", "产品", ("产品编号", "产品名称", "品类", "目的地"), GOODS)
    write_csv(
        folder / "搜索浏览.csv",
        ("旅客编号", "时间", "行为", "产品编号", "搜索词", "设备", "平台", "纬度", "经度"),
        agency.events,
    )
    spots = [
        (f"Z{row:02d}", name, "景区", *spot)
        for row, (name, spot) in enumerate(zip(PLACES, SPOTS, strict=True), start=1)
    ]
    write_csv(folder / "景区.csv", ("编号", "名称", "类型", "纬度", "经度"), spots)
    write_csv(folder / "点评.csv", HEADER, agency.reviews)


__all__ = ["write"]
