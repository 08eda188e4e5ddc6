"""Changing a scheme file without losing its comments, its order or anybody's words."""

from __future__ import annotations

import io
from collections.abc import Mapping
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, Any

from kequn.errors import ConfigError

if TYPE_CHECKING:
    from ruamel.yaml import YAML


def with_parameters(text: str, values: Mapping[str, int | float | str]) -> str:
    """The scheme text with these parameter values; everything else stays as it was written.

    Raises ConfigError for a parameter that the scheme doesn't have.
    """
    yaml = _round_trip()
    tree = yaml.load(text)
    known = tree.get("parameters") or {}
    for name, value in values.items():
        if name not in known:
            raise ConfigError(
                "scheme.unknown_parameter", file="-", where=f"parameters.{name}", name=name, known=list(known)
            )
        known[name] = value
    return _dumped(yaml, tree)


def with_item_points(text: str, most: Mapping[str, int]) -> str:
    """The scorecard's text with the points of each item scaled so that the most it gives is `most[item]`.

    >>> text = "items:\\n- {id: a, column: x, edges: [1, 2], points: [0, 5, 10]}\\n"
    >>> with_item_points(text, {"a": 20})
    'items:\\n- {id: a, column: x, edges: [1, 2], points: [0, 10, 20]}\\n'
    """
    yaml = _round_trip()
    tree = yaml.load(text)
    for item in tree["items"]:
        if item["id"] not in most:
            continue
        choices = item.get("choices") or []
        before = max(
            [*(item.get("points") or []), *(choice["points"] for choice in choices), item.get("else") or 0]
        )
        scale = Fraction(most[item["id"]], before)
        for place, value in enumerate(item.get("points") or []):
            item["points"][place] = _half_up(value * scale)
        for choice in choices:
            choice["points"] = _half_up(choice["points"] * scale)
        if item.get("else"):
            item["else"] = _half_up(item["else"] * scale)
    return _dumped(yaml, tree)


def _half_up(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


def _round_trip() -> YAML:
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=2, offset=0)
    return yaml


def _dumped(yaml: YAML, tree: Any) -> str:
    written = io.StringIO()
    yaml.dump(tree, written)
    return written.getvalue()


__all__ = ["with_item_points", "with_parameters"]
