"""The folder of runs: write aside, publish, roll back, prune, sweep. One writer at a time.

<folder>/CURRENT              the published run, the only pointer
<folder>/<run_id>/            a complete run
<folder>/.draft-<run_id>/     a run that is being written (or that died)
<folder>/.forget-<run_id>/    files that replace those of a run (see `forgetting`)
<folder>/.lock                held by the one process that writes
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import json
import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from kequn.definitions import sync_folder, write_atomically
from kequn.errors import SnapshotError
from kequn.snapshot.cards import is_card
from kequn.snapshot.digest import file_records, scheme_digests
from kequn.snapshot.forgetting import JOURNAL, Erasure, finish_journal, forget_in_run
from kequn.snapshot.manifest import MANIFEST, Manifest, is_run_id, write_manifest
from kequn.snapshot.reader import SERVING, Snapshot, open_snapshot

CURRENT = "CURRENT"
DRAFT = ".draft-"
_FULL = {errno.ENOSPC, errno.EDQUOT}


class SnapshotStore:
    """The runs of one workspace, in `folder` (created when something is first written)."""

    def __init__(self, folder: Path) -> None:
        from filelock import FileLock

        self.folder = folder
        # a singleton per path is re-entrant within a thread and shuts out other threads as well as other processes
        self._lock = FileLock(folder.absolute() / ".lock", is_singleton=True)

    # --- writing -----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def lock(self, wait: bool | float = False) -> Iterator[None]:
        """Be the only writer; `wait` for the other one to end (True: for ever; a number: seconds).

        The lock ends with the process, however it ends. Raises SnapshotError `snapshot.locked` naming who holds it.
        """
        from filelock import Timeout

        holder = self.folder / ".lock-holder"
        with _disk(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=-1 if wait is True else float(wait), poll_interval=0.05)
        except Timeout:
            raise SnapshotError("snapshot.locked", **_read_holder(holder)) from None
        try:
            with contextlib.suppress(OSError):  # only a courtesy to whoever finds the lock taken
                now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
                holder.write_text(
                    json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": now})
                )
            yield
        finally:
            self._lock.release()

    def begin(self, run_id: str) -> Draft:
        """A new run, written aside. Call it while holding the lock.

        Raises SnapshotError when the lock isn't held, the name is no run id, or such a run exists.
        """
        if not self._lock.is_locked:
            raise SnapshotError("snapshot.not_locked", folder=str(self.folder))
        if not is_run_id(run_id):
            raise SnapshotError("snapshot.run_id", run_id=run_id)
        if (self.folder / run_id).exists():
            raise SnapshotError("snapshot.exists", run_id=run_id)
        path = self.folder / f"{DRAFT}{run_id}"
        with _disk(self.folder):
            if path.exists():
                shutil.rmtree(path)
            path.mkdir()
        return Draft(self, run_id, path)

    def sweep(self) -> list[str]:
        """Remove what dead runs left and finish what a dead `forget` began; returns the names of the dead runs.

        Call it before `begin`: holding the lock proves that no other run is alive. Raises SnapshotError when one is.
        """
        dead = []
        with self.lock(), _disk(self.folder):
            for path in sorted(self.folder.iterdir()):
                if path.name.startswith(DRAFT):
                    shutil.rmtree(path)
                    dead.append(path.name.removeprefix(DRAFT))
                elif path.name.startswith(JOURNAL):
                    finish_journal(path, self.folder / path.name.removeprefix(JOURNAL))
                elif path.name.endswith(".part"):
                    path.unlink(missing_ok=True)
        return dead

    def rollback(self, run_id: str | None = None) -> Snapshot:
        """Publish the run `run_id` again; without it, the newest whole run before the published one.

        The run's files are compared with its manifest first. Raises SnapshotError when there is no such run, or it was
        pruned or damaged; the pointer then stays where it was.
        """
        with self.lock(), _disk(self.folder):
            if run_id is None:
                present = self._pointer()
                older = [
                    run
                    for run in self.runs()
                    if not run.manifest.pruned and (present is None or run.run_id < present)
                ]
                if not older:
                    raise SnapshotError("snapshot.no_earlier_run", run_id=present or "-")
                target = older[0]
            else:
                target = self.snapshot(run_id)
            if target.manifest.pruned:
                raise SnapshotError(
                    "snapshot.pruned", run_id=target.run_id, table="profile", known=list(target.tables)
                )
            checked = target.verify()
            if not checked.sound:
                raise SnapshotError(
                    "snapshot.damaged", run_id=target.run_id, files=[*checked.missing, *checked.edited]
                )
            write_atomically(self.folder / CURRENT, f"{target.run_id}\n".encode())
        return target

    def prune(self, keep: int) -> list[str]:
        """Drop the profile, `serving.duckdb` and the card files of all runs but the newest `keep` and the published one.

        Assignments, segments and evidence stay. Returns the names of the runs that were pruned.
        Raises ValueError when `keep` is less than 1.
        """
        if keep < 1:
            raise ValueError("keep must be at least 1")
        pruned = []
        with self.lock(), _disk(self.folder):
            present = self._pointer()
            for run in self.runs()[keep:]:
                profile = run.folder / "profile"
                serving = [path for path in run.folder.iterdir() if _serves(path.name)]
                if run.run_id == present or (run.manifest.pruned and not serving and not profile.exists()):
                    continue
                kept = {
                    name: record
                    for name, record in run.manifest.files.items()
                    if not _serves(name) and not name.startswith("profile/")
                }
                # first say it is gone, then let it go: a crash between leaves files that the next prune removes
                write_manifest(run.folder, run.manifest.model_copy(update={"files": kept, "pruned": True}))
                shutil.rmtree(profile, ignore_errors=True)
                for path in serving:
                    path.unlink(missing_ok=True)
                pruned.append(run.run_id)
        return pruned

    def forget(self, customer_id: str, *, now: dt.datetime) -> Erasure:
        """Remove a customer from every table of every run; see `forgetting.forget_in_run`. `now` needs a time zone.

        Raises SnapshotError when another process writes, a run is damaged, or the disk refuses; runs already rewritten
        stay so, and repeating the call goes on where it stopped.
        """
        self.sweep()
        found = Erasure()
        with self.lock(), _disk(self.folder):
            broken = self.broken_runs()
            if broken:
                raise next(iter(broken.values()))
            for run in self.runs():
                found = found + forget_in_run(run, customer_id, now, self.folder / f"{JOURNAL}{run.run_id}")
        return found

    # --- reading -----------------------------------------------------------------------------------------------------

    def current(self) -> Snapshot | None:
        """The published run, None when nothing was published yet.

        Raises SnapshotError when CURRENT names a run that isn't there, or one whose manifest is broken.
        """
        run_id = self._pointer()
        if run_id is None:
            return None
        folder = self.folder / run_id
        if not is_run_id(run_id) or not folder.is_dir():
            raise SnapshotError("snapshot.current_lost", run_id=run_id[:40], file=str(self.folder / CURRENT))
        return open_snapshot(folder)

    def snapshot(self, run_id: str) -> Snapshot:
        """The run named `run_id`. Raises SnapshotError when there is none or its manifest is broken."""
        if not is_run_id(run_id) or not (self.folder / run_id).is_dir():
            known = [run.run_id for run in self.runs()[:5]]
            raise SnapshotError("snapshot.no_run", run_id=run_id[:40], known=known)
        return open_snapshot(self.folder / run_id)

    def runs(self) -> list[Snapshot]:
        """All complete runs, newest first; runs with a broken manifest are left out (`broken_runs` tells of them)."""
        found = []
        for folder in self._folders():
            with contextlib.suppress(SnapshotError):
                found.append(open_snapshot(folder))
        return found

    def broken_runs(self) -> dict[str, SnapshotError]:
        """What is wrong with each run whose manifest can't be read."""
        broken = {}
        for folder in self._folders():
            try:
                open_snapshot(folder)
            except SnapshotError as error:
                broken[folder.name] = error
        return broken

    def _folders(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return sorted((path for path in self.folder.iterdir() if is_run_id(path.name)), reverse=True)

    def _pointer(self) -> str | None:
        try:
            return (self.folder / CURRENT).read_bytes().decode("utf-8", "replace").strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            reason = error.strerror or str(error)
            raise SnapshotError("snapshot.unreadable", run_id=CURRENT, reason=reason) from error


class Draft:
    """A run that is being written in `path`, unseen by readers. As a context manager it leaves nothing behind
    unless it was published."""

    def __init__(self, store: SnapshotStore, run_id: str, path: Path) -> None:
        self.run_id = run_id
        self.path = path
        self._store = store

    def folder(self, table: str) -> Path:
        """The folder for the Parquet files of `table`, created when needed."""
        if not table.isidentifier():
            raise ValueError(f"{table!r} is no name for a table")
        path = self.path / table
        with _disk(self.path):
            path.mkdir(parents=True, exist_ok=True)
        return path

    def files(self, table: str) -> tuple[Path, ...]:
        """The Parquet files written so far for `table`, in order."""
        return tuple(sorted((self.path / table).glob("*.parquet")))

    @property
    def serving(self) -> Path:
        """Where `serving.duckdb` belongs."""
        return self.path / SERVING

    def publish(self, manifest: Manifest) -> Snapshot:
        """Make this the published run: sync and hash all files, write the manifest, rename, flip CURRENT last.

        Fills `files`, and `rows` (per table) and `digests` (per scheme) where `manifest` lacks them.
        Raises SnapshotError when the manifest is of another run or the disk refuses; the published run then stands.
        """
        if manifest.run_id != self.run_id:
            raise SnapshotError("snapshot.run_id", run_id=manifest.run_id)
        store, final = self._store.folder, self._store.folder / self.run_id
        with _disk(self.path):
            self._drop_engine_marks()
            paths = sorted(path for path in self.path.rglob("*") if path.is_file() and path.name != MANIFEST)
            _sync(paths)
            names = [path.relative_to(self.path).as_posix() for path in paths]
            files = dict(zip(names, file_records(paths), strict=True))
            rows = {
                table: _rows(self.files(table))
                for table in sorted({name.split("/")[0] for name in names if "/" in name})
            }
            complete = manifest.model_copy(
                update={
                    "files": files,
                    "rows": rows | manifest.rows,
                    "digests": scheme_digests(self.files("assignment"), manifest.digests),
                }
            )
            write_manifest(self.path, complete)
            for folder in {path.parent for path in paths} | {self.path}:
                sync_folder(folder)
            pointer = (
                store / f".{CURRENT}.part"
            )  # written before the rename: from here on nothing needs space
            pointer.write_bytes(f"{self.run_id}\n".encode())
            _sync([pointer])
            self.path.rename(final)
            sync_folder(store)
            pointer.replace(store / CURRENT)
            sync_folder(store)
        return Snapshot(final, complete)

    def discard(self) -> None:
        """Remove everything written so far; does nothing after `publish`."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _drop_engine_marks(self) -> None:
        """Spark leaves `_SUCCESS` and checksum files; they are no part of a run."""
        for path in self.path.rglob("*"):
            if path.is_file() and (path.name.startswith((".", "_")) or path.suffix in (".crc", ".wal")):
                path.unlink()

    def __enter__(self) -> Draft:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()
        if isinstance(error, OSError) and error.errno in _FULL:
            raise _full(self._store.folder, error) from error


def _serves(name: str) -> bool:
    """Whether a file of a run is only there for the workbench."""
    return name == SERVING or is_card(name)


def _rows(files: Sequence[Path]) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(file).num_rows for file in files)


def _sync(paths: Sequence[Path]) -> None:
    for path in paths:
        with path.open("rb") as handle:
            os.fsync(handle.fileno())


def _read_holder(path: Path) -> dict[str, object]:
    fields: dict[str, object] = {"pid": "?", "host": "?", "since": "?"}
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text())
        fields |= {name: found[name] for name in fields if name in found}
    return fields


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """Turn what the disk refuses into a SnapshotError."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _full(folder, error) from error
        reason = error.strerror or str(error)
        raise SnapshotError(
            "snapshot.disk", folder=str(folder), file=str(error.filename or "-"), reason=reason
        ) from error


def _full(folder: Path, error: OSError) -> SnapshotError:
    try:
        free = shutil.disk_usage(folder).free // 1_000_000
    except OSError:
        free = 0
    return SnapshotError(
        "snapshot.disk_full", folder=str(folder), free_mb=free, file=str(error.filename or "-")
    )


__all__ = ["CURRENT", "Draft", "SnapshotStore"]
