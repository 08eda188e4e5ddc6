"""Sources become canonical Parquet: typed, complete, counted, cached, and never half written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kequn.data.facts import Facts, FactSettings, load_facts, sweep_facts
from kequn.data.model_needs import readiness, unlocks
from kequn.data.sources import parse_sources
from kequn.data.standard import TABLES
from kequn.errors import DataError

CLOCK = datetime(2026, 6, 1)
ORDERS = "orders:\n- {name: shop, files: [orders.csv], columns: {order_id: order, customer_id: customer, ordered_at: date, amount: amount}}\n"
FLAT = (
    "flat_orders:\n- {name: till, files: [flat*.csv], cancelled_prefix: C, columns: {order_id: order, customer_id: customer,"
    " ordered_at: date, product_id: product, quantity: quantity, price: price}}\n"
)


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Facts]:
    def run(
        yaml: str, files: Mapping[str, str] | None = None, clock: datetime = CLOCK, **options: Any
    ) -> Facts:
        for name, text in (files or {}).items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        chosen = FactSettings(
            currency="CNY", time_zone="Asia/Shanghai", clock=clock, folder_root=tmp_path, **options
        )
        return load_facts(parse_sources(yaml), chosen, tmp_path / "facts")

    return run


def rows(facts: Facts, table: str, columns: str = "*", order: str = "ALL") -> list[tuple[Any, ...]]:
    files = [str(file) for file in facts.tables[table].files]
    with duckdb.connect() as con:
        return con.execute(f"SELECT {columns} FROM read_parquet(?) ORDER BY {order}", [files]).fetchall()


def refused(facts: Facts) -> list[tuple[Any, ...]]:
    if not facts.quarantine:
        return []
    with duckdb.connect() as con:
        sql = 'SELECT "table", key, reason, source, "row", "column", text, scope FROM read_parquet(?) ORDER BY ALL'
        return con.execute(sql, [[str(file) for file in facts.quarantine]]).fetchall()


def codes(facts: Facts) -> set[str]:
    return {notice.code for notice in facts.warnings}


def test_orders_become_typed_facts_in_minor_units(load: Callable[..., Facts]) -> None:
    facts = load(
        ORDERS,
        {"orders.csv": 'order,customer,date,amount\n001,a,2026/1/5 8:30,"1,234.50"\n002,b,20260106,¥12\n'},
    )
    assert rows(facts, "orders", "order_id, customer_id, ordered_at, amount, status, source") == [
        ("001", "a", datetime(2026, 1, 5, 8, 30), 123450, "completed", "shop"),
        ("002", "b", datetime(2026, 1, 6), 1200, "completed", "shop"),
    ]
    assert facts.tables["orders"].columns["amount"] == "money"
    assert (facts.history_start, facts.last_order_at) == (datetime(2026, 1, 5, 8, 30), datetime(2026, 1, 6))
    assert rows(facts, "customers", "customer_id, declared") == [("a", False), ("b", False)]
    assert rows(facts, "identities") == [("shop", "a", "a"), ("shop", "b", "b")]


def test_every_kind_of_bad_order_is_quarantined_with_its_reason(load: Callable[..., Facts]) -> None:
    text = (
        "order,customer,date,amount\n1,a,2026-01-05,10\n2,a,2026-13-05,10\n3,a,2026-01-05,NaN\n4,a,2026-01-05,inf\n5,a,2026-07-01,10\n"
        "6,a,1969-12-31,10\n7,a,2026-01-05,-10\n8,a,2026-01-05,999999999999999\n,a,2026-01-05,10\n9,a,,10\n10,a,2026-01-05,$5\n"
        "1,a,2026-01-05,10\n1,a,2026-01-05,11\n11,a,2026-01-05,\n"
    )
    facts = load(ORDERS, {"orders.csv": text})
    assert [
        (row[4], row[2].removeprefix("data."), row[5], row[6])
        for row in sorted(refused(facts), key=lambda row: row[4])
    ] == [
        (2, "not_timestamp", "ordered_at", "2026-13-05"),
        (3, "not_money", "amount", "NaN"),
        (4, "not_money", "amount", "inf"),
        (5, "after_clock", "ordered_at", "2026-07-01"),
        (6, "before_1970", "ordered_at", "1969-12-31"),
        (7, "negative_amount", "amount", "-10"),
        (8, "absurd_amount", "amount", "999999999999999"),
        (9, "missing", "order_id", None),
        (10, "missing", "ordered_at", None),
        (11, "other_currency", "amount", "$5"),
        (13, "duplicate_key", "order_id", "1"),
        (14, "missing", "amount", None),
    ]
    counts = facts.tables["orders"].counts
    assert (counts.read, counts.kept, counts.quarantined, counts.duplicates) == (14, 1, 12, 1)


def test_ids_are_kept_exactly(load: Callable[..., Facts]) -> None:
    ids = ["007", " 7", "7 ", "😀", "'; DROP TABLE orders; --", 'Robert"); x']
    lines = "".join(
        '{},"{}",2026-01-05,1\n'.format(place, name.replace('"', '""')) for place, name in enumerate(ids)
    )
    facts = load(ORDERS, {"orders.csv": "order,customer,date,amount\n" + lines})
    assert sorted(row[0] for row in rows(facts, "customers", "customer_id")) == sorted(ids)


def test_orders_without_customer_are_anonymous_sales(load: Callable[..., Facts]) -> None:
    facts = load(
        ORDERS,
        {
            "orders.csv": "order,customer,date,amount\n1,,2026-01-05,10\n2, ,2026-01-05,5.5\n3,a,2026-01-05,1\n"
        },
    )
    assert (facts.anonymous_orders, facts.anonymous_amount) == (2, 1550)
    assert rows(facts, "customers", "customer_id") == [("a",)]
    assert facts.tables["orders"].counts.quarantined == 0


def test_a_flat_file_feeds_orders_lines_and_customers(load: Callable[..., Facts]) -> None:
    text = (
        "order,customer,date,product,quantity,price\n1,a,2026-01-05 10:00,p1,2,1.50\n1,a,2026-01-05 10:00,p2,1,4\n"
        "2,b,2026-01-06,p1,3,0.335\nC3,a,2026-01-07,p1,-1,1.50\n"
    )
    facts = load(FLAT, {"flat.csv": text})
    assert rows(facts, "orders", "order_id, customer_id, amount, status") == [
        ("1", "a", 700, "completed"), ("2", "b", 101, "completed"), ("C3", "a", -150, "returned"),
    ]  # fmt: skip
    assert rows(facts, "order_lines", "order_id, line_no, product_id, quantity, amount, customer_id, status", "1, 2") == [
        ("1", 1, "p1", Decimal(2), 300, "a", "completed"), ("1", 2, "p2", Decimal(1), 400, "a", "completed"),
        ("2", 1, "p1", Decimal(3), 101, "b", "completed"), ("C3", 1, "p1", Decimal(-1), -150, "a", "returned"),
    ]  # fmt: skip
    assert facts.rounding == "-0.5"
    assert (facts.returned_orders, facts.returned_amount) == (1, -150)
    counts = facts.tables["order_lines"].counts
    assert (counts.read, counts.kept) == (4, 4)


def test_negative_lines_without_a_mark_cost_the_order_unless_its_total_is_positive(
    load: Callable[..., Facts],
) -> None:
    text = "order,customer,date,product,quantity,price\n1,a,2026-01-05,p1,1,10\n1,a,2026-01-05,coupon,1,-3\n2,a,2026-01-06,debt,1,-11\nC9,a,2026-01-06,p1,1,5\n"
    facts = load(FLAT, {"flat.csv": text})
    assert rows(facts, "orders", "order_id, amount") == [("1", 700)]
    assert [(row[1], row[2]) for row in refused(facts)] == [
        ("2", "data.negative_amount"),
        ("C9", "data.sign_mismatch"),
    ]


def test_overlapping_exports_count_a_line_once_but_repeats_within_a_file_stay(
    load: Callable[..., Facts],
) -> None:
    head = "order,customer,date,product,quantity,price\n"
    one, two = "1,a,2026-01-05,p1,1,2\n", "2,a,2026-01-06,p1,1,3\n"
    facts = load(
        FLAT, {"flat1.csv": head + one + one + two, "flat2.csv": head + two + "3,a,2026-01-07,p1,1,1\n"}
    )
    assert rows(facts, "orders", "order_id, amount") == [("1", 400), ("2", 300), ("3", 100)]
    counts = facts.tables["order_lines"].counts
    assert (counts.read, counts.kept, counts.duplicates) == (5, 4, 1)
    assert "data.repeated_lines" in codes(facts)
    dropped = load(FLAT.replace("cancelled_prefix: C", "repeated_lines: drop"))
    assert rows(dropped, "orders", "order_id, amount") == [("1", 200), ("2", 300), ("3", 100)]


def test_a_flat_file_without_order_numbers_makes_one_order_per_customer_and_time(
    load: Callable[..., Facts],
) -> None:
    yaml = "flat_orders:\n- {name: cdnow, files: [flat.csv], columns: {customer_id: c, ordered_at: d, amount: a}}\n"
    facts = load(
        yaml,
        {"flat.csv": "c,d,a\n1,19970101,29.33\n1,19970101,1\n1,19970118,29.73\n,19970118,5\n,19970118,5\n"},
    )
    assert [row[:2] for row in rows(facts, "orders", "customer_id, amount", "amount")] == [
        (None, 500),
        (None, 500),
        ("1", 2973),
        ("1", 3033),
    ]
    assert "order_lines" not in facts.tables


def test_a_flat_file_of_whole_orders_carries_customer_attributes_of_the_latest_order(
    load: Callable[..., Facts],
) -> None:
    yaml = "flat_orders:\n- {name: tmall, files: [flat.csv], columns: {order_id: o, customer_id: c, ordered_at: d, amount: a, city: 城市, gender: 性别, status: s}}\n"
    text = "o,c,d,a,城市,性别,s\n1,x,2026-01-01,10,上海,男,交易成功\n2,x,2026-02-01,20,北京,,交易关闭\n2,x,2026-02-01,20,北京,,交易关闭\n3,y,2026-02-01,5,,,退款成功\n"
    facts = load(yaml, {"flat.csv": text})
    assert rows(facts, "customers", "customer_id, city, gender, declared") == [
        ("x", "北京", "male", True),
        ("y", None, None, True),
    ]
    assert rows(facts, "orders", "order_id, status, amount, refunded_amount") == [
        ("1", "completed", 1000, None), ("2", "cancelled", 2000, None), ("3", "refunded", 500, 500),
    ]  # fmt: skip
    assert facts.tables["orders"].counts.duplicates == 1


def test_line_refunds_make_a_partly_refunded_order(load: Callable[..., Facts]) -> None:
    yaml = "flat_orders:\n- {name: t, files: [flat.csv], columns: {order_id: o, ordered_at: d, product_id: p, amount: a, status: s}}\n"
    facts = load(yaml, {"flat.csv": "o,d,p,a,s\n1,2026-01-01,p,10,交易成功\n1,2026-01-01,q,4,退款成功\n"})
    assert rows(facts, "orders", "status, amount, refunded_amount") == [("partly_refunded", 1400, 400)]
    assert rows(facts, "order_lines", "product_id, status") == [("p", "completed"), ("q", "refunded")]


LINES = (
    ORDERS.replace(", amount: amount", "")
    + "order_lines:\n- {name: shop, files: [lines.csv], columns: {order_id: order, product_id: product, amount: amount}}\n"
    "products:\n- {name: shop, files: [products.csv], columns: {product_id: id, category: cat}}\n"
)


def test_lines_take_customer_time_and_category_and_give_orders_their_amount(
    load: Callable[..., Facts],
) -> None:
    files = {
        "orders.csv": "order,customer,date\n1,a,2026-01-05\n2,b,2026-01-06\n",
        "lines.csv": "order,product,amount\n1,p,10\n1,q,5\n2,p,1\n9,p,7\n",
        "products.csv": "id,cat\np,女装\n",
    }
    facts = load(LINES, files)
    assert rows(facts, "orders", "order_id, amount") == [("1", 1500), ("2", 100)]
    assert rows(facts, "order_lines", "order_id, customer_id, ordered_at, category, amount", "1, 5") == [
        ("1", "a", datetime(2026, 1, 5), None, 500), ("1", "a", datetime(2026, 1, 5), "女装", 1000),
        ("2", "b", datetime(2026, 1, 6), "女装", 100),
    ]  # fmt: skip
    assert [(row[1], row[2]) for row in refused(facts)] == [("9", "data.no_order")]
    again = load(LINES, {"products.csv": "id,cat\np,男装\nq,鞋\n"})
    assert {row[0] for row in rows(again, "order_lines", "category")} == {"男装", "鞋"}
    assert again.tables["orders"].fingerprint == facts.tables["orders"].fingerprint
    assert again.tables["order_lines"].fingerprint != facts.tables["order_lines"].fingerprint


@pytest.mark.parametrize(("second", "discount"), [("2,b,2026-01-06,4,2", 200), ("2,b,2026-01-06,4,", 100)])
def test_lines_give_an_order_only_what_it_lacks(
    load: Callable[..., Facts], second: str, discount: int
) -> None:
    columns = ORDERS.replace("amount: amount", "amount: amount, discount: discount")
    lines = "order_lines:\n- {name: shop, files: [lines.csv], columns: {order_id: order, product_id: product, amount: amount, discount: discount}}\n"
    files = {
        "orders.csv": f"order,customer,date,amount,discount\n1,a,2026-01-05,20,3\n{second}\n",
        "lines.csv": "order,product,amount,discount\n1,p,10,0\n1,q,5,0\n2,p,1,1\n",
    }
    facts = load(columns + lines, files)
    assert rows(facts, "orders", "amount, discount", "order_id") == [
        (2000, 300), (400, discount)
    ]  # fmt: skip
    assert refused(facts) == []


def test_customers_of_two_sources_are_one_row_filled_from_both(load: Callable[..., Facts]) -> None:
    yaml = (
        "customers:\n- {name: crm, files: [a.csv], columns: {customer_id: id, city: city}, custom: {}}\n"
        "- {name: shop, files: [b.csv], columns: {customer_id: id, city: city, gender: sex, x_vip: vip}, custom: {x_vip: {type: boolean}}}\n"
    )
    facts = load(
        yaml,
        {
            "a.csv": "id,city\n1,上海\n2,\n",
            "b.csv": "id,city,sex,vip\n1,北京,M,是\n2,广州,女,否\n2,广州,女,否\n2,深圳,女,否\n",
        },
    )
    assert rows(facts, "customers", "customer_id, city, gender, x_vip, source") == [
        ("1", "上海", "male", True, "crm"), ("2", "广州", "female", False, "crm"),
    ]  # fmt: skip
    assert [(report.source, report.counts.kept, report.counts.duplicates, report.counts.quarantined) for report in facts.tables["customers"].sources] == [
        ("crm", 2, 0, 0), ("shop", 2, 1, 1),
    ]  # fmt: skip
    assert len(rows(facts, "identities")) == 4
    assert facts.declared("customers", "x_vip").privacy == "personal"


def test_an_unreadable_optional_cell_becomes_missing_and_is_written_down(load: Callable[..., Facts]) -> None:
    yaml = "customers:\n- {name: crm, files: [a.csv], columns: {customer_id: id, birth_date: b, children: c, gender: g}}\n"
    facts = load(yaml, {"a.csv": "id,b,c,g\n1,1980-02-30,2,X光\n2,1950-01-01,many,男\n"})
    assert rows(facts, "customers", "customer_id, children, gender") == [("1", 2, "X光"), ("2", None, "male")]
    assert [(row[1], row[2], row[5], row[6], row[7]) for row in refused(facts)] == [
        ("1", "data.not_date", "birth_date", "1980-02-30", "cell"), ("2", "data.not_integer", "children", "many", "cell"),
    ]  # fmt: skip
    assert {"data.unreadable_cells", "data.unknown_values"} <= codes(facts)


def test_parquet_sources_and_computed_columns(load: Callable[..., Facts], tmp_path: Path) -> None:
    folder = tmp_path / "tx"
    folder.mkdir()
    for place, values in enumerate(([1.43, 0.1 + 0.2], [float("nan"), 1.005])):
        table = pa.table({
            "hh": pa.array([7, None], pa.int64()), "basket": pa.array([10 + place, 20 + place], pa.int64()), "sales": values,
            "disc": [0.15, 0.0], "t": pa.array([datetime(2026, 1, 1, 9), datetime(2026, 1, 2)], pa.timestamp("us")),
        })  # fmt: skip
        pq.write_table(table, folder / f"part{place}.parquet")
    yaml = "orders:\n- {name: panel, files: [tx], columns: {order_id: basket, customer_id: hh, ordered_at: t, amount: sales, list_amount: {sql: sales + disc}}, constants: {channel: store}}\n"
    facts = load(yaml)
    assert rows(facts, "orders", "order_id, customer_id, amount, list_amount, channel") == [
        ("10", "7", 143, 158, "store"), ("20", None, 30, 30, "store"), ("21", None, 101, 101, "store"),
    ]  # fmt: skip
    assert [(row[2], row[4], row[5]) for row in refused(facts)] == [("data.missing", 1, "amount")]


def test_computed_columns_read_text_as_numbers_and_bad_operands_are_refused(
    load: Callable[..., Facts],
) -> None:
    yaml = 'orders:\n- {name: s, files: [o.csv], columns: {order_id: o, ordered_at: d, amount: {sql: "价 * 数 - COALESCE(减, 0)"}}}\n'
    facts = load(
        yaml, {"o.csv": 'o,d,价,数,减\n1,2026-01-01,"1,000.10",2,\n2,2026-01-01,x,2,1\n3,2026-01-01,5,2,1\n'}
    )
    assert rows(facts, "orders", "order_id, amount") == [("1", 200020), ("3", 900)]
    assert [row[1:3] for row in refused(facts)] == [("2", "data.not_money")]


def test_a_currency_column_other_than_the_workspaces_is_quarantined(load: Callable[..., Facts]) -> None:
    yaml = ORDERS.replace("amount: amount", "amount: amount, currency: cur")
    facts = load(
        yaml,
        {
            "orders.csv": "order,customer,date,amount,cur\n1,a,2026-01-05,10,CNY\n2,a,2026-01-05,10,USD\n3,a,2026-01-05,10,人民币\n4,a,2026-01-05,10,\n"
        },
    )
    assert [row[0] for row in rows(facts, "orders", "order_id")] == ["1", "3", "4"]
    assert [row[2] for row in refused(facts)] == ["data.other_currency"]
    assert "currency" not in facts.tables["orders"].columns


def test_value_mappings_and_time_zones_of_a_source(load: Callable[..., Facts]) -> None:
    yaml = "orders:\n- {name: us, files: [o.csv], time_zone: America/New_York, columns: {order_id: o, ordered_at: d, amount: a, channel: ch, status: s}, values: {channel: {1: app, 2: 门店}, status: {Z: cancelled}}}\n"
    facts = load(
        yaml, {"o.csv": "o,d,a,ch,s\n1,2026-01-05 20:00,1,1,Z\n2,2026-01-05,1,2,paid\n3,2026-01-05,1,3,\n"}
    )
    assert rows(facts, "orders", "ordered_at, channel, status", "order_id") == [
        (datetime(2026, 1, 6, 9), "app", "cancelled"), (datetime(2026, 1, 5), "门店", "completed"), (datetime(2026, 1, 5), "3", "completed"),
    ]  # fmt: skip


FLAT_AMOUNT = FLAT.replace("flat*", "orders").replace("quantity: quantity, price: price", "amount: amount")


@pytest.mark.parametrize(
    "yaml",
    [
        ORDERS,
        FLAT_AMOUNT,
        FLAT_AMOUNT.replace("product_id: product,", ""),
        FLAT_AMOUNT.replace("_id: product", "_name: product"),
    ],
    ids=["orders", "flat", "flat without products", "flat with product names"],
)
def test_an_unchanged_source_is_not_read_again(
    yaml: str, load: Callable[..., Facts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(yaml, {"orders.csv": "order,customer,date,amount,product\n1,a,2026-01-05,10,p\n"})
    import kequn.data.build

    def fail(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(kequn.data.build, "Builder", fail)
    os.utime(tmp_path / "orders.csv", (1, 1))  # a fresh checkout changes times, not content
    assert load(yaml) == first


def test_changed_content_of_equal_size_is_noticed(load: Callable[..., Facts]) -> None:
    load(ORDERS, {"orders.csv": "order,customer,date,amount\n1,a,2026-01-05,10\n"})
    facts = load(ORDERS, {"orders.csv": "order,customer,date,amount\n1,a,2026-01-05,11\n"})
    assert rows(facts, "orders", "amount") == [(1100,)]


def test_rows_after_the_clock_are_taken_in_once_the_clock_has_passed_them(load: Callable[..., Facts]) -> None:
    files = {"orders.csv": "order,customer,date,amount\n1,a,2026-01-05,10\n2,a,2026-01-07,10\n"}
    early = load(ORDERS, files, datetime(2026, 1, 6))
    assert [row[0] for row in rows(early, "orders", "order_id")] == ["1"]
    assert early.last_order_at == datetime(2026, 1, 5)
    late = load(ORDERS, clock=datetime(2026, 1, 8))
    assert [row[0] for row in rows(late, "orders", "order_id")] == ["1", "2"]
    back = load(ORDERS, clock=datetime(2026, 1, 6))
    assert rows(back, "orders") == rows(early, "orders")
    assert rows(back, "customers") == rows(early, "customers")


def test_a_failed_build_leaves_nothing_behind_and_the_next_one_works(
    load: Callable[..., Facts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import kequn.data.build

    with monkeypatch.context() as patch:
        patch.setattr(
            kequn.data.build,
            "write_quarantine",
            lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")),
        )
        with pytest.raises(DataError) as caught:
            load(ORDERS, {"orders.csv": "order,customer,date,amount\n1,a,2026-01-05,10\n"})
    assert caught.value.code == "data.cannot_write"
    assert [entry.name for entry in (tmp_path / "facts").iterdir() if entry.is_dir()] == []
    assert load(ORDERS).tables["orders"].rows == 1


def test_a_process_killed_while_it_writes_leaves_nothing_half_written(
    load: Callable[..., Facts], tmp_path: Path
) -> None:
    (tmp_path / "orders.csv").write_text("order,customer,date,amount\n1,a,2026-01-05,10\n", encoding="utf-8")
    (tmp_path / "sources.yaml").write_text(ORDERS, encoding="utf-8")
    code = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
import kequn.data.build as build
from kequn.data.facts import FactSettings, load_facts
from kequn.data.sources import load_sources
build.write_quarantine = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
root = Path(sys.argv[1])
load_facts(load_sources(root / "sources.yaml"), FactSettings("CNY", "Asia/Shanghai", datetime(2026, 6, 1), root), root / "facts")
"""
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=60)
    assert killed.returncode == -9
    left = [entry.name for entry in (tmp_path / "facts").iterdir()]
    assert left and all(name.startswith(".build-") for name in left)
    facts = load(ORDERS)
    assert rows(facts, "orders", "amount") == [(1000,)]
    assert sweep_facts(tmp_path / "facts", facts.folders) == tuple(left)


