from __future__ import annotations

import datetime as dt
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from kequn.errors import SnapshotError
from kequn.snapshot import Cards, SnapshotStore, build_cards
from kequn.snapshot.cards import ORDERS, TABLES, card_columns, drop_from_card, names_customers

from .conftest import FIRST, SECOND, THIRD, Publish

IDS = sorted(
    [
        "",
        "0",
        "007",
        "C1",
        "C10",
        "C2",
        "é",
        "客户1",
        "客户10",
        "😀",
        *(f"x{place:03d}" for place in range(40)),
    ]
)
"""By code point: the order of their UTF-8 bytes, in which DuckDB sorts."""


@pytest.fixture(params=[1, 3, 512])
def serving(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A serving file with many orders of some customers and none of others; card files of blocks of few rows beside it."""
    monkeypatch.setattr("kequn.snapshot.cards.BLOCK_ROWS", request.param)
    file, shuffled = tmp_path / "serving.duckdb", random.Random(5)
    with duckdb.connect(str(file)) as con:
        con.execute(
            "CREATE TABLE profile (customer_id VARCHAR, city VARCHAR, secret VARCHAR, monetary DECIMAL(18,2), "
            "first_order_at TIMESTAMP, age BIGINT, seg_rfm VARCHAR)"
        )
        con.execute(
            "CREATE TABLE orders (order_id VARCHAR, customer_id VARCHAR, ordered_at TIMESTAMP, amount DECIMAL(18,2), cost BIGINT)"
        )
        con.execute("CREATE TABLE prediction (p_churn DOUBLE, customer_id VARCHAR, next_order_on DATE)")
        con.execute("CREATE TABLE segment (scheme VARCHAR)")
        moment = dt.datetime(2026, 1, 5, 10)
        for place, name in enumerate(IDS):
            values = [
                name,
                None if place % 3 else "成都",
                "s",
                Decimal(place) / 4,
                moment,
                place,
                "lost" if place % 2 else None,
            ]
            con.execute("INSERT INTO profile VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            if place % 4:
                con.execute("INSERT INTO prediction VALUES (?, ?, ?)", [place / 7, name, moment.date()])
            for number in range(shuffled.choice([0, 0, 1, 2, 9])):
                order = [f"o{place}-{number}", name, moment + dt.timedelta(hours=number), Decimal(number), 1]
                con.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", order)
    build_cards(file, tmp_path)
    return file


def asked(serving: Path, table: str, customer_id: str) -> list[dict[str, Any]]:
    with duckdb.connect(str(serving), read_only=True) as con:
        there = [row[0] for row in con.execute(f"DESCRIBE {table}").fetchall()]
        columns = card_columns(table, there)
        found = con.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE customer_id = ?", [customer_id])
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


def test_every_customer_has_the_rows_that_duckdb_finds(serving: Path) -> None:
    cards = Cards(serving.parent)
    for table in ("profile", "orders", "prediction"):
        assert table in cards
        for name in [*IDS, "C", "C11", "zzz", "\x00", "客户"]:
            assert cards.rows(table, name) == asked(serving, table, name)
    assert sum(len(cards.rows("orders", name)) for name in IDS) > len(IDS)
    cards.close()


def test_only_what_a_page_shows_is_kept(serving: Path) -> None:
    cards = Cards(serving.parent)
    assert list(cards.rows("profile", "C1")[0]) == [
        "customer_id", "city", "monetary", "first_order_at", "age", "seg_rfm",
    ]  # fmt: skip
    assert "contact" not in cards and cards.rows("contact", "C1") == [] == cards.rows("segment", "C1")
    assert not (serving.parent / "card_segment.arrow").exists()


def test_the_newest_are_the_last_of_a_customer_with_many(serving: Path) -> None:
    cards = Cards(serving.parent)
    for name in IDS:
        every = cards.rows("orders", name)
        for most in (1, 2, 5, 100):
            assert cards.rows("orders", name, newest=most) == every[-most:]


def test_products_are_found_by_their_id_and_survive_a_customer_of_that_id(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "serving.duckdb")) as con:
        con.execute(
            "CREATE TABLE product AS SELECT * FROM (VALUES ('c2', '茶'), ('p1', '杯')) AS t (product_id, name)"
        )
    assert [file.name for file in build_cards(tmp_path / "serving.duckdb", tmp_path)] == [
        "card_product.arrow"
    ]
    assert Cards(tmp_path).rows("product", "c2") == [{"product_id": "c2", "name": "茶"}]
    assert names_customers("card_orders.arrow") and not names_customers("card_product.arrow")


def test_threads_share_the_files(serving: Path) -> None:
    cards = Cards(serving.parent)
    wanted = [name for name in IDS for _ in range(20)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda name: cards.rows("profile", name), wanted))
    assert [rows[0]["customer_id"] for rows in found] == wanted


def test_a_customer_is_dropped_and_the_others_stay(serving: Path, tmp_path: Path) -> None:
    before = Cards(tmp_path)
    for table in ("profile", "orders", "prediction"):
        file, out = tmp_path / f"card_{table}.arrow", tmp_path / "without" / f"card_{table}.arrow"
        gone = next(name for name in reversed(IDS) if before.rows(table, name))
        assert drop_from_card(file, gone, out)
        after = Cards(out.parent)
        assert not after.rows(table, gone)
        assert gone.encode() not in out.read_bytes() or gone in ("", "0")
        assert [after.rows(table, name) for name in IDS if name != gone] == [
            before.rows(table, name) for name in IDS if name != gone
        ]
        assert (
            not drop_from_card(out, gone, tmp_path / "again.arrow")
            and not (tmp_path / "again.arrow").exists()
        )


def test_an_empty_table_has_no_rows(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "serving.duckdb")) as con:
        con.execute("CREATE TABLE orders (customer_id VARCHAR, order_id VARCHAR, ordered_at TIMESTAMP)")
    (file,) = build_cards(tmp_path / "serving.duckdb", tmp_path)
    assert Cards(tmp_path).rows("orders", "C1") == []
    assert not drop_from_card(file, "C1", tmp_path / "out.arrow")


@pytest.mark.parametrize("damage", ["cut", "noise"])
def test_a_damaged_file_is_told(serving: Path, damage: str) -> None:
    file = serving.parent / "card_profile.arrow"
    whole = file.read_bytes()
    middle = len(whole) // 4
    file.write_bytes(
        whole[:middle] if damage == "cut" else whole[:middle] + b"\xff" * 400 + whole[middle + 400 :]
    )
    with pytest.raises(SnapshotError, match=r"snapshot\.unreadable"):
        cards = Cards(serving.parent)
        for name in IDS:
            cards.rows("profile", name)


def test_forgetting_in_a_damaged_file_is_told_and_leaves_nothing(serving: Path, tmp_path: Path) -> None:
    file = tmp_path / "card_profile.arrow"
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(SnapshotError, match=r"snapshot\.unreadable"):
        drop_from_card(file, "C1", tmp_path / "out.arrow")
    assert not (tmp_path / "out.arrow").exists()


def test_a_serving_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "serving.duckdb").write_bytes(b"no database" * 100)
    with pytest.raises(SnapshotError, match=r"snapshot\.serving_failed"):
        build_cards(tmp_path / "serving.duckdb", tmp_path)


def test_a_run_records_forgets_and_prunes_them(publish: Publish, store: SnapshotStore) -> None:
    runs = [publish(run) for run in (FIRST, SECOND, THIRD)]
    assert all("card_profile.arrow" in run.manifest.files and run.verify().sound for run in runs)
    now = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
    store.forget("c2", now=now)
    for run in store.runs():
        cards = Cards(run.folder)
        assert cards.rows("profile", "c2") == [] and cards.rows("profile", "c1")
        assert run.verify().sound
    store.prune(1)
    first, *_, last = sorted(store.runs(), key=lambda run: run.run_id)
    assert "profile" in Cards(last.folder) and "profile" not in Cards(first.folder)
    assert not list(first.folder.glob("card_*")) and first.verify().sound


def test_orders_are_shown_with_what_the_list_of_orders_needs() -> None:
    assert {"order_id", "ordered_at"} <= set(ORDERS)
    assert card_columns("orders", ["x", "ordered_at", "customer_id"]) == ["customer_id", "ordered_at"]
    assert card_columns("orders", ["order_id"]) == [] and set(TABLES) == {
        "profile", "contact", "prediction", "recommendation", "orders", "product",
    }  # fmt: skip


def test_looking_up_loads_no_pandas(serving: Path) -> None:
    """Arrow would load it, 45 MB, only to ask whether an id is one of its values."""
    code = (
        "import sys; from pathlib import Path; from kequn.snapshot import Cards\n"
        f"assert Cards(Path({str(serving.parent)!r})).rows('profile', 'C1'); assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
