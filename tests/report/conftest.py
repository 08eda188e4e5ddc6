"""A small shop's run, written as the pipeline writes it, with names that try to break out of the page."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kequn.snapshot import DefinitionUse, Manifest, Snapshot, SnapshotStore

HOSTILE = "</script><img src=x onerror=alert(1)>&\u2028"
RUN = "20260131-083000-aaaa"
RFM = """scheme: rfm
kind: grid
model: transactional
scope: frequency > 0
axes:
- {id: R, column: recency_days, bins: 2, better: low, title: {zh: 最近购买, en: Recency}}
- {id: F, column: frequency, bins: 2, title: {zh: 购买次数, en: Frequency}}
segments:
- {id: champions, cells: "R = 2, F = 2"}
- {id: lost, cells: ["R = 1", "R = 2, F = 1"]}
otherwise: {id: unknown}
"""
PLAYBOOK = {"zh": "优先服务", "en": "Serve them first"}
GROUPS: Mapping[str, Mapping[str, Sequence[int]]] = {
    "rfm": {"champions": range(6), "lost": range(6, 20), "unknown": ()},
    "value_tier": {"platinum": (0,), "gold": range(1, 4), "lead": range(4, 20)},
    "life_stage": {"single": range(0, 20, 2), "couple": range(1, 20, 2)},
}
TITLES = {
    "rfm": {"zh": "RFM 分群", "en": "RFM groups"}, "value_tier": {"zh": "价值等级", "en": "Value tier"},
    "life_stage": {"zh": "人生阶段", "en": "Life stage"}, "champions": {"zh": "重要价值客户", "en": "Champions"},
    "lost": {"zh": HOSTILE, "en": HOSTILE}, "unknown": {"zh": "未知", "en": "Unknown"},
}  # fmt: skip
KINDS = {"rfm": "grid", "value_tier": "tiers", "life_stage": "rules"}
SPENT = [Decimal(1000 - 50 * place) for place in range(20)]


def write(folder: Path, rows: Sequence[Mapping[str, Any]], **types: pa.DataType) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.Table.from_pylist(list(rows), pa.schema(list(types.items()))), folder / "part-00000.parquet"
    )


TEXT, INTEGER, NUMBER, MONEY = pa.string(), pa.int64(), pa.float64(), pa.decimal128(18, 2)


def segment_rows() -> list[dict[str, Any]]:
    rows = []
    for scheme, segments in GROUPS.items():
        for position, (segment, members) in enumerate(segments.items()):
            spent = sum((SPENT[i] for i in members), Decimal(0))
            title = TITLES.get(segment, {"zh": segment, "en": segment})
            rows.append(
                {"scheme": scheme, "position": position, "segment": segment, "title_zh": title["zh"], "title_en": title["en"],
                 "owner": None, "customers": len(members), "share": len(members) / 20, "revenue_12m": spent, "monetary": spent, "cuts": "{}"}
            )  # fmt: skip
    return rows


def scheme_entries() -> dict[str, Any]:
    return {
        name: {
            "scheme": name, "kind": KINDS[name], "file": f"{name}.yaml", "customers": 20, "outside_scope": 0, "title": TITLES[name],
            "segments": {segment: len(members) for segment, members in segments.items()}, "purpose": {"zh": "目的", "en": "Purpose"},
            "limits": {"zh": "局限", "en": "Limits"}, "model": "demographic" if name == "life_stage" else "transactional", "owner": None,
            "playbooks": dict.fromkeys(segments, PLAYBOOK),
            "segment_titles": {segment: TITLES.get(segment, {"zh": segment, "en": segment}) for segment in segments},
        }
        for name, segments in GROUPS.items()
    }  # fmt: skip


def column(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "title": {"zh": f"{name}·中", "en": f"{name} en"}, "unit": None, "model": "transactional",
            "basis": "behaviour", "privacy": "none", "hidden": False, "null_reason": None} | more  # fmt: skip


def manifest(**more: Any) -> Manifest:
    cuts = {
        "rfm": {
            "R": {"column": "recency_days", "type": "integer", "values": [10]},
            "F": {"column": "frequency", "type": "integer", "values": [3]},
        }
    }
    known: dict[str, Any] = {
        "run_id": RUN, "as_of": dt.date(2026, 1, 31), "created_at": dt.datetime(2026, 1, 31, 8, 30, tzinfo=dt.UTC),
        "versions": {"kequn": "0.1.0"}, "currency": "CNY", "minor_unit_digits": 2, "workspace": {"zh": f"小店{HOSTILE}", "en": f"Shop{HOSTILE}"},
        "definitions": {"schemes/rfm.yaml": DefinitionUse(text=RFM, fingerprint="f")}, "schemes": scheme_entries(), "cuts": cuts,
        "schemes_unavailable": {"region": ["province"]}, "history_start": "2025-01-01T00:00:00", "customers": 20,
        "columns": [column("monetary", "money"), column("age_band", "text", model="demographic", basis="internal")],
        "unavailable": [{"name": "province", "title": {"zh": "省份", "en": "Province"}, "model": "geographic", "missing": ["customers.province"]}],
        "reconciliation": {"tables": {"orders": {"read": 45, "kept": 40, "quarantined": 2, "duplicates": 3}},
                           "anonymous_orders": 4, "anonymous_amount": 12_345, "returned_orders": 0, "returned_amount": 0, "rounding": "0"},
        "warnings": [{"code": "scheme.empty_segment", "scheme": "rfm", "segment": "unknown"},
                     {"code": "data.unknown_references", "table": "orders", "column": "store_id", "other": "places", "rows": 1234, "ids": 2}],
        "models": [],
    }  # fmt: skip
    return Manifest.model_validate(known | more)


Publish = Callable[..., Snapshot]


def publish_run(folder: Path, portrait: bool = True, **more: Any) -> Snapshot:
    """Publish the small run below `folder`; `more` replaces entries of the manifest."""
    store = SnapshotStore(folder / "snapshots")
    with store.lock(), store.begin(RUN) as draft:
        profile = [
            {"customer_id": f"c{i:02}", "frequency": 5 if i < 6 else 1, "monetary": SPENT[i], "revenue_12m": SPENT[i], "recency_days": 5 if i < 6 else 40,
             "age_band": "25-34" if i % 4 else None, "revenue_90d": Decimal(10), "revenue_prev_90d": Decimal(8)}
            for i in range(20)
        ]  # fmt: skip
        write(draft.folder("profile"), profile, customer_id=TEXT, frequency=INTEGER, monetary=MONEY, revenue_12m=MONEY,
              recency_days=INTEGER, age_band=TEXT, revenue_90d=MONEY, revenue_prev_90d=MONEY)  # fmt: skip
        members = [
            {"customer_id": f"c{i:02}", "scheme": scheme, "segment": segment}
            for scheme, segments in GROUPS.items() for segment, chosen in segments.items() for i in chosen
        ]  # fmt: skip
        write(draft.folder("assignment"), members, customer_id=TEXT, scheme=TEXT, segment=TEXT)
        write(draft.folder("segment"), segment_rows(), scheme=TEXT, position=INTEGER, segment=TEXT, title_zh=TEXT, title_en=TEXT, owner=TEXT,
              customers=INTEGER, share=NUMBER, revenue_12m=MONEY, monetary=MONEY, cuts=TEXT)  # fmt: skip
        cells = [
            {
                "scheme": "rfm",
                "cell": json.dumps({"R": 2, "F": 2}),
                "segment": "champions",
                "customers": 6,
                "revenue_12m": Decimal(5250),
            },
            {
                "scheme": "rfm",
                "cell": json.dumps({"R": 1, "F": 1}),
                "segment": "lost",
                "customers": 14,
                "revenue_12m": Decimal(5250),
            },
        ]
        write(
            draft.folder("cell"),
            cells,
            scheme=TEXT,
            cell=TEXT,
            segment=TEXT,
            customers=INTEGER,
            revenue_12m=MONEY,
        )
        write(
            draft.folder("quarantine"),
            [{"table": "orders", "reason": "data.not_money"}] * 2,
            table=TEXT,
            reason=TEXT,
        )
        if portrait:
            write(draft.folder("portrait"), [
                {"scheme": "rfm", "segment": "champions", "dimension": "age_band", "title_zh": "年龄段", "title_en": "Age band", "value": "25-34",
                 "low": None, "high": None, "share": 0.8, "rest_share": 0.2, "lift": 4.0, "significant": True},
                {"scheme": "rfm", "segment": "champions", "dimension": "monetary", "title_zh": "累计消费", "title_en": "Revenue", "value": "x",
                 "low": 700.0, "high": None, "share": 0.9, "rest_share": 0.1, "lift": 9.0, "significant": True},
                {"scheme": "rfm", "segment": "champions", "dimension": "seg_life_stage", "title_zh": "人生阶段", "title_en": "Life stage", "value": "single",
                 "low": None, "high": None, "share": 0.5, "rest_share": 0.5, "lift": 1.0, "significant": False},
            ], scheme=TEXT, segment=TEXT, dimension=TEXT, title_zh=TEXT, title_en=TEXT, value=TEXT, low=NUMBER, high=NUMBER, share=NUMBER,
                rest_share=NUMBER, lift=NUMBER, significant=pa.bool_())  # fmt: skip
        return draft.publish(manifest(**more))


@pytest.fixture
def publish(tmp_path: Path) -> Publish:
    """`publish(portrait=True, **manifest)` publishes the small run."""
    return lambda **more: publish_run(tmp_path, **more)


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The small run as it is; nobody changes it."""
    return publish_run(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="session")
def content(snapshot: Snapshot) -> dict[str, Any]:
    """What the report says of the small run."""
    from kequn.report.content import gather

    return gather(snapshot)
