"""A small snapshot as `kequn run` publishes it, built through the same functions."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kequn.snapshot import Manifest, ServingSettings, SnapshotStore, build_serving, new_run_id

MANAGERS = ("林晓", "周子航")


def publish(folder: Path, customers: int = 40, minute: int = 0) -> Path:
    """Publish a run: customers C000… with names and phones, of two account managers in turn, every fourth in `rfm/champions`; returns its folder."""
    store = SnapshotStore(folder)
    made = dt.datetime(2026, 11, 22, 3, minute, tzinfo=dt.UTC)
    with store.lock(wait=30):
        draft = store.begin(new_run_id(made))
        ids = [f"C{i:03d}" for i in range(customers)]
        profile = {
            "customer_id": ids,
            "account_manager": [MANAGERS[i % 2] for i in range(customers)],
            "recency_days": list(range(customers)),
        }
        champions = ["champions" if i % 4 == 0 else "regular" for i in range(customers)]
        assignment = {
            "customer_id": ids,
            "scheme": ["rfm"] * customers,
            "segment": champions,
            "sub_segment": pa.nulls(customers, pa.string()),
            "since": [dt.date(2026, 11, 1)] * customers,
            "rule_segment": champions,
        }
        of = [sum(name == segment for name in champions) for segment in ("champions", "regular")]
        segment = {
            "scheme": ["rfm", "rfm"],
            "segment": ["champions", "regular"],
            "position": [0, 1],
            "title_zh": ["重要价值客户", "其他"],
            "title_en": ["Champions", "Others"],
            "customers": of,
            "share": [n / customers for n in of],
        }
        for table, columns in (("profile", profile), ("assignment", assignment), ("segment", segment)):
            pq.write_table(pa.table(columns), draft.folder(table) / "part-00000.parquet")
        facts = folder / ".facts.parquet"
        named = {
            "customer_id": ids,
            "name": [f"客户{i}" for i in range(customers)],
            "phone": [f"+86 138-0000-{i:04d}" if i % 2 else f"1380000{i:04d}" for i in range(customers)],
            "email": [f"c{i}@example.com" for i in range(customers)],
        }
        pq.write_table(pa.table(named), facts)
        build_serving(draft.path, {"customers": [facts]}, draft.serving, ServingSettings(threads=1))
        facts.unlink()
        draft.publish(Manifest(run_id=draft.run_id, as_of=dt.date(2026, 11, 22), created_at=made))
    return folder / draft.run_id
