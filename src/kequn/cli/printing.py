"""Tables, numbers and progress for the terminal."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from kequn.i18n import say


def print_json(value: Any) -> None:
    """JSON with dates as ISO text and money as numbers written out exactly."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2, default=_plain)
    sys.stdout.write("\n")


def _plain(value: Any) -> Any:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, right: Sequence[int] = ()
) -> None:
    """A plain table with a title; `right` are the indexes of number columns."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, title_style="bold")
    for index, name in enumerate(columns):
        table.add_column(escape(name), justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape("" if cell is None else str(cell)) for cell in row))
    Console().print(table)


def print_line(text: str) -> None:
    """One line, wrapped to the terminal; marks in it are not read as style."""
    from rich.console import Console
    from rich.markup import escape

    Console(soft_wrap=True, highlight=False).print(escape(text))


def own_name() -> str:
    """How this command is called again: `kequn` where the shell finds it, else the path it was called by."""
    if shutil.which("kequn"):
        return "kequn"
    called = Path(sys.argv[0])
    if called.name != "kequn":
        return f"{shlex.quote(sys.executable)} -m kequn"
    here = Path.cwd()
    return shlex.quote(str(called.relative_to(here) if called.is_relative_to(here) else called))


def count(value: int | float | Decimal | None) -> str:
    """A number with thousands separators; nothing for None."""
    if value is None:
        return "–"
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.2f}"
    return f"{value:,.2f}" if isinstance(value, Decimal) else f"{int(value):,}"


def percent(share: float | None) -> str:
    """A share as a percentage with one decimal."""
    return "–" if share is None else f"{100 * share:.1f}%"


@contextmanager
def progress(lang: str, *, quiet: bool = False) -> Iterator[Callable[[str, float], None] | None]:
    """A progress bar fed with (step, share done), on a terminal only."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=1.0)

        def tell(step: str, done: float) -> None:
            bar.update(task, completed=done, description=say(f"step.{step}", lang))

        yield tell


__all__ = ["count", "own_name", "percent", "print_json", "print_line", "print_table", "progress"]
