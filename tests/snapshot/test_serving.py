from __future__ import annotations

import datetime as dt
import hashlib
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from kequn.errors import SnapshotError
from kequn.snapshot import SAMPLE_SHARE, ServingSettings, SnapshotStore, build_serving

from .conftest import ASSIGNMENT, FIRST, PROFILE, SEGMENTS, Publish, fill, manifest, write

MOMENT = dt.datetime(2026, 1, 5, 10)
ORDERS = pa.schema(
    [("order_id", pa.string()), ("customer_id", pa.string()), ("ordered_at", pa.timestamp("us")), ("amount", pa.int64()),
     ("refunded_at", pa.timestamp("us")), ("refunded_amount", pa.int64())]
)  # fmt: skip
LINES = pa.schema(
    [("order_id", pa.string()), ("line_no", pa.int64()), ("product_id", pa.string()), ("quantity", pa.decimal128(18, 3)),
     ("amount", pa.int64())]
)  # fmt: skip
PRODUCTS = pa.schema([("product_id", pa.string()), ("name", pa.string()), ("category", pa.string())])


def order(
    order_id: str, customer: str | None, day: int, amount: int, refund_day: int | None = None
) -> dict[str, object]:
    refunded = dt.datetime(2026, 1, refund_day) if refund_day else None
    return {"order_id": order_id, "customer_id": customer, "ordered_at": dt.datetime(2026, 1, day), "amount": amount,
            "refunded_at": refunded, "refunded_amount": 100 if refunded else None}  # fmt: skip


@pytest.fixture
def facts(tmp_path: Path) -> dict[str, list[Path]]:
    orders = [order("o3", "c2", 9, 1250, 20), order("o1", "c2", 5, 99), order("o2", "c1", 6, 100, 7),
              order("o4", None, 7, 5), order("late", "c1", 31, 7)]  # fmt: skip
    lines = [
        {"order_id": "o3", "line_no": place, "product_id": product, "quantity": Decimal(2), "amount": amount}
        for place, (product, amount) in enumerate([("p1", 250), ("p2", 500), ("p3", 500)], start=1)
    ]
    products = [{"product_id": name, "name": f"商品{name}", "category": "女装"} for name in ("p1", "p2")]
    for name, rows, schema in (
        ("orders", orders, ORDERS),
        ("order_lines", lines, LINES),
        ("products", products, PRODUCTS),
    ):
        write(tmp_path / "facts" / name, rows, schema)
    return {
        name: [tmp_path / "facts" / name / "part-00000.parquet"]
        for name in ("orders", "order_lines", "products")
    }


def test_orders_show_money_in_major_units_lines_and_the_dearest_product(
    tmp_path: Path, facts: dict[str, list[Path]]
) -> None:
    out = tmp_path / "serving.duckdb"
    rows = build_serving(tmp_path, facts, out, ServingSettings(as_of=dt.date(2026, 1, 31)))
    assert rows == {"orders": 3, "product": 2}
    with duckdb.connect(str(out), read_only=True) as con:
        found = con.execute(
            "SELECT order_id, amount, lines, quantity, main_product_id, main_product FROM orders"
        ).fetchall()
    assert found == [
        ("o2", Decimal("1.00"), 0, None, None, None),
        ("o1", Decimal("0.99"), 0, None, None, None),
        ("o3", Decimal("12.50"), 3, Decimal(6), "p2", "商品p2"),
    ]


def test_orders_built_range_by_range_of_customers_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"c{place:02d}" for place in range(20)]
    orders = [order(f"o{one}{n}", one, 9 - n, 100 + n) for one in [*ids, "a0", "stranger"] for n in range(3)]
    lines = [
        {
            "customer_id": row["customer_id"],
            "order_id": row["order_id"],
            "line_no": n,
            "product_id": f"p{n}",
            "amount": n,
        }
        for row in orders
        for n in range(1, 3)
    ]
    write(tmp_path / "profile", [{"customer_id": one} for one in ids], PROFILE)
    write(tmp_path / "orders", orders, ORDERS)
    write(tmp_path / "lines", lines, pa.schema([("customer_id", pa.string()), *LINES]))
    facts = {
        "orders": [tmp_path / "orders/part-00000.parquet"],
        "order_lines": [tmp_path / "lines/part-00000.parquet"],
    }
    found = []
    for rows_per_range in (1_000, 10, 1):
        monkeypatch.setattr("kequn.snapshot.serving.ROWS_PER_RANGE", rows_per_range)
        assert build_serving(tmp_path, facts, tmp_path / "s.duckdb")["orders"] == len(orders)
        with duckdb.connect(str(tmp_path / "s.duckdb"), read_only=True) as con:
            found.append(con.execute("SELECT * FROM orders").fetchall())
    assert found[0] == found[1] == found[2] == sorted(found[0], key=lambda row: (row[1], row[2], row[0]))


def test_a_refund_after_as_of_has_not_happened_yet(tmp_path: Path, facts: dict[str, list[Path]]) -> None:
    build_serving(tmp_path, facts, tmp_path / "s.duckdb", ServingSettings(as_of=dt.date(2026, 1, 10)))
    with duckdb.connect(str(tmp_path / "s.duckdb"), read_only=True) as con:
        found = con.execute("SELECT order_id, refunded_at IS NULL, refunded_amount FROM orders").fetchall()
    assert found == [("o2", False, Decimal("1.00")), ("o1", True, None), ("o3", True, None)]


