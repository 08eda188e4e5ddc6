"""A small shop's runs, written as the pipeline writes them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kequn.snapshot import DefinitionUse, Draft, Manifest, Snapshot, SnapshotStore, build_cards, build_serving

NOW = dt.datetime(2026, 1, 31, 8, 30, tzinfo=dt.UTC)
FIRST, SECOND, THIRD = "20260129-083000-aaaa", "20260130-083000-bbbb", "20260131-083000-cccc"
Segments = Mapping[str, Mapping[str, str]]
SEGMENTS: Segments = {
    "rfm": {"c1": "champions", "c2": "lost", "c3": "lost", "客户4": "champions"},
    "channel": {"c2": "app", "客户4": "store"},
}


def write(
    folder: Path, rows: Sequence[Mapping[str, Any]], schema: pa.Schema, name: str = "part-00000"
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), schema), folder / f"{name}.parquet")


PROFILE = pa.schema(
    [("customer_id", pa.string()), ("referred_by", pa.string()), ("account_manager", pa.string()),
     ("revenue_12m", pa.decimal128(18, 2))]
)  # fmt: skip
ASSIGNMENT = pa.schema(
    [("customer_id", pa.string()), ("scheme", pa.string()), ("segment", pa.string()), ("sub_segment", pa.string()),
     ("since", pa.date32()), ("rule_segment", pa.string())]
)  # fmt: skip


def fill(
    draft: Draft, segments: Segments = SEGMENTS, facts: Mapping[str, Sequence[Path]] | None = None
) -> None:
    """Write profile, assignment, quarantine, serving.duckdb and card files into a draft."""
    ids = sorted({name for members in segments.values() for name in members})
    profile = [
        {"customer_id": name, "referred_by": "c2" if name == "c1" else None, "account_manager": f"m{place % 2}",
         "revenue_12m": Decimal(place)}
        for place, name in enumerate(ids, start=1)
    ]  # fmt: skip
    write(draft.folder("profile"), profile, PROFILE)
    for scheme, members in segments.items():
        rows = [
            {"customer_id": name, "scheme": scheme, "segment": segment, "sub_segment": None,
             "since": dt.date(2026, 1, 1), "rule_segment": segment}
            for name, segment in sorted(members.items())
        ]  # fmt: skip
        write(draft.folder("assignment"), rows, ASSIGNMENT, f"{scheme}-00000")
    quarantine = [
        {"table": "orders", "key": "o9", "reason": "x", "text": "c21"},
        {"table": "consents", "key": "c2|sms", "reason": "y", "text": None},
        {"table": "orders", "key": None, "reason": "half a row", "text": "o7,c2"},
    ]
    write(
        draft.folder("quarantine"),
        quarantine,
        pa.schema([(n, pa.string()) for n in ("table", "key", "reason", "text")]),
    )
    build_serving(draft.path, facts or {}, draft.serving)
    build_cards(draft.serving, draft.path)


def manifest(run_id: str, **more: Any) -> Manifest:
    definitions = {
        "audiences/vip.yaml": DefinitionUse(text="ids:\n- c1\n- 'c2' # 大客户\nnote: c2\n", fingerprint="f")
    }
    return Manifest(
        run_id=run_id, as_of=dt.date(2026, 1, 31), created_at=NOW, definitions=definitions, **more
    )


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "snapshots")


Publish = Callable[..., Snapshot]


@pytest.fixture
def publish(store: SnapshotStore) -> Publish:
    def run(run_id: str = FIRST, segments: Segments = SEGMENTS, **more: Any) -> Snapshot:
        with store.lock(), store.begin(run_id) as draft:
            fill(draft, segments)
            return draft.publish(manifest(run_id, **more))

    return run