def test_a_damaged_fact_folder_is_built_again(load: Callable[..., Facts]) -> None:
    facts = load(ORDERS, {"orders.csv": "order,customer,date,amount\n1,a,2026-01-05,10\n"})
    facts.tables["orders"].files[0].write_bytes(b"half")
    assert rows(load(ORDERS), "orders", "amount") == [(1000,)]


def test_sweep_removes_only_what_is_not_in_use(load: Callable[..., Facts], tmp_path: Path) -> None:
    load(ORDERS, {"orders.csv": "order,customer,date,amount\n1,a,2026-01-05,10\n"})
    facts = load(ORDERS, {"orders.csv": "order,customer,date,amount\n1,a,2026-01-05,11\n"})
    (tmp_path / "facts" / ".build-1-dead").mkdir()
    removed = sweep_facts(tmp_path / "facts", facts.folders)
    assert len(removed) == 4 and ".build-1-dead" in removed
    assert {entry.name for entry in (tmp_path / "facts").iterdir() if entry.is_dir()} == set(facts.folders)


@pytest.mark.parametrize(
    ("yaml", "code"),
    [
        ("{}", "data.no_sources"),
        (ORDERS.replace("orders.csv", "missing.csv"), "data.no_file"),
        (ORDERS.replace("amount: amount", "amount: amont"), "data.no_header"),
        (
            ORDERS.replace("amount: amount", "amount: {sql: \"CASE WHEN 1 = 1 THEN 'x' ELSE 2 END\"}"),
            "data.expression_failed",
        ),
        (
            "order_lines:\n- {name: s, files: [orders.csv], columns: {order_id: order, amount: amount}}",
            "data.lines_without_orders",
        ),
    ],
)
def test_unusable_sources_are_clear_errors(load: Callable[..., Facts], yaml: str, code: str) -> None:
    with pytest.raises(DataError) as caught:
        load(yaml, {"orders.csv": "order,customer,date,amount\n1,a,2026-01-05,10\n"})
    assert caught.value.code == code


