"""What came of the calls: kept once each, safe from bad rows and from two writers at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from kequn.act import Outcome, forget_outcomes, read_outcomes, record_outcomes
from kequn.act.outcomes import FILE
from kequn.data.standard import TABLES
from kequn.errors import DataError

WHEN = datetime(2026, 1, 5, 10, 30)
CALL = Outcome("list-1", "客户1", WHEN, "phone", "no_answer", offer_id="p1", cost=Decimal("1.5"))


def test_outcomes_are_ordinary_touches(tmp_path: Path) -> None:
    assert record_outcomes(tmp_path, [CALL]) == 1
    columns = set(pq.read_schema(tmp_path / FILE).names) - {"result"}
    assert columns <= set(TABLES["touches"].columns)
    row = read_outcomes(tmp_path)[0]
    assert (row["customer_id"], row["arm"], row["cost"], row["responded_at"]) == (
        "客户1",
        "treatment",
        Decimal("1.50"),
        None,
    )


def test_a_later_word_replaces_the_earlier(tmp_path: Path) -> None:
    record_outcomes(tmp_path, [CALL, replace(CALL, customer_id="客户2")])
    assert record_outcomes(tmp_path, [replace(CALL, result="bought", converted_order_id="o9")]) == 2
    row = next(row for row in read_outcomes(tmp_path) if row["customer_id"] == "客户1")
    assert (row["result"], row["converted_order_id"], row["responded_at"]) == ("bought", "o9", WHEN)


def test_a_forgotten_customer_leaves_no_outcome(tmp_path: Path) -> None:
    assert forget_outcomes(tmp_path, "客户1") == 0
    record_outcomes(tmp_path, [CALL, replace(CALL, campaign_id="list-2"), replace(CALL, customer_id="客户2")])
    assert forget_outcomes(tmp_path, "客户1") == 2
    assert [row["customer_id"] for row in read_outcomes(tmp_path)] == ["客户2"]
    assert "客户1".encode() not in (tmp_path / FILE).read_bytes()


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    calls = [replace(CALL, customer_id=f"c{n}") for n in range(24)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda call: record_outcomes(tmp_path, [call]), calls))
    assert {row["customer_id"] for row in read_outcomes(tmp_path)} == {call.customer_id for call in calls}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("campaign_id", " "),
        ("customer_id", ""),
        ("channel", ""),
        ("result", "maybe"),
        ("sent_at", WHEN.replace(tzinfo=timezone.utc)),  # noqa: UP017
        ("responded_at", WHEN - timedelta(days=1)),
        ("cost", Decimal("-1")),
        ("cost", Decimal("NaN")),
    ],
)
def test_a_bad_outcome_is_refused_and_nothing_is_written(tmp_path: Path, field: str, value: Any) -> None:
    with pytest.raises(DataError) as raised:
        record_outcomes(tmp_path, [replace(CALL, customer_id="good"), replace(CALL, **{field: value})])
    assert raised.value.code == "act.bad_outcome"
    assert raised.value.fields["field"] == field
    assert read_outcomes(tmp_path) == []
