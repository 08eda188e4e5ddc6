"""The overview of a run, a scheme's segments and a segment's portrait."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kequn.errors import SnapshotError
from kequn.language import nearest
from kequn.reading.rows import has_table, rows

if TYPE_CHECKING:
    import duckdb


SUMS = {
    "customers": ("count(*)", ()),
    "buyers": ("count(*) FILTER (WHERE frequency > 0)", ("frequency",)),
    "orders": ("sum(frequency)", ("frequency",)),
    "revenue": ("sum(monetary)", ("monetary",)),
    "revenue_12m": ("sum(revenue_12m)", ("revenue_12m",)),
    "active_90d": ("count(*) FILTER (WHERE recency_days <= 90)", ("recency_days",)),
}
"""Totals and the profile columns that each needs."""
QUARTERS = {
    "revenue_90d": ("sum(revenue_90d)", ("revenue_90d",)),
    "revenue_prev_90d": ("sum(revenue_prev_90d)", ("revenue_prev_90d",)),
    "orders_90d": ("sum(orders_90d)", ("orders_90d",)),
    "orders_prev_90d": ("sum(orders_prev_90d)", ("orders_prev_90d",)),
    "buyers_90d": ("count(*) FILTER (WHERE orders_90d > 0)", ("orders_90d",)),
    "buyers_prev_90d": ("count(*) FILTER (WHERE orders_prev_90d > 0)", ("orders_prev_90d",)),
}
"""The last 90 days beside the 90 days before."""


def overview(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Customers, buyers, revenue (all time and last 12 months, in major units) and the schemes of the run."""
    return {
        **_sums(con, SUMS, "TRUE", ()),
        "schemes": [
            row["scheme"] for row in rows(con, "SELECT DISTINCT scheme FROM segment ORDER BY scheme")
        ],
    }


def totals(con: duckdb.DuckDBPyConnection, where: str = "TRUE", values: Sequence[Any] = ()) -> dict[str, Any]:
    """The sums of `overview` and the last two quarters over the customers that `where` (SQL of ours) chooses.

    A total whose columns the profile lacks is None.
    """
    return _sums(con, {**SUMS, **QUARTERS}, where, values)


def _sums(
    con: duckdb.DuckDBPyConnection,
    wanted: Mapping[str, tuple[str, tuple[str, ...]]],
    where: str,
    values: Sequence[Any],
) -> dict[str, Any]:
    there = {row["column_name"] for row in rows(con, "DESCRIBE profile")}
    listed = ", ".join(
        f"{sql if there.issuperset(needed) else 'NULL'} AS {name}" for name, (sql, needed) in wanted.items()
    )
    return rows(con, f"SELECT {listed} FROM profile WHERE {where}", values)[0]


def scheme_overview(con: duckdb.DuckDBPyConnection, scheme: str | None = None) -> list[dict[str, Any]]:
    """The segments of one scheme (or of all), in order: titles, customers, share, sums.

    Raises SnapshotError with the nearest name when there is no such scheme.
    """
    if scheme is None:
        return rows(con, "SELECT * FROM segment ORDER BY scheme, position")
    found = rows(con, "SELECT * FROM segment WHERE scheme = ? ORDER BY position", [scheme])
    if not found:
        known = [row["scheme"] for row in rows(con, "SELECT DISTINCT scheme FROM segment")]
        raise SnapshotError(
            "reading.no_scheme", name=scheme, near=nearest(scheme, known), known=sorted(known)
        )
    return found


def check_segment(con: duckdb.DuckDBPyConnection, scheme: str, segment: str) -> dict[str, Any]:
    """The row of one segment. Raises SnapshotError with the nearest name when there is none."""
    segments = {row["segment"]: row for row in scheme_overview(con, scheme)}
    if segment not in segments:
        raise SnapshotError(
            "reading.no_segment",
            name=segment,
            scheme=scheme,
            near=nearest(segment, segments),
            known=list(segments),
        )
    return segments[segment]


def segment_portrait(
    con: duckdb.DuckDBPyConnection, scheme: str, segment: str, limit: int = 12
) -> list[dict[str, Any]]:
    """What sets a segment apart: the significant values with the largest distance from the rest, strongest first."""
    check_segment(con, scheme, segment)
    if not has_table(con, "portrait"):
        return []
    return rows(
        con,
        "SELECT * FROM portrait WHERE scheme = ? AND segment = ? AND significant AND dimension IS NOT NULL "
        "ORDER BY abs(ln(greatest(lift, 0.01))) * sqrt(share) DESC, dimension, value LIMIT ?",
        [scheme, segment, limit],
    )


def cuts(row: dict[str, Any]) -> dict[str, Any]:
    """The cut points of a segment row, from their JSON text."""
    found: dict[str, Any] = json.loads(row.get("cuts") or "{}")
    return found


__all__ = ["check_segment", "cuts", "overview", "scheme_overview", "segment_portrait", "totals"]
