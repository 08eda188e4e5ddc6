"""A Chinese shop that sells food, care, home and clothing on four channels; invented."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from kequn.packs.samples.files import write_csv, write_excel
from kequn.packs.samples.people import END, START, Person, World, is_big_sale, is_festive
from kequn.packs.samples.survey import HEADER, Answer, answers
from kequn.profile.questionnaire import shipped

CUSTOMERS = 320
CHANNELS = (("天猫", 36), ("微信小程序", 26), ("抖音", 20), ("门店", 18))
SCREENS = ((("手机", "App"), 42), (("手机", "小程序"), 33), (("电脑", "网页"), 25))
CATEGORIES = {
    "粮油调味": ("禾田", "老灶头", ("东北大米 5kg", "压榨花生油", "头道酱油", "有机小米"), (25, 120)),
    "零食坚果": ("松果铺", "咔滋", ("每日坚果", "海苔脆", "牛肉干", "芒果干"), (18, 90)),
    "礼盒": ("禾田", "松果铺", ("年货大礼盒", "中秋月饼礼盒", "坚果礼盒", "茶叶礼盒"), (128, 498)),
    "个护清洁": ("净蓝", "沐屿", ("氨基酸洗发水", "植物洗衣液", "便携洗手液", "儿童牙膏"), (22, 110)),
    "家居": ("木语", "拾光", ("四件套", "收纳箱", "香薰蜡烛", "保温杯"), (39, 399)),
    "服饰": ("素间", "北辰", ("羊毛围巾", "纯棉 T 恤", "轻薄羽绒服", "家居服"), (59, 599)),
    "母婴": ("小芽", "暖贝", ("婴儿湿巾", "儿童雨衣", "辅食米粉", "积木"), (29, 259)),
}
ATTITUDES = {
    "hunter": {"price_conscious": 0.9, "quality_seeking": 0.3, "novelty_seeking": 0.5, "family_centred": 0.5,
               "health_conscious": 0.3, "social_sharing": 0.65, "recommend": 0.4, "satisfaction": 0.45},
    "family": {"price_conscious": 0.55, "quality_seeking": 0.75, "novelty_seeking": 0.25, "family_centred": 0.92,
               "health_conscious": 0.8, "social_sharing": 0.3, "recommend": 0.8, "satisfaction": 0.8},
    "single": {"price_conscious": 0.3, "quality_seeking": 0.65, "novelty_seeking": 0.85, "family_centred": 0.2,
               "health_conscious": 0.5, "social_sharing": 0.75, "recommend": 0.65, "satisfaction": 0.7},
}  # fmt: skip
"""How three kinds of customers lean in the questionnaires: shares of each scale."""
LAUNCHED = {f"P{4 * step + 4:03d}": date(2025, 7, 8) + timedelta(days=6 * step) for step in range(14)}
"""Products that came to market in the last half year: who buys them first is an innovator."""
Product = tuple[str, str, str, str, int, int]


def products() -> list[Product]:
    """(id, name, category, brand, price, cost): prices in yuan."""
    made: list[Product] = []
    draw = World(11)
    for category, (first, second, names, (low, high)) in CATEGORIES.items():
        for place, name in enumerate(names):
            for brand in (first, second):
                price = int(draw.between(low, high)) + 1
                made.append(
                    (
                        f"P{len(made) + 1:03d}",
                        f"{brand} {name}",
                        category,
                        brand,
                        price,
                        int(price * draw.between(0.5, 0.68)) + place,
                    )
                )
    return made


class Shop:
    """Draws orders, events and contacts for one customer after the other."""

    def __init__(self) -> None:
        self.world = World(20260102)
        self.goods = products()
        self.orders: list[tuple[Any, ...]] = []
        self.lines: list[tuple[Any, ...]] = []
        self.events: list[tuple[Any, ...]] = []
        self.touches: list[tuple[Any, ...]] = []
        self.answers: list[Answer] = []

    def serve(self, person: Person) -> None:
        """All that one customer does in the two years."""
        world = self.world
        style = world.weighted(
            (("everyday", 38), ("hunter", 20), ("holiday", 20), ("gift", 7), ("browser", 15))
        )
        first = max(person.since, START)
        last = END if world.chance(0.62) else world.day(first, END)
        taste = self._taste(person)
        channel = world.weighted(CHANNELS)
        mean = (
            0.0 if style == "browser" else min(40.0, 9.0 * person.zest * max(0.15, (last - first).days / 730))
        )
        for _ in range(world.count(mean) + (style != "browser" and world.chance(0.7))):
            self._order(person, self._day(style, first, last), style, taste, channel)
        usual = world.weighted(SCREENS)
        for _ in range(world.count(10)):
            self._look(person, world.day(first, END), taste, usual)
        if world.chance(0.5):
            leaning = ATTITUDES["hunter" if style == "hunter" else "family" if person.children else "single"]
            for name in ("lifestyle", "satisfaction"):
                self.answers.extend(
                    answers(world, shipped()[name], person.id, world.day(first, END), leaning)
                )
        for number, sent in enumerate(
            (date(2024, 10, 28), date(2025, 1, 6), date(2025, 6, 10), date(2025, 10, 30)), start=1
        ):
            if first <= sent and world.chance(0.7):
                answered = (
                    f"{sent + timedelta(days=world.count(2)):%Y-%m-%d} 20:00:00"
                    if world.chance(0.06 + 0.25 * (style == "hunter"))
                    else ""
                )
                self.touches.append(
                    (
                        f"活动{number:02d}",
                        person.id,
                        f"{sent} 10:00:00",
                        world.pick(("短信", "微信")),
                        "0.05",
                        answered,
                    )
                )

    def celebrate(self, locals_: list[Person], draw: World) -> None:
        """The anniversary of the Shanghai stores brings some of the town's members in, some of them for nothing else."""
        for person in locals_:
            if draw.chance(0.45):
                taste = self._taste(person)
                for _ in range(1 + draw.count(1.2)):
                    day = date(draw.pick((2024, 2025)), 5, 14 + int(draw.between(0, 7)))
                    self._order(person, max(day, person.since), "everyday", taste, "门店")

    def _taste(self, person: Person) -> list[tuple[Product, float]]:
        liked = {
            self.world.pick(list(CATEGORIES)): 6.0,
            "粮油调味": 2.5,
            "母婴": 5.0 if person.children else 0.1,
        }
        brand = self.world.pick(("first", "second", "any"))
        weights = []
        for item in self.goods:
            names = CATEGORIES[item[2]]
            same = brand == "any" or item[3] == names[brand == "second"]
            weights.append((item, liked.get(item[2], 0.7) * (1.0 if same else 0.2)))
        return weights

    def _day(self, style: str, first: date, last: date) -> date:
        """Sale hunters mostly wait for a sale, holiday buyers for the weeks before a feast."""
        wanted = {"hunter": is_big_sale, "holiday": is_festive}.get(style)
        keen = wanted is not None and self.world.chance(0.75)
        for _ in range(150 if keen else 1):
            day = self.world.day(first, last)
            if not keen or (wanted is not None and wanted(day)):
                return day
        return day

    def _order(
        self, person: Person, day: date, style: str, taste: list[tuple[Product, float]], channel: str
    ) -> None:
        world, number = self.world, f"D{len(self.orders) + 1:06d}"
        moment = world.moment(day)
        sale = is_big_sale(day)
        occasion = (
            "节日"
            if is_festive(day) and (style == "holiday" or world.chance(0.4))
            else "送礼"
            if style == "gift" and world.chance(0.7)
            else "日常"
        )
        listed = cost = 0
        for line in range(1, 2 + world.count(1.2 + 1.2 * sale)):
            item = world.weighted(taste)
            while LAUNCHED.get(item[0], START) > day:
                item = world.weighted(taste)
            quantity = 1 + world.count(0.4)
            listed += item[4] * quantity
            cost += item[5] * quantity
            self.lines.append((number, line, item[0], quantity, item[4], item[4] * quantity))
        coupon = "满减券" if sale or world.chance(0.12 + 0.3 * (style == "hunter")) else ""
        discount = listed * (25 if sale else 12) // 100 if coupon else 0
        status = world.weighted((("交易成功", 93), ("交易关闭", 4), ("退款成功", 3)))
        paid = listed - discount
        back = (
            (f"{moment + timedelta(days=5)}", paid)
            if status == "退款成功" and day < END - timedelta(days=6)
            else ("", "")
        )
        where = channel if world.chance(0.75) else world.weighted(CHANNELS)
        self.orders.append(
            (
                number,
                person.id,
                moment,
                paid,
                listed,
                discount,
                cost,
                coupon,
                where,
                occasion,
                "交易成功" if back[0] == "" and status == "退款成功" else status,
                *back,
            )
        )

    def _look(
        self, person: Person, day: date, taste: list[tuple[Product, float]], usual: tuple[str, str]
    ) -> None:
        world = self.world
        item = world.weighted(taste)
        kind = world.weighted((("浏览", 62), ("加购", 16), ("收藏", 8), ("搜索", 14)))
        device, platform = usual if world.chance(0.75) else world.weighted(SCREENS)
        moment: datetime = world.moment(day)
        self.events.append(
            (
                person.id,
                moment,
                kind,
                "" if kind == "搜索" else item[0],
                device,
                platform,
                item[2] if kind == "搜索" else "",
            )
        )


