"""A run as its users meet it: it reconciles, repeats, survives being killed, and refuses what is wrong in words."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.pipeline.conftest import NOW, write_shop

from kequn.demo import panel_folder
from kequn.errors import ConfigError, KequnError, SnapshotError
from kequn.i18n import explain
from kequn.pipeline import run
from kequn.snapshot import Snapshot
from kequn.workspace import Workspace

KEQUN = [sys.executable, "-m", "kequn"]


def published(folder: Path, **options: Any) -> Snapshot:
    return run(Workspace.open(folder), now=NOW, **options).snapshot


def scalar(con: duckdb.DuckDBPyConnection, sql: str) -> Any:
    row = con.execute(sql).fetchone()
    assert row is not None
    return row[0]


def test_the_demo_reconciles_to_the_cent(demo_copy: Callable[[str, str], Path]) -> None:
    snapshot = published(demo_copy("demo", ""))
    manifest = snapshot.manifest.model_dump(mode="json")
    source = str(panel_folder() / "transactions.parquet")
    expected = scalar(duckdb.connect(), f"SELECT sum(CAST(sales_value AS DECIMAL(18,2))) FROM '{source}'")
    parts = manifest["reconciliation"]["tables"]["order_lines"]
    assert parts["read"] == parts["kept"] + parts["quarantined"] + parts["duplicates"] == 1_469_307
    with snapshot.connect() as con:
        for scheme, result in manifest["schemes"].items():
            inside = scalar(con, f"SELECT coalesce(sum(monetary), 0) FROM segment WHERE scheme = '{scheme}'")
            counted = scalar(con, f"SELECT count(*) FROM assignment WHERE scheme = '{scheme}'")
            outside = scalar(
                con,
                "SELECT coalesce(sum(monetary), 0) FROM profile WHERE customer_id NOT IN "
                f"(SELECT customer_id FROM assignment WHERE scheme = '{scheme}')",
            )
            anonymous = Decimal(manifest["reconciliation"]["anonymous_amount"]) / 100
            assert inside + outside + anonymous == expected, scheme
            assert counted + result["outside_scope"] == manifest["customers"] == 2_469
            assert result["holes"] == 0


@pytest.mark.parametrize("seed", range(4))
def test_customers_orders_and_money_of_random_shops_reconcile(seed: int, tmp_path: Path) -> None:
    folder = write_shop(tmp_path / "shop", seed)
    snapshot = published(folder)
    manifest = snapshot.manifest.model_dump(mode="json")
    rows = [
        line.split(",") for line in (folder / "data" / "orders.csv").read_text("gb18030").splitlines()[1:]
    ]
    source = (
        duckdb.connect()
        .execute(
            "SELECT count(*), sum(CAST(replace(replace(column3, '￥', ''), ',', '') AS DECIMAL(18,2))) "
            "FROM read_csv(?, header=false, skip=1, all_varchar=true, names=['a','b','c','column3','e','f','g'], encoding='utf-8')",
            [str(_as_utf8(folder))],
        )
        .fetchone()
    )
    assert source is not None and source[0] == len(rows)
    with snapshot.connect() as con:
        kept = scalar(con, "SELECT sum(monetary) FROM profile")
        orders = scalar(con, "SELECT sum(frequency) FROM profile")
        quarantined = scalar(con, "SELECT count(*) FROM quarantine") if snapshot.has("quarantine") else 0
    reconciliation = manifest["reconciliation"]
    assert kept + Decimal(reconciliation["anonymous_amount"]) / 100 == source[1]
    assert orders + reconciliation["anonymous_orders"] + quarantined == len(rows)


def _as_utf8(folder: Path) -> Path:
    target = folder / "orders-utf8.csv"
    target.write_text((folder / "data" / "orders.csv").read_text("gb18030"), encoding="utf-8")
    return target


def test_a_second_run_of_the_same_data_gives_the_same_members_and_reads_no_source_again(shop: Path) -> None:
    first = published(shop)
    facts = {path: path.stat().st_mtime_ns for path in (shop / "facts").rglob("*.parquet")}
    second = published(shop)
    assert first.manifest.digests == second.manifest.digests
    assert {path: path.stat().st_mtime_ns for path in (shop / "facts").rglob("*.parquet")} == facts


def test_an_earlier_date_knows_only_what_happened_before_it(shop: Path) -> None:
    snapshot = published(shop, as_of=date(2026, 1, 1))
    with snapshot.connect() as con:
        assert scalar(con, "SELECT max(last_order_at) FROM profile") < date(2026, 1, 1)
        assert scalar(con, "SELECT min(recency_days) FROM profile") >= 1


def test_since_stays_when_the_segment_stays(shop: Path) -> None:
    published(shop, as_of=date(2026, 6, 1))
    snapshot = published(shop, as_of=date(2026, 11, 1))
    with snapshot.connect() as con:
        found = {row[0] for row in con.execute("SELECT DISTINCT since FROM assignment").fetchall()}
    assert found == {date(2026, 6, 1), date(2026, 11, 1)}


def test_a_run_publishes_who_moved_since_the_run_before(shop: Path) -> None:
    first = published(shop, as_of=date(2026, 1, 1))
    assert not first.has("migration")
    second = published(shop)
    with second.connect(serving=False) as con:
        told = con.execute("SELECT scheme, from_segment, to_segment, customers FROM migration").fetchall()
    before, after = members(first), members(second)
    shared = {scheme for scheme, _ in before} & {scheme for scheme, _ in after}
    naive = Counter(
        (scheme, before.get((scheme, customer)), after.get((scheme, customer)))
        for scheme, customer in before.keys() | after.keys()
        if scheme in shared
    )
    assert {tuple(row[:3]): row[3] for row in told} == naive
    assert second.manifest.model_dump()["previous"] == first.run_id


def members(snapshot: Snapshot) -> dict[tuple[str, str], str]:
    with snapshot.connect(serving=False) as con:
        found = con.execute("SELECT scheme, customer_id, segment FROM assignment").fetchall()
    return {(scheme, customer): segment for scheme, customer, segment in found}


def test_serving_shows_every_assignment_as_it_is_published(shop: Path) -> None:
    everyone = "SELECT * FROM assignment ORDER BY scheme, customer_id"
    for as_of in (date(2026, 6, 1), date(2026, 11, 1)):  # without and with a last run
        snapshot = published(shop, as_of=as_of)
        with snapshot.connect() as served, snapshot.connect(serving=False) as parquet:
            assert served.execute(everyone).fetchall() == parquet.execute(everyone).fetchall()


def test_a_killed_run_leaves_the_published_one_and_the_next_sweeps_it(
    demo_copy: Callable[[str, str], Path],
) -> None:
    folder = demo_copy("demo", "")
    before = published(folder)
    process = subprocess.Popen(
        [*KEQUN, "run", "-w", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    drafts: list[Path] = []
    while process.poll() is None and not drafts:
        drafts = [path for path in (folder / "snapshots").glob(".draft-*") if any(path.rglob("*.parquet"))]
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    current = Workspace.open(folder).store.current()
    assert drafts
    assert current is not None and current.run_id == before.run_id
    after = published(folder)
    assert after.manifest.digests == before.manifest.digests
    assert list((folder / "snapshots").glob(".draft-*")) == []


def test_two_runs_at_once_are_refused(shop: Path) -> None:
    workspace = Workspace.open(shop)
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with Workspace.open(shop).store.lock():
            entered.set()
            leave.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait(30)
    try:
        with pytest.raises(SnapshotError) as caught:
            run(workspace, now=NOW)
    finally:
        leave.set()
        holder.join()
    assert explain(caught.value, "zh")


def test_an_edited_snapshot_is_noticed(shop: Path) -> None:
    snapshot = published(shop)
    target = next((snapshot.folder / "assignment").glob("rfm-*.parquet"))
    target.write_bytes(target.read_bytes() + b"x")
    with pytest.raises(SnapshotError) as caught:
        snapshot.files("assignment")
    assert caught.value.code == "snapshot.file_edited"
    assert not snapshot.verify().sound


@pytest.mark.parametrize(
    ("file", "text", "error"),
    [
        ("kequn.yaml", "name: x\nlanguag: zh\n", ConfigError),
        ("kequn.yaml", "name: x\nengine: {memory_limit: lots}\n", ConfigError),
        (
            "sources.yaml",
            "orders:\n- name: a\n  files: [nowhere.csv]\n  columns: {order_id: a, ordered_at: b, amount: c}\n",
            KequnError,
        ),
        ("sources.yaml", "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n", ConfigError),
        (
            "schemes/bad.yaml",
            "scheme: bad\nkind: rules\nsegments:\n- {id: a, when: recency_dayz > 3}\n",
            ConfigError,
        ),
        ("schemes/bad.yaml", "scheme: bad\nkind: rulez\n", ConfigError),
        ("features.yaml", "features:\n- {name: a, from: order_total, sql: 'SUM(nothing)'}\n", KequnError),
        ("audiences/bad.yaml", "audience: bad\nrule: frequency\n", ConfigError),
    ],
)
def test_a_wrong_definition_stops_the_run_in_words_and_publishes_nothing(
    shop: Path, file: str, text: str, error: type[KequnError]
) -> None:
    (shop / file).parent.mkdir(exist_ok=True)
    (shop / file).write_text(text, encoding="utf-8")
    with pytest.raises(error) as caught:
        published(shop)
    for lang in ("zh", "en"):
        words = explain(caught.value, lang)
        assert words and "{" not in words and caught.value.code not in words
    assert not (shop / "snapshots" / "CURRENT").exists()


def test_an_audience_by_rule_by_segments_and_by_ids(shop: Path) -> None:
    (shop / "audiences").mkdir(exist_ok=True)
    (shop / "audiences" / "rule.yaml").write_text(
        "audience: buyers\nrule: frequency >= 1\n", encoding="utf-8"
    )
    (shop / "audiences" / "segments.yaml").write_text(
        "audience: best\nsegments: [rfm/champions]\n", encoding="utf-8"
    )
    (shop / "audiences" / "list.csv").write_text("customer_id\n00000\n00001\nnobody\n", encoding="utf-8")
    (shop / "audiences" / "ids.yaml").write_text("audience: named\nids: list.csv\n", encoding="utf-8")
    snapshot = published(shop)
    with snapshot.connect() as con:
        sizes = dict(con.execute("SELECT audience, count(*) FROM audience_member GROUP BY ALL").fetchall())
        buyers = scalar(con, "SELECT count(*) FROM profile WHERE frequency >= 1")
        best = scalar(con, "SELECT count(*) FROM assignment WHERE scheme = 'rfm' AND segment = 'champions'")
    assert sizes == {"buyers": buyers, "best": best, "named": 2}


def test_one_customer_with_one_order_runs(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "orders.csv").write_text(
        "订单编号,客户编号,下单时间,实付金额\n1,007,2026-10-01,0\n", encoding="utf-8"
    )
    done = subprocess.run(
        [*KEQUN, "init", str(folder / "w"), "--from", str(folder / "data" / "orders.csv"), "--yes", "--lang", "en"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    snapshot = published(folder / "w")
    with snapshot.connect() as con:
        assert con.execute("SELECT customer_id, frequency, monetary FROM profile").fetchall() == [
            ("007", 1, Decimal("0.00"))
        ]


def test_the_manifest_is_plain_json_with_texts_and_fingerprints(shop: Path) -> None:
    snapshot = published(shop)
    manifest = json.loads((snapshot.folder / "manifest.json").read_text(encoding="utf-8"))
    assert "schemes/rfm.yaml" in manifest["definitions"]
    assert manifest["definitions"]["schemes/rfm.yaml"]["text"].startswith(("#", "scheme"))
    assert set(manifest["digests"]) == set(manifest["schemes"])
    assert str(shop) not in json.dumps(manifest)
