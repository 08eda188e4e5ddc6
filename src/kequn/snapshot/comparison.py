"""Two runs side by side: who moved from which segment to which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kequn.snapshot.reader import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

_MOVES = """
WITH a AS (SELECT customer_id, segment FROM read_parquet($before) WHERE scheme = $scheme),
     b AS (SELECT customer_id, segment FROM read_parquet($after) WHERE scheme = $scheme)
SELECT $scheme AS scheme, a.segment AS from_segment, b.segment AS to_segment, count(*) AS customers
FROM a FULL OUTER JOIN b ON a.customer_id = b.customer_id
GROUP BY a.segment, b.segment
ORDER BY from_segment NULLS FIRST, to_segment NULLS FIRST
"""
"""Grain: one row per pair of segments with customers in it; NULL = outside the scheme in that run."""


@dataclass(frozen=True)
class SchemeChange:
    """Customers of one scheme between two runs. `redefined`: the definition itself changed in between."""

    scheme: str
    stayed: int
    moved: int
    entered: int
    left: int
    redefined: bool


@dataclass(frozen=True)
class Comparison:
    """`migration` has the columns scheme, from_segment, to_segment (NULL = not in the scheme), customers.

    `only_before` and `only_after` are schemes that one of the runs lacks.
    """

    before: str
    after: str
    migration: pa.Table
    changes: tuple[SchemeChange, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]


def compare(run_a: Snapshot, run_b: Snapshot, *, memory_limit: str = "2GB", threads: int = 2) -> Comparison:
    """How customers moved between segments from `run_a` to `run_b`, for each scheme that both have.

    Raises SnapshotError when a run has no assignment or a file was damaged.
    """
    shared = sorted(set(run_a.manifest.digests) & set(run_b.manifest.digests))
    moves = migration_table(
        run_a.files("assignment"),
        run_b.files("assignment"),
        shared,
        memory_limit=memory_limit,
        threads=threads,
    )
    by_scheme: dict[str, list[dict[str, Any]]] = {scheme: [] for scheme in shared}
    for row in moves.to_pylist():
        by_scheme[row["scheme"]].append(row)
    changes = [_change(scheme, rows, _redefined(scheme, run_a, run_b)) for scheme, rows in by_scheme.items()]
    return Comparison(
        run_a.run_id,
        run_b.run_id,
        moves,
        tuple(changes),
        tuple(sorted(set(run_a.manifest.digests) - set(shared))),
        tuple(sorted(set(run_b.manifest.digests) - set(shared))),
    )


def migration_table(
    before: Sequence[Path],
    after: Sequence[Path],
    schemes: Sequence[str],
    *,
    memory_limit: str = "2GB",
    threads: int = 2,
) -> pa.Table:
    """Customers per scheme and pair of segments, from the assignment files of two runs.

    Columns scheme, from_segment, to_segment (NULL = outside the scheme in that run), customers; ordered by the first three.
    """
    import duckdb
    import pyarrow as pa

    found = [_no_moves()]
    with duckdb.connect() as con:
        con.execute(f"SET memory_limit = '{memory_limit}'")
        con.execute(f"SET threads = {int(threads)}")
        for scheme in schemes:
            files = {"before": _files_of(scheme, before), "after": _files_of(scheme, after)}
            found.append(con.sql(_MOVES, params={**files, "scheme": scheme}).to_arrow_table())
    return pa.concat_tables(found)


def _files_of(scheme: str, files: Sequence[Path]) -> list[str]:
    """The scheme's own files where they carry its name, else all of them."""
    own = [str(file) for file in files if file.name.rsplit("-", 1)[0] == scheme]
    return own or [str(file) for file in files]


def _no_moves() -> pa.Table:
    import pyarrow as pa

    text = [(name, pa.string()) for name in ("scheme", "from_segment", "to_segment")]
    return pa.schema([*text, ("customers", pa.int64())]).empty_table()


def _change(scheme: str, moves: Sequence[Mapping[str, Any]], redefined: bool) -> SchemeChange:
    stayed = moved = entered = left = 0
    for row in moves:
        before, after, customers = row["from_segment"], row["to_segment"], row["customers"]
        if before == after:
            stayed += customers
        elif before is None:
            entered += customers
        elif after is None:
            left += customers
        else:
            moved += customers
    return SchemeChange(scheme, stayed, moved, entered, left, redefined)


def _redefined(scheme: str, run_a: Snapshot, run_b: Snapshot) -> bool:
    before, after = _fingerprint(scheme, run_a), _fingerprint(scheme, run_b)
    return before is not None and after is not None and before != after


def _fingerprint(scheme: str, run: Snapshot) -> str | None:
    """What the scheme meant in that run: its own fingerprint (a changed title leaves it alone), else that of its file."""
    said = (getattr(run.manifest, "schemes", None) or {}).get(scheme)
    if isinstance(said, dict) and isinstance(said.get("fingerprint"), str):
        return str(said["fingerprint"])
    used = run.manifest.definitions.get(f"schemes/{scheme}.yaml")
    return used.fingerprint if used else None


__all__ = ["Comparison", "SchemeChange", "compare", "migration_table"]
