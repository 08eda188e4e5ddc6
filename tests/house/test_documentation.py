"""Every command and every setting is documented in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel

from kequn.workspace import Settings

DOCS = Path(__file__).resolve().parents[2] / "docs"


def commands() -> list[str]:
    import kequn.cli.act
    import kequn.cli.look
    import kequn.cli.make
    import kequn.cli.models
    import kequn.cli.runs
    import kequn.cli.workbench  # noqa: F401
    from kequn.cli.app import app

    root = typer.main.get_command(app)
    found = []
    for name, command in getattr(root, "commands", {}).items():
        inner = getattr(command, "commands", {})
        found += [f"{name} {sub}" for sub in inner] or [name]
    return sorted(found)


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from settings(inner, f"{name}.")
        else:
            yield prefix + name


@pytest.mark.parametrize("page", ["commands.md", "zh/commands.md"])
def test_every_command_is_documented(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert [name for name in commands() if f"`kequn {name}" not in text] == []


@pytest.mark.parametrize("page", ["settings.md", "zh/settings.md"])
def test_every_setting_is_documented(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert [name for name in settings(Settings) if f"| `{name}` |" not in text] == []


@pytest.mark.parametrize("page", ["data.md", "zh/data.md"])
def test_every_key_of_a_source_is_documented(page: str) -> None:
    from kequn.data.sources import Format, RowNumber, Source

    text = (DOCS / page).read_text(encoding="utf-8")
    keys = [*Source.model_fields, *Format.model_fields, *RowNumber.model_fields]
    assert [name for name in keys if f"`{name}`" not in text and f"`{{{name}" not in text] == []


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_every_command_line_of_a_readme_is_one_that_parses(readme: str) -> None:
    """Command names, arguments and options as written there; nothing is run."""
    import shlex

    import kequn.cli.look
    import kequn.cli.make
    import kequn.cli.models
    import kequn.cli.runs
    import kequn.cli.workbench  # noqa: F401
    from kequn.cli.app import app

    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    lines = [
        shlex.split(line.strip().removeprefix(".venv/bin/"), comments=True)
        for line in (DOCS.parent / readme).read_text(encoding="utf-8").splitlines()
        if line.strip().removeprefix(".venv/bin/").startswith("kequn ")
    ]
    assert len(lines) >= 10
    for _, name, *arguments in lines:
        known[name].make_context(name, list(arguments))


def test_both_readmes_name_the_two_commands() -> None:
    for name in ("README.md", "README.zh-CN.md"):
        text = (DOCS.parent / name).read_text(encoding="utf-8")
        assert "make demo" in text
        assert "make test" in text
