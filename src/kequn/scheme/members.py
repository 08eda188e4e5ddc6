"""One pass over the wide result: the assignment files, `since`, counts, member digests, and that nobody stands twice."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kequn.errors import KequnError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kequn.scheme.assignment import Previous
    from kequn.scheme.layers import Layers

BATCH_ROWS = 122_880
MILLIONTHS = 1_000_000
"""Predictions have six decimals; counted in millionths their sums are exact, whatever the order of rows."""
TEXT = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("scheme", TEXT),
        ("segment", TEXT),
        ("sub_segment", TEXT),
        ("since", pa.date32()),
        ("rule_segment", TEXT),
    ]
)
"""Dictionaries only on the way: the files hold plain text, so no reader needs to know."""


@dataclass
class Members:
    """What the pass found for one scheme: rows written, customers seen, and per segment members and sums of measures
    (None where no member has a value); the digest of its members."""

    rows: int = 0
    total: int = 0
    digest: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    sums: dict[tuple[str, str], int | None] = field(default_factory=dict)


def batches(
    files: tuple[Path, ...], columns: list[str] | None = None, text: list[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Record batches of Parquet files, in order; `text` columns come as dictionaries."""
    for file in files:
        with pq.ParquetFile(file, read_dictionary=text) as parquet:
            yield from parquet.iter_batches(BATCH_ROWS, columns=columns)


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
    wide: tuple[Path, ...],
    layers: Layers,
    as_of: date,
    folder: Path,
    before: Mapping[str, Previous],
    measures: Sequence[str],
) -> dict[str, Members]:
    """Write `folder/<scheme>-00000.parquet` for every scheme of `layers` from the sorted wide result.

    Schemes that the last run had too get a column in `since_file(wide)`, row for row as in the wide result.

    Raises KequnError `scheme.customer_twice` when a customer has two rows in the profile.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = list(layers.bound)
    found = {name: Members() for name in names}
    hashes = {name: hashlib.sha256() for name in names}
    past = {name: Past(previous.files) for name, previous in before.items()}
    writers = {name: _writer(folder / f"{name}-00000.parquet") for name in names}
    began = _since_writer(wide, [name for name in names if name in past]) if past else None
    text = (
        [name for name in pq.read_schema(wide[0]).names if name.startswith(("seg_", "sub_", "rule_"))]
        if wide
        else []
    )
    last: str | None = None
    try:
        for batch in batches(wide, text=text):
            ids = batch.column("customer_id").cast(pa.string())
            if not len(ids):
                continue
            last = _ascending(ids, last)
            numbers = {name: _Numbers.of(batch.column(name)) for name in measures}
            since = [ids]
            for name in names:
                rows = _rows(name, batch, ids, as_of, past.get(name))
                since += [rows.column("since")] if name in past else []
                _sum_up(found[name], batch.column(f"seg_{name}"), numbers)
                inside = (
                    rows
                    if rows.column("segment").null_count == 0
                    else rows.filter(rows.column("segment").is_valid())
                )
                found[name].total += len(ids)
                found[name].rows += inside.num_rows
                hashes[name].update(member_bytes(inside.column("customer_id"), inside.column("segment")))
                writers[name].write_batch(inside)
            if began is not None:
                began.write_batch(pa.RecordBatch.from_arrays(since, schema=began.schema))
    finally:
        if began is not None:
            began.close()
        for writer in writers.values():
            writer.close()
    for name in names:
        found[name].digest = hashes[name].hexdigest()
    return found


def since_file(wide: tuple[Path, ...]) -> Path:
    """Where `since_<scheme>` of each customer stands, beside the wide result; there is none without a last run."""
    return wide[0].with_name("since-00000.parquet")


def _since_writer(wide: tuple[Path, ...], names: Sequence[str]) -> pq.ParquetWriter:
    columns = [(f"since_{name}", pa.date32()) for name in names]
    return pq.ParquetWriter(since_file(wide), pa.schema([("customer_id", pa.string()), *columns]))


def _writer(file: Path) -> pq.ParquetWriter:
    few = [each.name for each in SCHEMA if each.name != "customer_id"]
    # least and largest value serve look-ups of a customer; of the few segments they say nothing and cost a quarter
    return pq.ParquetWriter(
        file,
        SCHEMA,
        compression="zstd",
        use_dictionary=few,
        store_schema=False,
        write_statistics=["customer_id"],
    )


@dataclass(frozen=True)
class _Numbers:
    """A measure in one batch as whole numbers (`number` columns in millionths), and which rows have a value."""

    values: NDArray[np.int64]
    known: NDArray[np.int64] | None

    @classmethod
    def of(cls, column: pa.Array) -> _Numbers:
        if pa.types.is_floating(column.type):
            column = pc.cast(pc.round(pc.multiply(column, float(MILLIONTHS))), pa.int64())
        if not column.null_count:
            return cls(np.asarray(column, dtype=np.int64), None)
        known = np.asarray(column.is_valid()).astype(np.int64)
        return cls(np.asarray(pc.fill_null(column, 0), dtype=np.int64), known)


def _sum_up(members: Members, segment: pa.Array, numbers: Mapping[str, _Numbers]) -> None:
    """Add a batch to the members and the sums of measures, exactly (in whole minor units)."""
    coded = as_dictionary(segment)
    labels = coded.dictionary.to_pylist()
    codes = np.asarray(pc.fill_null(coded.indices, len(labels))).astype(np.int64)
    counts = np.bincount(codes, minlength=len(labels) + 1)
    order = np.argsort(codes.astype(np.uint16), kind="stable")
    there = [place for place in range(len(labels)) if counts[place]]
    ends = np.cumsum(counts)
    starts = [int(ends[place] - counts[place]) for place in there]
    inside = order[: int(ends[len(labels)] - counts[len(labels)])]
    for place in there:
        members.counts[labels[place]] += int(counts[place])
    for name, measure in numbers.items() if there else ():
        totals = np.add.reduceat(measure.values[inside], starts)
        known = None if measure.known is None else np.add.reduceat(measure.known[inside], starts)
        for number, place in enumerate(there):
            key = labels[place], name
            if known is None or known[number]:
                members.sums[key] = (members.sums.get(key) or 0) + int(totals[number])
            else:
                members.sums.setdefault(key, None)


def as_dictionary(values: pa.Array) -> pa.DictionaryArray:
    """Texts as codes and the distinct texts."""
    return values if pa.types.is_dictionary(values.type) else values.cast(pa.string()).dictionary_encode()


def _ascending(ids: pa.Array, last: str | None) -> str:
    if len(ids) > 1 and not pc.all(pc.less(ids.slice(0, len(ids) - 1), ids.slice(1))).as_py():
        place = pc.index(pc.less(ids.slice(0, len(ids) - 1), ids.slice(1)), False).as_py()
        raise KequnError("scheme.customer_twice", id=ids[place].as_py())
    if last is not None and ids[0].as_py() <= last:
        raise KequnError("scheme.customer_twice", id=last)
    return str(ids[-1].as_py())


def _rows(name: str, batch: pa.RecordBatch, ids: pa.Array, as_of: date, past: Past | None) -> pa.RecordBatch:
    """One row per customer; customers outside the scheme's scope have no segment."""
    there = set(batch.schema.names)

    def text(column: str, instead: pa.Array) -> pa.Array:
        return as_dictionary(batch.column(column)).cast(TEXT) if column in there else instead

    nothing = pa.nulls(len(ids), TEXT)
    segment = text(f"seg_{name}", nothing)
    today = pa.repeat(pa.scalar(as_of, pa.date32()), len(ids))
    since = today
    if past is not None:
        was, began = past.of(ids)
        same = pc.fill_null(pc.equal(was, segment.cast(pa.string())), False)
        since = pc.if_else(same, pc.coalesce(began, today), today)
    scheme = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), len(ids)), pa.array([name]))
    columns: list[Any] = [
        ids,
        scheme,
        segment,
        text(f"sub_{name}", nothing),
        since,
        text(f"rule_{name}", segment),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def member_bytes(ids: pa.Array, segments: pa.Array) -> memoryview:
    """`customer_id,segment\\n` of each row, as UTF-8."""
    if not len(ids):
        return memoryview(b"")
    coded = as_dictionary(segments)
    tails = pa.array([f",{label}\n" for label in coded.dictionary.to_pylist()], pa.string())
    joined = pc.binary_join_element_wise(ids, tails.take(coded.indices), "").cast(pa.large_string())
    offsets = memoryview(joined.buffers()[1]).cast("q")
    return memoryview(joined.buffers()[2])[offsets[joined.offset] : offsets[joined.offset + len(joined)]]


__all__ = [
    "MILLIONTHS",
    "SCHEMA",
    "Members",
    "Past",
    "as_dictionary",
    "batches",
    "member_bytes",
    "since_file",
    "write_members",
]
