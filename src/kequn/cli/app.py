"""The Typer application: what all commands share, and how errors become one clear sentence."""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kequn.errors import ConfigError, KequnError, SnapshotError

if TYPE_CHECKING:
    from kequn.i18n import Lang
    from kequn.snapshot import Snapshot
    from kequn.workspace import Workspace

app = typer.Typer(
    name="kequn",
    help="客群：可信的客户细分与客户群定位 · Customer segments you can trust, and how to act on them.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

WorkspaceOption = Annotated[Path, typer.Option("-w", "--workspace", help="工作区文件夹 · workspace folder")]
LangOption = Annotated[str | None, typer.Option("--lang", help="语言 · language: zh | en")]
JsonOption = Annotated[bool, typer.Option("--json", help="输出 JSON · print JSON")]
HERE = Path()


@dataclass
class Session:
    """The language errors are worded in, known as soon as an option or a workspace tells it."""

    lang: Lang = "zh"


session = Session()


def speak(lang: str | None, workspace: Workspace | None = None) -> Lang:
    """Settle the language: the option, else the workspace's, else the environment's, else zh."""
    if lang is not None and lang not in ("zh", "en"):
        raise typer.BadParameter("zh | en", param_hint="--lang")
    if lang is None and workspace is not None:
        lang = workspace.settings.language
    if lang is None:
        lang = "en" if os.environ.get("LANG", "").lower().startswith("en") else "zh"
    session.lang = "en" if lang == "en" else "zh"
    return session.lang


def open_workspace(folder: Path, lang: str | None) -> tuple[Workspace, Lang]:
    """The workspace in `folder` and the language to speak."""
    from kequn.workspace import Workspace

    speak(lang)
    workspace = Workspace.open(folder)
    return workspace, speak(lang, workspace)


def published(folder: Path, lang: str | None) -> tuple[Workspace, Snapshot, Lang]:
    """The workspace, its published snapshot and the language. Raises SnapshotError when nothing is published yet."""
    workspace, spoken = open_workspace(folder, lang)
    snapshot = workspace.store.current()
    if snapshot is None:
        raise SnapshotError("cli.nothing_published", folder=str(folder))
    return workspace, snapshot, spoken


def run_guarded() -> int:
    """Run the application; 0 good, 1 a clear error on stderr, 2 wrong usage."""
    import kequn.cli.act
    import kequn.cli.learning
    import kequn.cli.look
    import kequn.cli.make
    import kequn.cli.models
    import kequn.cli.runs
    import kequn.cli.workbench  # noqa: F401
    from kequn.i18n import explain, say

    try:
        app(standalone_mode=True)
    except SystemExit as stop:
        return int(stop.code or 0) if not isinstance(stop.code, str) else 1
    except KequnError as error:
        told = explain(error, session.lang)
        place = _place(error) if isinstance(error, ConfigError) else ""
        if str(error.fields.get("file")) in told:
            place = ""
        print(f"{say('cli.error', session.lang)}{place}{told}", file=sys.stderr)
        return 1
    except OSError as error:
        code = "cli.disk_full" if error.errno == errno.ENOSPC else "cli.os_error"
        print(say("cli.error", session.lang) + say(code, session.lang, detail=str(error)), file=sys.stderr)
        return 1
    except Exception as error:
        if (
            type(error).__module__.split(".")[0] not in ("duckdb", "_duckdb")
            or "IO" not in type(error).__name__
        ):
            raise
        from kequn.engine.duckdb import io_failure

        code, fields = io_failure(error)
        print(say("cli.error", session.lang) + say(code, session.lang, **fields), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(say("cli.interrupted", session.lang), file=sys.stderr)
        return 1
    return 0


def _place(error: KequnError) -> str:
    file, line = error.fields.get("file"), error.fields.get("line")
    return f"{file}:{line}: " if file and line else f"{file}: " if file else ""


def main() -> None:
    """Entry point of the `kequn` command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    sys.exit(run_guarded())


__all__ = [
    "HERE",
    "JsonOption",
    "LangOption",
    "WorkspaceOption",
    "app",
    "main",
    "open_workspace",
    "published",
    "speak",
]
