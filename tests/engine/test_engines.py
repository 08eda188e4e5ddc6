"""What both engines promise, on a few literal rows."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kequn.engine import Engine, EngineSettings, Parquet, open_engine
from kequn.errors import EngineError
from kequn.language import portable

ROWS = pa.table({"customer_id": ["b", "a", "c"], "amount": pa.array([200, 100, None], pa.int64())})


@pytest.fixture
def orders(engine: Engine, tmp_path: Path) -> Engine:
    pq.write_table(ROWS, tmp_path / "orders.parquet")
    engine.view("orders", Parquet((tmp_path / "orders.parquet",)))
    return engine


def test_a_view_can_be_queried_and_replaced(orders: Engine) -> None:
    assert orders.scalar(portable("SELECT CAST(SUM(amount) AS BIGINT) FROM orders")) == 300
    orders.view("rich", portable("SELECT customer_id FROM orders WHERE amount > 150"))
    assert orders.sql(portable("SELECT customer_id FROM rich")).to_pylist() == [{"customer_id": "b"}]


def test_scalar_of_no_rows_is_none(orders: Engine) -> None:
    assert orders.scalar(portable("SELECT amount FROM orders WHERE customer_id = 'nobody'")) is None


def test_written_parquet_is_sorted_and_counted(orders: Engine, tmp_path: Path) -> None:
    rows = orders.write_parquet(
        portable("SELECT * FROM orders"), tmp_path / "out", prefix="rfm", sort=["customer_id"]
    )
    files = sorted((tmp_path / "out").iterdir())
    assert rows == 3
    assert files[0].name == "rfm-00000.parquet"
    ids = [name for file in files for name in pq.read_table(file)["customer_id"].to_pylist()]
    assert ids == ["a", "b", "c"]


def test_batches_go_through_a_python_function(orders: Engine, tmp_path: Path) -> None:
    schema = pa.schema([("customer_id", pa.string()), ("double", pa.int64())])

    def twice(batch: pa.RecordBatch) -> pa.RecordBatch:
        doubled = [None if value is None else 2 * value for value in batch["amount"].to_pylist()]
        return pa.record_batch(
            [batch["customer_id"].cast(pa.string()), pa.array(doubled, pa.int64())], schema=schema
        )

    assert orders.map_arrow(portable("SELECT * FROM orders"), twice, schema, tmp_path / "scored") == 3
    table = pa.concat_tables([pq.read_table(file) for file in (tmp_path / "scored").iterdir()])
    assert dict(zip(table["customer_id"].to_pylist(), table["double"].to_pylist(), strict=True)) == {
        "a": 200,
        "b": 400,
        "c": None,
    }


def test_duckdb_refuses_files_outside_the_workspace(tmp_path: Path) -> None:
    outside = tmp_path / "outside.parquet"
    pq.write_table(ROWS, outside)
    inside = tmp_path / "workspace"
    inside.mkdir()
    engine = open_engine(EngineSettings(directories=(inside,)))
    with pytest.raises(Exception, match=r"[Pp]ermission|access"):
        engine.view("orders", Parquet((outside,)))
    engine.close()


def test_a_bad_memory_limit_is_an_engine_error() -> None:
    with pytest.raises(EngineError) as caught:
        open_engine(EngineSettings(memory_limit="lots"))
    assert caught.value.code == "engine.duckdb_settings"


def test_a_missing_java_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EngineError) as caught:
        open_engine(EngineSettings(kind="spark"))
    assert caught.value.code in {"engine.java_missing", "engine.spark_missing"}


def test_a_full_disk_is_said_in_words_and_not_in_the_words_of_the_engine(tmp_path: Path) -> None:
    """/dev/full answers as a disk without space does."""
    import duckdb

    from kequn.engine.duckdb import io_failure

    with duckdb.connect() as con, pytest.raises(duckdb.IOException) as caught:
        con.execute(
            "COPY (SELECT range AS n FROM range(1000000)) TO '/dev/full' (FORMAT parquet, USE_TMP_FILE false)"
        )
    code, fields = io_failure(caught.value)
    assert (code, fields["file"]) == ("engine.disk_full", "/dev/full")
    assert io_failure(duckdb.IOException("No files found"))[0] == "engine.io"
