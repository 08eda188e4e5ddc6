"""A maker of bearings and drives that sells to firms: companies, contacts, deals, follow-ups, orders; invented."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from kequn.packs.samples.files import write_csv, write_excel
from kequn.packs.samples.people import END, START, World

COMPANIES, CONTACTS = 150, 300
INDUSTRIES = (
    ("机械制造", 30),
    ("汽车零部件制造", 18),
    ("批发", 10),
    ("物流运输", 9),
    ("医疗器械", 8),
    ("建筑", 8),
    ("软件和信息技术", 6),
    ("食品制造", 7),
    ("金融", 4),
)
GOODS = [
    ("W01", "深沟球轴承", "轴承"),
    ("W02", "圆锥轴承", "轴承"),
    ("W03", "减速机", "传动"),
    ("W04", "伺服电机", "传动"),
    ("W05", "同步带", "耗材"),
    ("W06", "润滑脂", "耗材"),
    ("W07", "导轨", "传动"),
    ("W08", "密封件", "耗材"),
]
STAGES = ("初步接触", "需求确认", "方案报价", "商务谈判")
SALES = ("陈晓", "吴军", "林芳", "赵一鸣", "黄立群")
TRADE = ("华", "瑞", "恒", "信", "泰", "鑫", "远", "盛", "宏", "凯", "启", "博")


class Market:
    """Draws companies and what happens with their contacts."""

    def __init__(self) -> None:
        self.world = World(20260103)
        self.companies: list[tuple[Any, ...]] = []
        self.contacts: list[tuple[Any, ...]] = []
        self.orders: list[tuple[Any, ...]] = []
        self.lines: list[tuple[Any, ...]] = []
        self.deals: list[tuple[Any, ...]] = []
        self.activities: list[tuple[Any, ...]] = []

    def company(self, number: int) -> None:
        """One invented firm."""
        world = self.world
        industry = world.weighted(INDUSTRIES)
        staff = max(3, int(90 * world.spread(1.3)))
        revenue = int(staff * world.between(40, 120)) * 10_000
        name = f"{world.pick(TRADE)}{world.pick(TRADE)}{industry[:2]}有限公司（虚构{number:03d}）"
        parent = f"C{int(world.between(1, number)):03d}" if number > 20 and world.chance(0.05) else ""
        owner = world.weighted((("民营企业", 68), ("国有企业", 12), ("外资企业", 12), ("上市公司", 8)))
        known = world.chance(0.92)
        self.companies.append(
            (
                f"C{number:03d}",
                name,
                industry,
                staff if known else "",
                revenue if known else "",
                int(revenue * world.between(0.6, 1.8)),
                owner,
                "中国",
                parent,
            )
        )

    def contact(self, number: int) -> None:
        """One contact at a firm; the first contacts each have their own."""
        world = self.world
        home = number if number <= COMPANIES else int(world.between(1, COMPANIES + 1))
        staff = int(self.companies[home - 1][3] or 60)
        person = world.person(number, "L")
        self.contacts.append((person.id, "政府" if world.chance(0.03) else "企业", person.name, f"C{home:03d}", person.province, person.city,
            world.pick(("展会", "转介绍", "搜索", "销售")), f"{person.since} 10:00:00", world.pick(SALES)))  # fmt: skip
        intent = world.weighted((("明确", 22), ("犹豫", 28), ("潜在", 28), ("拒绝", 12), ("", 10)))
        if intent:
            self._deal(person.id, intent, staff)
        self._follow(person.id, intent)
        if world.chance(0.72):
            self._buy(person.id, max(person.since, START), staff)

    def _deal(self, contact: str, intent: str, staff: int) -> None:
        world, number = self.world, f"S{len(self.deals) + 1:05d}"
        opened = world.day(date(2025, 5, 1), date(2025, 11, 20))
        amount = int(staff * world.between(0.05, 0.9) + 1) * 10_000
        reached = {"明确": 4, "犹豫": 3, "潜在": 1, "拒绝": 2}[intent]
        closed = intent == "拒绝" and world.chance(0.6)
        why = world.pick(("价格", "竞品", "预算", "时机", "信任")) if intent in ("犹豫", "拒绝") else ""
        for step in range(reached):
            at = opened + timedelta(days=9 * step)
            last = step == reached - 1
            ended = at + timedelta(days=10) if closed and last else ""
            self.deals.append(
                (
                    number,
                    contact,
                    STAGES[step],
                    f"{at} 09:00:00",
                    intent if last else "潜在",
                    why if last else "",
                    amount,
                    f"{opened} 09:00:00",
                    f"{ended} 18:00:00" if ended else "",
                    "否" if ended else "",
                )
            )

    def _follow(self, contact: str, intent: str) -> None:
        world = self.world
        gap = {"明确": 4, "犹豫": 8, "潜在": 26, "拒绝": 120, "": 90}[intent]
        for _ in range(world.count(4)):
            day = END - timedelta(days=1 + int(gap * world.between(0.1, 4.0)))
            self.activities.append(
                (
                    contact,
                    world.moment(day, range(9, 18)),
                    world.pick(("电话", "拜访", "邮件", "微信")),
                    "跟进商机",
                    world.pick(("待回复", "需要报价", "约下次")),
                )
            )

    def _buy(self, contact: str, first: date, staff: int) -> None:
        world = self.world
        gap, day = world.between(20, 120), first + timedelta(days=int(world.between(0, 60)))
        last = END - timedelta(days=2) if world.chance(0.7) else world.day(first, END)
        channel = world.pick(("销售", "线上商城", "经销商"))
        while day < last:
            number, total, cost = f"D{len(self.orders) + 1:05d}", 0, 0
            for line in range(1, 2 + world.count(0.8)):
                item = world.pick(GOODS)
                quantity = 10 + world.count(20)
                amount = int(quantity * world.between(40, 600) * min(4.0, 0.4 + staff / 150))
                total, cost = total + amount, cost + int(amount * world.between(0.6, 0.8))
                self.lines.append((number, line, item[0], quantity, amount))
            self.orders.append((number, contact, world.moment(day, range(9, 18)), total, cost, channel))
            day += timedelta(days=max(3, int(gap * world.between(0.7, 1.4))))


def write(folder: Path) -> None:
    """Companies, contacts, orders, deals, follow-ups."""
    market = Market()
    for number in range(1, COMPANIES + 1):
        market.company(number)
    for number in range(1, CONTACTS + 1):
        market.contact(number)
    write_csv(
        folder / "联系人.csv",
        ("联系人编号", "客户类型", "姓名", "公司编号", "省份", "城市", "来源", "建档时间", "负责人"),
        market.contacts,
    )
    write_excel(
        folder / "公司.xlsx",
        "公司",
        ("公司编号", "公司名称", "行业", "员工数", "年营业收入", "资产总额", "所有制", "国家", "上级公司"),
        market.companies,
    )
    write_csv(
        folder / "订单.csv", ("订单编号", "联系人编号", "下单时间", "金额", "成本", "渠道"), market.orders
    )
    write_csv(folder / "订单明细.csv", ("订单编号", "行号", "物料编号", "数量", "金额"), market.lines)
    write_csv(folder / "物料.csv", ("物料编号", "物料名称", "类别"), GOODS)
    write_csv(
        folder / "商机.csv",
        (
            "商机编号",
            "联系人编号",
            "阶段",
            "进入时间",
            "意向",
            "犹豫原因",
            "金额",
            "创建时间",
            "关闭时间",
            "赢单",
        ),
        market.deals,
    )
    write_csv(folder / "跟进.csv", ("联系人编号", "时间", "方式", "主题", "结果"), market.activities)


__all__ = ["write"]
