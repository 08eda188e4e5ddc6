"""Files of unknown origin are recognised by names and content; what can't be told is asked."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook

from kequn.data.facts import FactSettings, load_facts
from kequn.data.proposal_text import question_words
from kequn.data.recognise import Entry, Proposal, recognise
from kequn.data.sources import check_sources, parse_sources


def write(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def only(proposal: Proposal) -> Entry:
    assert len(proposal.entries) == 1, proposal
    return proposal.entries[0]


def mapping(entry: Entry) -> dict[str, str]:
    return {name: match.header for name, match in entry.matches.items()}


def read_facts(proposal: Proposal, folder: Path) -> list[dict[str, Any]]:
    """The customers that a run would read by the proposal."""
    settings = FactSettings(
        currency="CNY", time_zone="Asia/Shanghai", clock=datetime(2026, 6, 1), folder_root=folder
    )
    facts = load_facts(parse_sources(proposal.text("zh", folder)), settings, folder / "facts")
    return pq.read_table(facts.tables["customers"].files[0]).to_pylist()


def kinds(proposal: Proposal) -> set[tuple[str, str]]:
    return {(question.kind, question.column) for question in proposal.questions}


EXPORTS = {
    "taobao_orders": (
        "flat_orders",
        "订单编号,买家会员名,买家支付宝账号,买家应付货款,买家应付邮费,总金额,买家实际支付金额,订单状态,收货人姓名,收货地址 ,联系手机,订单创建时间,订单付款时间 ,宝贝标题 ,店铺Id,退款金额\n"
        '="1001",小白,a@b.cn,90,0,100,90.00,交易成功,张三,浙江省 杭州市,\'13900001111,2026-01-05 10:00:00,2026-01-05 10:01:00,连衣裙,7,0\n'
        '="1002",小黑,c@d.cn,50,5,55,0.00,等待买家付款,李四,广东省 广州市,\'13900002222,2026-01-06 10:00:00,,衬衫,7,0\n',
        {"order_id": "订单编号", "customer_id": "买家会员名", "ordered_at": "订单创建时间", "amount": "买家实际支付金额", "list_amount": "总金额", "status": "订单状态", "refunded_amount": "退款金额", "customer_name": "收货人姓名", "address": "收货地址", "phone": "联系手机"},
    ),
    "taobao_lines": (
        "order_lines",
        "订单编号,标题,价格,购买数量,外部系统编号,商品属性,套餐信息,备注,订单状态,商家编码\n"
        "1001,连衣裙,90,1,,颜色:红,,,交易成功,SKU-1\n1002,衬衫,25,2,,颜色:白,,,等待买家付款,SKU-2\n",
        {"order_id": "订单编号", "product_id": "商家编码", "quantity": "购买数量", "price": "价格"},
    ),
    "jd": (
        "flat_orders",
        "订单号,商品ID,商品名称,订购数量,支付方式,下单时间,京东价,订单金额,结算金额,应付金额,订单状态,订单类型,下单帐号,客户姓名,客户地址,联系电话\n"
        "9001,11,手机,1,在线支付,2026-01-05 10:00:00,1999.00,2049,2049,2049,完成,SOP,jd_a,王五,北京朝阳区,138****0001\n"
        "9001,12,手机壳,2,在线支付,2026-01-05 10:00:00,25.00,2049,2049,2049,完成,SOP,jd_a,王五,北京朝阳区,138****0001\n"
        "9002,12,手机壳,1,在线支付,2026-01-07 10:00:00,25.00,25,25,25,完成,SOP,jd_b,赵六,上海浦东,138****0002\n",
        {"order_id": "订单号", "customer_id": "下单帐号", "ordered_at": "下单时间", "product_id": "商品ID", "quantity": "订购数量", "price": "京东价", "status": "订单状态"},
    ),
    "douyin": (
        "flat_orders",
        "主订单编号,子订单编号,选购商品,商品规格,商品数量,商品ID,商家编码,商品单价,订单应付金额,运费,优惠总金额,收件人,收件人手机号,省,市,区,订单提交时间,订单状态,APP渠道\n"
        "601,6011,面膜,5片,2,77,M1,59.00,108.00,0,10,刘*,139****1111,浙江省,杭州市,西湖区,2026-01-05 10:00:00,已完成,抖音\n"
        "602,6021,精华,30ml,1,78,M2,99.00,99.00,0,0,陈*,139****2222,广东省,深圳市,南山区,2026-01-06 11:00:00,已完成,抖音\n",
        {"order_id": "主订单编号", "product_id": "商品ID", "product_name": "选购商品", "quantity": "商品数量", "price": "商品单价", "amount": "订单应付金额", "ordered_at": "订单提交时间", "province": "省", "city": "市", "district": "区"},
    ),
    "youzan": (
        "flat_orders",
        "订单号,订单状态,订单创建时间,买家姓名,买家手机号,收货人省份,收货人城市,收货人地区,商品名称,商品编码,商品单价,商品数量,商品实际成交金额,商品已退款金额,归属店铺\n"
        "E2026,交易完成,2026-01-05 10:00:00,孙七,13800000001,江苏省,南京市,鼓楼区,茶叶,T1,88,1,80.5,0,总店\n"
        "E2027,交易完成,2026-01-06 10:00:00,周八,13800000002,江苏省,苏州市,姑苏区,茶杯,T2,30,2,60,30,总店\n",
        {"order_id": "订单号", "customer_id": "买家手机号", "ordered_at": "订单创建时间", "product_id": "商品编码", "quantity": "商品数量", "amount": "商品实际成交金额", "refunded_amount": "商品已退款金额", "province": "收货人省份"},
    ),
    "weixin": (
        "flat_orders",
        "订单号,订单下单时间,订单状态,买家openid,商品名称,商品编码(平台),商品编码(自定义),商品价格,商品数量,商品实际价格(总共),收件人手机\n"
        "3701,2026-01-05 10:00:00,已完成,oA1,酸奶,1000,,12.9,2,25.8,139****1111\n"
        "3702,2026-01-06 10:00:00,已完成,oA2,牛奶,1001,,9.9,1,9.9,139****2222\n",
        {"order_id": "订单号", "customer_id": "买家openid", "ordered_at": "订单下单时间", "product_id": "商品编码(平台)", "quantity": "商品数量", "price": "商品价格", "amount": "商品实际价格(总共)"},
    ),
    "pinduoduo": (
        "flat_orders",
        "商品,订单号,订单状态,商品总价(元),邮费(元),店铺优惠折扣(元),用户实付金额(元),商品数量(件),收货人,手机,省,市,区,拼单成功时间,商品id,商品规格\n"
        "纸巾,260105-1,已收货,30.00,0,2,28.00,1,吴*,139****1111,湖南省,长沙市,岳麓区,2026-01-05 10:00:00,555,10包\n"
        "毛巾,260105-2,已收货,20.00,0,0,20.00,2,郑*,139****2222,湖北省,武汉市,武昌区,2026-01-05 11:00:00,556,2条\n",
        {"order_id": "订单号", "product_id": "商品id", "quantity": "商品数量(件)", "amount": "用户实付金额(元)", "discount": "店铺优惠折扣(元)", "ordered_at": "拼单成功时间"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("platform", EXPORTS)
def test_exports_of_known_shops_are_mapped_without_a_question_about_their_columns(
    tmp_path: Path, platform: str
) -> None:
    name, text, expected = EXPORTS[platform]
    proposal = recognise([write(tmp_path, "export.csv", text, "gb18030")])
    entry = only(proposal)
    assert (entry.table, entry.platform) == (name, platform)
    assert expected.items() <= mapping(entry).items()
    assert kinds(proposal) <= {("customer", "customer_id")}
    check_sources(proposal.as_sources(tmp_path))


def test_an_amount_that_repeats_on_every_line_gives_way_to_price_times_quantity(tmp_path: Path) -> None:
    lines = "".join(
        f"{order},C{order},2026-01-0{order},P{line},{line},10,{60}\n"
        for order in range(1, 8)
        for line in (1, 2, 3)
    )
    entry = only(
        recognise([write(tmp_path, "o.csv", "订单号,会员号,下单时间,商品编号,数量,单价,实付金额\n" + lines)])
    )
    assert entry.table == "flat_orders"
    assert "amount" not in entry.matches
    assert {finding.code for finding in entry.findings} == {"amount_repeated", "price_times_quantity"}


def test_cancellations_are_known_by_the_prefix_of_negative_orders(tmp_path: Path) -> None:
    text = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n" + "".join(
        f"{536300 + n},8512{n % 3}A,LAMP,{n + 1},12/{13 + n}/2010 08:26,2.55,1785{n % 4},United Kingdom\n"
        f"C{536400 + n},8512{n % 3}A,LAMP,-1,12/{13 + n}/2010 09:41,2.55,1785{n % 4},United Kingdom\n"
        for n in range(8)
    )
    proposal = recognise([write(tmp_path, "retail.csv", text)])
    entry = only(proposal)
    assert (entry.table, entry.cancelled_prefix) == ("flat_orders", "C")
    assert mapping(entry)["customer_id"] == "CustomerID"
    assert "date_order" not in entry.format, "13/12 proves that the month comes first, which is the default"
    assert proposal.questions == ()
    assert check_sources(proposal.as_sources()).flat_orders[0].cancelled_prefix == "C"


ORDERS = "order id;customer no;order date;amount\n"


def test_a_decimal_comma_and_the_day_before_the_month_are_read_from_the_data(tmp_path: Path) -> None:
    text = ORDERS + "A1;C1;31.12.2025;1.234,50\nA2;C2;01.02.2026;9,90\n"
    entry = only(recognise([write(tmp_path, "o.csv", text, "cp1252")]))
    assert entry.format == {"date_order": "dmy", "decimal": ","}


def test_what_dates_and_decimals_do_not_tell_is_asked_and_can_be_answered(tmp_path: Path) -> None:
    text = 'order id,customer no,order date,amount\nA1,C1,3/4/2026,"1,234"\nA2,C2,5/6/2026,"2,345"\n'
    proposal = recognise([write(tmp_path, "o.csv", text)])
    assert kinds(proposal) == {("date_order", ""), ("decimal", "")}
    for question in proposal.questions:
        assert question.suggestion in question.candidates
        assert "o.csv" in question_words(question, "zh")
        proposal = proposal.answer(question, {"date_order": "dmy", "decimal": ","}[question.kind])
    assert proposal.questions == ()
    assert only(proposal).format == {"date_order": "dmy", "decimal": ","}


def test_customers_are_recognised_with_units_in_brackets_and_attributes_of_their_own(tmp_path: Path) -> None:
    text = (
        "会员编号 ,性别,出生日期,手机号码,所在省份,年收入(万元)*,会员积分,是否关注公众号,会员等级,备注\n"
        "0001,男,1990/1/5,13900001111,浙江省,12.5,300,是,金卡,\n"
        "0002,女,1985/11/2,13900002222,广东,20,120,否,银卡,\n"
    ).replace("*", "")
    entry = only(recognise([write(tmp_path, "会员.csv", text, "gbk")]))
    assert entry.table == "customers"
    assert mapping(entry) == {
        "customer_id": "会员编号",
        "gender": "性别",
        "birth_date": "出生日期",
        "phone": "手机号码",
        "province": "所在省份",
        "income": "年收入(万元)",
    }
    assert entry.matches["income"].sql == '"年收入(万元)" * 10000'
    assert {name: custom.type for name, custom in entry.custom.items()} == {
        "x_会员积分": "integer",
        "x_是否关注公众号": "boolean",
        "x_会员等级": "text",
    }
    assert entry.left_out == {"备注": "empty"}


def test_columns_with_meaningless_names_are_recognised_by_content(tmp_path: Path) -> None:
    text = "客户编号,f1,f2,f3,f4\nC1,13900001111,a@b.cn,女,浙江省\nC2,13900002222,c@d.cn,男,广东省\nC3,13900003333,e@f.cn,女,四川省\n"
    entry = only(recognise([write(tmp_path, "c.csv", text)]))
    assert mapping(entry) == {
        "customer_id": "客户编号",
        "phone": "f1",
        "email": "f2",
        "gender": "f3",
        "province": "f4",
    }


def test_ids_that_two_files_share_tell_which_column_refers_to_the_customer(tmp_path: Path) -> None:
    customers = write(tmp_path, "c.csv", "会员号,性别\n" + "".join(f"VIP{n},女\n" for n in range(20)))
    text = "订单号,ref,下单时间,实付金额\n" + "".join(f"D{n},VIP{n % 20},2026-01-05,9.9\n" for n in range(40))
    proposal = recognise([write(tmp_path, "o.csv", text), customers])
    orders = next(entry for entry in proposal.entries if entry.table == "orders")
    assert mapping(orders)["customer_id"] == "ref"
    assert orders.matches["customer_id"].reasons == ("overlap",)
    assert proposal.questions == ()


def test_orders_without_a_customer_are_asked_about_but_usable(tmp_path: Path) -> None:
    proposal = recognise(
        [write(tmp_path, "o.csv", "订单号,下单时间,实付金额\nA1,2026-01-05,9.9\nA2,2026-01-06,8\n")]
    )
    assert kinds(proposal) == {("customer", "customer_id")}
    assert not proposal.questions[0].needed
    check_sources(proposal.as_sources())


def test_a_source_that_lacks_a_required_column_waits_in_a_comment_until_answered(tmp_path: Path) -> None:
    text = "订单号,会员号,实付金额,当天\nA1,C1,9.9,2026-01-05\nA2,C2,8,2026-01-06\n"
    proposal = recognise([write(tmp_path, "o.csv", text)])
    question = next(question for question in proposal.questions if question.kind == "missing")
    assert (question.column, question.candidates, question.needed) == ("ordered_at", ("当天",), True)
    assert proposal.as_sources() == {}
    assert parse_sources(proposal.text("zh", tmp_path)).orders == ()
    answered = proposal.answer(question, "当天")
    assert answered.as_sources(tmp_path)["orders"][0]["columns"]["ordered_at"] == "当天"
    assert answered.questions == ()


def test_an_answer_may_raise_a_new_question(tmp_path: Path) -> None:
    proposal = recognise(
        [write(tmp_path, "o.csv", "订单号,会员号,实付金额,当天\nA1,C1,9.9,3/4/2026\nA2,C2,8,5/6/2026\n")]
    )
    question = next(question for question in proposal.questions if question.kind == "missing")
    answered = proposal.answer(question, "当天")
    assert kinds(answered) == {("date_order", "")}
    assert kinds(proposal.answer(question, None)) == set(), (
        "a question answered with nothing isn't asked again"
    )


def test_the_text_of_a_proposal_is_valid_and_tells_confidence_in_both_languages(tmp_path: Path) -> None:
    orders = write(tmp_path, "o.csv", EXPORTS["taobao_orders"][1])
    proposal = recognise([orders, write(tmp_path, "x.csv", "foo,bar\n一,二\n")])
    for lang, words in (
        ("zh", ("98% 平台导出格式", "没有认出：x.csv")),
        ("en", ("98% known export", "Not recognised: x.csv")),
    ):
        text = proposal.text(lang, tmp_path)
        assert all(word in text for word in words)
        assert parse_sources(text) == check_sources(proposal.as_sources(tmp_path))
    source = proposal.as_sources(tmp_path)["flat_orders"][0]
    assert source["files"] == ["o.csv"]
    assert source["format"] == {"excel_text": True}


def test_files_with_the_same_columns_become_one_source(tmp_path: Path) -> None:
    files = [
        write(
            tmp_path,
            f"orders-{month}.csv",
            f"订单号,会员号,下单时间,实付金额\nA{month},C1,2026-0{month}-05,9.9\n",
        )
        for month in (1, 2)
    ]
    assert only(recognise(files)).sample.files == tuple(files)


def test_each_sheet_of_a_workbook_is_looked_at(tmp_path: Path) -> None:
    book = Workbook()
    book.active.title = "订单"  # type: ignore[union-attr]
    for row in (
        ["一月订单"],
        ["订单号", "会员号", "下单时间", "实付金额"],
        ["A1", "C1", "2026-01-05", 9.9],
        ["A2", "C2", "2026-01-06", 8],
    ):
        book["订单"].append(row)
    book.create_sheet("会员")
    for row in (["会员号", "性别", "生日"], ["C1", "女", "1990-01-05"], ["C2", "男", "1991-02-06"]):
        book["会员"].append(row)
    book.create_sheet("空表")
    book.save(tmp_path / "shop.xlsx")
    sources = recognise([tmp_path / "shop.xlsx"]).as_sources(tmp_path)
    assert sources["orders"][0]["format"] == {"sheet": "订单", "header_row": 2}
    assert sources["customers"][0]["format"] == {"sheet": "会员"}
    check_sources(sources)


def test_an_unrecognised_file_can_be_assigned_to_a_table(tmp_path: Path) -> None:
    text = "id,score\n11,5\n12,7\n"
    proposal = recognise([write(tmp_path, "x.csv", text)])
    assert kinds(proposal) == {("table", "")}
    answered = proposal.answer(proposal.questions[0], "customers")
    assert mapping(only(answered)) == {"customer_id": "id"}
    assert answered.unrecognised == ()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            "events",
            "用户id,行为时间,行为类型,商品编号\nU1,2026-01-05 10:00:00,浏览,P1\nU1,2026-01-05 10:01:00,加购,P1\nU2,2026-01-06 10:00:00,购买,P2\n",
        ),
        (
            "touches",
            "活动编号,客户编号,发送时间,渠道,组别\nM1,C1,2026-01-05,短信,实验组\nM1,C2,2026-01-05,短信,对照组\n",
        ),
        ("products", "商品编码,商品名称,品类,品牌,标价\nP1,连衣裙,女装,甲,99\nP2,衬衫,男装,乙,59\n"),
        (
            "companies",
            "公司编号,公司名称,行业,员工数,企业性质\nK1,甲公司,制造,200,国企\nK2,乙公司,零售,50,民营\n",
        ),
        (
            "deals",
            "商机编号,客户编号,商机阶段,商机金额,创建时间\nD1,K1,报价,10000,2026-01-05\nD2,K2,赢单,5000,2026-01-06\n",
        ),
        (
            "consents",
            "客户编号,授权渠道,授权用途,授权时间,是否同意\nC1,短信,营销,2026-01-05,是\nC1,邮件,营销,2026-01-05,否\n",
        ),
        (
            "accounts",
            "客户编号,月份,管理资产,余额,风险等级\nC1,2026-01-01,100000,5000,R2\nC1,2026-02-01,110000,6000,R2\n",
        ),
        ("usage", "客户编号,账期,用电量,应缴金额\nC1,2026-01-01,120,66\nC1,2026-02-01,130,70\n"),
        ("places", "place_id,store type,lat,lng\nS1,门店,30.1,120.2\nS2,门店,31.1,121.2\n"),
        (
            "activities",
            "客户编号,跟进时间,跟进方式,跟进结果\nC1,2026-01-05,电话,有意向\nC1,2026-01-06,拜访,成交\n",
        ),
        ("responses", "客户编号,问卷名称,题号,得分\nC1,满意度,Q1,5\nC1,满意度,Q2,4\n"),
    ],
)
def test_each_kind_of_table_is_told_from_the_others(tmp_path: Path, header: str, expected: str) -> None:
    proposal = recognise([write(tmp_path, "t.csv", expected)])
    assert header in {entry.table for entry in proposal.entries}
    assert not any(question.needed for question in proposal.questions)
    check_sources(proposal.as_sources())


def test_the_titles_of_an_order_in_one_cell_are_no_product(tmp_path: Path) -> None:
    """Tmall's order report has all titles in one cell: its rows are orders, the lines come from the item report."""
    orders = write(tmp_path, "o.csv", EXPORTS["taobao_orders"][1])
    lines = write(tmp_path, "l.csv", EXPORTS["taobao_lines"][1])
    proposal = recognise([orders, lines])
    flat = next(entry for entry in proposal.entries if entry.table == "flat_orders")
    assert not {"product_id", "product_name", "quantity"} & flat.matches.keys()
    assert {entry.table for entry in proposal.entries} == {"flat_orders", "order_lines"}


