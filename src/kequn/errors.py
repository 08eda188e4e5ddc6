"""The one family of errors that Kequn raises on purpose.

An error carries a code and fields, never a finished sentence: the words stand in `locale/*.yaml`, so that the command
line and the workbench can say it in the user's language.
"""

from __future__ import annotations

from typing import Any


class KequnError(Exception):
    """Root of all errors a user may see.

    `code` names the sentence in the catalogue (`room.what_went_wrong`); `fields` fill it in. A message says what was
    expected, what was found, where, and what to do next.
    """

    def __init__(self, code: str, /, **fields: Any) -> None:
        super().__init__(code)
        self.code = code
        self.fields = fields

    def __str__(self) -> str:
        detail = ", ".join(f"{name}={value!r}" for name, value in self.fields.items())
        return f"{self.code} ({detail})" if detail else self.code


class ConfigError(KequnError):
    """A file that the user wrote (YAML settings, schemes, features …) is wrong; `fields` hold `file` and `where`."""


class DataError(KequnError):
    """Source data can't be used at all (a bad row is quarantined instead)."""


class RuleError(KequnError):
    """A rule or an expression is wrong; `fields` hold `position` (0-based) and `word`."""


class EngineError(KequnError):
    """The engine can't start or can't do what was asked."""


class SnapshotError(KequnError):
    """A snapshot is missing, damaged or locked."""


class ModelError(KequnError):
    """A model can't be fitted or used on this data."""


__all__ = [
    "ConfigError",
    "DataError",
    "EngineError",
    "KequnError",
    "ModelError",
    "RuleError",
    "SnapshotError",
]
