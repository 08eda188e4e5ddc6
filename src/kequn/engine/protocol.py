"""The thin protocol of what differs between engines, and the door to each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from kequn.errors import EngineError

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlglot import exp

BatchFunction = Callable[["pa.RecordBatch"], "pa.RecordBatch"]


@dataclass(frozen=True)
class Parquet:
    """A table that lies in Parquet files of one schema."""

    files: tuple[Path, ...]


@dataclass(frozen=True)
class EngineSettings:
    """How to run.

    `memory_limit` is DuckDB's ("2GB"); `temp_directory` takes what spills; `directories` are the only places DuckDB may
    touch; `master` is Spark's ("local[2]", "spark://host:7077"); `spark` holds further Spark settings.
    """

    kind: Literal["duckdb", "spark"] = "duckdb"
    memory_limit: str = "4GB"
    threads: int | None = None
    temp_directory: Path | None = None
    directories: tuple[Path, ...] = ()
    master: str = "local[2]"
    spark: tuple[tuple[str, str], ...] = field(default=())


class Engine(Protocol):
    """What every engine can do. Queries are trees in the portable subset; tables are folders of Parquet files."""

    name: str

    def view(self, name: str, source: Parquet | exp.Query) -> None:
        """Give a source the name `name`, replacing what had it."""

    def sql(self, query: exp.Query) -> pa.Table:
        """Run a query whose result fits in memory."""

    def rows(self, query: exp.Query) -> list[dict[str, Any]]:
        """Run a query of few rows: each as {column: value}."""

    def scalar(self, query: exp.Query) -> Any:
        """The first cell of a query's first row, None when there is no row."""

    def write_parquet(
        self, query: exp.Query, folder: Path, *, prefix: str = "part", sort: Sequence[str] = ()
    ) -> int:
        """Write a query as `folder/<prefix>-00000.parquet …`, in the order of `sort`; returns the rows written."""

    def map_arrow(
        self,
        query: exp.Query,
        function: BatchFunction,
        schema: pa.Schema,
        folder: Path,
        *,
        prefix: str = "part",
    ) -> int:
        """Send a query through `function` batch by batch and write what it returns; returns the rows written."""

    def close(self) -> None:
        """Give back what the engine holds."""


def open_engine(settings: EngineSettings) -> Engine:
    """Start the engine that `settings` name.

    Raises EngineError when it can't start (Java or pyspark missing, bad memory limit).
    """
    if settings.kind == "duckdb":
        from kequn.engine.duckdb import DuckDBEngine

        return DuckDBEngine(settings)
    if settings.kind == "spark":
        from kequn.engine.spark import SparkEngine

        return SparkEngine(settings)
    raise EngineError("engine.unknown_kind", kind=settings.kind, known=["duckdb", "spark"])


__all__ = ["BatchFunction", "Engine", "EngineSettings", "Parquet", "open_engine"]