def test_an_order_without_a_time_of_payment_is_not_paid(tmp_path: Path) -> None:
    text = "订单编号,会员号,下单时间,实付金额,付款时间\n" + "".join(
        f"N{n},M{n % 3},2026-01-0{n} 10:00:00,{10 * n},{'' if n % 4 == 0 else f'2026-01-0{n} 10:05:00'}\n"
        for n in range(1, 10)
    )
    entry = only(recognise([write(tmp_path, "o.csv", text)]))
    assert entry.matches["status"].header == "付款时间"
    paid = recognise([write(tmp_path, "p.csv", text.replace(",\n", ",2026-01-09 11:00:00\n"))])
    assert "status" not in only(paid).matches


def test_a_phone_number_tells_the_customer_unless_it_is_masked(tmp_path: Path) -> None:
    def text(phone: str) -> str:
        return "订单编号,下单时间,实付金额,手机\n" + "".join(
            f"N{n},2026-01-0{n} 10:00:00,{10 * n},{phone.format(n % 3)}\n" for n in range(1, 10)
        )

    whole = only(recognise([write(tmp_path, "o.csv", text("1390000000{}"))]))
    assert whole.matches["customer_id"].header == "手机"
    masked = recognise([write(tmp_path, "m.csv", text("139****000{}"))])
    assert "customer_id" not in only(masked).matches
    assert ("customer", "customer_id") in kinds(masked)


