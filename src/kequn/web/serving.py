"""Reading the published snapshot for pages: one snapshot per request, one read-only connection per worker process.

`snapshots/CURRENT` names the run. Each worker opens that run's `serving.duckdb` when first asked (after the fork), gives
each thread a cursor of its own, and reopens when the pointer flips. A request pins what was current when it first read
something and keeps it to its end, so that no page mixes two snapshots; the old file closes when its last reader lets go.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
from django.conf import settings
from django.core.cache import caches

from kequn.errors import SnapshotError
from kequn.reading.customer import customer_rows
from kequn.snapshot.cards import Cards, card_columns
from kequn.snapshot.manifest import Manifest, read_manifest
from kequn.snapshot.reader import SERVING
from kequn.snapshot.store import CURRENT
from kequn.web.accounts.scope import Scope

MEMORY_LIMIT = "64MB"  # what is read again comes from the system's cache
EXACT_SECONDS = 15.0  # an exact scan that takes longer is stopped
WAIT_SECONDS = 10.0  # how long a request waits for its turn to scan
SMALL = 2_000  # below this an estimate from the sample says too little
CUSTOMERS = "profile"
SAMPLE = "profile_sample"
ORDERS_READ = 400  # of one customer, the latest; few have more, and a page shows ten
SMALL_TABLES = ("segment", "cell", "portrait")  # grow with the schemes, not with the customers


class NoSnapshot(SnapshotError):
    """Nothing has been published yet (or the published snapshot is gone)."""


class Busy(SnapshotError):
    """Too many people are counting at once."""


@dataclass
class _Handle:
    """An open snapshot file and how many requests are reading it."""

    run_id: str
    version: str  # differs whenever the file does: `forget` replaces the file of a run
    folder: Path
    connection: duckdb.DuckDBPyConnection
    cards: Cards
    spill: Path  # for what exceeds the memory of the connection; goes with it
    readers: int = 0
    retired: bool = False
    cursors: threading.local = field(default_factory=threading.local)
    catalogue: dict[str, dict[str, str]] = field(default_factory=dict)
    manifest: Manifest | None = None
    customers: int | None = None
    known: dict[str, Any] = field(
        default_factory=dict
    )  # what pages worked out from the whole run, kept as long as it

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """This thread's cursor."""
        mine = getattr(self.cursors, "cursor", None)
        if mine is None:
            mine = self.cursors.cursor = self.connection.cursor()
            mine.execute("SET search_path = 'serving.main,memory.main'")
        return mine


