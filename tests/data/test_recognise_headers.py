"""The lists of header names are consistent with the data standard and with themselves."""

from __future__ import annotations

import pytest

from kequn.data.headers import (
    EXACT,
    WEAK,
    find_platform,
    fold_header,
    name_score,
    platform_columns,
    platforms,
)
from kequn.data.headers import _names as names_of
from kequn.data.headers import _raw as raw
from kequn.data.standard import SHAPES, TABLES, table

OWNERS = [*TABLES, *SHAPES]


def test_every_list_belongs_to_a_column_of_the_standard() -> None:
    plain = {name for owner in OWNERS for name in table(owner).mappable}
    qualified = {f"{owner}.{name}" for owner in OWNERS for name in table(owner).mappable}
    listed = {*raw()["columns"], *raw()["weak"]}
    assert listed <= plain | qualified


def test_every_platform_maps_to_columns_of_its_table_and_has_both_titles() -> None:
    for platform in platforms():
        assert set(platform.columns.values()) <= set(table(platform.table).mappable), platform.name
        assert platform.title.keys() == {"zh", "en"}
        assert set(platform.needs) & set(platform.columns), platform.name


@pytest.mark.parametrize("owner", OWNERS)
def test_no_clear_name_stands_for_two_columns_of_a_table(owner: str) -> None:
    seen: dict[str, str] = {}
    for column, (strong, _) in names_of(owner).items():
        for name in strong:
            assert seen.setdefault(name, column) == column, (owner, name, seen[name], column)


@pytest.mark.parametrize(
    ("owner", "column", "header", "low", "high"),
    [
        ("orders", "amount", "实付金额（元）", EXACT, EXACT),
        ("orders", "order_id", " Invoice_No ", EXACT, EXACT),
        ("orders", "order_id", "InvoiceNo", EXACT, EXACT),
        ("orders", "ordered_at", "日期", WEAK, WEAK),
        ("customers", "phone", "买家联系手机", 0.7, 0.8),
        ("orders", "amount", "total_order_amount", 0.7, 0.8),
        ("customers", "city", "velocity", 0.0, 0.0),
        ("customers", "income", "outcome", 0.0, 0.0),
    ],
)
def test_a_header_names_a_column_in_whole_or_by_its_last_words(
    owner: str, column: str, header: str, low: float, high: float
) -> None:
    assert low <= name_score(table(owner), column, fold_header(header)) <= high


def test_brackets_of_units_fall_away_and_tell_scale_and_currency() -> None:
    header = fold_header("年营业额（万元）")
    assert (header.key, header.scale, header.currency) == ("年营业额", 10_000, "CNY")
    assert fold_header("商品编码(平台)").key == "商品编码平台"


def test_a_platform_is_known_by_its_headers_and_prefers_its_own_order_of_columns() -> None:
    headers = ["订单编号", "标题", "价格", "购买数量", "外部系统编号", "商家编码 "]
    platform = find_platform(headers)
    assert platform is not None
    assert platform.name == "taobao_lines"
    assert platform_columns(platform, headers)["product_id"] == ["商家编码 ", "外部系统编号", "标题"]
    assert find_platform(["foo", "bar"]) is None
