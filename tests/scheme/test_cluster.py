"""Groups found in the data: known classes, number of groups, bad input, identity from run to run, both engines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sqlglot import exp
from tests.scheme.people import Row, catalog_for, everything, write
from tests.scheme.planted import assigned, before_of, found, planted, scheme_of

from kequn.cli.groups import print_groups
from kequn.engine import Engine, EngineSettings, open_engine
from kequn.errors import ConfigError
from kequn.language import compile_rule
from kequn.reading import found_groups
from kequn.scheme import load_schemes
from kequn.scheme.clusters import Model, with_groups, with_stored_groups
from kequn.scheme.clusters.agreement import adjusted_rand


def agreement(labels: dict[str, str], rows: list[Row], owners: list[int]) -> float:
    groups = {group: place for place, group in enumerate(sorted(set(labels.values())))}
    return adjusted_rand(np.array([groups[labels[row["customer_id"]]] for row in rows]), np.array(owners))


@pytest.fixture
def duckdb() -> Any:
    engine = open_engine(EngineSettings(memory_limit="1GB"))
    yield engine
    engine.close()


def test_latent_classes_find_the_classes_of_mixed_data(duckdb: Engine, tmp_path: Path) -> None:
    rows, owners = planted(5_000, kinds=4)
    result, labels = found(duckdb, tmp_path, rows, scheme_of("latent", 4))
    assert agreement(labels, rows, owners) >= 0.95
    assert result.manifest["quality"]["stability"] >= 0.95


def test_the_number_of_groups_that_is_there_is_proposed_with_reasons(duckdb: Engine, tmp_path: Path) -> None:
    for kinds in (3, 4):
        rows, owners = planted(1_500, kinds)
        result, labels = found(duckdb, tmp_path / str(kinds), rows, scheme_of(k="auto", more="at_most: 6"))
        k = result.manifest["k"]
        assert (k["k"], k["reason"]) == (kinds, "cluster.reason.silhouette")
        assert [each["k"] for each in k["candidates"]] == [2, 3, 4, 5, 6]
        assert agreement(labels, rows, owners) >= 0.95


def test_bic_proposes_the_number_of_latent_classes(duckdb: Engine, tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    owners = [int(each) for each in rng.integers(0, 3, 2_000)]
    rows: list[Row] = [
        {
            "customer_id": f"C{number:04d}",
            "recency_days": int(rng.normal((2_000, 2_000, 3_000)[owner], 150)),
            "monetary": int(rng.normal((5e6, 9e6, 5e6)[owner], 5e5)),
            "preferred_channel": "app" if rng.random() < (0.1, 0.5, 0.9)[owner] else "门店",
        }
        for number, owner in enumerate(owners)
    ]
    result, labels = found(duckdb, tmp_path, rows, scheme_of("latent", "auto", "at_most: 6"))
    k = result.manifest["k"]
    assert (k["k"], k["reason"]) == (3, "cluster.reason.bic")
    assert [each["k"] for each in k["candidates"]] == [1, 2, 3, 4, 5, 6]
    assert agreement(labels, rows, owners) >= 0.95


def test_a_proposed_number_steps_down_until_its_groups_stay_the_same(duckdb: Engine, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)  # one continuum from small to large customers, and noise beside it
    size, count = rng.normal(0, 1, 260), 260
    rows: list[Row] = [
        {
            "customer_id": f"C{place:04d}",
            "recency_days": int(150 * np.exp(-0.8 * size[place] + rng.normal(0, 0.6))) + 1,
            "frequency": int(1 + np.exp(1.5 + 0.8 * size[place] + rng.normal(0, 0.4))),
            "monetary": int(2e5 * np.exp(0.9 * size[place] + rng.normal(0, 0.5))),
            "promotion_share": float(np.clip(rng.normal(0.4, 0.25), 0, 1).round(3)),
            "preferred_channel": ["app", "门店", "天猫"][int(rng.integers(3))],
            "gender": ["女", "男"][int(rng.integers(2))],
        }
        for place in range(count)
    ]
    result, _ = found(duckdb, tmp_path / "auto", rows, scheme_of(k="auto"))
    assert (result.manifest["k"]["k"], result.manifest["k"]["reason"]) == (2, "cluster.reason.fewer_stable")
    assert result.manifest["quality"]["stability"] >= 0.75
    assert "cluster.unstable" not in {warning.code for warning in result.warnings}
    more, _ = found(duckdb, tmp_path / "three", rows, scheme_of(k=3))
    assert more.manifest["quality"]["stability"] < 0.75


def test_everybody_stands_in_one_group_and_words_differ(duckdb: Engine, tmp_path: Path) -> None:
    rows, _ = planted(900)
    result, assignment, members = assigned(duckdb, tmp_path, rows, scheme_of())
    assert set(members) == {row["customer_id"] for row in rows}
    assert assignment.results["found"].counts == {
        **{
            group["id"]: group["customers"]
            for group in sorted(result.manifest["groups"], key=lambda g: g["id"])
        },
        "unknown": 0,
    }
    for lang in ("zh", "en"):
        names = [segment.title[lang] for segment in result.segments]
        assert len(set(names)) == len(names) == 3 and all(names)
    titles = {segment.title["zh"] for segment in result.segments}
    assert any("高额" in each or "高频" in each for each in titles)
    assert any("爱促销" in each for each in titles)
    assert any("久未购买" in each for each in titles)


def test_the_rules_in_the_manifest_hold_for_as_many_as_they_say(duckdb: Engine, tmp_path: Path) -> None:
    rows, _ = planted(1_200)
    result, labels = found(duckdb, tmp_path, rows, scheme_of())
    assert result.manifest["quality"]["fidelity"] > 0.9
    aside = {key for place, key in enumerate(sorted(labels)) if place % 4 == 3}
    for group in result.manifest["groups"]:
        rule = compile_rule(group["rule"], catalog_for(rows), {})
        query = exp.select("customer_id").from_("profile").where(rule.tree)
        caught = set(duckdb.sql(query).column(0).to_pylist()) & aside
        inside = {key for key in aside if labels[key] == group["id"]}
        assert group["right"] == pytest.approx(len(caught & inside) / len(caught), abs=1e-6)
        assert group["caught"] == pytest.approx(len(caught & inside) / len(inside), abs=1e-6)
        assert group["zh"] and group["en"]


def test_newcomers_are_labelled_from_the_stored_model_alone(duckdb: Engine, tmp_path: Path) -> None:
    rows, _ = planted(600)
    result, labels = found(duckdb, tmp_path, rows, scheme_of())
    model = Model.from_json(json.loads(json.dumps(result.manifest["model"])))
    names = ("recency_days", "frequency", "monetary", "promotion_share")
    columns = {name: pa.array([row[name] for row in rows], pa.float64()) for name in names}
    labelled = {
        name: pa.array([row[name] for row in rows], pa.string()) for name in ("preferred_channel", "gender")
    }
    ids = pa.array([row["customer_id"] for row in rows])
    batch = pa.RecordBatch.from_pydict({"customer_id": ids, **columns, **labelled})
    for part in (batch, batch.slice(0, 1), batch.slice(17, 5)):
        answer = model.label(part, "group").to_pydict()
        assert answer["group"] == [labels[key] for key in answer["customer_id"]]


def test_the_order_of_rows_and_the_size_of_the_sample_change_no_result(
    duckdb: Engine, tmp_path: Path
) -> None:
    rows, owners = planted(900)
    first, labels = found(duckdb, tmp_path / "a", rows, scheme_of())
    again, turned = found(duckdb, tmp_path / "b", rows[::-1], scheme_of())
    assert labels == turned
    assert first.manifest == again.manifest
    part, sampled = found(duckdb, tmp_path / "c", rows, scheme_of(more="max_customers: 300"))
    assert part.manifest["fitted_on"] == 300
    assert len(sampled) == len(rows)
    assert agreement(sampled, rows, owners) > 0.95


@pytest.mark.spark
def test_both_engines_give_the_same_members_and_model(
    duckdb: Engine, spark_engine: Engine, tmp_path: Path
) -> None:
    rows, _ = planted(700, missing=0.1)
    for method in ("kmeans", "latent"):
        scheme = scheme_of(method, 4, "max_customers: 300")
        one = found(duckdb, tmp_path / f"d{method}", rows, scheme)
        other = found(spark_engine, tmp_path / f"s{method}", rows, scheme)
        assert one[1] == other[1]
        assert one[0].manifest == other[0].manifest


# identity
def test_groups_keep_id_name_and_owner_next_month(duckdb: Engine, tmp_path: Path) -> None:
    rows, _ = planted(900, seed=1)
    named = scheme_of(more="segments: [{id: g2, title: 好客户, owner: 王芳, playbook: vip}]")
    first, _, members = assigned(duckdb, tmp_path / "a", rows, named)
    moved = [{**row, "frequency": row["frequency"] and row["frequency"] + 1} for row in rows[:850]]
    second, _, later = assigned(
        duckdb, tmp_path / "b", moved, scheme_of(more="seed: 99"), before_of(first, tmp_path / "a")
    )
    same = sum(members[key] == group for key, group in later.items())
    assert same / len(later) > 0.98
    assert [segment.id for segment in second.segments] == ["g1", "g2", "g3"]
    assert {link.kind for link in second.lineage} == {"kept"}
    carried = second.segments[1]
    assert (carried.title["zh"], carried.owner, carried.playbook) == ("好客户", "王芳", "vip")
    assert [s.title for s in second.segments] == [s.title for s in first.segments]


def test_a_group_that_splits_leaves_its_owner_to_both_parts(duckdb: Engine, tmp_path: Path) -> None:
    rows, owners = planted(1_200, kinds=4, seed=2)
    two = [row for row, owner in zip(rows, owners, strict=True) if owner in (0, 2, 3)]
    first, _, _ = assigned(
        duckdb, tmp_path / "a", two, scheme_of(k=2, more="segments: [{id: g1, owner: 李雷}]")
    )
    second, _, _ = assigned(duckdb, tmp_path / "b", two, scheme_of(k=3), before_of(first, tmp_path / "a"))
    split = [link for link in second.lineage if link.kind == "split"]
    assert len(split) == 2 and len({link.previous for link in split}) == 1
    assert "g3" in {segment.id for segment in second.segments}
    parent = split[0].previous
    child = next(segment for segment in second.segments if segment.id == "g3")
    assert child.owner == next(segment for segment in first.segments if segment.id == parent).owner
    third, _, _ = assigned(duckdb, tmp_path / "c", two, scheme_of(k=2), before_of(second, tmp_path / "b"))
    assert {link.kind for link in third.lineage} >= {"merge"}


def test_a_split_is_told_to_people_with_the_names_of_both_groups(
    duckdb: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, _ = planted(900, kinds=3, seed=2)
    first, _, _ = assigned(duckdb, tmp_path / "a", rows, scheme_of(k=2))
    second, _, _ = assigned(duckdb, tmp_path / "b", rows, scheme_of(k=3), before_of(first, tmp_path / "a"))
    told = next(each for each in second.warnings if each.code == "cluster.changed")
    assert "g3" in told.fields["split"]
    manifest = json.loads(json.dumps({"clusters": {"found": second.manifest}}))
    shown = found_groups(manifest, "found")
    assert shown is not None
    assert found_groups(manifest, "rfm") is None
    splits = [link for link in shown["lineage"] if link["kind"] == "split"]
    parent = next(group for group in first.manifest["groups"] if group["id"] == splits[0]["previous"])
    for lang in ("zh", "en"):
        assert all(parent["title"][lang] in link["text"][lang] for link in splits)
        print_groups(shown, lang)
        printed = capsys.readouterr().out
        assert shown["reason"][lang] in printed
        for group in shown["groups"]:
            assert group["rule"][lang].split()[0] in printed
        assert splits[0]["text"][lang].split()[0][:8] in printed


def test_a_group_that_is_gone_is_told_by_the_name_it_had() -> None:
    link = {
        "previous": "g2",
        "current": None,
        "kind": "retired",
        "customers": 0,
        "previous_title": {"zh": "好客户", "en": "Good"},
    }
    stored = {"method": "kmeans", "k": {"k": 1, "reason": "cluster.reason.fixed", "candidates": []}, "fitted_on": 9, "quality": {}, "groups": [],
              "lineage": [link]}  # fmt: skip
    shown = found_groups({"clusters": {"found": stored}}, "found")
    assert shown is not None
    assert shown["lineage"][0]["text"] == {"zh": "“好客户”已消失", "en": "'Good' is gone"}


def test_naming_a_group_changes_no_fingerprint() -> None:
    plain = scheme_of()
    named = scheme_of(more="segments: [{id: g1, title: 好客户, owner: 王芳}]")
    assert plain.fingerprint == named.fingerprint
    assert plain.metadata_fingerprint != named.metadata_fingerprint
    assert scheme_of(k=4).fingerprint != plain.fingerprint


def test_a_reader_sees_the_groups_of_the_run(duckdb: Engine, tmp_path: Path) -> None:
    scheme = scheme_of(more="segments: [{id: g1, title: 好客户}]")
    rows, _ = planted(300)
    result, _ = found(duckdb, tmp_path, rows, scheme)
    settled = with_groups({"found": scheme}, {"found": result.segments})["found"]
    stored = json.loads(json.dumps({"found": result.manifest}))
    assert with_stored_groups({"found": scheme}, stored)["found"].segments == settled.segments
    assert settled.fingerprint == scheme.fingerprint


def test_a_crossed_scheme_shows_the_groups_that_were_found(duckdb: Engine, tmp_path: Path) -> None:
    rules = "scheme: two\nkind: rules\nsegments: [{id: new, when: recency_days <= 30}]\notherwise: {id: old}"
    cross = "scheme: both\nkind: cross\nof: [found, two]"
    text = "scheme: found\nkind: cluster\nk: 3\nfeatures: [recency_days, frequency, monetary]"
    schemes = load_schemes({"a.yaml": text, "b.yaml": rules, "c.yaml": cross}, everything())
    rows, _ = planted(300)
    result, _ = found(duckdb, tmp_path, rows, schemes["found"])
    settled = with_groups(schemes, {"found": result.segments})
    assert [segment.id for segment in settled["both"].segments][:3] == ["g1+new", "g1+old", "g2+new"]
    assert len(settled["both"].segments) == 4 * 2


# bad input
def test_one_customer_is_one_group(engine: Engine, tmp_path: Path) -> None:
    rows, _ = planted(1, missing=0)
    for k in (3, "auto"):
        result, assignment, members = assigned(engine, tmp_path / str(k), rows, scheme_of(k=k))
        assert members == {"C00000": "g1"}
        assert "cluster.constant" in {warning.code for warning in result.warnings}
        assert assignment.results["found"].customers == 1


def test_more_groups_than_different_customers_are_cut_with_a_warning(duckdb: Engine, tmp_path: Path) -> None:
    pattern, _ = planted(2, missing=0, seed=5)
    rows = [{**pattern[place % 2], "customer_id": f"C{place}"} for place in range(40)]
    result, labels = found(duckdb, tmp_path, rows, scheme_of(k=7))
    assert set(labels.values()) == {"g1", "g2"}
    warning = next(each for each in result.warnings if each.code == "cluster.fewer_groups")
    assert (warning.fields["asked"], warning.fields["different"]) == (7, 2)


def test_nobody_with_values_leaves_everybody_unknown(engine: Engine, tmp_path: Path) -> None:
    rows, _ = planted(30)
    blank: list[Row] = [{**dict.fromkeys(row), "customer_id": row["customer_id"]} for row in rows]
    result, _, members = assigned(engine, tmp_path, blank, scheme_of())
    assert set(members.values()) == {"unknown"}
    assert result.segments == ()
    assert "cluster.nobody" in {warning.code for warning in result.warnings}


def test_a_customer_without_any_value_is_unknown_not_grouped(duckdb: Engine, tmp_path: Path) -> None:
    rows, _ = planted(300, missing=0)
    rows[7] = {**dict.fromkeys(rows[7]), "customer_id": rows[7]["customer_id"]}
    _, _, members = assigned(duckdb, tmp_path, rows, scheme_of())
    assert members["C00007"] == "unknown"
    assert sum(group == "unknown" for group in members.values()) == 1


def test_only_customers_in_scope_are_grouped(duckdb: Engine, tmp_path: Path) -> None:
    rows, _ = planted(400, missing=0)
    _, assignment, members = assigned(
        duckdb, tmp_path, rows, scheme_of(k=2, more="scope: recency_days < 100")
    )
    assert set(members) == {row["customer_id"] for row in rows if row["recency_days"] < 100}
    assert assignment.results["found"].outside == len(rows) - len(members)


def test_groups_without_structure_are_called_unstable(duckdb: Engine, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    rows = [
        {
            "customer_id": f"C{n:04d}",
            "recency_days": int(rng.integers(1, 300)),
            "frequency": int(rng.integers(1, 300)),
        }
        for n in range(600)
    ]
    result, _ = found(duckdb, tmp_path, rows, scheme_of(k=7))
    assert result.manifest["quality"]["stability"] < 0.75
    assert "cluster.unstable" in {warning.code for warning in result.warnings}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("segments: [{id: vip}]", "cluster.group_id"),
        ("scope: segment('other') = 'g1'", "scheme.rule"),
        ("parameters: {p: {of: monetary, quantile: 0.5}}", "cluster.quantile_parameter"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(more: str, code: str) -> None:
    with pytest.raises(ConfigError) as caught:
        scheme_of(more=more)
    assert caught.value.code == code
    assert caught.value.fields["line"] > 0


def test_a_number_of_groups_out_of_range_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        scheme_of(k=50)
    assert caught.value.code == "cluster.k_range"


def test_a_missing_library_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, duckdb: Engine, tmp_path: Path
) -> None:
    from kequn.errors import ModelError
    from kequn.i18n import explain
    from kequn.scheme.clusters import methods

    monkeypatch.setattr(methods, "find_spec", lambda name: None)
    rows, _ = planted(100)
    write(duckdb, tmp_path, rows)
    with pytest.raises(ModelError) as caught:
        found(duckdb, tmp_path, rows, scheme_of())
    assert "kequn[cluster]" in explain(caught.value)


def test_k_prototypes_finds_planted_groups_where_kmodes_is_installed(duckdb: Engine, tmp_path: Path) -> None:
    pytest.importorskip("kmodes")
    rows, owners = planted(400, missing=0)
    _, labels = found(duckdb, tmp_path, rows, scheme_of("kprototypes", 3))
    assert agreement(labels, rows, owners) >= 0.95
