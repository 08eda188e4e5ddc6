"""What a change to a scheme would do is what the next run does."""

from __future__ import annotations

import json
import re
import shutil
from datetime import date
from pathlib import Path

import pytest
from tests.cli.test_commands import kequn
from tests.pipeline.conftest import NOW, write_shop

from kequn.editing import Effect, effect
from kequn.errors import ConfigError
from kequn.pipeline import run
from kequn.snapshot import Snapshot
from kequn.workspace import Workspace


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace.open(write_shop(tmp_path_factory.mktemp("effect") / "shop", seed=5))
    run(workspace, now=NOW)
    return workspace


def published(workspace: Workspace) -> Snapshot:
    snapshot = workspace.store.current()
    assert snapshot is not None
    return snapshot


def tried(workspace: Workspace, name: str, text: str) -> Effect:
    return effect(workspace, published(workspace), f"schemes/{name}.yaml", text)


def text_of(workspace: Workspace, name: str) -> str:
    return (workspace.folder / f"schemes/{name}.yaml").read_text(encoding="utf-8")


def test_an_unchanged_scheme_moves_nobody(shop: Workspace) -> None:
    declared = published(shop).manifest.model_dump(mode="json")["schemes"]
    names = [name for name, one in declared.items() if one["kind"] != "cluster"]
    assert len(names) > 10
    for name in names:
        file = declared[name]["file"].removesuffix(".yaml")
        found = tried(shop, file, text_of(shop, file))
        assert (found.moved, found.before) == (0, found.after), name


def test_a_changed_threshold_moves_those_whom_the_next_run_moves(shop: Workspace, tmp_path: Path) -> None:
    copy = Workspace.open(shutil.copytree(shop.folder, tmp_path / "copy"))
    before = published(copy)
    text = text_of(copy, "transaction_type")
    changed = _sooner(text)
    found = tried(copy, "transaction_type", changed)
    assert found.moved > 0 and sum(found.before.values()) == sum(found.after.values())
    (copy.folder / "schemes/transaction_type.yaml").write_text(changed, encoding="utf-8")
    said = json.loads(kequn("preview", "transaction_type.yaml", "--json", "-w", str(copy.folder)))
    assert said["after"] == dict(found.after)
    assert "transaction_type" in kequn(
        "preview", "schemes/transaction_type.yaml", "--lang", "en", "-w", str(copy.folder)
    )
    assert published(copy).run_id == before.run_id
    run(copy, now=NOW)
    counted = published(copy).manifest.model_dump(mode="json")["schemes"]["transaction_type"]["segments"]
    assert counted == dict(found.after)


def _sooner(text: str) -> str:
    """The scheme with every threshold in days halved."""
    changed = re.sub(r"(lapsed_days|new_days): (\d+)", lambda m: f"{m[1]}: {int(m[2]) // 3}", text)
    assert changed != text
    return changed


def test_a_new_scheme_moves_everybody_in(shop: Workspace) -> None:
    text = (
        "scheme: fresh\ntitle: 新近\nkind: rules\nsegments:\n"
        "- {id: now, title: 刚买过, when: recency_days <= 30}\notherwise: {id: other, title: 其他}\n"
    )
    found = tried(shop, "fresh", text)
    assert found.before == {} and found.moved == sum(found.after.values())
    assert {old for old, _, _ in found.moves} == {None}
    assert not (shop.folder / "schemes/fresh.yaml").exists()


def test_what_cannot_be_tried_is_told(shop: Workspace) -> None:
    with pytest.raises(ConfigError) as caught:
        tried(shop, "fresh", "scheme: fresh\nkind: rules\nsegments: []\n")
    assert caught.value.code.startswith(("definitions.", "scheme."))
    text = (
        "scheme: fresh\ntitle: 新近\nkind: rules\nsegments:\n"
        "- {id: now, title: 活跃, when: \"events(type = 'cart', days = 7) > 0\"}\notherwise: {id: other, title: 其他}\n"
    )
    with pytest.raises(ConfigError) as caught:
        tried(shop, "fresh", text)
    assert caught.value.code == "editing.no_effect"
    kequn("preview", "nothing.yaml", "-w", str(shop.folder), code=1)


def test_who_stays_in_a_segment_stays_in_the_preview(
    shop: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Workspace.open(shutil.copytree(shop.folder, tmp_path / "copy"))
    text = (
        "scheme: fresh\ntitle: 新近\nkind: rules\nsegments:\n"
        "- {id: now, title: 刚买过, when: recency_days <= 200, stay: recency_days <= 2000}\n"
        "otherwise: {id: other, title: 其他}\n"
    )
    (copy.folder / "schemes/fresh.yaml").write_text(text, encoding="utf-8")
    for day in (date(2026, 6, 1), date(2026, 11, 1)):
        run(copy, as_of=day, now=NOW)
    assert tried(copy, "fresh", text).moved == 0
    monkeypatch.setattr("kequn.editing.trying.members_before", lambda previous, schemes: {})
    assert tried(copy, "fresh", text).moved > 0  # somebody was held
