"""A maker of business software sold by the seat: tenants, seats, modules, bills; invented."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from kequn.packs.samples.files import write_csv, write_excel
from kequn.packs.samples.people import END, START, World

TENANTS = 300
MODULES = (
    ("S01", "标准席位", "席位"),
    ("S11", "审批模块", "模块"),
    ("S12", "报表模块", "模块"),
    ("S13", "移动端", "模块"),
    ("S14", "开放接口", "模块"),
)
INDUSTRIES = (
    ("软件和信息技术", 22),
    ("制造", 24),
    ("零售", 16),
    ("教育", 12),
    ("医疗", 10),
    ("金融", 8),
    ("物流", 8),
)
TRADE = ("云", "启", "迅", "拓", "智", "联", "博", "优", "捷", "新")
MONTHS = [date(2024 + index // 12, index % 12 + 1, 1) for index in range(23)]


class Vendor:
    """Draws one tenant after the other."""

    def __init__(self) -> None:
        self.world = World(20260108)
        self.tenants: list[tuple[Any, ...]] = []
        self.companies: list[tuple[Any, ...]] = []
        self.usage: list[tuple[Any, ...]] = []
        self.orders: list[tuple[Any, ...]] = []
        self.lines: list[tuple[Any, ...]] = []
        self.holdings: list[tuple[Any, ...]] = []

    def sign(self, number: int) -> None:
        """One tenant with its company, contracts, seats and bills."""
        world = self.world
        person = world.person(number, "Z")
        staff = max(8, int(70 * world.spread(1.1)))
        industry = world.weighted(INDUSTRIES)
        name = f"{world.pick(TRADE)}{world.pick(TRADE)}{industry[:2]}（虚构{number:03d}）"
        self.companies.append(
            (
                f"E{number:03d}",
                name,
                industry,
                staff,
                staff * int(world.between(25, 90)) * 10_000,
                world.pick(("民营企业", "民营企业", "国有企业", "外资企业")),
            )
        )
        self.tenants.append(
            (
                person.id,
                "企业",
                person.name,
                f"E{number:03d}",
                person.city,
                world.pick(("搜索", "活动", "销售", "转介绍")),
                f"{person.since} 10:00:00",
                world.pick(("苏婷", "丁磊", "魏静")),
            )
        )
        seats = max(3, staff * int(world.between(15, 70)) // 100)
        begin = max(person.since, START) + timedelta(days=int(world.between(1, 30)))
        stays = world.chance(0.85)
        begin = min(begin, END - timedelta(days=15))
        last = self._contracts(person.id, begin, seats, stays)
        self._months(person.id, begin, last, seats)

    def _contracts(self, tenant: str, begin: date, seats: int, stays: bool) -> date:
        """Yearly contracts until the tenant leaves; returns the end of the last one."""
        world, ends = self.world, begin
        modules = [module for module in MODULES[1:] if world.chance(0.4)]
        while ends <= END and (ends == begin or stays):
            start, ends = ends, ends + timedelta(days=365)
            number = f"D{len(self.orders) + 1:05d}"
            self.lines.append((number, 1, "S01", seats, seats * 480))
            for place, module in enumerate(modules, start=2):
                self.lines.append((number, place, module[0], 1, 3000))
            self.orders.append(
                (
                    number,
                    tenant,
                    world.moment(start, range(9, 18)),
                    seats * 480 + 3000 * len(modules),
                    world.pick(("官网", "销售")),
                )
            )
            for module in (MODULES[0], *modules):
                self.holdings.append(
                    (tenant, module[0], start, ends, seats * 480 if module[0] == "S01" else 3000)
                )
        return ends

    def _months(self, tenant: str, begin: date, last: date, seats: int) -> None:
        world = self.world
        level = world.weighted(((0.97, 24), (0.75, 36), (0.45, 24), (0.15, 16)))
        drift = world.weighted(((1.0, 70), (0.93, 18), (1.03, 12)))
        habit = world.weighted(((0.02, 75), (0.3, 25)))
        owes = world.chance(0.06)
        for month in MONTHS:
            if not begin <= month < last:
                continue
            level = min(1.0, level * drift)
            active = min(seats, round(seats * level * world.between(0.92, 1.06)))
            paid_on = month + timedelta(days=70 if world.chance(habit) else 40)
            paid = "" if paid_on > END or (owes and month >= date(2025, 9, 1)) else f"{paid_on} 15:00:00"
            self.usage.append((tenant, month, active, seats * 40, seats * 40 if paid else 0, paid))


def write(folder: Path) -> None:
    """Tenants, companies, usage, subscriptions, modules."""
    vendor = Vendor()
    for number in range(1, TENANTS + 1):
        vendor.sign(number)
    write_csv(
        folder / "租户.csv",
        ("租户编号", "类型", "联系人", "公司编号", "城市", "来源", "注册时间", "客户成功经理"),
        vendor.tenants,
    )
    write_excel(
        folder / "公司.xlsx",
        "公司",
        ("公司编号", "公司名称", "行业", "员工数", "年营业收入", "所有制"),
        vendor.companies,
    )
    write_csv(
        folder / "月度用量.csv", ("租户编号", "月份", "活跃席位", "应付", "实付", "付款时间"), vendor.usage
    )
    write_csv(folder / "订阅订单.csv", ("订单编号", "租户编号", "时间", "金额", "渠道"), vendor.orders)
    write_csv(folder / "订阅明细.csv", ("订单编号", "行号", "产品编号", "数量", "金额"), vendor.lines)
    write_csv(folder / "产品.csv", ("产品编号", "产品名称", "品类"), MODULES)
    write_csv(folder / "模块合同.csv", ("租户编号", "产品编号", "起始日", "到期日", "年费"), vendor.holdings)


__all__ = ["write"]