def test_readiness_names_what_is_there_and_what_a_table_would_unlock(load: Callable[..., Facts]) -> None:
    facts = load(ORDERS, {"orders.csv": "order,customer,date,amount\n1,a,2026-01-05,10\n"})
    by_model = {one.model: one for one in readiness(facts)}
    assert by_model["transactional"].ready and "orders.amount" in by_model["transactional"].present
    assert not by_model["psychographic"].ready and "responses" in by_model["psychographic"].absent
    assert "events" in unlocks(facts) and "orders" not in unlocks(facts)


@pytest.mark.parametrize("name", sorted(set(TABLES) - {"identities", "orders", "order_lines", "customers"}))
def test_every_table_of_the_standard_can_be_loaded(load: Callable[..., Facts], name: str) -> None:
    examples = {
        "money": "12.5", "integer": "3", "number": "1.5", "decimal": "2.5", "text": "x", "date": "2026-01-05",
        "timestamp": "2026-01-05 10:00", "boolean": "是",
    }  # fmt: skip
    columns = [column for column in TABLES[name].mappable.values() if column.role == "given"]
    mapping = ", ".join(f"{column.name}: h{place}" for place, column in enumerate(columns))
    head = ",".join(f"h{place}" for place in range(len(columns)))
    facts = load(
        f"{name}:\n- {{name: s, files: [t.csv], columns: {{{mapping}}}}}",
        {"t.csv": f"{head}\n{','.join(examples[c.type] for c in columns)}\n"},
    )
    assert facts.tables[name].rows == 1
    assert set(facts.tables[name].columns) == {column.name for column in columns} | {"source"}
    assert pq.read_schema(facts.tables[name].files[0]).names == list(facts.tables[name].columns)


