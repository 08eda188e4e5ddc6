"""Changing definitions from a program: checked, saved all or nothing, and what a change would do to whom."""

from kequn.editing.saving import (
    EDITABLE,
    Definition,
    check_definition,
    read_definition,
    remove_definition,
    save_definition,
)
from kequn.editing.trying import Effect, effect

__all__ = [
    "EDITABLE",
    "Definition",
    "Effect",
    "check_definition",
    "effect",
    "read_definition",
    "remove_definition",
    "save_definition",
]
