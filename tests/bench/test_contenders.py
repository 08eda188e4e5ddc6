"""The contenders of the benchmark build the same table: a ratio of unequal work would say nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from bench.generate import generate, shape
from bench.stages import Stages

from bench import by_hand, by_registry
from kequn.profile import ranges

CUSTOMERS = 1_500


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(CUSTOMERS, tmp_path_factory.mktemp("bench") / "data")


@pytest.fixture(scope="module")
def by_hand_tables(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("hand")
    con = by_hand.connect(data, out)
    by_hand.profile19(con, out, Stages())
    by_hand.rfm(con, out, Stages())
    return out


def rows(file: Path | str, columns: str = "*") -> list[tuple[Any, ...]]:
    with duckdb.connect() as con:
        return con.execute(f"SELECT {columns} FROM '{file}' ORDER BY customer_id").fetchall()


SCORED = "customer_id, monetary, aov, gap_std, top_category"


def test_the_registry_builds_every_cell_of_the_hand_written_profile(
    data: Path, by_hand_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "ROWS_PER_RANGE", 4_000)
    by_registry.profile19(data, tmp_path, Stages())
    assert len(list((tmp_path / "profile19").iterdir())) > 2
    assert rows(tmp_path / "profile19" / "*.parquet") == rows(by_hand_tables / "profile19.parquet")
    ours = rows(tmp_path / "scored19" / "*.parquet", f"{SCORED}, rfm_r, rfm_f, rfm_m")
    assert ours == rows(by_hand_tables / "scored19.parquet", f"{SCORED}, r, f, m")


def test_the_built_in_scheme_gives_the_hand_written_scores_and_names(
    data: Path, by_hand_tables: Path, tmp_path: Path
) -> None:
    by_registry.rfm(data, tmp_path, Stages())
    assert rows(tmp_path / "rfm" / "*.parquet") == rows(by_hand_tables / "rfm.parquet")


@pytest.mark.parametrize("peer", ["pandas", "polars"])
def test_peers_build_the_same_profile_and_scores(
    peer: str, data: Path, by_hand_tables: Path, tmp_path: Path
) -> None:
    pytest.importorskip(peer)
    from importlib import import_module

    import_module(f"bench.by_{peer}").main(data, tmp_path, Stages())
    order = ", ".join(
        column for column in by_registry.NINETEEN if column not in ("first_order", "last_order")
    )
    days = "CAST(first_order AS DATE), CAST(last_order AS DATE)"
    for file, more in (("profile19.parquet", ""), ("scored19.parquet", ", r, f, m")):
        wanted = f"{order}, {days}{more}"
        assert rows(tmp_path / file, wanted) == rows(by_hand_tables / file, wanted)


def test_facts_and_the_flat_table_hold_the_same_orders_and_money(data: Path) -> None:
    with duckdb.connect() as con:
        flat, facts, orders = (
            con.execute(
                f"SELECT count(*), count(DISTINCT order_id), sum(amount) FROM '{data}/{name}/*.parquet'"
            ).fetchall()[0]
            for name in ("flat/order_lines", "facts/order_lines", "facts/orders")
        )
    assert flat == facts
    assert flat[1:] == orders[1:]


def test_customers_have_a_heavy_tail(data: Path) -> None:
    found = shape(data)
    assert found["customers"] == CUSTOMERS
    assert found["orders_median"] == 4
    assert 15 <= found["orders_p99"] <= 30
