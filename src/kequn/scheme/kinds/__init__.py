"""Kinds of schemes, one file each. A new file with a `KIND` is a new kind; nothing else needs to know."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import Any

from kequn.scheme.kind import Kind


@cache
def kinds() -> dict[str, Kind[Any]]:
    """All kinds by name."""
    found: dict[str, Kind[Any]] = {}
    for entry in sorted(pkgutil.iter_modules(__path__), key=lambda item: item.name):
        kind = getattr(import_module(f"{__name__}.{entry.name}"), "KIND", None)
        if kind is not None:
            found[kind.name] = kind
    return found


__all__ = ["kinds"]
