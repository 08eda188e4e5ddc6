"""One pass over the wide result: the assignment files, `since`, counts, member digests, and that nobody stands twice."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kequn.errors import KequnError

if TYPE_CHECKING:
    from kequn.scheme.assignment import Previous
    from kequn.scheme.layers import Layers

BATCH_ROWS = 122_880
SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("scheme", pa.string()),
        ("segment", pa.string()),
        ("sub_segment", pa.string()),
        ("since", pa.date32()),
        ("rule_segment", pa.string()),
    ]
)


@dataclass
class Members:
    """What the pass found for one scheme: rows written, customers seen, members per segment, digest."""

    rows: int = 0
    total: int = 0
    digest: str = ""
    counts: Counter[str] = field(default_factory=Counter)


def batches(
    files: tuple[Path, ...], columns: list[str] | None = None, rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """Record batches of Parquet files, in order."""
    for file in files:
        with pq.ParquetFile(file) as parquet:
            yield from parquet.iter_batches(rows, columns=columns)


class Past:
    """The last run's (segment, since) of one scheme, read alongside in the order of customer_id."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        self._coming = batches(tuple(sorted(files)), ["customer_id", "segment", "since"])
        self._held = pa.table(
            {
                "customer_id": pa.array([], pa.string()),
                "segment": pa.array([], pa.string()),
                "since": pa.array([], pa.date32()),
            }
        )

    def of(self, ids: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Segment and since of each of `ids` (ascending, after those asked for before); NULL for newcomers."""
        last = ids[-1].as_py()
        while self._held.num_rows == 0 or self._held.column("customer_id")[-1].as_py() < last:
            batch = next(self._coming, None)
            if batch is None:
                break
            self._held = pa.concat_tables([self._held, pa.table(batch).cast(self._held.schema)])
        held = self._held.combine_chunks()
        places = pc.index_in(ids, value_set=held.column("customer_id"))
        keep = pc.greater(held.column("customer_id"), last)
        self._held = held.filter(keep)
        return held.column("segment").take(places).combine_chunks(), held.column("since").take(
            places
        ).combine_chunks()


def write_members(
    wide: tuple[Path, ...], layers: Layers, as_of: date, folder: Path, before: Mapping[str, Previous]
) -> dict[str, Members]:
    """Write `folder/<scheme>-00000.parquet` for every scheme of `layers` from the sorted wide result.

    Raises KequnError `scheme.customer_twice` when a customer has two rows in the profile.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = list(layers.bound)
    found = {name: Members() for name in names}
    hashes = {name: hashlib.sha256() for name in names}
    past = {name: Past(previous.files) for name, previous in before.items()}
    writers = {
        name: pq.ParquetWriter(folder / f"{name}-00000.parquet", SCHEMA, compression="zstd") for name in names
    }
    last: str | None = None
    try:
        for batch in batches(wide):
            ids = batch.column("customer_id").cast(pa.string())
            if not len(ids):
                continue
            last = _ascending(ids, last)
            for name in names:
                part = _rows(name, batch, ids, as_of, past.get(name))
                members = found[name]
                members.total += len(ids)
                members.rows += part.num_rows
                for count in pc.value_counts(part.column("segment")).to_pylist():
                    members.counts[count["values"]] += count["counts"]
                hashes[name].update(member_bytes(part.column("customer_id"), part.column("segment")))
                writers[name].write_batch(part)
    finally:
        for writer in writers.values():
            writer.close()
    for name in names:
        found[name].digest = hashes[name].hexdigest()
    return found


def _ascending(ids: pa.Array, last: str | None) -> str:
    if len(ids) > 1 and not pc.all(pc.less(ids.slice(0, len(ids) - 1), ids.slice(1))).as_py():
        place = pc.index(pc.less(ids.slice(0, len(ids) - 1), ids.slice(1)), False).as_py()
        raise KequnError("scheme.customer_twice", id=ids[place].as_py())
    if last is not None and ids[0].as_py() <= last:
        raise KequnError("scheme.customer_twice", id=last)
    return str(ids[-1].as_py())


def _rows(name: str, batch: pa.RecordBatch, ids: pa.Array, as_of: date, past: Past | None) -> pa.RecordBatch:
    """The rows of one scheme: customers in its scope."""
    schema_names = set(batch.schema.names)

    def text(column: str, instead: pa.Array) -> pa.Array:
        return batch.column(column).cast(pa.string()) if column in schema_names else instead

    segment = text(f"seg_{name}", pa.nulls(len(ids), pa.string()))
    today = pa.repeat(pa.scalar(as_of, pa.date32()), len(ids))
    since = today
    if past is not None:
        was, began = past.of(ids)
        same = pc.fill_null(pc.equal(was, segment), False)
        since = pc.if_else(same, pc.coalesce(began, today), today)
    columns: list[Any] = [
        ids,
        pa.repeat(pa.scalar(name, pa.string()), len(ids)),
        segment,
        text(f"sub_{name}", pa.nulls(len(ids), pa.string())),
        since,
        text(f"rule_{name}", segment),
    ]
    rows = pa.RecordBatch.from_arrays(columns, schema=SCHEMA)
    return rows if segment.null_count == 0 else rows.filter(pc.is_valid(segment))


def member_bytes(ids: pa.Array, segments: pa.Array) -> memoryview:
    """`customer_id,segment\\n` of each row, as UTF-8."""
    if not len(ids):
        return memoryview(b"")
    lines = pc.binary_join_element_wise(pc.binary_join_element_wise(ids, segments, ","), "", "\n")
    joined = lines.cast(pa.large_string())
    offsets = memoryview(joined.buffers()[1]).cast("q")
    return memoryview(joined.buffers()[2])[offsets[joined.offset] : offsets[joined.offset + len(joined)]]


__all__ = ["SCHEMA", "Members", "Past", "batches", "member_bytes", "write_members"]
