"""A forgotten customer leaves the lists of ids, and everybody else stays on them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from kequn.audience import forget_in_lists
from kequn.audience.build import read_ids


def audience(folder: Path, name: str, file: str, more: str = "") -> None:
    (folder / f"{name}.yaml").write_text(f"audience: {name}\nids: {file}\n{more}", encoding="utf-8")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_text_keeps_its_encoding_and_its_other_lines(tmp_path: Path, encoding: str) -> None:
    audience(tmp_path, "a", "list.csv", "column: 编号\n")
    rows = '备注;编号\r\n"老客户;\r\n两行";007\r\n常客;008\r\n007;009\r\n'
    (tmp_path / "list.csv").write_bytes(rows.encode(encoding))
    assert forget_in_lists(tmp_path, "007").rows == 1
    assert (tmp_path / "list.csv").read_bytes() == "备注;编号\r\n常客;008\r\n007;009\r\n".encode(encoding)
    assert forget_in_lists(tmp_path, "007").rows == 0


def test_parquet_keeps_its_columns_and_a_list_may_end_empty(tmp_path: Path) -> None:
    audience(tmp_path, "a", "list.parquet", "column: id\n")
    audience(tmp_path, "b", "one.csv", "exclude: {ids: gone.csv}\n")
    pq.write_table(pa.table({"id": [7, 8, None], "note": ["a", "b", "c"]}), tmp_path / "list.parquet")
    (tmp_path / "one.csv").write_text("id\n7\n7\n")
    cleaned = forget_in_lists(tmp_path, "7")
    assert (cleaned.rows, cleaned.left) == (3, ("gone.csv",))  # a list that isn't there can't be searched
    assert pq.read_table(tmp_path / "list.parquet").to_pydict() == {"id": [8, None], "note": ["b", "c"]}
    assert read_ids(tmp_path / "one.csv", None, "b").num_rows == 0


def test_a_workbook_is_named_only_when_it_holds_the_customer(tmp_path: Path) -> None:
    audience(tmp_path, "a", "book.xlsx")
    with xlsxwriter.Workbook(str(tmp_path / "book.xlsx")) as book:
        book.add_worksheet().write_column(0, 0, ["id", "007", "008"])
    before = (tmp_path / "book.xlsx").read_bytes()
    assert forget_in_lists(tmp_path, "007").left == ("book.xlsx",)
    assert forget_in_lists(tmp_path, "009").left == ()
    assert (tmp_path / "book.xlsx").read_bytes() == before
