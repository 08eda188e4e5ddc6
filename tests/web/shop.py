"""A small shop run twice by the real pipeline: what the data pages read. Two account managers, names, phones."""

from __future__ import annotations

import csv
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

from tests.pipeline.conftest import write_shop

from kequn.pipeline.run import run
from kequn.pipeline.setup import prepare
from kequn.workspace import Workspace

MANAGERS = ("lin", "周子航")
NAMES = ("胡佳怡", "林晓", "王伟", "<script>alert(1)</script>")
SCHEMES = ("rfm", "transaction_type", "value_tier")


def build(folder: Path) -> Path:
    """The workspace `folder`, run as of 2026-10-01 and as of 2026-11-01; only three schemes, so that it takes seconds."""
    write_shop(folder)
    file = folder / "data/customers.csv"
    with file.open(encoding="utf-8", newline="") as source:
        head, *rows = list(csv.reader(source))
    with file.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        writer.writerow([*head, "姓名", "手机", "客户经理"])
        for place, row in enumerate(rows):
            writer.writerow([*row, NAMES[place % 4], f"138{place:08d}", MANAGERS[place % 2]])
    sources = folder / "sources.yaml"
    text = sources.read_text(encoding="utf-8")
    sources.write_text(
        text.replace(
            "income: 年收入}", "income: 年收入, name: 姓名, phone: 手机, account_manager: 客户经理}"
        ),
        encoding="utf-8",
    )
    for scheme in (folder / "schemes").glob("*.yaml"):
        if scheme.stem not in SCHEMES:
            scheme.unlink()
    workspace = Workspace.open(folder)
    now = datetime(2026, 11, 22, 9, tzinfo=UTC)
    prepare(workspace, now)
    run(workspace, as_of=date(2026, 10, 1), now=now)
    run(workspace, as_of=date(2026, 11, 1), now=now.replace(hour=10))
    return folder


def place(folder: Path, snapshots: Path) -> None:
    """Copy the runs of `folder` to where the workbench under test looks."""
    shutil.copytree(folder / "snapshots", snapshots, dirs_exist_ok=True)
