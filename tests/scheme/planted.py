"""Customers with known groups in them, and the steps from a cluster scheme to its assignment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from sqlglot import exp
from tests.scheme.people import AS_OF, Row, catalog_for, everything, members, write

from kequn.engine import Engine
from kequn.scheme import Assignment, Scheme, assign, load_schemes
from kequn.scheme.clusters import Before, ClusterResult, fit_and_label, with_groups

SCHEME = """
scheme: found
kind: cluster
k: {k}
method: {method}
features: [recency_days, frequency, monetary, promotion_share, preferred_channel, gender]
"""
KINDS = (
    # recency, frequency, spend (分), promotion share, channel, gender
    (20, 30, 900_000, 0.1, ("app", "门店"), ("女", "男")),
    (30, 12, 60_000, 0.9, ("app", "天猫"), ("女", "女")),
    (400, 3, 20_000, 0.3, ("门店", "门店"), ("男", "男")),
    (200, 8, 300_000, 0.6, ("电话", "官网"), ("男", "女")),
)


def scheme_of(method: str = "kmeans", k: int | str = 3, more: str = "") -> Scheme:
    """The scheme `found`, checked against everything that could exist."""
    return load_schemes({"found.yaml": SCHEME.format(k=k, method=method) + more}, everything())["found"]


def planted(count: int, kinds: int = 3, seed: int = 0, missing: float = 0.02) -> tuple[list[Row], list[int]]:
    """`count` customers of well separated kinds, and the kind of each."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    owners = [int(each) for each in rng.integers(0, kinds, count)]
    for number, owner in enumerate(owners):
        recency, frequency, spend, share, channels, genders = KINDS[owner]
        row: Row = {
            "customer_id": f"C{number:05d}",
            "recency_days": max(1, int(recency * rng.lognormal(0, 0.25))),
            "frequency": max(1, int(rng.poisson(frequency))),
            "monetary": int(spend * rng.lognormal(0, 0.25)),
            "promotion_share": float(np.clip(rng.normal(share, 0.08), 0, 1).round(3)),
            "preferred_channel": channels[int(rng.random() < 0.2)],
            "gender": genders[int(rng.random() < 0.2)],
        }
        for name in list(row)[1:]:
            if rng.random() < missing:
                row[name] = None
        rows.append(row)
    return rows, owners


def found(
    engine: Engine, folder: Path, rows: Sequence[Row], scheme: Scheme, before: Before | None = None
) -> tuple[ClusterResult, dict[str, str]]:
    """The result of the fit, and the group of every customer who has one."""
    write(engine, folder, rows)
    result = fit_and_label(engine, "profile", scheme, catalog_for(rows), folder / "labels", before)
    table = engine.sql(exp.select("customer_id", result.column).from_(result.relation))
    return result, dict(zip(table.column(0).to_pylist(), table.column(1).to_pylist(), strict=True))


def assigned(
    engine: Engine, folder: Path, rows: Sequence[Row], scheme: Scheme, before: Before | None = None
) -> tuple[ClusterResult, Assignment, dict[str, Any]]:
    """The whole way to an assignment: fit, join, settle, assign; and the members."""
    result, _ = found(engine, folder, rows, scheme, before)
    joined = exp.select("p.*", f"m.{result.column}").from_("profile AS p")
    joined = joined.join(f"{result.relation} AS m", on="p.customer_id = m.customer_id", join_type="left")
    engine.view("joined", joined)
    schemes = with_groups({scheme.name: scheme}, {scheme.name: result.segments})
    assignment = assign(
        engine, "joined", schemes, catalog_for(rows), AS_OF, folder / "assignment", work=folder / "work"
    )
    return result, assignment, members(folder, scheme.name)


def before_of(result: ClusterResult, folder: Path, run_id: str = "20261001-000000-0000") -> Before:
    """What the next run sees of a run."""
    files = tuple(sorted((folder / "assignment").glob(f"{result.scheme}-*.parquet")))
    assert pq.read_table(files[0]).num_rows
    return Before(run_id, files, result.manifest)


__all__ = ["assigned", "before_of", "found", "planted", "scheme_of"]
