"""Every sentence a user may read exists in zh and en."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from kequn.i18n import catalogue

ROOT = Path(__file__).resolve().parents[2] / "src" / "kequn"
ERRORS = {"KequnError", "ConfigError", "DataError", "RuleError", "EngineError", "SnapshotError", "ModelError"}


def raised_codes() -> Iterator[tuple[str, str]]:
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            first = node.args[0]
            says = name in ERRORS or name in {"say", "fail"}
            if (
                says
                and isinstance(first, ast.Constant)
                and isinstance(first.value, str)
                and "." in first.value
            ):
                yield str(path.relative_to(ROOT)), first.value


def test_every_code_that_is_raised_or_said_has_words() -> None:
    missing = sorted({(code, path) for path, code in raised_codes() if code not in catalogue()})
    assert missing == []


@pytest.mark.parametrize("code", sorted(catalogue()))
def test_both_languages_say_the_same_fields(code: str) -> None:
    words = catalogue()[code]
    assert set(words) == {"zh", "en"}, code
    fields = [
        {name for _, name, _, _ in string.Formatter().parse(words[lang]) if name} for lang in ("zh", "en")
    ]
    assert fields[0] == fields[1], code
    assert words["zh"].strip() and words["en"].strip()
