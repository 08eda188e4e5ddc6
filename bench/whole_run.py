"""The whole run on the generated facts: sources read and checked once, then profile to published snapshot, then a refresh."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import duckdb

from bench.stages import Stages, cpu_seconds

SETTINGS = """\
name: {zh: 基准测试, en: Benchmark}
currency: CNY
time_zone: Asia/Shanghai
as_of: 2026-11-01
engine: {memory_limit: 2GB}
settings: {keep_runs: 2}
"""
MONEY = {
    "orders": ("amount", "list_amount", "discount", "cost", "refunded_amount"),
    "order_lines": ("price", "amount", "list_amount", "discount"),
    "products": ("price", "cost"),
    "customers": (),
}
DERIVED = {"order_lines": ("customer_id", "ordered_at", "status", "category", "subcategory", "brand")}


def export(data: Path, folder: Path) -> None:
    """The generated facts as a shop would deliver them: money in yuan, no derived columns."""
    with duckdb.connect(config={"memory_limit": "4GB"}) as con:
        for table in MONEY:
            target = folder / "data" / table
            target.mkdir(parents=True, exist_ok=True)
            for file in sorted((data / "facts" / table).glob("*.parquet")):
                con.execute(
                    f"COPY ({_delivered(table, str(file))}) TO '{target / file.name}' (FORMAT parquet, COMPRESSION zstd)"
                )


def _delivered(table: str, file: str) -> str:
    money = ", ".join(f"CAST({name} * 0.01 AS DECIMAL(18, 2)) AS {name}" for name in MONEY[table])
    derived = ", ".join(DERIVED.get(table, ()))
    chosen = "*" + (f" EXCLUDE ({derived})" if derived else "") + (f" REPLACE ({money})" if money else "")
    return f"SELECT {chosen} FROM read_parquet('{file}')"


def sources(folder: Path) -> str:
    """sources.yaml with every column under its own name."""
    text = []
    for table in MONEY:
        names = duckdb.execute(
            f"SELECT * FROM read_parquet('{folder}/data/{table}/*.parquet') LIMIT 0"
        ).description
        columns = ", ".join(f"{name[0]}: {name[0]}" for name in names)
        text.append(
            f"{table}:\n- name: bench\n  files: ['data/{table}/*.parquet']\n  columns: {{{columns}}}\n"
        )
    return "".join(text)


class Steps:
    """CPU seconds from one step of a run to the next."""

    def __init__(self) -> None:
        self.cpu: dict[str, float] = {}
        self.step, self.began = "start", cpu_seconds()

    def __call__(self, step: str, share: float) -> None:
        now = cpu_seconds()
        self.cpu[self.step] = round(self.cpu.get(self.step, 0.0) + now - self.began, 2)
        self.step, self.began = step, now


def deliver(data: Path, out: Path, stages: Stages) -> None:
    """A workspace with its files, as a shop would bring them. Not Kequn's work, so in a process of its own."""
    folder = out / "workspace"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with stages.stage("deliver"):
        export(data, folder)
    (folder / "kequn.yaml").write_text(SETTINGS, encoding="utf-8")
    (folder / "sources.yaml").write_text(sources(folder), encoding="utf-8")


def prepare(data: Path, out: Path, stages: Stages) -> None:
    """Library schemes, parameters from the data. Reads and checks every source."""
    from kequn.pipeline.setup import prepare as set_up
    from kequn.workspace import Workspace

    with stages.stage("prepare"):
        set_up(Workspace.open(out / "workspace"))


def run(data: Path, out: Path, stages: Stages) -> None:
    """Facts unchanged: profile, predictions, clusters, schemes, audiences, portraits, snapshot."""
    from kequn.pipeline import run as run_pipeline
    from kequn.workspace import Workspace

    steps = Steps()
    with stages.stage("run"):
        result = run_pipeline(Workspace.open(out / "workspace"), listener=steps)
    steps("end", 1.0)
    manifest = result.snapshot.manifest
    stages.notes["cpu_s_by_step"] = steps.cpu
    stages.notes["customers"] = manifest.customers
    stages.notes["schemes"] = len(manifest.schemes)


def run_schemes(data: Path, out: Path, stages: Stages) -> None:
    """The run without fitting models: profile, every scheme that needs none, audiences, portraits, snapshot."""
    from kequn.pipeline import run as face  # noqa: F401  (loads the module that is changed below)
    from kequn.pipeline.clusters import Clustered

    steps = sys.modules["kequn.pipeline.run"]
    steps._predict = lambda running, plan: None  # type: ignore[attr-defined]
    steps.clusters_for = lambda running, relation, sight, schemes: Clustered(  # type: ignore[attr-defined]
        relation, {name: scheme for name, scheme in schemes.items() if scheme.kind.name != "cluster"}
    )
    run(data, out, stages)


def refresh(data: Path, out: Path, stages: Stages) -> None:
    """One percent of new orders has arrived: the changed sources are read again, then as `run_schemes`."""
    folder = out / "workspace" / "data"
    con = duckdb.connect()
    for table in ("orders", "order_lines"):
        some = f"SELECT * REPLACE ('N' || order_id AS order_id) FROM read_parquet('{folder / table}/part-0*.parquet') WHERE order_id LIKE '%00'"
        con.execute(f"COPY ({some}) TO '{folder / table / 'new.parquet'}' (FORMAT parquet, COMPRESSION zstd)")
    run_schemes(data, out, stages)


TASKS = {"deliver": deliver, "prepare": prepare, "run": run, "run_schemes": run_schemes, "refresh": refresh}

if __name__ == "__main__":
    task, data, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    stages = Stages()
    TASKS[task](data, out, stages)
    stages.report()
