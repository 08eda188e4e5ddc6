"""What came of a call, recorded by the people who called: it keeps customers off the next list and is a touch of the next run."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import duckdb
import pytest
from tests.cli.test_commands import kequn
from tests.pipeline.conftest import write_shop

KEPT = ("transaction_type",)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_shop(tmp_path_factory.mktemp("outcomes") / "shop", seed=3)
    for scheme in (folder / "schemes").glob("*.yaml"):
        if scheme.stem not in KEPT:
            scheme.unlink()
    kequn("run", "-w", str(folder))
    return folder


def called(folder: Path) -> list[str]:
    answer = json.loads(kequn("call-list", "--capacity", "8", "-w", str(folder), "--json"))
    return [row["customer_id"] for row in answer["calls"]]


def filled(file: Path, results: list[str], encoding: str = "utf-8-sig") -> None:
    """Write results into the list as somebody would with a spreadsheet."""
    with file.open(encoding=encoding, newline="") as source:
        head, *rows = list(csv.reader(source))
    place = next(i for i, name in enumerate(head) if name in ("结果", "Result"))
    for row, result in zip(rows, results, strict=False):
        row[place] = result
    with file.open("w", encoding=encoding, newline="") as target:
        csv.writer(target).writerows([head, *rows])


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_filled_list_comes_back_and_its_customers_are_left_in_peace(
    shop: Path, tmp_path: Path, lang: str
) -> None:
    before, file = called(shop), tmp_path / f"list-{lang}.csv"
    kequn("call-list", "--capacity", "8", "--to", str(file), "--lang", lang, "-w", str(shop))
    words = ["成交", "未接通"] if lang == "zh" else ["bought", "no answer"]
    filled(file, words)
    told = kequn("outcomes", "--from", str(file), "--list", f"spring-{lang}", "--lang", lang, "-w", str(shop))
    assert "2" in told
    row = next(
        row
        for row in json.loads(kequn("outcomes", "-w", str(shop), "--json"))
        if row["campaign_id"] == f"spring-{lang}"
    )
    assert (row["calls"], row["results"]["bought"], row["results"]["no_answer"], row["conversion"]) == (
        2,
        1,
        1,
        0.5,
    )
    assert set(before[:2]).isdisjoint(called(shop))
    assert called(shop)[0] == before[2]


def test_an_outcome_is_a_touch_of_the_next_run(shop: Path) -> None:
    customer = called(shop)[0]
    kequn(
        "outcome",
        customer,
        "interested",
        "--at",
        "2026-10-20 10:30",
        "--offer",
        "P1",
        "--list",
        "autumn",
        "-w",
        str(shop),
    )
    kequn("run", "-w", str(shop))
    snapshot = shop / "snapshots" / (shop / "snapshots" / "CURRENT").read_text(encoding="utf-8").strip()
    fingerprint = json.loads((snapshot / "manifest.json").read_text(encoding="utf-8"))["facts"]["touches"][
        "fingerprint"
    ]
    row = (
        duckdb.connect()
        .sql(
            f"SELECT campaign_id, channel, arm, offer_id, sent_at, responded_at FROM read_parquet('{shop}/facts/{fingerprint}/*.parquet') "
            f"WHERE customer_id = '{customer}' AND campaign_id = 'autumn'"
        )
        .fetchall()
    )
    assert [(name, channel, arm, offer) for name, channel, arm, offer, *_ in row] == [
        ("autumn", "phone", "treatment", "P1")
    ]
    assert row[0][4] == row[0][5]
    received = (
        duckdb.connect()
        .sql(
            f"SELECT campaigns_received FROM read_parquet('{snapshot}/profile/*.parquet') WHERE customer_id = '{customer}'"
        )
        .fetchall()
    )
    assert received[0][0] >= 1


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("outcome", "nobody", "bought"), "nobody"),
        (("outcome", "{first}", "delighted"), "delighted"),
        (("outcome", "{first}", "bought", "--cost", "-3"), "-3"),
    ],
)
def test_a_wrong_outcome_is_told_and_nothing_is_kept(
    shop: Path, arguments: tuple[str, ...], word: str
) -> None:
    before = kequn("outcomes", "-w", str(shop), "--json")
    given = [part.replace("{first}", called(shop)[0]) for part in arguments]
    assert word in kequn(*given, "-w", str(shop), "--lang", "en", code=1)
    assert kequn("outcomes", "-w", str(shop), "--json") == before


def test_a_list_with_one_wrong_result_is_refused_whole_and_names_the_line(shop: Path, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    kequn("call-list", "--capacity", "8", "--to", str(file), "--lang", "en", "-w", str(shop))
    before = kequn("outcomes", "-w", str(shop), "--json")
    filled(file, ["bought", "maybe"])
    told = kequn("outcomes", "--from", str(file), "-w", str(shop), "--lang", "en", code=1)
    assert "maybe" in told
    assert "(3)" in told
    assert kequn("outcomes", "-w", str(shop), "--json") == before
    file.write_text("a,b\n1,2\n", encoding="utf-8")
    assert "list.csv" in kequn("outcomes", "--from", str(file), "-w", str(shop), "--lang", "en", code=1)