amount = st.one_of(
    st.decimals(-50, 500, places=3).map(str), st.sampled_from(["", "NaN", "x", "1e20", "12元"])
)
order_row = st.tuples(
    st.sampled_from(["1", "2", "3", "04", ""]), st.sampled_from(["a", "b", ""]),
    st.sampled_from(["2026-01-05", "2026/2/3", "1960-01-01", "2027-01-01", "soon", ""]), amount,
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(order_row, min_size=1, max_size=12), st.booleans())
def test_rows_and_money_always_reconcile(
    load: Callable[..., Facts], tmp_path: Path, data: list[tuple[str, ...]], flat: bool
) -> None:
    text = "order,customer,date,amount\n" + "".join(",".join(row) + "\n" for row in data)
    yaml = (
        ORDERS.replace("orders:", "flat_orders:").replace(
            "amount: amount", "amount: amount, product_id: customer"
        )
        if flat
        else ORDERS
    )
    facts = load(yaml, {"orders.csv": text})
    table = facts.tables["order_lines" if flat else "orders"]
    report = table.sources[0]
    assert (
        report.counts.read
        == len(data)
        == report.counts.kept + report.counts.quarantined + report.counts.duplicates
    )
    assert sum(1 for row in refused(facts) if row[7] == "row") == report.counts.quarantined
    assert sum(report.reasons.values()) == report.counts.quarantined
    money = report.money[0]
    readable = [Decimal(row[3].removesuffix("元")) for row in data if row[3] not in ("", "NaN", "x", "1e20")]
    assert money.source == sum(readable) * 100
    assert money.source == money.kept + money.quarantined + money.duplicates + money.rounding
    rounded = sum(int((value * 100).quantize(Decimal(1), ROUND_HALF_UP)) for value in readable)
    assert money.kept + money.quarantined + money.duplicates == rounded
    assert sum(row[0] for row in rows(facts, "orders", "amount")) == money.kept
    assert sum(row[0] for row in rows(facts, table.name, "amount")) == money.kept


def test_what_a_database_writes_for_nothing_is_no_customer_and_no_coupon(load: Callable[..., Facts]) -> None:
    yaml = ORDERS.replace("amount: amount", "amount: amount, coupon_id: coupon")
    text = "order,customer,date,amount,coupon\n" + "".join(
        f"O{n},{customer},2026-01-0{n},5,{coupon}\n"
        for n, (customer, coupon) in enumerate(
            [("NULL", "NULL"), ("null", "\\N"), ("Null", "none"), ("#N/A", "-")], start=1
        )
    )
    facts = load(yaml, {"orders.csv": text})
    assert rows(facts, "orders", "order_id, customer_id, coupon_id") == [
        ("O1", None, None), ("O2", None, None), ("O3", "Null", "none"), ("O4", None, "-"),
    ]  # fmt: skip
    assert facts.tables["orders"].counts.kept == 4
