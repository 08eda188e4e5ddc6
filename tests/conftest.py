"""Fixtures that every room shares: engines, and what a missing system package means."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from importlib.util import find_spec
from typing import TypeVar

import pytest
from hypothesis import settings

from kequn.engine import Engine, EngineSettings, open_engine

settings.register_profile("kequn", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("kequn")
Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)
REQUIRE_ALL = os.environ.get("KEQUN_REQUIRE_ALL") == "1"
EXTRA = "extra: "
"""How the reason of a skip begins where the check needs what lies beside the repository, which no machine need have."""


def need(present: object, what: str) -> None:
    """Skip loudly when `what` is missing, or fail where everything is required (CI)."""
    if present:
        return
    if REQUIRE_ALL:
        pytest.fail(f"{what} is missing and KEQUN_REQUIRE_ALL=1")
    pytest.skip(f"{what} is missing")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is required, a test that skips has failed: `importorskip` and `skipif` as well as `need`."""
    return _required((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a file that skips as a whole."""
    return _required((yield))


def _required(report: Report) -> Report:
    if not REQUIRE_ALL or report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return report
    reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    if not reason.removeprefix("Skipped: ").startswith(EXTRA):
        report.outcome = "failed"
        report.longrepr = f"KEQUN_REQUIRE_ALL=1, but skipped: {reason}"
    return report


@pytest.fixture(scope="session")
def spark_engine() -> Iterator[Engine]:
    """One local Spark for the whole session."""
    need(find_spec("pyspark") and (os.environ.get("JAVA_HOME") or shutil.which("java")), "Java with pyspark")
    settings = EngineSettings(
        kind="spark",
        master="local[2]",
        spark=(("spark.sql.shuffle.partitions", "2"), ("spark.driver.memory", "1g")),
    )
    engine = open_engine(settings)
    yield engine
    engine.close()


@pytest.fixture(params=["duckdb", pytest.param("spark", marks=pytest.mark.spark)])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine in turn: a step that Spark also runs is tested on both."""
    if request.param == "spark":
        yield request.getfixturevalue("spark_engine")
        return
    started = open_engine(EngineSettings(memory_limit="1GB"))
    yield started
    started.close()
