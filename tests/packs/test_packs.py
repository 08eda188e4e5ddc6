"""Every pack, as a new user meets it: template, generated sample, a run, segments that say something."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from kequn.definitions import parse_yaml
from kequn.errors import ConfigError
from kequn.packs import load_pack, pack_names, write_pack, write_sample
from kequn.packs.pack import tuned_schemes
from kequn.pipeline import run
from kequn.pipeline.setup import copy_library, prepare
from kequn.pipeline.weights import learn_weights, write_weights
from kequn.scheme.library import texts as library_texts
from kequn.snapshot import Snapshot
from kequn.workspace import Settings, Workspace

QUICK = ("retail", "bank", "b2b")
RUNS = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in pack_names()]


@pytest.fixture(scope="module", params=RUNS)
def ran(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path, Snapshot]]:
    """A workspace made by `init --template`, filled with the pack's sample, prepared and run."""
    name = request.param
    folder = tmp_path_factory.mktemp("pack") / name
    workspace = Workspace.create(folder, Settings(name=name))
    write_pack(workspace, name)
    write_sample(folder, name)
    workspace = Workspace.open(folder)
    prepare(workspace)
    yield name, folder, run(workspace).snapshot


def sizes(folder: Path, snapshot: Snapshot) -> dict[str, dict[str, int]]:
    """Customers by scheme and segment, read from the published files."""
    files = (folder / "snapshots" / snapshot.manifest.run_id).glob("segment/*.parquet")
    rows = (
        duckdb.connect()
        .sql(f"SELECT scheme, segment, customers FROM read_parquet({[str(f) for f in files]})")
        .fetchall()
    )
    found: dict[str, dict[str, int]] = {}
    for scheme, segment, customers in rows:
        found.setdefault(scheme, {})[segment] = customers
    return found


def test_each_scheme_of_a_pack_separates_the_customers_of_its_sample(ran: tuple[str, Path, Snapshot]) -> None:
    name, folder, snapshot = ran
    found = sizes(folder, snapshot)
    pack = load_pack(name)
    for scheme in (*pack.own_schemes, *pack.about.schemes):
        assert scheme in found, f"{scheme} did not run"
        told_apart = [
            s for s, n in found[scheme].items() if n and s not in ("unknown", "not_gradable", "unranked")
        ]
        assert len(told_apart) >= 2, f"{scheme}: {found[scheme]}"


def test_nobody_is_lost_or_counted_twice_in_a_scheme_of_a_pack(ran: tuple[str, Path, Snapshot]) -> None:
    name, folder, snapshot = ran
    ids = snapshot.manifest.run_id
    files = [str(f) for f in (folder / "snapshots" / ids).glob("assignment/*.parquet")]
    for scheme in load_pack(name).own_schemes:
        members = [f for f in files if f"/{scheme}-" in f]
        row = (
            duckdb.connect()
            .sql(f"SELECT count(*), count(DISTINCT customer_id) FROM read_parquet({members})")
            .fetchall()
        )
        assert row[0][0] == row[0][1] > 0


def test_the_audiences_of_a_pack_have_members(ran: tuple[str, Path, Snapshot]) -> None:
    name, folder, snapshot = ran
    files = [
        str(f) for f in (folder / "snapshots" / snapshot.manifest.run_id).glob("audience_member/*.parquet")
    ]
    rows = (
        duckdb.connect().sql(f"SELECT audience, count(*) FROM read_parquet({files}) GROUP BY ALL").fetchall()
    )
    wanted = {path[10:-5] for path in load_pack(name).texts if path.startswith("audiences/")}
    assert {audience for audience, count in rows if count} >= wanted


def test_a_pack_runs_without_warnings_that_its_own_files_cause(ran: tuple[str, Path, Snapshot]) -> None:
    name, _, snapshot = ran
    own = set(load_pack(name).own_schemes)
    warnings = [w for w in snapshot.manifest.model_dump(mode="json")["warnings"] if w.get("scheme") in own]
    assert [w for w in warnings if w["code"] == "scheme.empty_segment"] == []


def folder_bytes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("name", pack_names())
def test_a_sample_has_the_same_bytes_each_time_and_says_that_it_is_generated(
    name: str, tmp_path: Path
) -> None:
    first, second = write_sample(tmp_path / "one", name), write_sample(tmp_path / "two", name)
    assert folder_bytes(first) == folder_bytes(second)
    readme = (first / "README.md").read_text(encoding="utf-8")
    assert "生成数据" in readme
    assert "generated data" in readme
    titles = Workspace.open(first).settings.name
    assert not isinstance(titles, str)
    assert "生成数据" in titles.zh
    assert "generated" in titles.en


@pytest.mark.parametrize("name", pack_names())
def test_everything_in_a_pack_has_words_in_both_languages(name: str) -> None:
    pack = load_pack(name)
    for words in (pack.about.title, pack.about.description, *pack.about.hints):
        assert words["zh"].strip()
        assert words["en"].strip()
    assert pack.own_schemes
    for path, text in pack.texts.items():
        content = parse_yaml(text, path)
        if path.startswith("audiences/"):
            assert set(content["title"]) == set(content["purpose"]) == {"zh", "en"}, path
        if path.startswith("schemes/"):
            assert all(set(content[key]) == {"zh", "en"} for key in ("title", "purpose", "limits")), path
            for segment in [
                *content.get("segments", []),
                *([content["otherwise"]] if "otherwise" in content else []),
            ]:
                assert set(segment["title"]) == {"zh", "en"}, (path, segment["id"])
                assert set(segment["playbook"]) == {"zh", "en"}, (path, segment["id"])
        for feature in content.get("features", []) if path == "features.yaml" else []:
            assert set(feature["title"]) == {"zh", "en"}, (path, feature["name"])


