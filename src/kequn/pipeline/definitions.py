"""Everything a workspace declares, read once at the beginning of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kequn.data.sources import Sources, load_sources, parse_sources
from kequn.definitions import read_text
from kequn.profile import FeatureFile, load_features

FOLDERS = ("schemes", "audiences", "playbooks", "positioning", "questionnaires")


@dataclass(frozen=True)
class Definitions:
    """Typed sources and features; schemes, audiences and the rest as texts by their path in the workspace."""

    sources: Sources
    features: tuple[FeatureFile, ...]
    texts: Mapping[str, str]

    def under(self, folder: str) -> dict[str, str]:
        """The texts of one folder, by path."""
        return {path: text for path, text in self.texts.items() if path.startswith(f"{folder}/")}


def read_definitions(folder: Path) -> Definitions:
    """Read `sources.yaml`, `features.yaml`, `schemes/*.yaml` and the other definitions of a workspace.

    Raises ConfigError with file and place for anything wrong in them.
    """
    texts: dict[str, str] = {}
    for name in ("kequn.yaml", "sources.yaml", "features.yaml"):
        if (folder / name).exists():
            texts[name] = read_text(folder / name)
    for part in FOLDERS:
        for path in sorted((folder / part).glob("*.yaml")):
            texts[f"{part}/{path.name}"] = read_text(path)
    sources = load_sources(folder / "sources.yaml") if "sources.yaml" in texts else parse_sources("{}")
    features = (load_features(folder / "features.yaml"),) if "features.yaml" in texts else ()
    return Definitions(sources, features, texts)


__all__ = ["Definitions", "read_definitions"]
