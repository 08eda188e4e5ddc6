"""Audiences: who is in by rule, by segment and by list, who is left out, and what is said about mistakes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.scheme.people import Row, catalog_for, everything, random_people, run

from kequn.audience import load_audiences, write_audiences
from kequn.engine import Engine
from kequn.errors import ConfigError, KequnError
from kequn.i18n import LANGUAGES, catalogue, explain
from kequn.language import Catalog
from kequn.scheme import load_schemes, with_schemes

TWO = "scheme: two\nkind: rules\nscope: frequency > 0\nsegments: [{id: fresh, when: recency_days <= 90}]\notherwise: {id: stale}\n"


def sight() -> Catalog:
    return with_schemes(everything(), load_schemes({"two.yaml": TWO}, everything()).values())


def build(
    engine: Engine, folder: Path, rows: list[Row], *texts: str
) -> tuple[dict[str, set[str]], list[KequnError]]:
    """Members of each audience, and the warnings."""
    run(engine, folder, rows, [TWO])
    here = with_schemes(catalog_for(rows), load_schemes({"two.yaml": TWO}, everything()).values())
    audiences = load_audiences({f"a{n}.yaml": text for n, text in enumerate(texts)}, sight())
    out = folder / "audience_member"
    warnings = write_audiences(
        engine, audiences, "profile", "_kequn_wide", here, folder, folder / "lists", out
    )
    members: dict[str, set[str]] = {}
    for file in out.glob("*.parquet"):
        for row in pq.read_table(file).to_pylist():
            assert row["customer_id"] not in members.setdefault(row["audience"], set())
            members[row["audience"]].add(row["customer_id"])
    return members, warnings


def ids(rows: list[Row], condition: Any) -> set[str]:
    return {row["customer_id"] for row in rows if condition(row)}


def test_rules_and_segments_agree_with_plain_filtering_and_may_overlap(
    engine: Engine, tmp_path: Path
) -> None:
    rows = random_people(41, 80)
    members, warnings = build(
        engine, tmp_path, rows,
        "audience: frequent\nrule: frequency >= 3\n",
        "audience: fresh\nsegments: two/fresh\n",
        "audience: both\nrule: \"segment('two') = 'fresh' AND frequency >= 3\"\n",
        "audience: either\nrule: frequency >= 3\nsegments: [two/fresh, two/stale]\n",
    )  # fmt: skip
    frequent = ids(rows, lambda row: row["frequency"] >= 3)
    fresh = ids(rows, lambda row: row["frequency"] > 0 and row["recency_days"] <= 90)
    buyers = ids(rows, lambda row: row["frequency"] > 0)
    assert members == {"frequent": frequent, "fresh": fresh, "both": frequent & fresh, "either": buyers}
    assert warnings == []


def test_who_is_excluded_is_out_and_unknown_excludes_nobody(engine: Engine, tmp_path: Path) -> None:
    rows = random_people(42, 80)
    members, _ = build(
        engine,
        tmp_path,
        rows,
        "audience: a\nrule: frequency >= 1\nexclude: {rule: \"customer_kind = 'company'\", segments: [two/stale]}\n",
    )
    assert members["a"] == ids(
        rows,
        lambda row: row["frequency"] >= 1 and row["customer_kind"] != "company" and row["recency_days"] <= 90,
    )


def test_an_uploaded_list_keeps_odd_ids_exactly_and_counts_strangers(engine: Engine, tmp_path: Path) -> None:
    rows = random_people(43, 30)
    written = ["007", "7", "顾客 '7', x", "C0001", "C0001", "nobody"]
    quoted = "\n".join('"' + key.replace('"', '""') + '"' for key in written)
    (tmp_path / "list.csv").write_text(f"customer_id\n{quoted}\n", "utf-8")
    members, warnings = build(
        engine,
        tmp_path,
        rows,
        "audience: vip\nids: list.csv\n",
        "audience: rest\nrule: frequency >= 0\nexclude: {ids: list.csv}\n",
    )
    listed = {"007", "顾客 '7', x", "C0001"}
    assert members == {"vip": listed, "rest": ids(rows, lambda row: True) - listed}
    assert [(w.code, w.fields["unknown"], w.fields["total"]) for w in warnings] == [
        ("audience.unknown_ids", 2, 5)
    ] * 2


def test_an_empty_audience_and_one_without_its_columns_are_warnings(engine: Engine, tmp_path: Path) -> None:
    rows: list[Row] = [{"customer_id": "C1", "frequency": 1, "recency_days": 5}]
    members, warnings = build(
        engine,
        tmp_path,
        rows,
        "audience: none\nrule: frequency > 100\n",
        "audience: later\nrule: income > 5\n",
    )
    assert members == {}
    assert [(w.code, w.fields["audience"]) for w in warnings] == [
        ("audience.empty", "none"),
        ("audience.unavailable", "later"),
    ]
    assert warnings[1].fields["missing"] == ["income"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("audience: a\n", "audience.nobody"),
        ("audience: a\nids: ../secret.csv\n", "audience.path"),
        ("audience: a\nids: /etc/passwd\n", "audience.path"),
        ("audience: a\nsegments: [tow/fresh]\n", "audience.no_scheme"),
        ("audience: a\nsegments: [two/frehs]\n", "audience.no_segment"),
        ("audience: a\nrule: frequency >\n", "language.syntax"),
        ("audience: a\nrule: frequenzy > 1\n", "language.unknown_column"),
        ("audience: a\nexclude: {rule: frequenzy > 1}\nrule: frequency > 1\n", "language.unknown_column"),
        ("audience: a\nrule: frequency > 1\nrules: x\n", "definitions.unknown_key_near"),
        ("audience: A B\nrule: frequency > 1\n", "definitions.out_of_range"),
    ],
)
def test_a_wrong_audience_is_refused_in_both_languages(text: str, code: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_audiences({"audiences/a.yaml": text}, sight())
    assert caught.value.code == code
    assert caught.value.fields["file"] == "audiences/a.yaml"
    assert all(code not in explain(caught.value, lang) for lang in LANGUAGES)


def test_two_files_with_the_same_audience_are_refused() -> None:
    text = "audience: a\nrule: frequency > 1\n"
    with pytest.raises(ConfigError) as caught:
        load_audiences({"a.yaml": text, "b.yaml": text}, sight())
    assert caught.value.code == "audience.twice"


def test_every_code_of_this_room_is_worded() -> None:
    folder = Path(__file__).parents[2] / "src" / "kequn" / "audience"
    raised = {
        code
        for file in folder.rglob("*.py")
        for code in re.findall(r'"(audience\.[a-z_]+)"', file.read_text("utf-8"))
    }
    assert raised <= set(catalogue())
