"""Workspaces to run: the demo on real data, and a small random shop written as the files a user would have."""

from __future__ import annotations

import csv
import random
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from kequn.demo import write_demo
from kequn.pipeline.setup import copy_library, prepare
from kequn.workspace import Workspace

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo workspace with its facts built and its parameters proposed; copy it before running."""
    folder = write_demo(tmp_path_factory.mktemp("demo"))
    prepare(Workspace.open(folder), NOW)
    return folder


@pytest.fixture
def demo_copy(demo_folder: Path, tmp_path: Path) -> Callable[[str, str], Path]:
    """A copy of the demo under a name, with a line of settings added."""

    def copy(name: str, setting: str = "") -> Path:
        target = tmp_path / name
        shutil.copytree(demo_folder, target, ignore=shutil.ignore_patterns("snapshots"))
        with (target / "kequn.yaml").open("a", encoding="utf-8") as file:
            file.write(setting + "\n")
        return target

    return copy


def write_shop(folder: Path, seed: int = 0, customers: int = 120) -> Path:
    """A small shop: orders.csv in GBK, customers.csv in UTF-8, and its workspace with the library's schemes."""
    rng = random.Random(seed)
    data = folder / "data"
    data.mkdir(parents=True)
    ids = [f"{n:05d}" for n in range(customers - 2)] + ["客户'; DROP", "😀 7"]
    tiers, genders = ["一线", "二线", "三线", ""], ["男", "女", ""]
    with (data / "customers.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["客户编号", "性别", "出生日期", "城市等级", "省份", "年收入"])
        for key in ids:
            born = date(1950, 1, 1) + timedelta(days=rng.randrange(20_000))
            writer.writerow(
                [
                    key,
                    rng.choice(genders),
                    born.isoformat(),
                    rng.choice(tiers),
                    rng.choice(["广东", "浙江", ""]),
                    rng.choice(["", "8万", "120000"]),
                ]
            )
    with (data / "orders.csv").open("w", encoding="gb18030", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["订单编号", "客户编号", "下单时间", "实付金额", "标价金额", "优惠金额", "渠道"])
        number = 0
        for key in ids[: customers - 10]:
            for _ in range(min(int(rng.paretovariate(0.8)), 30)):
                number += 1
                at = datetime(2026, 10, 31, 20) - timedelta(hours=rng.choice([1, 1, rng.randrange(18_000)]))
                listed = rng.choice([5_000, 5_000, 12_345, 99_999])
                off = rng.choice([0, 0, 500])
                buyer = "" if rng.random() < 0.02 else key
                writer.writerow(
                    [
                        f"O{number:06d}",
                        buyer,
                        at.strftime("%Y/%m/%d %H:%M"),
                        f"￥{(listed - off) / 100:,.2f}",
                        listed / 100,
                        off / 100,
                        rng.choice(["App", "门店", ""]),
                    ]
                )
    (folder / "kequn.yaml").write_text("name: shop\nlanguage: zh\n", encoding="utf-8")
    (folder / "sources.yaml").write_text(SHOP_SOURCES, encoding="utf-8")
    copy_library(Workspace.open(folder))
    return folder


SHOP_SOURCES = """\
customers:
- name: crm
  files: [data/customers.csv]
  columns: {customer_id: 客户编号, gender: 性别, birth_date: 出生日期, city_tier: 城市等级, province: 省份, income: 年收入}
orders:
- name: shop
  files: [data/orders.csv]
  columns: {order_id: 订单编号, customer_id: 客户编号, ordered_at: 下单时间, amount: 实付金额, list_amount: 标价金额, discount: 优惠金额, channel: 渠道}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The small random shop."""
    return write_shop(tmp_path / "shop")
