"""Who is in a segment or an audience: the query behind `export`, call lists and the members page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kequn.errors import SnapshotError
from kequn.language import nearest
from kequn.reading.overview import check_segment, scheme_overview
from kequn.reading.rows import has_table, rows

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Target:
    """A segment (`scheme` and `segment`), a whole scheme (`segment` None) or an audience."""

    scheme: str | None = None
    segment: str | None = None
    audience: str | None = None


def parse_target(con: duckdb.DuckDBPyConnection, text: str) -> Target:
    """`SCHEME/SEGMENT`, `SCHEME` or the name of an audience. Raises SnapshotError with the nearest name."""
    scheme, slash, segment = text.partition("/")
    if slash:
        check_segment(con, scheme, segment)
        return Target(scheme, segment)
    known = audiences(con)
    if text in known:
        return Target(audience=text)
    schemes = {row["scheme"] for row in scheme_overview(con)}
    if text in schemes:
        return Target(text)
    names = sorted({*known, *schemes})
    raise SnapshotError("reading.no_target", name=text, near=nearest(text, names), known=names)


def audiences(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of the run's audiences."""
    if not has_table(con, "audience_member"):
        return []
    return [
        row["audience"]
        for row in rows(con, "SELECT DISTINCT audience FROM audience_member ORDER BY audience")
    ]


def members_query(target: Target, contact: Sequence[str] = ()) -> tuple[str, list[Any]]:
    """SQL and values that give the members' rows: segment first, `contact` columns, then the profile; sorted by customer."""
    named = "".join(f', c."{name}"' for name in contact)
    join = "JOIN profile AS p USING (customer_id)" + (
        " LEFT JOIN contact AS c USING (customer_id)" if contact else ""
    )
    if target.audience is not None:
        return (
            f"SELECT m.audience, p.customer_id{named}, p.* EXCLUDE (customer_id) FROM audience_member AS m {join} "
            "WHERE m.audience = ? ORDER BY p.customer_id",
            [target.audience],
        )
    where, values = "a.scheme = ?", [target.scheme]
    if target.segment is not None:
        where, values = where + " AND a.segment = ?", [*values, target.segment]
    return (
        f"SELECT a.scheme, a.segment, a.sub_segment, a.since, p.customer_id{named}, p.* EXCLUDE (customer_id) "
        f"FROM assignment AS a {join} WHERE {where} ORDER BY p.customer_id",
        values,
    )


__all__ = ["Target", "audiences", "members_query", "parse_target"]
