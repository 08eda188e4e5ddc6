"""Delimited text comes out exactly as it went in, and what can't be read is told, never lost."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kequn.data.files import ROW, RawTable, ReadOptions, open_table
from kequn.errors import DataError


def rows_of(table: RawTable) -> list[tuple[str, ...]]:
    return [
        tuple(row[name] for name in table.columns) for batch in table.batches() for row in batch.to_pylist()
    ]


def numbers_of(table: RawTable) -> list[int]:
    return [number for batch in table.batches() for number in batch.column(ROW).to_pylist()]


def write(folder: Path, content: bytes | str, name: str = "orders.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


TABLE = "订单编号,买家会员名,金额\n0012,张三,12.50\n0013,李四,8\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gbk", "gb18030"]
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_chinese_text_is_read_in_every_encoding_and_delimiter(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    path = write(tmp_path, TABLE.replace(",", delimiter).encode(encoding))
    table = open_table(path)
    assert table.columns == ("订单编号", "买家会员名", "金额")
    assert rows_of(table) == [("0012", "张三", "12.50"), ("0013", "李四", "8")]
    assert numbers_of(table) == [1, 2]
    assert not table.typed
    assert table.detected["delimiter"] == delimiter


def test_western_text_is_not_taken_for_chinese(tmp_path: Path) -> None:
    text = "Name;Straße;Betrag\nMüller;Königsallee;1,50\nJosé Peña;Avenida Ñuñoa;2,50\n"
    table = open_table(write(tmp_path, text.encode("cp1252")))
    assert rows_of(table) == [("Müller", "Königsallee", "1,50"), ("José Peña", "Avenida Ñuñoa", "2,50")]


def test_encoding_is_found_when_chinese_begins_far_down(tmp_path: Path) -> None:
    text = "id,name\n" + "1,abc\n" * 200_000 + "2,张三丰\n"
    table = open_table(write(tmp_path, text.encode("gbk")))
    assert rows_of(table)[-1] == ("2", "张三丰")


def test_decimal_commas_do_not_pass_for_delimiters(tmp_path: Path) -> None:
    path = write(tmp_path, "id;price;cost\n1;2,50;1,10\n2;3,00;1,20\n")
    assert rows_of(open_table(path))[0] == ("1", "2,50", "1,10")


def test_a_decimal_comma_is_detected_only_where_the_numbers_prove_it(tmp_path: Path) -> None:
    assert open_table(write(tmp_path, "id;price\n1;2,50\n2;1.234,00\n")).detected["decimal"] == ","
    assert "decimal" not in open_table(write(tmp_path, "id;price\n1;2.50\n2;1,234\n")).detected
    assert "decimal" not in open_table(write(tmp_path, "id;price\n1;2,50\n2;2.50\n")).detected


def test_quoted_line_ends_delimiters_and_quotes_stay_in_their_cell(tmp_path: Path) -> None:
    path = write(tmp_path, '"id","ad\ndress"\r\n1,"a\r\nb,c"\r\n2,"say ""hi"""\r\n')
    table = open_table(path)
    assert table.columns == ("id", "ad\ndress")
    assert rows_of(table) == [("1", "a\r\nb,c"), ("2", 'say "hi"')]


def test_header_names_lose_outer_blanks_and_empty_ones_get_a_number(tmp_path: Path) -> None:
    assert open_table(write(tmp_path, "\ufeff收货地址 , ,id\n1,2,3\n")).columns == (
        "收货地址",
        "column_2",
        "id",
    )


def test_title_lines_above_the_header_are_skipped(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "店铺订单导出\n导出时间：,2026-01-05\n\n订单号,金额,时间\nA1,5,2026-01-01\nA2,6,2026-01-02\n",
    )
    table = open_table(path)
    assert table.columns == ("订单号", "金额", "时间")
    assert rows_of(table) == [("A1", "5", "2026-01-01"), ("A2", "6", "2026-01-02")]
    assert table.detected["header_row"] == 3


def test_a_file_without_header_keeps_its_first_row(tmp_path: Path) -> None:
    table = open_table(write(tmp_path, "0001,20260105,29.33\n0002,20260106,14.96\n"))
    assert table.columns == ("column_1", "column_2", "column_3")
    assert len(rows_of(table)) == 2


def test_one_delimiter_too_many_on_every_row_is_forgiven(tmp_path: Path) -> None:
    table = open_table(write(tmp_path, "id,name\n1,a,\n2,b,\n3,c,\n"))
    assert rows_of(table) == [("1", "a", ""), ("2", "b", ""), ("3", "c", "")]
    table = open_table(write(tmp_path, "id,name,\n1,a\n2,b\n"))
    assert (table.columns, rows_of(table)) == (("id", "name"), [("1", "a"), ("2", "b")])


