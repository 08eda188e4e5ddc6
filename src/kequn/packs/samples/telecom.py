"""A mobile carrier: bills, care contacts, plans and contracts; invented."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from kequn.packs.samples.files import write_csv
from kequn.packs.samples.people import END, START, Person, World

CUSTOMERS = 300
PLANS = (
    ("T01", "畅享 29", "套餐", 29),
    ("T02", "畅享 59", "套餐", 59),
    ("T03", "畅享 99", "套餐", 99),
    ("T04", "尊享 199", "套餐", 199),
)
EXTRAS = (("T11", "家庭宽带", "宽带", 50), ("T12", "亲情副卡", "副卡", 10), ("T13", "云盘会员", "增值", 15))
MONTHS = [date(2024 + index // 12, index % 12 + 1, 1) for index in range(23)]


class Carrier:
    """Draws what the carrier knows about one customer after the other."""

    def __init__(self) -> None:
        self.world = World(20260104)
        self.bills: list[tuple[Any, ...]] = []
        self.contacts: list[tuple[Any, ...]] = []
        self.holdings: list[tuple[Any, ...]] = []
        self.orders: list[tuple[Any, ...]] = []

    def connect(self, person: Person) -> None:
        """One customer with all rows."""
        world = self.world
        plan = world.weighted([(plan, weight) for plan, weight in zip(PLANS, (30, 38, 24, 8), strict=True)])
        self._bills(person, plan[3])
        begin = (
            world.day(max(person.since, date(2023, 7, 1)), END - timedelta(days=5))
            if person.since < END - timedelta(days=20)
            else person.since
        )
        ends = begin + timedelta(days=world.pick((365, 730)))
        self.holdings.append((person.id, plan[0], begin, ends if world.chance(0.7) else "", plan[3]))
        for extra in EXTRAS:
            if world.chance(0.3):
                self.holdings.append((person.id, extra[0], world.day(person.since, END), "", extra[3]))
        mood = world.weighted(((0.3, 52), (2.5, 30), (6.0, 18)))
        for _ in range(world.count(mood)):
            kind = world.weighted((("咨询", 55), ("投诉", 25), ("报障", 20)))
            day = world.day(max(person.since, date(2025, 4, 1)), END - timedelta(days=1))
            self.contacts.append(
                (
                    person.id,
                    world.moment(day),
                    kind,
                    {"咨询": "套餐资费", "投诉": "扣费争议", "报障": "信号弱"}[kind],
                    world.pick(("已解决", "处理中")),
                )
            )
        for _ in range(world.count(1.2)):
            bought = world.moment(world.day(max(person.since, START), END - timedelta(days=1)))
            self.orders.append(
                (
                    f"O{len(self.orders) + 1:05d}",
                    person.id,
                    bought,
                    world.pick((15, 30, 99, 1299, 2999, 4999)),
                    world.pick(("App", "门店", "网站")),
                )
            )

    def _bills(self, person: Person, fee: int) -> None:
        world = self.world
        level = fee * world.between(0.3, 0.9)
        shift = world.weighted(((1.0, 66), (0.7, 18), (1.25, 16)))
        habit = world.weighted(((0.0, 56), (0.2, 26), (0.45, 18)))
        owes = habit > 0.3 and world.chance(0.5)
        for month in MONTHS:
            if month < person.since:
                continue
            if month >= date(2025, 8, 1):
                level *= shift if month.month in (8, 10) else 1.0
            used = round(level * world.between(0.85, 1.15), 1)
            due = round(fee + max(0.0, used - fee * 0.8) * 0.6, 2)
            late = world.chance(habit)
            unpaid = owes and month >= date(2025, 9, 1)
            paid_on = month + timedelta(days=75 if late else 31 + int(world.between(0, 18)))
            paid = "" if unpaid or paid_on > END else f"{paid_on} 12:00:00"
            self.bills.append((person.id, month, used, due, due if paid else 0, paid))


def write(folder: Path) -> None:
    """Customers, bills, care contacts, products, contracts, purchases."""
    carrier, world = Carrier(), World(9)
    people = [world.person(number, "U") for number in range(1, CUSTOMERS + 1)]
    for person in people:
        carrier.connect(person)
    write_csv(folder / "用户.csv", ("用户编号", "姓名", "性别", "出生日期", "省份", "城市", "城市等级", "婚姻状况", "家庭人数", "子女数", "入网时间"),
              [(p.id, p.name, p.gender, p.birth, p.province, p.city, p.tier, p.married, p.household, p.children, f"{p.since} 09:00:00") for p in people])  # fmt: skip
    write_csv(folder / "账单.csv", ("用户编号", "账期", "用量", "应付", "实付", "付款时间"), carrier.bills)
    write_csv(folder / "客服记录.csv", ("用户编号", "时间", "类型", "主题", "结果"), carrier.contacts)
    write_csv(folder / "产品.csv", ("产品编号", "产品名称", "类别"), [item[:3] for item in (*PLANS, *EXTRAS)])
    write_csv(folder / "套餐合约.csv", ("用户编号", "产品编号", "生效日", "到期日", "月费"), carrier.holdings)
    write_csv(folder / "终端与增值.csv", ("订单编号", "用户编号", "时间", "金额", "渠道"), carrier.orders)


__all__ = ["write"]
