"""The overview of a run, a scheme's segments and a segment's portrait."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kequn.errors import SnapshotError
from kequn.language import nearest
from kequn.reading.rows import has_table, rows

if TYPE_CHECKING:
    import duckdb


def overview(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Customers, buyers, revenue (all time and last 12 months, in major units) and the schemes of the run."""
    names = {row["column_name"] for row in rows(con, "DESCRIBE profile")}
    sums = {
        "customers": "count(*)",
        "buyers": "count(*) FILTER (WHERE frequency > 0)" if "frequency" in names else "NULL",
        "orders": "sum(frequency)" if "frequency" in names else "NULL",
        "revenue": "sum(monetary)" if "monetary" in names else "NULL",
        "revenue_12m": "sum(revenue_12m)" if "revenue_12m" in names else "NULL",
        "active_90d": "count(*) FILTER (WHERE recency_days <= 90)" if "recency_days" in names else "NULL",
    }
    found = rows(
        con, "SELECT " + ", ".join(f"{sql} AS {name}" for name, sql in sums.items()) + " FROM profile"
    )[0]
    return {
        **found,
        "schemes": [
            row["scheme"] for row in rows(con, "SELECT DISTINCT scheme FROM segment ORDER BY scheme")
        ],
    }


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


__all__ = ["check_segment", "cuts", "overview", "scheme_overview", "segment_portrait"]