def test_a_column_that_never_repeats_is_not_offered_as_the_customer(tmp_path: Path) -> None:
    text = "订单编号,流水,下单时间,实付金额\n" + "".join(
        f"N{n},S{n},2026-01-0{n},{n}\n" for n in range(1, 10)
    )
    proposal = recognise([write(tmp_path, "o.csv", text)])
    question = next(one for one in proposal.questions if one.kind == "customer")
    assert question.candidates == ()
    assert "-" not in question_words(question, "en").split("segmented")[1]


def test_ages_become_age_bands_with_exact_edges(tmp_path: Path) -> None:
    ages = [0, 17, 18, 24, 25, 34, 35, 44, 45, 54, 55, 64, 65, 120]
    text = "会员号,性别,年龄\n" + "".join(f"M{n},女,{age}\n" for n, age in enumerate(ages))
    file = write(tmp_path, "c.csv", text)
    proposal = recognise([file])
    bands = {row["customer_id"]: row["age_band"] for row in read_facts(proposal, tmp_path)}
    wanted = (
        ["0-17"] * 2
        + ["18-24"] * 2
        + ["25-34"] * 2
        + ["35-44"] * 2
        + ["45-54"] * 2
        + ["55-64"] * 2
        + ["65+"] * 2
    )
    assert [bands[f"M{n}"] for n in range(len(ages))] == wanted


