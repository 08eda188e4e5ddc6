"""Fingerprints of what a run holds: the members of a scheme, and the bytes of a file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kequn.errors import SnapshotError
from kequn.snapshot.manifest import FileRecord

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 122_880


class Unordered(SnapshotError):
    """The members do not come sorted by customer_id; the digest of a stream can't be computed."""


def member_digest(batches: Iterable[pa.RecordBatch]) -> str:
    """sha256 over the lines `customer_id,segment\\n`, ordered by the UTF-8 bytes of customer_id, then of segment.

    `batches` hold one row per customer of one scheme, with text columns `customer_id` and `segment`, in that order over
    all batches; both engines give the same digest for the same members. Returns 64 hexadecimal digits.
    Raises Unordered when a row comes before a smaller one, and SnapshotError when a cell is NULL.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    digest = hashlib.sha256()
    last: tuple[str, str] | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        ids = pc.cast(batch.column("customer_id"), pa.large_string())
        segments = pc.cast(batch.column("segment"), pa.large_string())
        if ids.null_count or segments.null_count:
            raise SnapshotError("snapshot.null_member")
        first = (ids[0].as_py(), segments[0].as_py())
        if (last is not None and _key(first) < _key(last)) or not _ordered(ids, segments):
            raise Unordered("snapshot.unordered_members")
        last = (ids[-1].as_py(), segments[-1].as_py())
        # the line end joins the few distinct segment names, not each of the million lines
        coded = segments.dictionary_encode()
        ends = pa.array([f"{segment}\n" for segment in coded.dictionary.to_pylist()], pa.large_string())
        lines = pc.binary_join_element_wise(ids, ends.take(coded.indices), pa.scalar(",", pa.large_string()))
        digest.update(_text_bytes(lines))
    return digest.hexdigest()


def _key(row: tuple[str, str]) -> tuple[bytes, bytes]:
    return row[0].encode(), row[1].encode()


def _ordered(ids: Any, segments: Any) -> bool:
    import pyarrow.compute as pc

    left, right = ids.slice(0, len(ids) - 1), ids.slice(1)
    if pc.all(pc.less(left, right)).as_py() is not False:
        return True
    same = pc.and_(pc.equal(left, right), pc.less_equal(segments.slice(0, len(ids) - 1), segments.slice(1)))
    return pc.all(pc.or_(pc.less(left, right), same)).as_py() is not False


def _text_bytes(lines: Any) -> memoryview:
    """The text of a large_string array as one piece of memory, minding where a slice begins and ends."""
    import numpy as np

    _, offsets, data = lines.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)
    return memoryview(data)[ends[lines.offset] : ends[lines.offset + len(lines)]]


def scheme_digests(files: Sequence[Path], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Member digest of each scheme in the Parquet `files` of the table `assignment`; those of `known` are taken from there.

    Files of one scheme that follow each other sorted by customer_id (as both engines write them) are streamed; anything
    else is sorted by DuckDB.
    """
    import pyarrow.parquet as pq

    known = known or {}
    by_scheme: dict[str, list[Path]] = {}
    mixed = False
    for file in sorted(files):
        parquet = pq.ParquetFile(file)
        column = parquet.schema_arrow.get_field_index("scheme")
        for group in range(parquet.metadata.num_row_groups):
            found = parquet.metadata.row_group(group).column(column).statistics
            if found is None or not found.has_min_max or found.min != found.max:
                mixed = True
                break
            if file not in by_scheme.setdefault(found.min, []):
                by_scheme[found.min].append(file)
    if mixed or len({file for held in by_scheme.values() for file in held}) < sum(
        map(len, by_scheme.values())
    ):
        return _sorted_digests(files, None, known)
    digests = {}
    for scheme, held in sorted(by_scheme.items()):
        if scheme in known:
            digests[scheme] = known[scheme]
            continue
        try:
            digests[scheme] = member_digest(_members(held))
        except Unordered:
            digests |= _sorted_digests(held, scheme, known)
    return digests


def _members(files: Sequence[Path]) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    for file in files:
        parquet = pq.ParquetFile(file, read_dictionary=["segment"])
        yield from parquet.iter_batches(BATCH_ROWS, columns=["customer_id", "segment"])


def _sorted_digests(files: Sequence[Path], only: str | None, known: Mapping[str, str]) -> dict[str, str]:
    import duckdb

    with duckdb.connect() as con:
        con.execute(f"CREATE VIEW members AS SELECT * FROM read_parquet({_listed(files)})")
        names = (
            [only]
            if only
            else [row[0] for row in con.execute("SELECT DISTINCT scheme FROM members").fetchall()]
        )
        digests = {}
        for name in sorted(names):
            if name in known:
                digests[name] = known[name]
                continue
            found = con.sql(
                "SELECT customer_id, segment FROM members WHERE scheme = ? ORDER BY customer_id, segment",
                params=[name],
            )
            digests[name] = member_digest(found.to_arrow_reader(BATCH_ROWS))
    return digests


def _listed(files: Sequence[Path]) -> str:
    return "[" + ", ".join("'" + str(file).replace("'", "''") + "'" for file in files) + "]"


def file_record(path: Path) -> FileRecord:
    """Size and sha256 of a file. Raises OSError when it can't be read."""
    with path.open("rb") as handle:
        return FileRecord(sha256=hashlib.file_digest(handle, "sha256").hexdigest(), bytes=handle.tell())


def file_records(paths: Sequence[Path]) -> list[FileRecord]:
    """`file_record` of each path, a few at a time (hashing leaves Python free)."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        return list(pool.map(file_record, paths))


__all__ = ["Unordered", "file_record", "file_records", "member_digest", "scheme_digests"]
