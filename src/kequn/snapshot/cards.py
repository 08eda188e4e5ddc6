"""`card_<table>.arrow`: what a customer's page reads, row by row, so that it waits for no query.

DuckDB needs half a millisecond to plan a look-up and .03 ms more for each column, as much as everything else on the page.
These files are Arrow IPC: sorted by customer_id, in blocks of few rows, each compressed alone. A look-up finds the block by
halving and reads it: .1 to .4 ms, whatever the number of customers, and nothing stays in memory.

    card_profile           what the page shows of the profile, and each scheme's segment as `seg_<scheme>`
    card_contact           name, phone, e-mail: personal, so readers mask them
    card_prediction, card_recommendation    as published
    card_orders            of each order what a line of the list shows, oldest first
    card_product           names of products, by product_id
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kequn.errors import SnapshotError
from kequn.snapshot.contacts import COLUMNS as CONTACT

if TYPE_CHECKING:
    import pyarrow as pa

PREFIX, SUFFIX = "card_", ".arrow"
BLOCK_ROWS = 512
"""Rows that are read for one customer. 2,048 cost three times as much and make the files a twentieth smaller."""
PROFILE = (
    *CONTACT, "gender", "age", "age_band", "occupation", "education", "marital_status", "children", "household_size_band", "life_stage",
    "income_band", "home_ownership", "industry", "company", "city", "city_tier", "province", "preferred_channel", "first_channel",
    "preferred_store", "top_category", "top_brand", "top_season", "account_manager", "registered_at", "first_order_at",
    "revenue_12m", "monetary", "frequency", "average_order_value", "recency_days", "gap_mean_days",
)  # fmt: skip
"""The columns of the profile that are kept, where it has them; besides `customer_id` and `seg_…`."""
ORDERS = ("order_id", "ordered_at", "amount", "channel", "lines", "main_product", "main_category")
TABLES: Mapping[str, Sequence[str] | None] = {
    "profile": PROFILE, "contact": CONTACT, "prediction": None, "recommendation": None, "orders": ORDERS,
    "product": None,
}  # fmt: skip
"""Tables of `serving.duckdb` with the columns that are kept; None for all."""


def is_card(name: str) -> bool:
    """Whether a file of a run is one of these."""
    return name.startswith(PREFIX) and name.endswith(SUFFIX)


def names_customers(name: str) -> bool:
    """Whether a file of a run is a card file by customer."""
    return is_card(name) and key_of(name.removeprefix(PREFIX).removesuffix(SUFFIX)) == "customer_id"


def build_cards(serving: Path, folder: Path, memory_limit: str = "1GB") -> list[Path]:
    """Write the files of a run into `folder` from its `serving.duckdb`; one for each of `TABLES` that it has.

    Raises SnapshotError when that can't be read, OSError when the disk refuses.
    """
    import duckdb

    written = []
    try:
        with duckdb.connect(config={"threads": 1, "memory_limit": memory_limit}) as con:
            con.execute(f"ATTACH '{str(serving).replace(chr(39), chr(39) * 2)}' AS serving (READ_ONLY)")
            con.execute("USE serving")
            for table in TABLES:
                there = con.execute(
                    "SELECT column_name FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index",
                    [table],
                ).fetchall()
                columns = card_columns(table, [name for (name,) in there])
                if columns:
                    out = folder / f"{PREFIX}{table}{SUFFIX}"
                    rows = con.sql(f"SELECT {', '.join(map(_quoted, columns))} FROM {table}")
                    _write(rows.to_arrow_reader(BLOCK_ROWS), out)
                    written.append(out)
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise SnapshotError("snapshot.serving_failed", file=str(serving), reason=reason) from error
    return written


def card_columns(table: str, there: Sequence[str]) -> list[str]:
    """Which columns of a table cards show: its key first, then others in the table's order; empty for a table without it."""
    key, kept = key_of(table), TABLES[table]
    if key not in there:
        return []
    wanted = [name for name in there if kept is None or name in kept or name.startswith("seg_")]
    return [key, *(name for name in wanted if name != key)]


def key_of(table: str) -> str:
    """The column that rows are looked up by, and that the table is sorted by."""
    return "product_id" if table == "product" else "customer_id"