def test_ids_stay_text_exactly(tmp_path: Path) -> None:
    ids = ["007", " 7 ", "😀", "'; DROP TABLE orders; --", "1e5", "NULL", "nan", "", "+86 139"]
    text = "id,n\n" + "".join(f'"{one}",1\n' for one in ids)
    assert [row[0] for row in rows_of(open_table(write(tmp_path, text)))] == ids


def test_half_rows_and_wide_rows_are_bad_rows(tmp_path: Path) -> None:
    table = open_table(write(tmp_path, "a,b,c\n1,2,3\n4,5\n6,7,8,9\n\n1,2,4\n"))
    assert rows_of(table) == [("1", "2", "3"), ("1", "2", "4")]
    assert [(bad.row, bad.reason, bad.text) for bad in table.bad_rows] == [
        (2, "too_few_cells", "4,5"),
        (3, "too_many_cells", "6,7,8,9"),
    ]
    assert numbers_of(table) == [1, 4]
    assert len(table.bad_rows) == 2, "reading twice doesn't report twice"


def test_nul_bytes_make_a_bad_row(tmp_path: Path) -> None:
    table = open_table(write(tmp_path, b"a,b\n1,x\x00y\n2,z\n"))
    assert rows_of(table) == [("2", "z")]
    assert [(bad.row, bad.reason, bad.text) for bad in table.bad_rows] == [(1, "nul", "1,x\\x00y")]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_undecodable_bytes_make_a_bad_row_only_where_they_stand(tmp_path: Path, encoding: str) -> None:
    good = "客户订单明细商品数量" * 20
    text = f"a,b\n{good},1\n".encode(encoding) + b"\xff\xff,2\n" + f"{good},3\n".encode(encoding)
    table = open_table(write(tmp_path, text))
    assert [row[1] for row in rows_of(table)] == ["1", "3"]
    assert [(bad.row, bad.reason, bad.text) for bad in table.bad_rows] == [(2, "undecodable", r"\xff\xff,2")]


def test_ten_megabytes_in_a_cell_are_one_bad_row_with_a_short_excerpt(tmp_path: Path) -> None:
    table = open_table(
        write(tmp_path, "a,b\n1,x\n2," + "y" * 10_000_000 + '\n3,"' + "z\n" * 1_000_000 + '"\n4,w\n')
    )
    assert rows_of(table) == [("1", "x"), ("4", "w")]
    assert [(bad.row, bad.reason) for bad in table.bad_rows] == [(2, "cell_too_long"), (3, "cell_too_long")]
    assert all(len(bad.text) < 3000 for bad in table.bad_rows)


def test_a_quote_that_is_never_closed_costs_one_row_not_the_rest_of_the_file(tmp_path: Path) -> None:
    text = 'a,b,c\n1,"5 inch,x\n' + "".join(f"{n},two,three\n" for n in range(2, 1000))
    table = open_table(write(tmp_path, text))
    assert [row[0] for row in rows_of(table)] == [str(n) for n in range(2, 1000)]
    assert [(bad.row, bad.reason, bad.text) for bad in table.bad_rows] == [
        (1, "unclosed_quote", '1,"5 inch,x')
    ]


@pytest.mark.parametrize("end", ['2,"abc', '2,"abc\n', '2,"a""b\n', '2,"'])
def test_a_file_cut_within_quotes_ends_with_a_bad_row(tmp_path: Path, end: str) -> None:
    table = open_table(write(tmp_path, "a,b\n1,x\n" + end))
    assert rows_of(table) == [("1", "x")]
    assert [(bad.row, bad.reason) for bad in table.bad_rows] == [(2, "unclosed_quote")]


def test_a_bad_row_far_down_repeats_and_loses_nothing(tmp_path: Path) -> None:
    many = 400_000
    text = (
        "a,b\n"
        + "".join(f"{n},some text to fill blocks\n" for n in range(1, many))
        + f"{many}\n{many + 1},x\n"
    )
    table = open_table(write(tmp_path, text))
    numbers = numbers_of(table)
    assert numbers == [*range(1, many), many + 1]
    assert [bad.row for bad in table.bad_rows] == [many]


def test_wrapping_for_excel_is_taken_off_on_demand(tmp_path: Path) -> None:
    path = write(tmp_path, '订单编号,金额\n"=""0012""",1\n\'0013,2\n0014\t,3\nO\'Neil,4\n')
    assert [row[0] for row in rows_of(open_table(path))] == ['="0012"', "'0013", "0014\t", "O'Neil"]
    assert [row[0] for row in rows_of(open_table(path, ReadOptions(excel_text=True)))] == [
        "0012",
        "0013",
        "0014",
        "O'Neil",
    ]


