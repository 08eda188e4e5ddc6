"""A city bank with persons and small firms: accounts by month, card payments, products held; invented."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from kequn.packs.samples.files import write_csv, write_excel
from kequn.packs.samples.people import END, START, Person, World

CUSTOMERS = 300
PRODUCTS = [
    ("B01", "活期储蓄", "存款"), ("B02", "三年定期", "存款"), ("B03", "稳健理财", "理财"), ("B04", "指数基金", "基金"),
    ("B05", "信用卡", "信用卡"), ("B06", "住房贷款", "贷款"), ("B07", "消费贷", "贷款"), ("B08", "养老保险", "保险"),
]  # fmt: skip
MANAGERS = ("周经理", "何经理", "沈经理", "邱经理")
MONTHS = [date(2024 + index // 12, index % 12 + 1, 1) for index in range(24)]


class Branch:
    """Draws what the bank knows about one customer after the other."""

    def __init__(self) -> None:
        self.world = World(20260102)
        self.customers: list[tuple[Any, ...]] = []
        self.accounts: list[tuple[Any, ...]] = []
        self.payments: list[tuple[Any, ...]] = []
        self.holdings: list[tuple[Any, ...]] = []

    def open(self, person: Person) -> None:
        """One customer with all rows."""
        world = self.world
        firm = world.chance(0.12)
        name = (
            f"{person.name[0]}氏{world.pick(('五金', '食品', '餐饮', '服装', '物流'))}经营部"
            if firm
            else person.name
        )
        self.customers.append((person.id, "企业" if firm else "个人", name, "" if firm else person.gender, "" if firm else person.birth,
            person.province, person.city, person.tier, "" if firm else person.married, "" if firm else person.household,
            "" if firm else person.children, "" if firm else person.education, person.income, f"{person.since} 09:30:00", world.pick(MANAGERS)))  # fmt: skip
        self._account(person, firm)
        self._pay(person)
        for product, _, kind in PRODUCTS:
            if world.chance(
                {"存款": 0.55, "理财": 0.28, "基金": 0.2, "信用卡": 0.45, "贷款": 0.16, "保险": 0.15}[kind]
            ):
                begin = world.day(START - timedelta(days=700), END - timedelta(days=30))
                ends = begin + timedelta(days=365 * world.pick((1, 2, 3, 5)))
                self.holdings.append(
                    (
                        person.id,
                        product,
                        begin,
                        ends if kind in ("理财", "保险") or product == "B02" else "",
                        int(world.between(5, 300)) * 1_000,
                    )
                )

    def _account(self, person: Person, firm: bool) -> None:
        world = self.world
        score = min(850.0, max(420.0, world.random.gauss(665, 75)))
        assets = person.income * world.between(0.2, 3.0) * person.zest * (2.5 if firm else 1.0)
        drift = world.weighted(((1.0, 46), (1.045, 18), (0.93, 16), (1.08, 10), (0.86, 10)))
        assessed, complete, backed = world.chance(0.78), world.chance(0.65), world.chance(0.3)
        risk = world.pick(("R1", "R2", "R3", "R4")) if assessed else ""
        known = not world.chance(0.05)
        for month in MONTHS:
            if month < date(person.since.year, person.since.month, 1):
                continue
            late = (month.year - 2024) * 12 + month.month > 18
            assets *= (drift if late else 1.004) * world.between(0.97, 1.03)
            rate = round(world.random.gauss(0.024, 0.02), 4)
            self.accounts.append((person.id, month, round(assets, 2), round(assets * world.between(0.05, 0.3), 2), round(score) if known else "",
                "是" if complete else "否", "是" if assessed else "否", risk, rate, "是" if backed else "否"))  # fmt: skip
            score += world.random.gauss(0, 2)

    def _pay(self, person: Person) -> None:
        world = self.world
        steady = world.chance(0.55)
        usual = person.income / 12 * world.between(0.2, 0.5) / 3
        active = world.chance(0.85)
        usually = world.weighted((("App", 55), ("网站", 18), ("门店", 27)))
        for month in MONTHS:
            if month < person.since or (not active and month > date(2025, 4, 1)):
                continue
            level = usual * (world.between(0.9, 1.1) if steady else world.spread(0.9))
            for _ in range(3 if steady else world.count(3)):
                moment = world.moment(month + timedelta(days=int(world.between(0, 28))))
                channel = usually if world.chance(0.8) else world.pick(("App", "网站", "门店"))
                self.payments.append(
                    (
                        f"T{len(self.payments) + 1:06d}",
                        person.id,
                        moment,
                        round(level * world.between(0.8, 1.2), 2),
                        channel,
                    )
                )


def write(folder: Path) -> None:
    """Customers, accounts, card payments, products, holdings."""
    branch = Branch()
    world = World(8)
    for number in range(1, CUSTOMERS + 1):
        branch.open(
            world.person(number, "K", female=0.5, ages=((20, 18), (30, 27), (40, 24), (50, 18), (60, 13)))
        )
    write_csv(
        folder / "客户.csv",
        (
            "客户号",
            "客户类型",
            "姓名",
            "性别",
            "出生日期",
            "省份",
            "城市",
            "城市等级",
            "婚姻状况",
            "家庭人数",
            "子女数",
            "学历",
            "年收入",
            "开户时间",
            "客户经理",
        ),
        branch.customers,
    )
    write_csv(
        folder / "账户月报.csv",
        (
            "客户号",
            "月份",
            "管理资产",
            "余额",
            "信用分",
            "报表完整",
            "已风评",
            "风险等级",
            "收益率",
            "有担保",
        ),
        branch.accounts,
    )
    write_csv(folder / "消费流水.csv", ("流水号", "客户号", "交易时间", "金额", "渠道"), branch.payments)
    write_excel(folder / "产品.xlsx", "产品", ("产品编号", "产品名称", "产品类别"), PRODUCTS)
    write_csv(folder / "产品持有.csv", ("客户号", "产品编号", "起始日", "到期日", "金额"), branch.holdings)


__all__ = ["write"]
