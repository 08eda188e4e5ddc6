"""Same workspace, same result: DuckDB, Spark local and a Spark master with two workers give the same cells and members."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.conftest import need
from tests.pipeline.conftest import write_shop

KEQUN = [sys.executable, "-m", "kequn"]
SPARK = "engine: {{kind: spark, master: '{master}', spark: {{spark.executor.memory: 1g, spark.sql.shuffle.partitions: '4'}}}}"


def run(folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [*KEQUN, "run", "-w", str(folder), "--json"], capture_output=True, text=True, timeout=850, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def differing_cells(one: Path, other: Path, table: str = "profile") -> int:
    """Rows of a table of the two published snapshots that aren't equal in every column."""
    profiles = [str(next((folder / "snapshots").glob("2*")) / table / "*.parquet") for folder in (one, other)]
    names = [
        row[0]
        for row in duckdb.connect()
        .execute("DESCRIBE SELECT * FROM read_parquet(?)", [profiles[0]])
        .fetchall()
    ]
    columns = ", ".join(f'"{name}"' for name in names)
    row = (
        duckdb.connect()
        .execute(
            f"SELECT count(*) FROM ((SELECT {columns} FROM read_parquet(?) EXCEPT ALL SELECT {columns} FROM read_parquet(?)) UNION ALL "
            f"(SELECT {columns} FROM read_parquet(?) EXCEPT ALL SELECT {columns} FROM read_parquet(?)))",
            [profiles[0], profiles[1], profiles[1], profiles[0]],
        )
        .fetchone()
    )
    assert row is not None
    return int(row[0])


def need_spark() -> None:
    need(find_spec("pyspark") and (os.environ.get("JAVA_HOME") or shutil.which("java")), "Java with pyspark")


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A Spark master and two workers on this machine."""
    need_spark()
    import pyspark

    home = Path(pyspark.__file__).parent
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_HOME": str(home),
    }
    spark_class = str(home / "bin" / "spark-class")
    address = f"spark://127.0.0.1:{port}"
    master = [
        spark_class,
        "org.apache.spark.deploy.master.Master",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--webui-port",
        "0",
    ]
    worker = [
        spark_class,
        "org.apache.spark.deploy.worker.Worker",
        "--host",
        "127.0.0.1",
        "--cores",
        "1",
        "--memory",
        "1g",
        "--webui-port",
        "0",
        address,
    ]
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in (master, worker, worker)
    ]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
    yield address
    for process in reversed(started):
        process.terminate()
        process.wait(timeout=30)


@pytest.mark.spark
@pytest.mark.timeout(1200)
def test_local_spark_equals_duckdb_on_the_demo_data(demo_copy: Callable[[str, str], Path]) -> None:
    need_spark()
    here, there = demo_copy("duckdb", ""), demo_copy("spark", SPARK.format(master="local[2]"))
    first, second = run(here), run(there)
    assert (first["engine"], second["engine"]) == ("duckdb", "spark")
    assert first["digests"] == second["digests"]
    assert len(first["digests"]) >= 12
    assert {
        table: differing_cells(here, there, table) for table in ("profile", "prediction", "recommendation")
    } == dict.fromkeys(("profile", "prediction", "recommendation"), 0)


@pytest.mark.spark
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_master_with_two_workers_equals_duckdb_on_the_demo_data(
    demo_copy: Callable[[str, str], Path], cluster: str
) -> None:
    here, there = demo_copy("duckdb", ""), demo_copy("cluster", SPARK.format(master=cluster))
    first, second = run(here), run(there)
    assert first["digests"] == second["digests"]
    assert differing_cells(here, there) == 0


@pytest.mark.spark
@pytest.mark.timeout(900)
def test_a_master_with_two_workers_equals_duckdb_on_random_data(tmp_path: Path, cluster: str) -> None:
    here, there = write_shop(tmp_path / "here", seed=3), write_shop(tmp_path / "there", seed=3)
    with (there / "kequn.yaml").open("a", encoding="utf-8") as file:
        file.write(SPARK.format(master=cluster) + "\n")
    first, second = run(here), run(there)
    assert first["digests"] == second["digests"]
    assert differing_cells(here, there) == 0