def test_options_override_what_would_be_detected(tmp_path: Path) -> None:
    path = write(tmp_path, "title\na,b;c\n1,2;3\n")
    table = open_table(path, ReadOptions(delimiter=";", quote="", header_row=2, encoding="utf-8"))
    assert table.columns == ("a,b", "c")
    assert rows_of(table) == [("1,2", "3")]
    assert open_table(path, ReadOptions(delimiter=",", header_row=0)).columns[0] == "column_1"


@pytest.mark.parametrize(
    ("content", "options", "code"),
    [
        (b"", ReadOptions(), "files.empty"),
        (b"\xef\xbb\xbf \r\n", ReadOptions(), "files.empty"),
        (b"a,b,c\n", ReadOptions(), "files.header_only"),
        ("订单编号,金额\n".encode("gbk"), ReadOptions(), "files.header_only"),
        (b"a,b,a \n1,2,3\n", ReadOptions(), "files.duplicate_column"),
        (b"a,__row\n1,2\n", ReadOptions(), "files.reserved_column"),
        (TABLE.encode("gbk"), ReadOptions(encoding="utf-8"), "files.wrong_encoding"),
        (TABLE.encode("utf-16"), ReadOptions(encoding="utf-8"), "files.wrong_encoding"),
        (TABLE.encode("utf-8"), ReadOptions(encoding="gb18030"), "files.wrong_encoding"),
        (TABLE.encode("utf-8"), ReadOptions(encoding="klingon"), "files.unknown_encoding"),
        (TABLE.encode("utf-8"), ReadOptions(delimiter="ab"), "files.delimiter"),
        (TABLE.encode("utf-8"), ReadOptions(header_row=9), "files.header_row"),
        (b"\x1f\x8b\x08\x00abc", ReadOptions(), "files.packed"),
        (b"%PDF-1.7 abc", ReadOptions(), "files.not_a_table"),
        (bytes(range(256)) * 40, ReadOptions(), "files.not_a_table"),
        (b"<html><table><tr><td>1</td></tr></table></html>", ReadOptions(), "files.html"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(
    tmp_path: Path, content: bytes, options: ReadOptions, code: str
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(DataError) as error:
        open_table(path, options)
    assert error.value.code == code
    assert error.value.fields["file"] == str(path)


def test_a_duplicate_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        open_table(write(tmp_path, "订单号,金额,订单号 \n1,2,3\n"))
    assert (error.value.fields["column"], error.value.fields["first"], error.value.fields["second"]) == (
        "订单号",
        1,
        3,
    )


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"files\.missing"):
        open_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"files\.directory"):
        open_table(tmp_path)


CELLS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\ufeff"), max_size=12)
TRICKY = st.one_of(
    CELLS, st.sampled_from(['"', '""', "\r\n", "\n", ",", ";", " x ", "='1'", "", "中文", "é"])
)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(TRICKY, min_size=width, max_size=width), min_size=1, max_size=8)
    ),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "gb18030"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_any_table_written_as_csv_is_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[str]],
    encoding: str,
    delimiter: str,
    line_end: str,
) -> None:
    header = [f"name{place}" for place in range(len(rows[0]))]
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows(
        [header, *rows]
    )
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes(out.getvalue().encode(encoding))
    table = open_table(path, ReadOptions(encoding=encoding, delimiter=delimiter, header_row=1))
    assert rows_of(table) == [tuple(row) for row in rows]
    assert table.bad_rows == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(['"', ",", "\n", "\r", "a", "b,c", '"x"', "\0", "\n1,2", '""']), max_size=25))
def test_the_quick_and_the_careful_way_agree_and_lose_no_letter(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str]
) -> None:
    from kequn.data.csv_careful import careful_batches
    from kequn.data.csv_files import Layout

    body = "".join(pieces)
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes(f"p,q\n{body}\nend,end\n".encode())
    table = open_table(path, ReadOptions(delimiter=",", header_row=1))
    bad: list[object] = []
    careful = list(careful_batches(path, Layout("utf-8", ",", '"', ("p", "q"), 4), bad))  # type: ignore[arg-type]
    assert [row for batch in table.batches() for row in batch.to_pylist()] == [
        row for batch in careful for row in batch.to_pylist()
    ]
    assert table.bad_rows == bad
    letters = sum(body.count(letter) for letter in "abcx12")
    kept = sum(cell.count(letter) for row in rows_of(table) for cell in row for letter in "abcx12")
    lost = sum(row.text.replace("\\x00", "").count(letter) for row in table.bad_rows for letter in "abcx12")
    assert kept + lost == letters