class Reader:
    """One snapshot, as one request sees it. All values come from the user as bound parameters, never as SQL."""

    def __init__(self, handle: _Handle) -> None:
        self._handle = handle

    @property
    def run_id(self) -> str:
        return self._handle.run_id

    @property
    def version(self) -> str:
        """Part of every cache key of an answer from this snapshot."""
        return self._handle.version

    @property
    def customers(self) -> int:
        """Everybody in the profile."""
        if self._handle.customers is None:
            self._handle.customers = int(self.value(f"SELECT COUNT(*) FROM {CUSTOMERS}"))
        return self._handle.customers

    @property
    def folder(self) -> Path:
        """The run's folder, for its Parquet tables."""
        return self._handle.folder

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """This thread's cursor, for the functions of `kequn.reading`."""
        return self._handle.cursor()

    @cached_property
    def manifest(self) -> Manifest:
        """What the run says about itself. Raises SnapshotError when the file is broken."""
        if self._handle.manifest is None:
            self._handle.manifest = read_manifest(self._handle.folder)
        return self._handle.manifest

    @property
    def tables(self) -> frozenset[str]:
        """The names of the tables and views there are, for pages that can do without one."""
        return frozenset(self._catalogue())

    def columns(self, table: str) -> dict[str, str]:
        """Column names and types of a table in order; empty when there's no such table."""
        return self._catalogue().get(table, {})

    def _catalogue(self) -> dict[str, dict[str, str]]:
        if not self._handle.catalogue:
            found: dict[str, dict[str, str]] = {}
            for table, column, kind in self.rows(
                "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY column_index"
            ):
                found.setdefault(table, {})[column] = kind
            self._handle.catalogue = found
        return self._handle.catalogue

    def scoped(self, scope: Scope, table: str = CUSTOMERS) -> tuple[str, list[str]]:
        """The scope as an SQL condition on `table` (the profile or its sample), with its parameters.

        Whatever relies on a column that this snapshot lacks (no account managers, a scheme that is gone) sees nobody.
        """
        if scope.everyone:
            return "TRUE", []
        columns = self.columns(table)
        wanted = [("account_manager", scope.account_manager)] if scope.account_manager else []
        wanted += [(f"seg_{scheme}", segment) for scheme, segment in scope.segments]
        known = [
            (column, value) for column, value in wanted if column in columns
        ]  # names of columns that exist are safe
        if not known:
            return "FALSE", []
        clauses = " OR ".join('"{}" = ?'.format(column.replace('"', '""')) for column, _ in known)
        return f"({clauses})", [value for _, value in known]

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self._run(sql, parameters).fetchall()

    def dicts(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """All rows of a query, by column name."""
        done = self._run(sql, parameters)
        names = [column[0] for column in done.description or ()]
        return [dict(zip(names, row, strict=True)) for row in done.fetchall()]

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> dict[str, Any] | None:
        """The first row of a query by column name, or None."""
        return next(iter(self.dicts(sql, parameters)), None)

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The first value of the first row, or None."""
        row = self._run(sql, parameters).fetchone()
        return row[0] if row else None

    def rows_of(self, table: str, customer_id: str) -> list[dict[str, Any]]:
        """One customer's rows in a table of the card, with the columns that cards show; of orders the latest.

        Empty when there's no such table. Runs from before there were card files are asked by SQL.
        """
        if table in self._handle.cards:
            return self._handle.cards.rows(table, customer_id, newest=ORDERS_READ)
        columns = card_columns(table, list(self.columns(table)))
        return customer_rows(self.connection, table, customer_id, columns) if columns else []

    def product_name(self, product_id: str) -> str:
        """What people call a product; its id where the run has no name for it."""
        found = self._handle.cards.rows("product", product_id)
        return str(found[0]["name"]) if found else product_id

    def _run(self, sql: str, parameters: Sequence[Any]) -> duckdb.DuckDBPyConnection:
        try:
            return self._handle.cursor().execute(sql, list(parameters))
        except duckdb.IOException as error:
            raise SnapshotError("web.snapshot_unreadable", run=self.run_id) from error

    @contextmanager
    def limited(self, seconds: float = EXACT_SECONDS) -> Iterator[None]:
        """Stop whatever this thread is querying after `seconds`; raises Busy when that happened."""
        cursor = self._handle.cursor()
        timer = threading.Timer(seconds, cursor.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        except duckdb.InterruptException as error:
            raise Busy("web.count_too_slow", seconds=int(seconds)) from error
        finally:
            timer.cancel()


class Serving:
    """The snapshots of one workspace, as this process reads them."""

    def __init__(self, workspace: Path, memory_limit: str = MEMORY_LIMIT) -> None:
        self.folder = workspace / "snapshots"
        self.memory_limit = memory_limit
        self._lock = threading.Lock()
        self._handle: _Handle | None = None
        self.exact_scans = threading.BoundedSemaphore(1)

    def current_run(self) -> str | None:
        """The run that CURRENT names, or None when nothing is published."""
        try:
            name = (self.folder / CURRENT).read_text(encoding="utf-8").strip()
        except OSError:
            return None
        return name if name and Path(name).name == name else None

    @contextmanager
    def pin(self) -> Iterator[Reader]:
        """The published snapshot, held open while the block runs. Raises NoSnapshot."""
        reader = self.acquire()
        try:
            yield reader
        finally:
            self.release(reader)

    def acquire(self) -> Reader:
        """Like `pin`, for callers that release by hand."""
        run_id = self.current_run()
        if run_id is None:
            raise NoSnapshot("web.no_snapshot")
        with self._lock:
            version = self._version(run_id)
            if self._handle is None or self._handle.version != version:
                fresh = self._open(run_id, version)
                old, self._handle = self._handle, fresh
                if old is not None:
                    self._retire(old)
            self._handle.readers += 1
            return Reader(self._handle)

    def release(self, reader: Reader) -> None:
        """Let go of what `acquire` gave."""
        with self._lock:
            reader._handle.readers -= 1
            self._close_if_idle(reader._handle)

    def close(self) -> None:
        """Close what is open; the next reader opens it again."""
        with self._lock:
            if self._handle is not None:
                self._retire(self._handle)
                self._handle = None

    def _retire(self, handle: _Handle) -> None:
        """Close it as soon as nobody reads it."""
        handle.retired = True
        self._close_if_idle(handle)

    def _close_if_idle(self, handle: _Handle) -> None:
        if handle.retired and handle.readers == 0:
            handle.connection.close()
            handle.cards.close()
            shutil.rmtree(handle.spill, ignore_errors=True)

    def _version(self, run_id: str) -> str:
        try:
            found = (self.folder / run_id / SERVING).stat()
        except OSError as error:
            raise NoSnapshot("web.snapshot_unreadable", run=run_id) from error
        return f"{run_id}:{found.st_ino}:{found.st_mtime_ns}"

    def _open(self, run_id: str, version: str) -> _Handle:
        folder = self.folder / run_id
        connection = duckdb.connect(config={"threads": 1, "memory_limit": self.memory_limit})
        spill = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=spill_folder(settings.PRIVATE)))
        try:
            connection.execute(f"SET temp_directory = {_quoted(spill)}")
            # planning a second look at the ten newest orders of one customer takes longer than reading them at once
            connection.execute("SET GLOBAL late_materialization_max_rows = 0")
            connection.execute(f"ATTACH {_quoted(folder / SERVING)} AS serving (READ_ONLY)")
            _load_small(connection, folder)
            connection.execute("SET enable_external_access = false")
            cards = Cards(folder)
        except (duckdb.Error, SnapshotError) as error:
            connection.close()
            shutil.rmtree(spill, ignore_errors=True)
            raise NoSnapshot("web.snapshot_unreadable", run=run_id) from error
        return _Handle(run_id, version, folder, connection, cards, spill)


def spill_folder(private: Path) -> Path:
    """Where queries put aside what exceeds the memory they may use."""
    folder = private / "spill"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def clear_spill(private: Path) -> None:
    """Remove what processes that are gone left there."""
    for left in spill_folder(private).iterdir():
        try:
            os.kill(int(left.name.split("-")[0]), 0)
        except (ProcessLookupError, ValueError):
            shutil.rmtree(left, ignore_errors=True)
        except PermissionError:
            continue


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _load_small(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Copy the run's small Parquet tables that its file lacks into memory, beside the tables of the file."""
    served = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    for table in SMALL_TABLES:
        files = sorted((folder / table).glob("*.parquet"))
        if files and table not in served:
            listed = ", ".join(_quoted(file) for file in files)
            connection.execute(f"CREATE TABLE memory.main.{table} AS SELECT * FROM read_parquet([{listed}])")


_serving: dict[str, Serving] = {}
_opening = threading.Lock()


def serving() -> Serving:
    """This process's view of the workspace's snapshots."""
    key = str(settings.WORKSPACE)
    with _opening:
        if key not in _serving:
            _serving[key] = Serving(settings.WORKSPACE)
        return _serving[key]


# --- counting ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Condition:
    """A compiled rule over the customer table: SQL from our own compiler, and the canonical text that keys the cache."""

    sql: str
    canonical: str
    parameters: tuple[Any, ...] = ()

    def key(self, version: str, scope: Scope) -> str:
        """Differs by snapshot, rule, parameters and by what the person may see."""
        rule = hashlib.sha256(repr((self.canonical, self.parameters)).encode()).hexdigest()
        return f"count:{version}:{rule}:{scope.key}"


@dataclass(frozen=True)
class Count:
    """How many customers match; `exact` is False for an estimate from the 2 % sample."""

    customers: int
    exact: bool


def known_count(reader: Reader, condition: Condition, scope: Scope) -> Count | None:
    """The exact count when it was counted before in this snapshot and scope."""
    found = caches["counts"].get(condition.key(reader.version, scope))
    return None if found is None else Count(found, True)


def estimate(reader: Reader, condition: Condition, scope: Scope) -> Count | None:
    """An estimate from the sample, at once; None when there are too few people for one (then count exactly)."""
    if SAMPLE not in reader.tables:
        return None
    where, values = reader.scoped(scope, SAMPLE)
    sql = f"SELECT COUNT(*) FILTER (WHERE ({condition.sql}) AND {where}), COUNT(*) FROM {SAMPLE}"
    matching, sampled = reader.rows(sql, [*condition.parameters, *values])[0]
    if not sampled:
        return None
    guess = round(matching * reader.customers / sampled)
    return Count(guess, False) if guess >= SMALL else None


@contextmanager
def taking_turns() -> Iterator[None]:
    """Whoever reads all customers does so alone in this process. Raises Busy when the turn doesn't come in time."""
    scans = serving().exact_scans
    if not scans.acquire(timeout=WAIT_SECONDS):
        raise Busy("web.counting_busy")
    try:
        yield
    finally:
        scans.release()


def exact(reader: Reader, condition: Condition, scope: Scope) -> Count:
    """The exact count, from the cache or by a scan. Scans take turns, so that customer cards stay fast.

    Raises Busy when the turn doesn't come within ten seconds or the scan takes too long.
    """
    known = known_count(reader, condition, scope)
    if known is not None:
        return known
    where, values = reader.scoped(scope)
    sql = f"SELECT COUNT(*) FROM {CUSTOMERS} WHERE ({condition.sql}) AND {where}"
    with taking_turns(), reader.limited():
        customers = int(reader.value(sql, [*condition.parameters, *values]))
    caches["counts"].set(condition.key(reader.version, scope), customers)
    return Count(customers, True)
