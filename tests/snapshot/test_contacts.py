"""Names with the ways they are read, phones by their digits: what people type must find them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kequn.snapshot import ServingSettings, build_serving
from kequn.snapshot.contacts import name_keys, searched
from kequn.snapshot.serving import drop_customer

PEOPLE = (
    ("C1", "胡佳怡", "13812346027", None),
    ("C2", "单雄信", "+86 138-1234-6028", "shan@example.com"),
    ("C3", "Ann O'Neil", "0086 13812346029", None),
    ("C4", None, None, None),
    ("C9", "不在画像里", "13800000000", None),
)


@pytest.fixture
def serving(tmp_path: Path) -> Path:
    """A serving file of the customers C1 to C4; C9 is in the facts only."""
    (tmp_path / "profile").mkdir()
    pq.write_table(
        pa.table({"customer_id": ["C1", "C2", "C3", "C4"]}), tmp_path / "profile/part-00000.parquet"
    )
    columns = dict(zip(("customer_id", "name", "phone", "email"), zip(*PEOPLE, strict=True), strict=True))
    pq.write_table(
        pa.table({name: list(values) for name, values in columns.items()}), tmp_path / "customers.parquet"
    )
    out = tmp_path / "serving.duckdb"
    build_serving(tmp_path, {"customers": [tmp_path / "customers.parquet"]}, out, ServingSettings(threads=1))
    return out


def found(serving: Path, text: str) -> list[str]:
    with duckdb.connect(str(serving), read_only=True) as con:
        there = {row[0]: row[1] for row in con.execute("DESCRIBE contact").fetchall()}
        clauses, values = searched(text, there)
        rows = con.execute(f"SELECT customer_id FROM contact WHERE {' OR '.join(clauses)} ORDER BY 1", values)
        return [row[0] for row in rows.fetchall()]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("佳怡", ["C1"]), ("hujiayi", ["C1"]), ("HuJia", ["C1"]), ("hu jia yi", ["C1"]), ("hjy", ["C1"]), ("jiayi", []),
        ("shanxx", []), ("shanxiong", ["C2"]), ("danxiong", ["C2"]), ("sxx", ["C2"]), ("ann", ["C3"]), ("o'neil", ["C3"]),
        ("|", []), ("%", []), ("_", []), ("h", []),
    ],
)  # fmt: skip
def test_a_name_is_found_by_its_parts_its_pinyin_and_its_initials(
    serving: Path, text: str, ids: list[str]
) -> None:
    assert found(serving, text) == ids


def test_only_customers_of_the_profile_with_something_to_reach_them_by_are_kept(serving: Path) -> None:
    with duckdb.connect(str(serving), read_only=True) as con:
        assert con.execute("SELECT customer_id, phone_digits FROM contact ORDER BY 1").fetchall() == [
            ("C1", "13812346027"), ("C2", "13812346028"), ("C3", "13812346029"),
        ]  # fmt: skip


def test_the_profile_holds_none_of_it(serving: Path) -> None:
    with duckdb.connect(str(serving), read_only=True) as con:
        assert [row[0] for row in con.execute("DESCRIBE profile").fetchall()] == ["customer_id"]


def test_a_forgotten_customer_is_gone_from_it_too(serving: Path, tmp_path: Path) -> None:
    assert drop_customer(serving, "C1", tmp_path / "without.duckdb")
    assert found(tmp_path / "without.duckdb", "hjy") == [] and found(tmp_path / "without.duckdb", "sxx") == [
        "C2"
    ]


def test_a_long_name_of_many_readings_keeps_a_dozen() -> None:
    full, short = name_keys("单重乐行长")
    assert full.count("|") <= 13 and short.count("|") <= 13 and "|shan" in full
    assert name_keys("—·") == ("|", "|")