@pytest.mark.parametrize("name", pack_names())
def test_a_pack_names_only_schemes_that_the_library_has(name: str) -> None:
    pack = load_pack(name)
    assert {f"{scheme}.yaml" for scheme in pack.about.schemes} <= set(library_texts())
    assert not {f"{scheme}.yaml" for scheme in pack.own_schemes} & set(library_texts())
    for path, text in tuned_schemes(pack).items():
        assert parse_yaml(text, path)["parameters"].items() >= pack.about.schemes[Path(path).stem].items()


def test_retail_uses_a_nested_and_a_crossed_scheme() -> None:
    pack = load_pack("retail")
    assert parse_yaml(pack.texts["schemes/core_groups.yaml"], "-")["refine"] == {
        "active": "purchase_frequency"
    }
    assert parse_yaml(library_texts()["value_by_life_stage.yaml"], "-")["of"] == ["value_tier", "life_stage"]
    assert "value_by_life_stage" in pack.about.schemes


def test_an_unknown_pack_names_the_nearest_one() -> None:
    with pytest.raises(ConfigError) as caught:
        load_pack("softwares")
    assert caught.value.code == "packs.unknown"
    assert caught.value.fields["nearest"] == "software"


def test_writing_a_pack_again_keeps_what_people_changed(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "w", Settings(name="w"))
    write_pack(workspace, "retail")
    changed = workspace.schemes / "core_groups.yaml"
    changed.write_text("scheme: mine\n", encoding="utf-8")
    assert write_pack(Workspace.open(tmp_path / "w"), "retail") == []
    assert changed.read_text(encoding="utf-8") == "scheme: mine\n"
    assert Workspace.open(tmp_path / "w").settings.settings.repurchase is True


@pytest.mark.parametrize("page", ["packs", "zh/packs"])
@pytest.mark.parametrize("name", pack_names())
def test_every_pack_has_a_page_that_names_its_schemes(name: str, page: str) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / page / f"{name}.md").read_text(encoding="utf-8")
    pack = load_pack(name)
    assert [s for s in (*pack.own_schemes, *pack.about.schemes) if f"`{s}`" not in text] == []
    assert f"--template {name}" in text
    assert f"--sample {name}" in text


def test_a_pack_leaves_out_only_built_in_schemes_that_it_does_not_lead_with(tmp_path: Path) -> None:
    for name in pack_names():
        about = load_pack(name).about
        assert not set(about.leave_out) & set(about.schemes)
        assert {f"{scheme}.yaml" for scheme in about.leave_out} <= set(library_texts())
    workspace = Workspace.create(tmp_path / "w", Settings(name="w"))
    write_pack(workspace, "bank")
    opened = Workspace.open(tmp_path / "w")
    assert opened.settings.leave_out == load_pack("bank").about.leave_out
    written = copy_library(opened)
    assert "product_holdings.yaml" in written  # as it ships; bank_grade came with the pack's own parameters
    assert "credit_good: 700" in (opened.schemes / "bank_grade.yaml").read_text(encoding="utf-8")
    assert not {f"{scheme}.yaml" for scheme in opened.settings.leave_out} & set(written)


SAYS_LITTLE = {"customer_type", "device_preference", "retention"}
"""Most customers of one kind is what these are about."""


def test_no_scheme_of_a_sample_puts_nearly_everybody_in_one_segment(ran: tuple[str, Path, Snapshot]) -> None:
    _, folder, snapshot = ran
    for scheme, counts in sizes(folder, snapshot).items():
        whole = sum(counts.values())
        if whole and scheme not in SAYS_LITTLE:
            assert max(counts.values()) < 0.97 * whole, f"{scheme}: {counts}"
            assert counts.get("unknown", 0) < 0.9 * whole, f"{scheme}: {counts}"


@pytest.mark.parametrize("ran", ["retail"], indirect=True)
def test_weights_learnt_from_retention_are_written_where_they_do_better(
    ran: tuple[str, Path, Snapshot],
) -> None:
    _, folder, _ = ran
    workspace = Workspace.open(folder)
    learnt, scheme = learn_weights(workspace, "loyalty")
    assert scheme.name == "loyalty"
    assert learnt.customers > 200
    assert learnt.better
    before = (workspace.schemes / "loyalty.yaml").read_text(encoding="utf-8")
    file = write_weights(workspace, "loyalty", learnt)
    after = (workspace.schemes / file).read_text(encoding="utf-8")
    points = {
        item["id"]: max(item.get("points") or [c["points"] for c in item["choices"]])
        for item in parse_yaml(after, "-")["items"]
    }
    assert {item.id: points[item.id] for item in learnt.items} == {
        item.id: item.learnt for item in learnt.items
    }
    assert [line for line in after.splitlines() if "title" in line] == [
        line for line in before.splitlines() if "title" in line
    ]
    with pytest.raises(ConfigError) as caught:
        learn_weights(workspace, "loyalti")
    assert (caught.value.code, caught.value.fields["nearest"]) == ("pipeline.no_scorecard", "loyalty")