def test_the_currency_may_have_no_minor_unit(tmp_path: Path, facts: dict[str, list[Path]]) -> None:
    build_serving(
        tmp_path, {"orders": facts["orders"]}, tmp_path / "s.duckdb", ServingSettings(minor_unit_digits=0)
    )
    with duckdb.connect(str(tmp_path / "s.duckdb"), read_only=True) as con:
        assert con.execute("SELECT max(amount) FROM orders").fetchone() == (Decimal(1250),)


def test_segments_stand_beside_the_profile_and_read_back_as_published(
    store: SnapshotStore, publish: Publish
) -> None:
    run = publish()
    con, parquet = run.connect(), run.connect(serving=False)
    wide = con.execute("SELECT customer_id, seg_rfm, seg_channel FROM profile").fetchall()
    assert wide == [
        ("c1", "champions", None),
        ("c2", "lost", "app"),
        ("c3", "lost", None),
        ("客户4", "champions", "store"),
    ]
    both = "SELECT * FROM assignment ORDER BY scheme, customer_id"
    assert con.execute(both).fetchall() == parquet.execute(both).fetchall()


def test_aggregates_count_customers_and_money_per_segment_and_manager(
    store: SnapshotStore, publish: Publish
) -> None:
    con = publish().connect()
    found = con.execute(
        "SELECT segment, account_manager, customers, revenue_12m FROM segment_by_manager WHERE scheme = 'rfm'"
    ).fetchall()
    assert found == [("champions", "m0", 1, Decimal(4)), ("champions", "m1", 1, Decimal(1)),
                     ("lost", "m0", 1, Decimal(2)), ("lost", "m1", 1, Decimal(3))]  # fmt: skip


def test_unsorted_profiles_and_schemes_are_laid_side_by_side_correctly(tmp_path: Path) -> None:
    ids = [f"c{place * 7919 % 100:03d}" for place in range(100)]
    write(tmp_path / "profile", [{"customer_id": one} for one in ids], PROFILE)
    for scheme, step in (("a", 1), ("b", 3)):
        rows = [
            {"customer_id": one, "scheme": scheme, "segment": f"{scheme}{one}"}
            for one in reversed(ids[::step])
        ]
        write(tmp_path / "assignment", rows, ASSIGNMENT, f"{scheme}-00000")
    build_serving(tmp_path, {}, tmp_path / "s.duckdb")
    with duckdb.connect(str(tmp_path / "s.duckdb"), read_only=True) as con:
        found = con.execute(
            "SELECT p.customer_id, p.seg_a, m.seg_b FROM profile p POSITIONAL JOIN membership m"
        ).fetchall()
    third = set(ids[::3])
    assert found == [(one, f"a{one}", f"b{one}" if one in third else None) for one in sorted(ids)]


@pytest.mark.parametrize(
    ("members", "code"), [(["c1", "c1"], "twice_in_scheme"), (["c1", "stranger"], "member_without_profile")]
)
def test_an_assignment_that_does_not_fit_the_profile_is_refused(
    tmp_path: Path, members: list[str], code: str
) -> None:
    write(tmp_path / "profile", [{"customer_id": "c1"}, {"customer_id": "c2"}], PROFILE)
    rows = [{"customer_id": one, "scheme": "a", "segment": "x"} for one in members]
    write(tmp_path / "assignment", rows, ASSIGNMENT, "a-00000")
    with pytest.raises(SnapshotError, match=code):
        build_serving(tmp_path, {}, tmp_path / "s.duckdb")
    assert not list(tmp_path.glob("*.duckdb*")) and not list(tmp_path.glob(".*"))


def test_the_sample_is_chosen_by_the_sha256_of_the_id(tmp_path: Path) -> None:
    ids = [f"c{place}" for place in range(5000)]
    write(tmp_path / "profile", [{"customer_id": one} for one in ids], PROFILE)
    build_serving(tmp_path, {}, tmp_path / "s.duckdb")
    with duckdb.connect(str(tmp_path / "s.duckdb"), read_only=True) as con:
        found = {row[0] for row in con.execute("SELECT customer_id FROM profile_sample").fetchall()}
    limit = SAMPLE_SHARE * 2**32
    assert found == {one for one in ids if int(hashlib.sha256(one.encode()).hexdigest()[:8], 16) < int(limit)}
    assert 70 < len(found) < 130


def test_a_build_that_fails_leaves_the_old_file_and_nothing_half(tmp_path: Path) -> None:
    out = tmp_path / "serving.duckdb"
    out.write_bytes(b"old")
    (tmp_path / "orders.parquet").write_bytes(b"no parquet")
    with pytest.raises(SnapshotError, match="serving_failed"):
        build_serving(tmp_path, {"orders": [tmp_path / "orders.parquet"]}, out)
    assert out.read_bytes() == b"old" and sorted(p.name for p in tmp_path.iterdir()) == [
        "orders.parquet",
        "serving.duckdb",
    ]


def test_orders_of_a_published_run_can_be_read_through_its_connection(
    store: SnapshotStore, facts: dict[str, list[Path]]
) -> None:
    with store.lock(), store.begin(FIRST) as draft:
        fill(draft, SEGMENTS, facts)
        run = draft.publish(manifest(FIRST))
    assert run.connect().execute(
        "SELECT count(*), sum(amount) FROM orders WHERE customer_id = 'c2'"
    ).fetchone() == (
        2,
        Decimal("13.49"),
    )
