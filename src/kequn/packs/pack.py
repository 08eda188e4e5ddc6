"""A pack: the schemes, features, audiences and questionnaires that an industry starts with, as a folder of texts.

`library/<name>/pack.yaml` says what the pack is for and which built-in schemes it leads with, with parameters where the
industry differs; everything else in the folder is copied as it stands. `sources.yaml` is both a template (its comments
say what to fill in) and the mapping of the pack's sample, so a template that can't be read fails the tests.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kequn.definitions import nearest, read_text, save_text, save_yaml, validate
from kequn.errors import ConfigError
from kequn.i18n import packaged_yaml
from kequn.workspace import Workspace

NAMES = ("retail", "cosmetics", "travel", "bank", "telecom", "catering", "b2b", "software")
"""In the order in which the documentation lists them."""
FOLDERS = ("schemes", "audiences", "questionnaires", "calendar")
Words = dict[Literal["zh", "en"], str]


class Need(BaseModel):
    """A table that the pack works on, and what it is good for there."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    table: str
    required: bool = False
    zh: str
    en: str


class PackFile(BaseModel):
    """`pack.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    pack: str
    title: Words
    description: Words
    models: list[str] = Field(min_length=1)
    schemes: dict[str, dict[str, Annotated[int | float | str, Field(union_mode="left_to_right")]]]
    """Built-in schemes that lead in this industry, each with the parameters that differ."""
    hints: list[Words] = Field(min_length=1)
    needs: list[Need] = Field(min_length=1)
    leave_out: list[str] = Field(default_factory=list)
    """Built-in schemes that say nothing in this industry."""
    settings: dict[str, Any] = Field(default_factory=dict)
    sample: dict[str, Any] = Field(default_factory=dict)
    """Further settings of the sample workspace alone."""


@dataclass(frozen=True)
class Pack:
    """A pack as shipped: what it says about itself, and its texts by path in a workspace (`schemes/trip_style.yaml`)."""

    name: str
    about: PackFile
    texts: Mapping[str, str]

    @property
    def title(self) -> Words:
        """The industry in both languages."""
        return self.about.title

    @property
    def own_schemes(self) -> tuple[str, ...]:
        """Names of the schemes that only this pack has."""
        return tuple(path[8:-5] for path in self.texts if path.startswith("schemes/"))


def pack_names() -> tuple[str, ...]:
    """Names of all packs, as `--template` and `--sample` take them."""
    return NAMES


def load_pack(name: str) -> Pack:
    """The pack `name`. Raises ConfigError with the nearest name when there is none."""
    if name not in NAMES:
        raise ConfigError(
            "packs.unknown", name=name, nearest=nearest(name, NAMES) or NAMES[0], known=list(NAMES)
        )
    folder = resources.files("kequn.packs") / "library" / name
    texts = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".yaml")
    }
    about = validate(PackFile, packaged_yaml(texts.pop("pack.yaml")), f"{name}/pack.yaml")
    for part in FOLDERS:
        inner = folder / part
        if inner.is_dir():
            for entry in sorted(inner.iterdir(), key=lambda entry: entry.name):
                texts[f"{part}/{entry.name}"] = entry.read_text(encoding="utf-8")
    return Pack(name, about, texts)


def write_pack(workspace: Workspace, name: str) -> list[str]:
    """Copy the pack `name` into a workspace; paths written. Files that are there already stay as they are.

    The pack's settings and `leave_out` go into kequn.yaml. Raises ConfigError for an unknown name.
    """
    pack = load_pack(name)
    written = []
    for path, text in {**pack.texts, **tuned_schemes(pack)}.items():
        target = workspace.folder / path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            save_text(target, text)
            written.append(path)
    if pack.about.settings or pack.about.leave_out:
        file = workspace.folder / "kequn.yaml"
        save_yaml(file, _with_settings(read_text(file), pack.about))
    return written


def tuned_schemes(pack: Pack) -> dict[str, str]:
    """Built-in schemes whose parameters the pack changes, by path."""
    from kequn.scheme.editing import with_parameters
    from kequn.scheme.library import texts

    library = texts()
    return {
        f"schemes/{name}.yaml": with_parameters(library[f"{name}.yaml"], values)
        for name, values in pack.about.schemes.items()
        if values
    }


def _with_settings(text: str, about: PackFile) -> str:
    """kequn.yaml with the pack's settings, comments kept; what is set there already wins."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 4096
    tree = yaml.load(text)
    if about.leave_out:
        tree.setdefault("leave_out", about.leave_out)
    known = tree.setdefault("settings", {})
    for name, value in about.settings.items():
        if known.get(name) is None:
            known[name] = value
    written = io.StringIO()
    yaml.dump(tree, written)
    return written.getvalue()


__all__ = ["Need", "Pack", "PackFile", "load_pack", "pack_names", "tuned_schemes", "write_pack"]