def test_people_without_an_id_are_numbered_by_row(tmp_path: Path) -> None:
    text = "age,job,marital,education,balance\n" + "".join(
        f"{20 + n},clerk,{'married' if n % 2 else 'single'},primary,{100 * n}\n" for n in range(9)
    )
    proposal = recognise([write(tmp_path, "bank.csv", text)])
    entry = only(proposal)
    assert (entry.table, entry.missing, entry.numbered) == ("customers", (), "customer_id")
    assert len({row["customer_id"] for row in read_facts(proposal, tmp_path)}) == 9


def test_a_survey_of_many_scales_is_not_taken_for_a_list_of_people(tmp_path: Path) -> None:
    header = ["Gender", "Age", "Education", *[f"item {n}" for n in range(60)]]
    body = "".join(
        ",".join(["male", str(18 + n), "primary", *[str(1 + (n + k) % 5) for k in range(60)]]) + "\n"
        for n in range(9)
    )
    assert recognise([write(tmp_path, "s.csv", ",".join(header) + "\n" + body)]).entries == ()


def test_of_mixed_currencies_the_most_frequent_is_the_workspaces(tmp_path: Path) -> None:
    text = "订单编号,会员号,下单时间,实付金额\n" + "".join(
        f"N{n},M{n % 3},2026-01-0{n},{'$' if n % 3 == 0 else '¥'}{10 * n}.50\n" for n in range(1, 10)
    )
    assert recognise([write(tmp_path, "o.csv", text)]).currency == "CNY"
    assert recognise([write(tmp_path, "p.csv", text.replace("¥", "$"))]).currency == "USD"
