"""Files for people: no cell runs as a formula, Chinese opens right, and a file appears whole or not at all."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kequn.act.export as export
from kequn.act import safe_cell, write_rows
from kequn.errors import ConfigError, DataError

TITLES = {"id": "客户编号", "note": "备注", "money": "金额", "at": "日期"}
ROWS: list[dict[str, Any]] = [
    {"id": "007", "note": '=HYPERLINK("http://evil")', "money": Decimal("12.50"), "at": date(2026, 1, 2)},
    {"id": "张三", "note": None, "money": -3, "at": datetime(2026, 1, 2, 3, 4, 5)},
]


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "＝1",
        "  =1",
        "\u3000@x",
        "|x",
        "%x",
    ],
)
def test_text_that_could_run_is_quoted(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "value", ["林", "", "a=b", "-5", "+86.5", "-0.5", 5, -5, None, Decimal("-1.5"), True, date(2026, 1, 1)]
)
def test_everything_else_stays_as_it_is(value: object) -> None:
    assert safe_cell(value) == value


@settings(deadline=None)
@given(st.text(max_size=40))
def test_no_text_begins_with_a_sign_that_runs(text: str) -> None:
    written = str(safe_cell(text))
    first = written.lstrip(" \u3000\ufeff")[:1]
    assert first not in {"=", "@", "＝", "＋", "－", "＠"}
    if first in {"+", "-"}:
        float(written)
    assert written in (text, f"'{text}")


def test_a_csv_opens_in_excel_with_its_chinese(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    assert write_rows(file, ROWS, TITLES) == 2
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    with file.open(encoding="utf-8-sig", newline="") as stream:
        read = list(csv.reader(stream))
    assert read[0] == list(TITLES.values())
    assert read[1] == ["007", '\'=HYPERLINK("http://evil")', "12.50", "2026-01-02"]
    assert read[2] == ["张三", "", "-3", "2026-01-02 03:04:05"]


def test_an_excel_cell_keeps_text_as_text_and_numbers_as_numbers(tmp_path: Path) -> None:
    file = tmp_path / "out.xlsx"
    write_rows(file, ROWS, TITLES)
    sheet = openpyxl.load_workbook(file).active
    first = list(next(sheet.iter_rows(min_row=2)))
    assert [cell.value for cell in first] == ["007", '=HYPERLINK("http://evil")', 12.5, datetime(2026, 1, 2)]
    assert first[0].data_type == "s"
    assert first[1].data_type != "f" or first[1]._value is None
    raw = _sheet_xml(file)
    assert "<f>" not in raw


def _sheet_xml(file: Path) -> str:
    import zipfile

    with zipfile.ZipFile(file) as archive:
        return archive.read("xl/worksheets/sheet1.xml").decode()


def test_parquet_keeps_types_and_keys(tmp_path: Path) -> None:
    file = tmp_path / "out.parquet"
    rows = [{"id": "=1", "note": None, "money": 5, "at": date(2026, 1, 2)}]
    assert write_rows(file, rows, TITLES) == 1
    assert pq.read_table(file).to_pylist() == rows


def test_parquet_finds_the_type_of_a_column_over_all_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kequn.act.export.BATCH_ROWS", 2)
    values = [None, None, Decimal("1.5"), Decimal("12345.67"), None]
    rows = ({"id": str(place), "value": value} for place, value in enumerate(values))
    assert write_rows(tmp_path / "out.parquet", rows, {"id": "编号", "value": "金额"}) == 5
    read = pq.read_table(tmp_path / "out.parquet")
    assert read["value"].to_pylist() == values and read["id"].to_pylist() == list("01234")
    assert write_rows(tmp_path / "none.parquet", iter(()), {"id": "编号"}) == 0
    assert pq.read_table(tmp_path / "none.parquet").column_names == ["id"]


@pytest.mark.parametrize("name", ["out.csv", "out.xlsx", "out.parquet"])
def test_an_empty_list_still_has_its_columns(tmp_path: Path, name: str) -> None:
    file = tmp_path / "folder" / name
    assert write_rows(file, [], TITLES) == 0
    assert file.exists()


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        write_rows(tmp_path / "out.pdf", ROWS, TITLES)
    assert raised.value.code == "act.export_format"


@pytest.mark.parametrize("name", ["out.csv", "out.xlsx", "out.parquet"])
def test_a_failure_leaves_the_old_file_and_no_remains(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    write_rows(file, ROWS[:1], TITLES)
    before = file.read_bytes()

    def broken() -> Iterator[dict[str, Any]]:
        yield ROWS[0]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_rows(file, broken(), TITLES)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_more_rows_than_excel_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "EXCEL_ROWS", 3)
    assert write_rows(tmp_path / "fits.xlsx", ROWS, TITLES) == 2
    with pytest.raises(DataError) as raised:
        write_rows(tmp_path / "long.xlsx", [*ROWS, ROWS[0]], TITLES)
    assert raised.value.code == "act.export_too_long"
