"""The segments of all schemes side by side, one row per customer, from the published table `assignment`.

Profile and assignment files are sorted by customer_id, so all of them are read once, alongside, a batch of customers at a
time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kequn.errors import SnapshotError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BATCH_ROWS = 122_880
"""One row group of DuckDB."""
TEXT = pa.dictionary(pa.int32(), pa.string())
PLACE = {"segment": ("seg", TEXT), "sub_segment": ("sub", TEXT), "since": ("since", pa.date32()), "rule_segment": ("rule", TEXT)}  # fmt: skip
"""Columns of the published table, and what they are called here: seg_<scheme> …"""


class OutOfOrder(Exception):
    """A file is not sorted by customer_id."""


def side_by_side(
    con: DuckDBPyConnection, profile: Sequence[Path], assignment: Sequence[Path], spare: Path
) -> Path:
    """One Parquet file in the folder `spare` with the customers of the sorted files `profile`, in their order, and seg_…,
    sub_…, since_… and rule_… of each scheme.

    A scheme lies in files `<scheme>-…`, sorted by customer_id; where it doesn't, a sorted copy is made first. Raises
    SnapshotError when a scheme names a customer twice or one without a profile.
    """
    found = con.from_parquet(_names(assignment)).unique("scheme").fetchall() if assignment else []
    schemes = {scheme: _files_of(con, scheme, assignment, spare) for (scheme,) in sorted(found)}
    target = spare / "sides.parquet"
    try:
        _fill(target, profile, schemes)
    except OutOfOrder:
        _fill(
            target,
            profile,
            {scheme: [_copied(con, scheme, files, spare)] for scheme, files in schemes.items()},
        )
    return target


def in_order(con: DuckDBPyConnection, files: Sequence[Path], spare: Path) -> Sequence[Path]:
    """The files when they are sorted by customer_id, else one sorted copy at `spare`."""
    last = con.from_parquet(_names(files)).project("customer_id, lag(customer_id) OVER () AS last")
    if not last.filter("last >= customer_id").limit(1).fetchall():
        return files
    con.from_parquet(_names(files)).order("customer_id").write_parquet(str(spare))
    return [spare]


def _files_of(con: DuckDBPyConnection, scheme: str, assignment: Sequence[Path], spare: Path) -> list[Path]:
    own = [file for file in assignment if file.name.rsplit("-", 1)[0] == scheme]
    return own or [_copied(con, scheme, assignment, spare)]


def _copied(con: DuckDBPyConnection, scheme: str, files: Sequence[Path], spare: Path) -> Path:
    target = spare / f"{scheme}.sorted.parquet"
    from duckdb import ColumnExpression, ConstantExpression

    rows = con.from_parquet(_names(files)).filter(ColumnExpression("scheme") == ConstantExpression(scheme))
    rows.order("customer_id").write_parquet(str(target))
    return target


def _names(files: Sequence[Path]) -> list[str]:
    return [str(file) for file in files]


def _fill(target: Path, profile: Sequence[Path], schemes: Mapping[str, Sequence[Path]]) -> None:
    columns = [(f"{short}_{scheme}", kind) for scheme in schemes for short, kind in PLACE.values()]
    schema = pa.schema([("customer_id", pa.string()), *columns])
    members = {scheme: _Members(scheme, files) for scheme, files in schemes.items()}
    with pq.ParquetWriter(target, schema, store_schema=False) as writer:
        for batch in _batches(profile, ["customer_id"]):
            seats = _Seats(batch.column("customer_id"))
            arrays = [array for each in members.values() for array in each.of(seats)]
            writer.write_batch(pa.RecordBatch.from_arrays([seats.ids, *arrays], schema=schema))
    for each in members.values():
        each.end()


class _Seats:
    """The customers of a batch, and where those of a scheme stand among them; many schemes have the same scope."""

    def __init__(self, ids: pa.Array) -> None:
        self.ids = ids
        self._found: list[tuple[pa.Array, pa.Array]] = []

    def places(self, members: pa.Array) -> pa.Array:
        """For each customer of the batch the row in `members`, NULL for those who are no member."""
        for known, places in self._found:
            if known.equals(members):
                return places
        places = pc.index_in(self.ids, value_set=members)
        self._found.append((members, places))
        return places


class _Members:
    """The rows of one scheme, handed out customer by customer."""

    def __init__(self, scheme: str, files: Sequence[Path]) -> None:
        self._scheme = scheme
        self._schema = pa.schema(
            [("customer_id", pa.string()), *((name, kind) for name, (_, kind) in PLACE.items())]
        )
        text = [name for name, (_, kind) in PLACE.items() if kind == TEXT]
        self._coming = _batches(sorted(files), self._schema.names, text)
        self._held = self._schema.empty_table()
        self._last: str | None = None

    def of(self, seats: _Seats) -> list[pa.Array]:
        """The columns of PLACE for each of these customers, who come after those asked for before; NULL outside the scheme."""
        here = self._until(seats.ids[-1].as_py())
        columns = [here.column(name) for name in PLACE]
        known = here.column("customer_id")
        if known.equals(seats.ids):
            return columns
        places = seats.places(known)
        if len(places) - places.null_count != len(known):
            raise SnapshotError("snapshot.member_without_profile", scheme=self._scheme)
        return [column.take(places) for column in columns]

    def _until(self, last: str) -> pa.RecordBatch:
        """The rows up to a customer."""
        while not self._held.num_rows or self._held.column("customer_id")[-1].as_py() < last:
            batch = next(self._coming, None)
            if batch is None:
                break
            self._in_order(batch.column("customer_id"))
            rows = pa.Table.from_batches([batch]).cast(self._schema)
            self._held = pa.concat_tables([self._held, rows]) if self._held.num_rows else rows
        count = pc.sum(pc.less_equal(self._held.column("customer_id"), last)).as_py() or 0
        here = self._held.slice(0, count)
        self._held = self._held.slice(count)
        return pa.RecordBatch.from_arrays(
            [column.combine_chunks() for column in here.columns], schema=self._schema
        )

    def _in_order(self, ids: pa.Array) -> None:
        if self._last is not None:
            ids = pa.concat_arrays([pa.array([self._last], pa.string()), ids])
        before, after = ids.slice(0, len(ids) - 1), ids.slice(1)
        if pc.any(pc.greater(before, after)).as_py():
            raise OutOfOrder
        if pc.any(pc.equal(before, after)).as_py():
            raise SnapshotError("snapshot.twice_in_scheme", scheme=self._scheme)
        self._last = ids[-1].as_py()

    def end(self) -> None:
        """Nobody may be left. Raises SnapshotError."""
        if self._held.num_rows or next(self._coming, None) is not None:
            raise SnapshotError("snapshot.member_without_profile", scheme=self._scheme)


def _batches(
    files: Sequence[Path], columns: Sequence[str], text: Sequence[str] = ()
) -> Iterator[pa.RecordBatch]:
    for file in files:
        with pq.ParquetFile(file, read_dictionary=list(text)) as parquet:
            yield from (
                batch for batch in parquet.iter_batches(BATCH_ROWS, columns=list(columns)) if len(batch)
            )


__all__ = ["in_order", "side_by_side"]