def _write(blocks: pa.RecordBatchReader, out: Path) -> None:
    import pyarrow.ipc as ipc

    options = ipc.IpcWriteOptions(compression="lz4", use_threads=False)
    with ipc.new_file(out, blocks.schema, options=options) as writer:
        for block in blocks:
            writer.write_batch(block)


class Cards:
    """The card files of one run, open for any number of threads.

    Raises SnapshotError when one of them is damaged, at the start or when its rows are asked for.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._blocks: dict[str, _Blocks] = {}
        for table in TABLES:
            file = folder / f"{PREFIX}{table}{SUFFIX}"
            if file.is_file():
                with _readable(folder.name):
                    self._blocks[table] = _Blocks(file)

    def __contains__(self, table: str) -> bool:
        return table in self._blocks

    def rows(self, table: str, key: str, newest: int | None = None) -> list[dict[str, Any]]:
        """The rows of a customer (or product), as the file has them, or the `newest` last; none for a table that isn't there."""
        if table not in self._blocks:
            return []
        with _readable(self._folder.name):
            return self._blocks[table].rows(key, newest)

    def close(self) -> None:
        """Let go of the files."""
        for blocks in self._blocks.values():
            blocks.close()


@contextmanager
def _readable(run_id: str) -> Iterator[None]:
    """Turn what Arrow says of a damaged file into a SnapshotError."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        raise SnapshotError(
            "snapshot.unreadable", run_id=run_id, reason=str(error).splitlines()[0]
        ) from error


class _Blocks:
    """One file: its blocks by number, and the first key of each block that was looked at."""

    def __init__(self, file: Path) -> None:
        import pyarrow as pa
        import pyarrow.ipc as ipc

        self._file = pa.OSFile(str(file))
        self._blocks = ipc.open_file(self._file, options=ipc.IpcReadOptions(use_threads=False))
        ids = ipc.IpcReadOptions(use_threads=False, included_fields=[0])
        self._ids = ipc.open_file(self._file, options=ids)
        self._first: dict[int, str] = {}
        self._lock = threading.Lock()

    def rows(self, key: str, newest: int | None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        with self._lock:  # Arrow doesn't say that one reader serves two threads
            place = self._last_block(key)
            while place >= 0 and (newest is None or len(found) < newest):
                block = self._blocks.get_batch(place)
                ids = block.column(0).to_pylist()  # comparing in Arrow would load pandas where there is one
                start, end = bisect_left(ids, key), bisect_right(ids, key)
                found = block.slice(start, end - start).to_pylist() + found
                if start > 0:
                    break
                place -= 1  # they may begin in the block before
        return found if newest is None else found[-newest:]

    def _last_block(self, key: str) -> int:
        """The number of the last block that begins at or before the key; -1 when all begin behind it."""
        low, high = 0, self._blocks.num_record_batches
        while low < high:
            middle = (low + high) // 2
            if self._begins(middle) <= key:
                low = middle + 1
            else:
                high = middle
        return low - 1

    def _begins(self, place: int) -> str:
        if place not in self._first:
            self._first[place] = self._ids.get_batch(place).column(0)[0].as_py()
        return self._first[place]

    def close(self) -> None:
        self._file.close()


def drop_from_card(file: Path, customer_id: str, out: Path) -> bool:
    """Write a card file without one customer to the new file `out`; False, and no file, when it doesn't know them.

    Raises SnapshotError when the file is damaged, OSError when the disk refuses.
    """
    import os

    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.ipc as ipc

    with _readable(file.parent.name):
        blocks = _Blocks(file)
        known = bool(blocks.rows(customer_id, 1))
        blocks.close()
    if not known:
        return False
    out.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(file)) as handle, ipc.open_file(handle) as source:
        kept = (
            block.filter(pc.not_equal(block.column(0), customer_id))
            for block in map(source.get_batch, range(source.num_record_batches))
        )
        _write(
            pa.RecordBatchReader.from_batches(source.schema, (block for block in kept if block.num_rows)), out
        )
    with out.open("rb") as written:
        os.fsync(written.fileno())
    return True


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


__all__ = ["Cards", "build_cards", "card_columns", "drop_from_card", "is_card", "names_customers"]
