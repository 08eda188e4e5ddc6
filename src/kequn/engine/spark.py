"""The distributed engine: Spark 4, local or on a cluster (`spark://…`), for data that outgrow one machine.

Every worker must see the folders of the workspace. Differences from DuckDB are kept out of the language (ENGINE notes in
docs/engine.md); what is left differs here.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import uuid
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kequn.engine.protocol import BatchFunction, EngineSettings, Parquet
from kequn.errors import EngineError

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlglot import exp

JAVA_PACKAGE = "openjdk-17-jre-headless"
DEFAULTS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "8",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "100000",
    "spark.sql.optimizer.maxIterations": "200",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.memory": "2g",
}


def java_home() -> str | None:
    """Where Java is, from JAVA_HOME or the PATH; None when there is none."""
    if os.environ.get("JAVA_HOME"):
        return os.environ["JAVA_HOME"]
    java = shutil.which("java")
    return str(Path(java).resolve().parent.parent) if java else None


def start_session(settings: EngineSettings) -> Any:
    """A SparkSession for `settings`; EngineError names what to install."""
    if find_spec("pyspark") is None:
        raise EngineError("engine.spark_missing")
    home = java_home()
    if home is None:
        raise EngineError("engine.java_missing", package=JAVA_PACKAGE)
    os.environ.setdefault("JAVA_HOME", home)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("kequn").master(settings.master)
    chosen = {**DEFAULTS, **dict(settings.spark)}
    if settings.master.startswith("local") or "127.0.0.1" in settings.master:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        chosen.setdefault("spark.driver.host", "127.0.0.1")
        chosen.setdefault("spark.driver.bindAddress", "127.0.0.1")
    for key, value in chosen.items():
        builder = builder.config(key, value)
    try:
        session = builder.getOrCreate()
    except Exception as error:
        raise EngineError(
            "engine.spark_start", master=settings.master, detail=str(error).splitlines()[0]
        ) from error
    session.sparkContext.setLogLevel("ERROR")
    return session


def zipped_package() -> Path:
    """This package as a zip, for workers that don't have it installed."""
    root = Path(__file__).resolve().parents[1]
    target = Path(tempfile.mkdtemp(prefix="kequn-spark-")) / "kequn.zip"
    with zipfile.ZipFile(target, "w") as archive:
        for file in root.rglob("*"):
            if file.suffix in {".py", ".yaml"} and "web" not in file.relative_to(root).parts:
                archive.write(file, Path("kequn") / file.relative_to(root))
    return target


class SparkEngine:
    """Spark SQL over the same trees, emitted in Spark's dialect."""

    name = "spark"

    def __init__(self, settings: EngineSettings) -> None:
        self._spark = start_session(settings)
        if not settings.master.startswith("local"):
            self._spark.sparkContext.addPyFile(str(zipped_package()))

    def _frame(self, query: exp.Query) -> Any:
        try:
            return self._spark.sql(query.sql(dialect="spark"))
        except Exception as error:
            raise EngineError("engine.spark_query", detail=str(error).splitlines()[0]) from error

    def view(self, name: str, source: Parquet | exp.Query) -> None:
        if isinstance(source, Parquet):
            frame = self._spark.read.parquet(*(f"file://{file.resolve()}" for file in source.files))
        else:
            frame = self._frame(source)
        frame.createOrReplaceTempView(name)

    def sql(self, query: exp.Query) -> pa.Table:
        return self._frame(query).toArrow()

    def rows(self, query: exp.Query) -> list[dict[str, Any]]:
        return list(self.sql(query).to_pylist())

    def scalar(self, query: exp.Query) -> Any:
        row = self._frame(query).first()
        return row[0] if row is not None else None

    def write_parquet(
        self, query: exp.Query, folder: Path, *, prefix: str = "part", sort: Sequence[str] = ()
    ) -> int:
        frame = self._frame(query)
        if sort:
            frame = frame.orderBy(*(frame[column].asc_nulls_last() for column in sort))
        return self._write(frame, folder, prefix)

    def map_arrow(
        self,
        query: exp.Query,
        function: BatchFunction,
        schema: pa.Schema,
        folder: Path,
        *,
        prefix: str = "part",
    ) -> int:
        from pyspark.sql.pandas.types import from_arrow_schema

        def over(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                yield function(batch)

        frame = self._frame(query).mapInArrow(over, from_arrow_schema(schema, prefer_timestamp_ntz=True))
        return self._write(frame, folder, prefix)

    def _write(self, frame: Any, folder: Path, prefix: str) -> int:
        import pyarrow.parquet as pq

        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / f".{prefix}-{uuid.uuid4().hex}"
        try:
            frame.write.parquet(f"file://{aside.resolve()}")
        except Exception as error:
            raise EngineError("engine.spark_query", detail=str(error).splitlines()[0]) from error
        rows = 0
        parts = sorted(aside.glob("part-*.parquet"))
        for number, part in enumerate(parts):
            rows += pq.read_metadata(part).num_rows
            part.replace(folder / f"{prefix}-{number:05d}.parquet")
        shutil.rmtree(aside)
        return rows

    def close(self) -> None:
        self._spark.stop()


__all__ = ["SparkEngine"]