def write(folder: Path) -> None:
    """Members, orders, lines, products, events and campaign contacts."""
    shop = Shop()
    world = World(7)
    members = [world.person(number, "M", female=0.62) for number in range(1, CUSTOMERS + 1)]
    for person in members:
        shop.serve(person)
    home = World(29)
    shop.celebrate([person for person in members if person.city.startswith("上海")], World(41))
    sources = ("小红书", "广告", "朋友推荐", "门店", "搜索")
    write_csv(folder / "会员.csv", ("会员编号", "姓名", "性别", "生日", "省份", "城市", "城市等级", "婚姻状况", "家庭人数", "子女数", "学历", "年收入", "来源渠道", "注册时间", "城乡"),
              [(p.id, p.name, p.gender, p.birth, p.province, p.city, p.tier, p.married, p.household, p.children, p.education, p.income, world.pick(sources), f"{p.since} 12:00:00", home.weighted((("城市", 68), ("郊区", 19), ("农村", 13)))) for p in members])  # fmt: skip
    write_csv(
        folder / "订单.csv",
        (
            "订单编号",
            "会员编号",
            "下单时间",
            "实付金额",
            "标价金额",
            "优惠金额",
            "成本",
            "优惠券",
            "渠道",
            "场合",
            "订单状态",
            "退款时间",
            "退款金额",
        ),
        shop.orders,
    )
    write_csv(folder / "订单明细.csv", ("订单编号", "行号", "商品编号", "数量", "单价", "金额"), shop.lines)
    write_excel(
        folder / "商品.xlsx", "商品", ("商品编号", "商品名称", "品类", "品牌", "标价", "成本"), shop.goods
    )
    write_csv(
        folder / "浏览行为.csv",
        ("会员编号", "时间", "行为", "商品编号", "设备", "平台", "搜索词"),
        shop.events,
    )
    write_csv(folder / "问卷.csv", HEADER, shop.answers)
    write_csv(
        folder / "营销触达.csv", ("活动", "会员编号", "发送时间", "渠道", "费用", "响应时间"), shop.touches
    )


__all__ = ["write"]
