"""A small restaurant chain with members: visits, dishes, feedback; invented."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from kequn.packs.samples.files import write_csv, write_excel
from kequn.packs.samples.people import END, START, Person, World
from kequn.packs.samples.survey import HEADER, Answer, answers
from kequn.profile.questionnaire import shipped

CUSTOMERS = 300
MENU = [
    ("F01", "招牌牛肉面", "主食", 32), ("F02", "番茄鸡蛋面", "主食", 24), ("F03", "红烧肉饭", "主食", 36), ("F04", "酸菜鱼", "热菜", 78),
    ("F05", "宫保鸡丁", "热菜", 46), ("F06", "时蔬小炒", "热菜", 28), ("F07", "口水鸡", "凉菜", 34), ("F08", "拍黄瓜", "凉菜", 16),
    ("F09", "桂花酒酿", "甜品", 18), ("F10", "酸梅汤", "饮品", 12), ("F11", "烤串拼盘", "夜宵", 58), ("F12", "小龙虾", "夜宵", 128),
]  # fmt: skip
CHANNELS = (("门店", 50), ("微信小程序", 28), ("美团", 22))
STORES = ("人民路店", "大学城店", "万达店", "火车站店")
CENTRE = (30.66, 104.07)
SPOTS = ((30.657, 104.071), (30.556, 103.997), (30.691, 104.028), (30.697, 104.073))
"""Where the invented branches stand in Chengdu."""
HABITS = {
    "lunch": (11, 12, 12, 13),
    "dinner": (17, 18, 18, 19, 20),
    "late": (21, 22, 22),
    "weekend": (17, 18, 19),
}
GOOD = ("味道稳定，还会再来", "上菜快，服务好", "环境干净，适合聚会")
BAD = ("等了四十分钟，上菜太慢", "今天的鱼不新鲜", "面太咸了，有点失望", "服务员态度不好")


class Chain:
    """Draws one member after the other."""

    def __init__(self) -> None:
        self.world = World(20260107)
        self.orders: list[tuple[Any, ...]] = []
        self.lines: list[tuple[Any, ...]] = []
        self.answers: list[Answer] = []
        self.notes: list[tuple[Any, ...]] = []

    def welcome(self, person: Person) -> None:
        """Visits and feedback of one member."""
        world = self.world
        habit = world.weighted((("lunch", 38), ("dinner", 27), ("late", 13), ("weekend", 22)))
        mood = world.weighted(((0.9, 34), (0.72, 32), (0.5, 16), (0.15, 18)))
        first = max(person.since, START)
        last = END if mood > 0.3 or world.chance(0.3) else world.day(first, END)
        store = world.pick(STORES)
        usual = world.weighted(CHANNELS)
        for _ in range(1 + world.count(min(30.0, 8 * person.zest))):
            self._visit(person, habit, world.day(first, last), store, usual)
        if world.chance(0.6):
            day = world.day(max(first, END - timedelta(days=300)), END - timedelta(days=1))
            self.answers.extend(
                answers(
                    world,
                    shipped()["satisfaction"],
                    person.id,
                    day,
                    {"recommend": mood, "satisfaction": mood},
                )
            )
        if world.chance(0.3):
            said = world.pick(GOOD if mood > 0.6 else BAD)
            self.notes.append(
                (
                    f"N{len(self.notes) + 1:04d}",
                    person.id,
                    world.moment(world.day(max(first, END - timedelta(days=300)), END - timedelta(days=1))),
                    said,
                )
            )

    def _visit(self, person: Person, habit: str, day: date, store: str, usual: str) -> None:
        world, number, listed = self.world, f"R{len(self.orders) + 1:05d}", 0
        kept = world.chance(0.8)
        if habit == "weekend" and kept:
            day -= timedelta(days=(day.weekday() - 5) % 7)
            day = max(day, START)
        hours = HABITS[habit] if kept else (11, 12, 18, 19, 21)
        hour = world.pick(hours)
        late = hour >= 21
        for line in range(1, 2 + world.count(2.5 if habit == "weekend" else 1.0)):
            dish = world.pick(
                [item for item in MENU if (item[2] == "夜宵") == late] if world.chance(0.7) else MENU
            )
            listed += dish[3]
            self.lines.append((number, line, dish[0], 1, dish[3]))
        discount = listed // 10 if world.chance(0.3) else 0
        channel = usual if world.chance(0.75) else world.weighted(CHANNELS)
        moment = datetime(day.year, day.month, day.day, hour, int(world.between(0, 60)))
        self.orders.append(
            (
                number,
                person.id,
                moment,
                listed - discount,
                listed,
                discount,
                channel,
                store if world.chance(0.8) else world.pick(STORES),
            )
        )


def write(folder: Path) -> None:
    """Members, orders, dishes, satisfaction, texts."""
    chain, world = Chain(), World(14)
    people = [world.person(number, "C") for number in range(1, CUSTOMERS + 1)]
    for person in people:
        chain.welcome(person)
    town = World(23)
    homes = [
        (
            round(CENTRE[0] + 0.06 * town.random.gauss(0, 1), 5),
            round(CENTRE[1] + 0.07 * town.random.gauss(0, 1), 5),
        )
        for _ in people
    ]
    write_csv(
        folder / "门店.csv",
        ("门店", "类型", "纬度", "经度"),
        [(name, "门店", *spot) for name, spot in zip(STORES, SPOTS, strict=True)],
    )
    write_csv(folder / "会员.csv", ("会员编号", "姓名", "性别", "生日", "城市", "来源", "注册时间", "纬度", "经度"),
              [(p.id, p.name, p.gender, p.birth, "成都市", world.pick(("门店", "朋友推荐", "社交媒体")), f"{p.since} 12:00:00", *home) for p, home in zip(people, homes, strict=True)])  # fmt: skip
    write_csv(
        folder / "订单.csv",
        ("单号", "会员编号", "时间", "实付", "原价", "优惠", "渠道", "门店"),
        chain.orders,
    )
    write_csv(folder / "菜品明细.csv", ("单号", "行号", "菜品编号", "份数", "金额"), chain.lines)
    write_excel(folder / "菜单.xlsx", "菜单", ("菜品编号", "菜名", "类别", "价格"), MENU)
    write_csv(folder / "满意度.csv", HEADER, chain.answers)
    write_csv(folder / "文字反馈.csv", ("编号", "会员编号", "时间", "内容"), chain.notes)


__all__ = ["write"]
