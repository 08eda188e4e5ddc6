"""The command line as a user meets it: each command in both languages, exit codes, JSON, and errors in words."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from tests.pipeline.conftest import write_shop


def kequn(*arguments: str, code: int = 0) -> str:
    """Run the command in this process, as `main` does; its output (stdout, or stderr when it fails)."""
    from kequn.cli.app import run_guarded

    out, err = io.StringIO(), io.StringIO()
    before = sys.argv
    sys.argv = ["kequn", *arguments]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            got = run_guarded()
    finally:
        sys.argv = before
    assert got == code, err.getvalue()[-2000:] + out.getvalue()[-500:]
    return out.getvalue() if code == 0 else err.getvalue()


def test_the_installed_command_answers_in_its_own_process() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kequn", "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert "init" in done.stdout


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shop, run twice at different dates."""
    folder = write_shop(tmp_path_factory.mktemp("cli") / "shop", seed=1)
    (folder / "audiences").mkdir()
    (folder / "audiences" / "buyers.yaml").write_text(
        "audience: buyers\nrule: frequency >= 2\n", encoding="utf-8"
    )
    kequn("run", "-w", str(folder), "--as-of", "2026-07-01")
    kequn("run", "-w", str(folder))
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ("schemes",), ("audiences",), ("show",), ("show", "rfm"), ("show", "value_tier/platinum"), ("customer", "00001"),
        ("why", "00001", "rfm"), ("why", "00001", "transaction_type/high_value"), ("count", "frequency >= 2"), ("runs",),
        ("migration",), ("cohorts",), ("cohorts", "rfm/champions"), ("predictions",), ("check",), ("call-list",),
    ],
)  # fmt: skip
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_readers_print_in_both_languages_and_as_json(
    shop: Path, arguments: tuple[str, ...], lang: str
) -> None:
    printed = kequn(*arguments, "-w", str(shop), "--lang", lang)
    assert printed.strip()
    assert "summary." not in printed and "{" not in printed.replace("{'", "")
    json.loads(kequn(*arguments, "-w", str(shop), "--lang", lang, "--json"))


def test_count_agrees_with_the_audience_of_the_same_rule(shop: Path) -> None:
    counted = json.loads(kequn("count", "frequency >= 2", "-w", str(shop), "--json"))
    listed = {
        row["audience"]: row["customers"] for row in json.loads(kequn("audiences", "-w", str(shop), "--json"))
    }
    assert counted["customers"] == listed["buyers"] > 0


def test_count_works_for_behaviour_that_no_scheme_uses(shop: Path) -> None:
    some = json.loads(kequn("count", "orders(channel = 'App', days = 365) >= 1", "-w", str(shop), "--json"))
    none = json.loads(kequn("count", "orders(channel = 'nowhere') >= 1", "-w", str(shop), "--json"))
    assert 0 < some["customers"] < some["total"]
    assert none["customers"] == 0


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "parquet"])
def test_export_writes_every_member_once_and_disarms_formulas(
    shop: Path, suffix: str, tmp_path: Path
) -> None:
    target = tmp_path / f"out.{suffix}"
    kequn("export", "buyers", "--to", str(target), "-w", str(shop))
    counted = json.loads(kequn("count", "frequency >= 2", "-w", str(shop), "--json"))["customers"]
    if suffix == "csv":
        lines = target.read_text(encoding="utf-8-sig").splitlines()
        assert len(lines) - 1 == counted
    elif suffix == "parquet":
        import pyarrow.parquet as pq

        assert pq.read_table(target).num_rows == counted
    else:
        import openpyxl

        assert openpyxl.load_workbook(target, read_only=True).active.max_row - 1 == counted


def test_rollback_goes_back_and_forward(shop: Path) -> None:
    runs = [run["run_id"] for run in json.loads(kequn("runs", "-w", str(shop), "--json"))]
    kequn("rollback", "-w", str(shop))
    now = {run["run_id"]: run["published"] for run in json.loads(kequn("runs", "-w", str(shop), "--json"))}
    assert now[runs[1]] and not now[runs[0]]
    kequn("rollback", runs[0], "-w", str(shop))


def test_forget_erases_a_customer_everywhere(tmp_path: Path) -> None:
    folder = write_shop(tmp_path / "shop", seed=2, customers=30)
    kequn("run", "-w", str(folder))
    kequn("forget", "00003", "--yes", "-w", str(folder))
    assert "00003" not in kequn("customer", "00003", "-w", str(folder), code=1).replace(
        "'00003'", ""
    ).replace("“00003”", "")


