"""Built-in schemes, one YAML file each. `name.what.yaml` is an alternative of `name.yaml` for workspaces with other data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from kequn.language import Catalog
from kequn.scheme.kind import Scheme
from kequn.scheme.loading import load_scheme, load_schemes, possible, with_schemes


@dataclass(frozen=True)
class Offer:
    """Built-in schemes for a workspace: `usable` with their texts by file name, and what the `missing` others need."""

    usable: Mapping[str, Scheme]
    texts: Mapping[str, str]
    missing: Mapping[str, tuple[str, ...]]


@cache
def texts() -> dict[str, str]:
    """YAML texts of all built-in schemes by file name; a main file comes before its alternatives."""
    files = [entry for entry in resources.files(__name__).iterdir() if entry.name.endswith(".yaml")]
    ordered = sorted(files, key=lambda entry: (entry.name.split(".")[0], entry.name.count("."), entry.name))
    return {entry.name: entry.read_text(encoding="utf-8") for entry in ordered}


def offer(everything: Catalog, here: Catalog) -> Offer:
    """What the built-in library can do in a workspace whose columns are `here`.

    `everything` holds all columns that could exist (checks the texts); of the alternatives of a scheme the first that
    works is taken, and where none does, `missing` says what the main one needs.
    """
    files = texts()
    main = {name: text for name, text in files.items() if name.count(".") == 1}
    loaded = load_schemes(main, everything)
    sight = with_schemes(everything, loaded.values())
    usable, missing = possible(loaded, here)
    chosen = {scheme.name: scheme for scheme in usable.values()}
    for file, text in files.items():
        if file in main or file.split(".")[0] in chosen:
            continue
        scheme = load_scheme(text, file, sight)
        if not possible({scheme.name: scheme}, with_schemes(here, chosen.values()))[1]:
            chosen[scheme.name] = scheme
            missing.pop(scheme.name, None)
    return Offer(chosen, {scheme.file: files[scheme.file] for scheme in chosen.values()}, missing)


__all__ = ["Offer", "offer", "texts"]
