"""Excel and Parquet files as tables, and workbooks that must not be opened."""

from __future__ import annotations

import datetime as dt
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook

from kequn.data.files import ROW, RawTable, ReadOptions, open_table, sheets_of
from kequn.errors import DataError


def rows_of(table: RawTable) -> list[tuple[Any, ...]]:
    return [
        tuple(row[name] for name in table.columns) for batch in table.batches() for row in batch.to_pylist()
    ]


def workbook(path: Path, rows: list[list[Any]]) -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def test_cells_become_text_without_losing_or_adding_anything(tmp_path: Path) -> None:
    rows = [
        ["id", "n", "price", "day", "time", "yes", "text"],
        ["007", 12, 30.33, dt.datetime(2026, 1, 5), dt.datetime(2026, 1, 5, 12, 30, 1), True, " 空格 "],
        [13900001111, 1234567890123456, 0.1 + 0.2, dt.date(1999, 12, 31), dt.time(8, 5), False, "=1"],
    ]
    table = open_table(workbook(tmp_path / "t.xlsx", [*rows[:2], [*rows[2][:6], "x"]]))
    assert rows_of(table) == [
        ("007", "12", "30.33", "2026-01-05", "2026-01-05 12:30:01", "TRUE", " 空格 "),
        ("13900001111", "1234567890123456", "0.3", "1999-12-31", "08:05:00", "FALSE", "x"),
    ]


def test_title_rows_empty_rows_and_formatted_empty_columns_are_skipped(tmp_path: Path) -> None:
    rows = [
        ["2026年1月订单"],
        [],
        ["订单号", "金额", "备注"],
        ["A1", 5],
        [None, None],
        ["A2", 6, "x"],
        [None],
    ]
    table = open_table(workbook(tmp_path / "t.xlsx", rows))
    assert table.columns == ("订单号", "金额", "备注")
    assert rows_of(table) == [("A1", "5", ""), ("A2", "6", "x")]
    assert [batch.column(ROW).to_pylist() for batch in table.batches()] == [[1, 2]]


def test_a_merged_order_number_stands_on_each_of_its_lines_but_a_merged_amount_once(tmp_path: Path) -> None:
    rows = [["订单号", "商品", "实付"], ["A1", "p", 100], [None, "q", None], ["A2", "r", 5]]
    path = tmp_path / "t.xlsx"
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    sheet.merge_cells("A2:A3")
    sheet.merge_cells("C2:C3")
    book.save(path)
    assert rows_of(open_table(path)) == [("A1", "p", "100"), ("A1", "q", ""), ("A2", "r", "5")]


def test_sheets_are_chosen_by_name_or_number(tmp_path: Path) -> None:
    book = Workbook()
    book.active.title = "说明"  # type: ignore[union-attr]
    book.create_sheet("订单").append(["订单号"])
    book["订单"].append(["A1"])
    book.create_sheet("客户").append(["会员号"])
    book["客户"].append(["C1"])
    book.create_sheet("hidden").sheet_state = "hidden"
    path = tmp_path / "t.xlsx"
    book.save(path)
    assert sheets_of(path) == ("订单", "客户")
    assert open_table(path).columns == ("订单号",)
    assert open_table(path, ReadOptions(sheet="客户")).columns == ("会员号",)
    assert open_table(path, ReadOptions(sheet=3)).columns == ("会员号",)
    with pytest.raises(DataError, match=r"files\.no_sheet"):
        open_table(path, ReadOptions(sheet="商品"))


def test_a_value_right_of_the_table_far_down_is_a_bad_row(tmp_path: Path) -> None:
    table = open_table(workbook(tmp_path / "t.xlsx", [["a", "b"], *([n, n] for n in range(1500)), [1, 2, 3]]))
    assert len(rows_of(table)) == 1500
    assert [(bad.row, bad.reason) for bad in table.bad_rows] == [(1501, "too_many_cells")]


def test_numbers_that_excel_has_cut_are_pointed_out(tmp_path: Path) -> None:
    table = open_table(workbook(tmp_path / "t.xlsx", [["订单号", "n"], [123456789012345678, 1]]))
    assert table.detected["long_numbers"] == ["订单号"]


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([], "files.empty"),
        ([["a", "b"]], "files.header_only"),
        ([["a", "a"], [1, 2]], "files.duplicate_column"),
    ],
)
def test_a_sheet_that_cannot_be_used_says_why(tmp_path: Path, rows: list[list[Any]], code: str) -> None:
    with pytest.raises(DataError, match=code):
        open_table(workbook(tmp_path / "t.xlsx", rows))


def test_one_stray_cell_in_the_far_corner_does_not_take_all_memory(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["A1"], sheet["XFD1048576"] = "a", "x"
    book.save(tmp_path / "t.xlsx")
    with pytest.raises(DataError, match=r"files\.sheet_too_large"):
        open_table(tmp_path / "t.xlsx")


def test_a_zip_bomb_is_refused_by_the_size_it_declares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kequn.data.excel.UNPACKED_LIMIT", 1 << 20)
    path = tmp_path / "t.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", " " * (2 << 20))
    with pytest.raises(DataError, match=r"files\.too_large"):
        open_table(path)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le") * 2, "files.password"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "files.broken_workbook"),
        (b"PK\x03\x04" + b"\0" * 100, "files.broken_workbook"),
    ],
)
def test_a_broken_or_locked_workbook_says_so(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "t.xlsx"
    path.write_bytes(content)
    with pytest.raises(DataError, match=code):
        open_table(path)


def test_an_ordinary_zip_is_not_a_workbook(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("orders.csv", "a,b\n1,2\n")
    with pytest.raises(DataError, match=r"files\.packed"):
        open_table(tmp_path / "t.zip")


def test_parquet_files_of_a_folder_or_glob_form_one_typed_table(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["1"], "amount": [Decimal("1.50")]}), tmp_path / "a.parquet")
    pq.write_table(
        pa.table({"id": pa.array(["2"]).dictionary_encode(), "extra ": [7]}), tmp_path / "b.parquet"
    )
    for path in (tmp_path, tmp_path / "*.parquet"):
        table = open_table(path)
        assert table.typed
        assert table.columns == ("id", "amount", "extra")
        assert rows_of(table) == [("1", Decimal("1.50"), None), ("2", None, 7)]
        assert [batch.column(ROW).to_pylist() for batch in table.batches()] == [[1], [2]]


def test_parquet_files_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["1"]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"id": [dt.date(2026, 1, 5)]}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"files\.parquet_schemas"):
        open_table(tmp_path)
    (tmp_path / "b.parquet").write_bytes(b"PAR1 broken")
    with pytest.raises(DataError, match=r"files\.broken_parquet"):
        open_table(tmp_path)


def test_a_glob_without_files_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"files\.missing"):
        open_table(tmp_path / "*.parquet")