def test_forget_reaches_tags_and_lists_of_ids(tmp_path: Path) -> None:
    import subprocess
    import sys

    folder = write_shop(tmp_path / "shop", seed=2, customers=30)
    kequn("run", "-w", str(folder))
    lists = folder / "audiences"
    lists.mkdir(exist_ok=True)
    (lists / "vip.yaml").write_text("audience: vip\nids: vip.csv\ncolumn: 会员号\n", encoding="utf-8")
    (lists / "vip.csv").write_text('姓名,会员号\n"林,\n一",00003\n王五,00004\n', encoding="gb18030")
    alone = [sys.executable, "-m", "kequn"]  # in a process of its own: Django serves one workspace in each
    subprocess.run(
        [*alone, "user", "add", "lin", "--password", "rowan-kettle-42", "-w", str(folder)], check=True
    )
    state = f"""
import os
os.environ.update(KEQUN_WORKSPACE={str(folder)!r}, DJANGO_SETTINGS_MODULE="kequn.web.settings")
import django
django.setup()
from kequn.web.tags.models import Tag
"""
    marked = "Tag.objects.create(customer_id='00003', title='x', audience='x', by='lin'); Tag.objects.create(customer_id='00004', title='x', audience='x', by='lin')"
    subprocess.run([sys.executable, "-c", state + marked], check=True)
    said = subprocess.run(
        [*alone, "forget", "00003", "--yes", "-w", str(folder), "--lang", "en"], check=True, capture_output=True, text=True
    )  # fmt: skip
    assert "1 tags, 1 rows of lists" in " ".join(said.stdout.split())
    left = subprocess.run(
        [sys.executable, "-c", state + "print(*Tag.objects.values_list('customer_id', flat=True))"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert left.stdout.split() == ["00004"]
    assert (lists / "vip.csv").read_text(encoding="gb18030") == "姓名,会员号\n王五,00004\n"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("customer", "nobody"), "nobody"),
        (("show", "rmf"), "rfm"),
        (("show", "rfm/champion"), "champions"),
        (("why", "00001", "rfm/champion"), "champions"),
        (("export", "buyer", "--to", "x.csv"), "buyers"),
        (("count", "recency_dayz > 3"), "recency_days"),
        (("count", "1=1; DROP TABLE profile"), "4"),
        (("rollback", "20200101-000000-aaaa"), "20200101"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(shop: Path, arguments: tuple[str, ...], word: str) -> None:
    for lang in ("zh", "en"):
        assert word in kequn(*arguments, "-w", str(shop), "--lang", lang, code=1)


def test_a_folder_that_is_no_workspace_says_what_to_do(tmp_path: Path) -> None:
    assert "kequn init" in kequn("run", "-w", str(tmp_path), code=1)


def test_wrong_usage_exits_with_two(shop: Path) -> None:
    kequn("run", "--as-of", "yesterday", "-w", str(shop), code=2)
    kequn("nonsense", code=2)


def test_init_from_files_proposes_and_runs(tmp_path: Path) -> None:
    shop = write_shop(tmp_path / "files", seed=4)
    made = tmp_path / "made"
    printed = kequn(
        "init",
        str(made),
        "--from",
        str(shop / "data" / "orders.csv"),
        str(shop / "data" / "customers.csv"),
        "--yes",
        "--lang",
        "zh",
    )
    assert "客户编号" in printed
    summary = json.loads(kequn("run", "-w", str(made), "--json"))
    assert summary["customers"] >= 100
    assert "rfm" in summary["digests"]


def test_init_refuses_to_overwrite_a_workspace(shop: Path) -> None:
    assert "kequn.yaml" in kequn("init", str(shop), "--yes", code=1)


def test_one_segment_keeps_its_share_of_the_whole_scheme(shop: Path) -> None:
    """`show SCHEME/SEGMENT` prints the line that `show SCHEME` prints, not a segment that earns 100 %."""
    rows = json.loads(kequn("show", "rfm", "-w", str(shop), "--json"))["segments"]
    one = max(rows, key=lambda row: row["customers"])
    whole = kequn("show", "rfm", "-w", str(shop), "--lang", "en").splitlines()
    line = next(text.strip() for text in whole if text.strip().startswith(one["title_en"]))
    alone = kequn("show", f"rfm/{one['segment']}", "-w", str(shop), "--lang", "en")
    assert line.split() in [text.split() for text in alone.splitlines()]
    assert "100.0%" not in line


def test_the_summary_of_a_run_fits_a_screen_or_two_and_names_no_empty_segment_twice(shop: Path) -> None:
    printed = kequn("run", "-w", str(shop), "--lang", "en")
    answer = json.loads(kequn("schemes", "-w", str(shop), "--json"))
    for name in answer["schemes"]:
        assert name in printed
    assert f"{len(answer['unavailable'])} more schemes" in printed
    assert len(printed.splitlines()) < 150
    assert printed.count("have no customers") <= 1


def test_a_run_in_which_nobody_can_be_segmented_says_so_in_words(tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text(
        "order_id,order_date,amount\nA1,2026-01-05,10.50\nA2,2026-01-06,20\n", "utf-8"
    )
    folder = tmp_path / "w"
    kequn("init", str(folder), "--from", str(tmp_path / "o.csv"), "--yes")
    printed = kequn("run", "-w", str(folder), "--lang", "en")
    assert "all 2 orders (30.50 CNY)" in printed
    assert "customer_id" in printed
    assert "Champions" not in printed
    assert "None" not in printed


def test_an_error_never_offers_a_nearest_name_that_does_not_exist(shop: Path) -> None:
    assert "Nearest" not in kequn("show", "zzzzzzzz", "-w", str(shop), "--lang", "en", code=1)
    assert "begin alike" not in kequn("customer", "zzzz", "-w", str(shop), "--lang", "en", code=1)


def test_init_says_what_to_do_next_for_files_it_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("foo,bar\nmild,2\nhot,3\n", "utf-8")
    (tmp_path / "o.csv").write_text(
        "order_id,order_date,amount\nA1,2026-01-05,10.50\nA2,2026-01-06,20\n", "utf-8"
    )
    unknown = kequn("init", str(tmp_path / "a"), "--from", str(tmp_path / "x.csv"), "--yes", "--lang", "en")
    assert "No file was recognised" in unknown
    assert "kequn run" not in unknown
    written = (tmp_path / "a" / "sources.yaml").read_text("utf-8")
    assert "Not recognised: x.csv" in written
    assert "customers: [{name:" in written
    (tmp_path / "s.txt").write_text(" 00004 19970101  2  29.33\n 00004 19970118  2  29.73\n", "utf-8")
    spaced = kequn("init", str(tmp_path / "c"), "--from", str(tmp_path / "s.txt"), "--yes", "--lang", "en")
    assert "s.txt has one column only" in spaced
    asked = kequn("init", str(tmp_path / "b"), "--from", str(tmp_path / "o.csv"), "--yes", "--lang", "en")
    assert "? o.csv: which column tells the customer" in asked
    assert "Settle the questions" in asked


def test_check_says_why_rows_were_refused_with_an_example(tmp_path: Path) -> None:
    folder = write_shop(tmp_path / "shop", seed=5, customers=20)
    orders = folder / "data" / "orders.csv"
    lines = orders.read_text("gb18030").splitlines()
    cells = lines[3].split(",")
    cells[lines[0].split(",").index("实付金额")] = "twelve"
    lines[3] = ",".join(cells)
    orders.write_text("\n".join(lines) + "\n", "gb18030")
    refused = json.loads(kequn("check", "-w", str(folder), "--json"))["quarantined"]
    assert [(one["table"], one["reason"], one["rows"], one["text"]) for one in refused] == [
        ("orders", "data.not_money", 1, "twelve")
    ]
    printed = kequn("check", "-w", str(folder), "--lang", "en")
    assert "not an amount of money" in printed
    assert "twelve" in printed


def test_what_to_do_next_can_be_typed_as_it_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On a machine where the shell doesn't find `kequn`, hints name the path that works."""
    from kequn.cli.printing import own_name

    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kequn").write_text("#!/bin/sh\n", "utf-8")
    (tmp_path / "bin" / "kequn").chmod(0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "bin" / "kequn"), "init"])
    assert own_name() == "bin/kequn"
    monkeypatch.setattr(sys, "argv", ["/x/kequn/__main__.py", "init"])
    assert own_name().endswith(" -m kequn")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert own_name() == "kequn"


ODD_IDS = ["007", " 007 ", "0", "😀", "'; DROP TABLE profile;--", "=1+1", "张 三", "NULL"]


def test_odd_ids_and_amounts_that_are_all_zero_go_the_whole_way(tmp_path: Path) -> None:
    """Every id is kept as text exactly, from the file to the card and the export, and everybody is in one segment."""
    import csv

    rows = [[f"O{n}", ODD_IDS[n % len(ODD_IDS)], f"2026-01-{n + 1:02d}", "0"] for n in range(24)]
    with (tmp_path / "o.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["order_id", "customer_id", "order_date", "amount"], *rows])
    folder = tmp_path / "w"
    kequn("init", str(folder), "--from", str(tmp_path / "o.csv"), "--yes")
    summary = json.loads(kequn("run", "-w", str(folder), "--json"))
    known = [key for key in ODD_IDS if key != "NULL"]  # what a database writes for nothing
    assert summary["customers"] == len(known)
    assert summary["reconciliation"]["anonymous_orders"] == 3
    for scheme in summary["schemes"].values():
        assert sum(scheme["segments"].values()) + scheme["outside_scope"] == len(known)
    for key in known:
        assert json.loads(kequn("customer", "-w", str(folder), "--json", "--", key))["customer_id"] == key
    kequn("export", "rfm", "--to", str(tmp_path / "out.parquet"), "-w", str(folder))
    import pyarrow.parquet as pq

    assert sorted(pq.read_table(tmp_path / "out.parquet").column("customer_id").to_pylist()) == sorted(known)
