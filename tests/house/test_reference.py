"""The written word keeps up: reference pages equal the declarations, each page has its twin, each key and link is there."""

from __future__ import annotations

import re
from datetime import date
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

from kequn.data.sources import Format, Source, Sources
from kequn.definitions import parse_yaml, validate
from kequn.profile import FeatureFile, Registry
from kequn.profile.declaration import FeatureDeclaration

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def script() -> ModuleType:
    spec = spec_from_file_location("reference_docs", ROOT / "scripts/reference_docs.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_reference_pages_say_what_is_declared(lang: str) -> None:
    made = script()
    stale = [
        name
        for name, make in made.PAGES.items()
        if (made.FOLDERS[lang] / name).read_text(encoding="utf-8") != make(lang)
    ]
    assert stale == [], "run scripts/reference_docs.py"


def test_every_page_stands_in_both_languages() -> None:
    english = {path.relative_to(DOCS) for path in DOCS.rglob("*.md") if "zh" not in path.parts}
    chinese = {path.relative_to(DOCS / "zh") for path in (DOCS / "zh").rglob("*.md")}
    assert english == chinese


@pytest.mark.parametrize(
    ("page", "model"), [("data.md", Source), ("data.md", Format), ("features.md", FeatureDeclaration)]
)
@pytest.mark.parametrize("folder", ["", "zh/"])
def test_every_key_of_a_source_and_a_feature_is_documented(
    folder: str, page: str, model: type[BaseModel]
) -> None:
    text = (DOCS / folder / page).read_text(encoding="utf-8")
    keys = [field.alias or name for name, field in model.model_fields.items()]
    assert [key for key in keys if f"`{key}`" not in text] == []


@pytest.mark.parametrize("folder", ["", "zh/"])
def test_the_examples_on_the_pages_are_accepted(folder: str) -> None:
    sources, features = (_example(DOCS / folder / name) for name in ("data.md", "features.md"))
    assert Sources.model_validate(parse_yaml(sources, "sources.yaml")).orders[0].name == "tmall"
    file = validate(FeatureFile, parse_yaml(features, "features.yaml"), "features.yaml")
    columns = {item.name for item in Registry((file,)).everything(date(2026, 11, 1)).columns}
    assert {"evening_revenue", "app_orders_30d", "app_orders_90d", "evening_revenue_share"} <= columns


def _example(path: Path) -> str:
    found = re.search(r"```yaml\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def test_no_link_between_pages_is_dead() -> None:
    dead = []
    for path in (*DOCS.rglob("*.md"), *ROOT.glob("*.md")):
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8")):
            if "://" not in target and not (path.parent / target).exists():
                dead.append(f"{path.relative_to(ROOT)}: {target}")
    assert dead == []
