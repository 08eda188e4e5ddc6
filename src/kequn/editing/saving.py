"""Saving a definition from a program: the same checks as `kequn check`, then the file, all or nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from kequn.audience import load_audiences
from kequn.definitions import ABSENT, fingerprint, parse_yaml, read_text, save_text
from kequn.errors import ConfigError
from kequn.language import Catalog
from kequn.pipeline.definitions import read_definitions
from kequn.pipeline.run import everything
from kequn.profile import FeatureFile, Registry
from kequn.reading.rules import snapshot_catalog
from kequn.scheme import Scheme, load_schemes, with_schemes

EDITABLE = re.compile(r"(schemes|audiences)/[a-z][a-z0-9_]{0,39}(\.[a-z][a-z0-9_]{0,39})?\.yaml", re.ASCII)


@dataclass(frozen=True)
class Definition:
    """A definition file as it stands: path in the workspace, text, and fingerprint (ABSENT when there is no file)."""

    path: str
    text: str
    fingerprint: str


def read_definition(folder: Path, path: str) -> Definition:
    """The file `path` of a workspace. Raises ConfigError for a path that isn't a scheme's or an audience's."""
    file = _file(folder, path)
    if not file.exists():
        return Definition(path, "", ABSENT)
    text = read_text(file)
    return Definition(path, text, fingerprint(text))


def check_definition(folder: Path, path: str, text: str, manifest: Mapping[str, Any] | None = None) -> None:
    """Check `text` as the new content of `path`, together with all other schemes and audiences of the workspace.

    `manifest` of the published run adds the names of this workspace's own columns.
    Raises ConfigError with file, line and, for a rule, position, word and nearest name.
    """
    checked(folder, path, text, manifest)


def checked(
    folder: Path, path: str, text: str, manifest: Mapping[str, Any] | None = None
) -> dict[str, Scheme]:
    """`check_definition`, and all schemes as they would be. Raises what it raises."""
    _file(folder, path)
    parse_yaml(text, path)
    definitions = read_definitions(folder)
    texts = {**definitions.texts, path: text}
    catalog = _catalog(definitions.features, manifest)
    schemes = load_schemes(
        {name: body for name, body in texts.items() if name.startswith("schemes/")}, catalog
    )
    audiences = {name: body for name, body in texts.items() if name.startswith("audiences/")}
    load_audiences(audiences, with_schemes(catalog, schemes.values()))
    return schemes


def save_definition(
    folder: Path, path: str, text: str, *, expected: str, manifest: Mapping[str, Any] | None = None
) -> Definition:
    """Check and write. Raises ConfigError, `definitions.changed` when the file isn't the one with fingerprint `expected`."""
    check_definition(folder, path, text, manifest)
    return Definition(path, text, save_text(_file(folder, path), text, expected=expected))


def remove_definition(folder: Path, path: str, *, expected: str) -> None:
    """Delete the file when it is still the one with fingerprint `expected`. Raises ConfigError otherwise."""
    if read_definition(folder, path).fingerprint != expected:
        raise ConfigError("definitions.changed", file=path)
    _file(folder, path).unlink(missing_ok=True)


def _file(folder: Path, path: str) -> Path:
    if not EDITABLE.fullmatch(path):
        raise ConfigError("definitions.no_file", file=path[:120])
    return folder / path


@cache
def _standard(as_of: date, digits: int) -> Catalog:
    """The names there are without features of one's own; planning them all takes a second."""
    return everything(Registry(), {}, as_of, digits)


def _catalog(features: tuple[FeatureFile, ...], manifest: Mapping[str, Any] | None) -> Catalog:
    digits = int((manifest or {}).get("minor_unit_digits", 2))
    as_of = date.fromisoformat(str(manifest["as_of"])) if manifest else date(2000, 1, 1)
    whole = everything(Registry(features), {}, as_of, digits) if features else _standard(as_of, digits)
    if not manifest:
        return whole
    here = snapshot_catalog(manifest)
    return replace(
        whole, columns={**here.columns, **whole.columns}, behaviours={**here.behaviours, **whole.behaviours}
    )


__all__ = [
    "EDITABLE",
    "Definition",
    "check_definition",
    "checked",
    "read_definition",
    "remove_definition",
    "save_definition",
]
