"""A skin care brand with members: orders and a survey about the skin; invented."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from kequn.packs.samples.files import write_csv, write_excel
from kequn.packs.samples.people import END, START, Person, World, is_big_sale
from kequn.packs.samples.survey import HEADER, Answer

CUSTOMERS = 300
STEPS = {
    "洁面": (69, 169),
    "水乳": (129, 329),
    "精华": (199, 699),
    "面霜": (169, 599),
    "防晒": (89, 239),
    "面膜": (79, 199),
}
EFFECTS = ("保湿", "控油", "舒敏", "抗老", "美白")
ITEMS = {"保湿": "dry", "控油": "oily", "舒敏": "sensitive", "抗老": "ageing"}
CHANNELS = (("天猫", 36), ("抖音", 24), ("微信小程序", 22), ("门店", 18))
LINES = ("草本", "实验室")
LAUNCHES = {f"Q{10 * step + 10:03d}": date(2025, 7, 10) + timedelta(days=20 * step) for step in range(6)}
Product = tuple[str, str, str, str, str, int]


def products() -> list[Product]:
    """(id, name, step, effect, line, price in yuan)."""
    draw = World(12)
    made: list[Product] = []
    for step, (low, high) in STEPS.items():
        for effect in EFFECTS:
            for line in LINES:
                price = int(draw.between(low, high)) * (4 if line == "实验室" else 3) // 3
                made.append((f"Q{len(made) + 1:03d}", f"{line}{effect}{step}", step, effect, line, price))
    return made


class Brand:
    """Draws one member after the other."""

    def __init__(self) -> None:
        self.world = World(20260106)
        self.goods = products()
        self.orders: list[tuple[Any, ...]] = []
        self.lines: list[tuple[Any, ...]] = []
        self.answers: list[Answer] = []

    def join(self, person: Person) -> None:
        """Orders and answers of one member."""
        world = self.world
        older = person.age >= 38
        need = world.weighted(
            (
                ("保湿", 25),
                ("控油", 8 if older else 26),
                ("舒敏", 20),
                ("抗老", 38 if older else 12),
                ("美白", 14),
            )
        )
        line = world.pick(LINES)
        steps = [step for step in STEPS if world.chance(0.45)] or ["面霜"]
        usual = world.weighted(CHANNELS)
        curious = world.weighted(((0.0, 35), (0.15, 45), (0.5, 20)))
        first = max(person.since, START)
        day, gap = first + timedelta(days=int(world.between(0, 60))), world.between(35, 130)
        last = END if world.chance(0.65) else world.day(first, END)
        while day < last and world.chance(0.97):
            self._order(person, day, need, line, steps, (curious, usual))
            day += timedelta(days=max(7, int(gap * world.between(0.7, 1.4))))
        if world.chance(0.55):
            moment = world.moment(world.day(first, END - timedelta(days=1)))
            for effect, item in ITEMS.items():
                for number in (1, 2):
                    level = world.pick((4, 5, 5)) if effect == need else world.pick((1, 1, 2, 3))
                    self.answers.append((person.id, "skin", f"{item}{number}", moment, level, ""))

    def _order(
        self, person: Person, day: date, need: str, line: str, steps: list[str], habit: tuple[float, str]
    ) -> None:
        world, number, listed = self.world, f"D{len(self.orders) + 1:05d}", 0
        sale, (curious, usual) = is_big_sale(day), habit
        for place in range(1, 2 + world.count(0.8 + sale)):
            step = world.pick(steps)
            effect = need if world.chance(0.8) else world.pick(EFFECTS)
            wanted = line if world.chance(0.8) else world.pick(LINES)
            item = next(good for good in self.goods if good[2:5] == (step, effect, wanted))
            new = [good for good in self.goods if START < LAUNCHES.get(good[0], START) <= day]
            if new and world.chance(curious):
                item = world.pick(new)
            elif LAUNCHES.get(item[0], START) > day:
                item = self.goods[0]
            quantity = 1 + world.count(0.3)
            listed += item[5] * quantity
            self.lines.append((number, place, item[0], quantity, item[5], item[5] * quantity))
        coupon = "会员券" if sale or world.chance(0.2) else ""
        discount = listed * (20 if sale else 10) // 100 if coupon else 0
        channel = usual if world.chance(0.7) else world.weighted(CHANNELS)
        self.orders.append(
            (
                number,
                person.id,
                world.moment(day),
                listed - discount,
                listed,
                discount,
                listed * world.pick((35, 45, 60, 75)) // 100,
                coupon,
                channel,
            )
        )


def write(folder: Path) -> None:
    """Members, orders, lines, products, survey."""
    brand, world = Brand(), World(13)
    people = [
        world.person(number, "H", female=0.88, ages=((20, 40), (30, 33), (40, 18), (50, 9)))
        for number in range(1, CUSTOMERS + 1)
    ]
    for person in people:
        brand.join(person)
    write_csv(folder / "会员.csv", ("会员编号", "姓名", "性别", "生日", "省份", "城市", "城市等级", "婚姻状况", "家庭人数", "子女数", "来源", "注册时间"),
              [(p.id, p.name, p.gender, p.birth, p.province, p.city, p.tier, p.married, p.household, p.children, world.pick(("小红书", "广告", "朋友推荐", "门店")), f"{p.since} 20:00:00") for p in people])  # fmt: skip
    write_csv(
        folder / "订单.csv",
        ("订单编号", "会员编号", "下单时间", "实付金额", "标价金额", "优惠金额", "成本", "优惠券", "渠道"),
        brand.orders,
    )
    write_csv(folder / "订单明细.csv", ("订单编号", "行号", "商品编号", "数量", "单价", "金额"), brand.lines)
    write_excel(
        folder / "商品.xlsx", "商品", ("商品编号", "商品名称", "步骤", "功效", "系列", "标价"), brand.goods
    )
    write_csv(folder / "肤质问卷.csv", HEADER, brand.answers)


__all__ = ["write"]
