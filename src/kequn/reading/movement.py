"""Several runs of a workspace: how segments grew, who moved between two runs, and where one customer stood in each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kequn.reading.rows import rows

if TYPE_CHECKING:
    import duckdb

    from kequn.snapshot import Snapshot

_BOTH_RUNS = """
WITH a AS (SELECT customer_id, segment FROM read_parquet($before) WHERE scheme = $scheme {seen}),
     b AS (SELECT customer_id, segment FROM read_parquet($after) WHERE scheme = $scheme {seen}),
     both_runs AS (
       SELECT coalesce(a.customer_id, b.customer_id) AS customer_id, a.segment AS from_segment, b.segment AS to_segment
       FROM a FULL OUTER JOIN b ON a.customer_id = b.customer_id
     )
"""


def both_runs(ids: Sequence[str] | None) -> str:
    """SQL that begins with the table `both_runs`, for a connection of `scratch(ids)` and the values of `pair`.

    Grain: one row per customer who is in the scheme in one of the two runs, or those of `ids`; NULL = outside it in that run.
    """
    return _BOTH_RUNS.format(seen="" if ids is None else "AND customer_id IN (SELECT customer_id FROM seen)")


def segment_trend(runs: Sequence[Snapshot], scheme: str) -> list[dict[str, Any]]:
    """Segment rows of one scheme in every run that has it, oldest `as_of` first, with `run_id` and `as_of` beside.

    Of runs with the same `as_of` only the latest counts. Money in major units.
    """
    found = []
    with scratch() as con:
        for run in by_as_of(runs):
            if run.has("segment") and scheme in run.manifest.digests:
                sql = "SELECT * FROM read_parquet($files) WHERE scheme = $scheme ORDER BY position"
                for row in rows(con, sql, {"files": _files(run, "segment"), "scheme": scheme}):
                    found.append({"run_id": run.run_id, "as_of": run.manifest.as_of, **row})
    return found


def by_as_of(runs: Sequence[Snapshot]) -> list[Snapshot]:
    """The latest run of each `as_of`, oldest `as_of` first."""
    latest = {run.manifest.as_of: run for run in sorted(runs, key=lambda run: run.run_id)}
    return [latest[as_of] for as_of in sorted(latest)]


def moves(
    before: Snapshot, after: Snapshot, scheme: str, ids: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Customers per pair of segments (`from_segment`, `to_segment`, `customers`; None = outside the scheme).

    The same as `snapshot.compare` gives, for one scheme; `ids` limits it to customers one may see.
    What `after` published about the run before it is read from there. Raises SnapshotError when a file of either run is missing.
    """
    if ids is None and after.manifest.previous == before.run_id and after.has("migration"):
        published = "SELECT from_segment, to_segment, customers FROM read_parquet($files) WHERE scheme = $scheme ORDER BY ALL"
        with scratch() as con:
            return rows(con, published, {"files": _files(after, "migration"), "scheme": scheme})
    sql = (
        both_runs(ids)
        + "SELECT from_segment, to_segment, count(*) AS customers FROM both_runs GROUP BY ALL ORDER BY ALL"
    )
    with scratch(ids) as con:
        return rows(con, sql, pair(before, after, scheme))


def movers(
    before: Snapshot,
    after: Snapshot,
    scheme: str,
    move: tuple[str | None, str | None],
    ids: Sequence[str] | None = None,
) -> list[str]:
    """Ids of the customers who went from `move[0]` to `move[1]` (None = outside the scheme), in order."""
    sql = (
        both_runs(ids) + "SELECT customer_id FROM both_runs WHERE from_segment IS NOT DISTINCT FROM $source "
        "AND to_segment IS NOT DISTINCT FROM $target ORDER BY 1"
    )
    with scratch(ids) as con:
        values = {**pair(before, after, scheme), "source": move[0], "target": move[1]}
        return [row["customer_id"] for row in rows(con, sql, values)]


def customer_history(runs: Sequence[Snapshot], customer_id: str) -> list[dict[str, Any]]:
    """Where a customer stood: one row per run (oldest `as_of` first) and scheme: run_id, as_of, scheme, segment."""
    found = []
    with scratch() as con:
        for run in by_as_of(runs):
            if run.has("assignment"):
                sql = (
                    "SELECT scheme, segment FROM read_parquet($files) WHERE customer_id = $id ORDER BY scheme"
                )
                for row in rows(con, sql, {"files": _files(run, "assignment"), "id": customer_id}):
                    found.append({"run_id": run.run_id, "as_of": run.manifest.as_of, **row})
    return found


def pair(before: Snapshot, after: Snapshot, scheme: str) -> dict[str, Any]:
    """The values that `both_runs` takes."""
    return {
        "before": _files(before, "assignment", scheme),
        "after": _files(after, "assignment", scheme),
        "scheme": scheme,
    }


def _files(run: Snapshot, table: str, scheme: str | None = None) -> list[str]:
    files = run.files(table)
    own = [file for file in files if scheme is not None and file.name.startswith(f"{scheme}-")]
    return [str(file) for file in own or files]


def scratch(ids: Sequence[str] | None = None) -> duckdb.DuckDBPyConnection:
    """A database in memory with `ids` as the table `seen`."""
    import duckdb

    con = duckdb.connect(config={"threads": 1, "memory_limit": "512MB"})
    if ids is not None:
        con.execute("CREATE TABLE seen AS SELECT unnest(?::VARCHAR[]) AS customer_id", [list(ids)])
    return con


__all__ = ["both_runs", "by_as_of", "customer_history", "movers", "moves", "segment_trend"]
