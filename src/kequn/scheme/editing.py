"""Changing a scheme file without losing its comments, its order or anybody's words."""

from __future__ import annotations

import io
from collections.abc import Mapping

from kequn.errors import ConfigError


def with_parameters(text: str, values: Mapping[str, int | float | str]) -> str:
    """The scheme text with these parameter values; everything else stays as it was written.

    Raises ConfigError for a parameter that the scheme doesn't have.
    """
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=2, offset=0)
    tree = yaml.load(text)
    known = tree.get("parameters") or {}
    for name, value in values.items():
        if name not in known:
            raise ConfigError(
                "scheme.unknown_parameter", file="-", where=f"parameters.{name}", name=name, known=list(known)
            )
        known[name] = value
    written = io.StringIO()
    yaml.dump(tree, written)
    return written.getvalue()


__all__ = ["with_parameters"]
