"""One published run, as everything downstream reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kequn.errors import SnapshotError
from kequn.snapshot.digest import file_record, file_records
from kequn.snapshot.manifest import MANIFEST, Manifest, read_manifest

if TYPE_CHECKING:
    import duckdb

SERVING = "serving.duckdb"


@dataclass(frozen=True)
class Verification:
    """What differs between a snapshot and its manifest; paths are relative to the snapshot."""

    missing: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether every published file is as it was published (files that somebody added are never read)."""
        return not self.missing and not self.edited


@dataclass(frozen=True)
class Snapshot:
    """One complete run in `folder`. Only files that the manifest names are read."""

    folder: Path
    manifest: Manifest

    @property
    def run_id(self) -> str:
        """Name of the run, `YYYYMMDD-HHMMSS-xxxx`."""
        return self.manifest.run_id

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that the run holds."""
        return tuple(self.manifest.tables())

    def files(self, table: str) -> tuple[Path, ...]:
        """The Parquet files of `table`.

        Raises SnapshotError when the run has no such table (or it was pruned), and when a file is missing or has
        another size than was published.
        """
        names = self.manifest.tables().get(table)
        if names is None:
            code = "snapshot.pruned" if self.manifest.pruned and table == "profile" else "snapshot.no_table"
            raise SnapshotError(code, run_id=self.run_id, table=table, known=list(self.tables))
        return tuple(self.checked(name) for name in names)

    def has(self, table: str) -> bool:
        """Whether the run holds `table`."""
        return table in self.manifest.tables()

    @property
    def serving(self) -> Path | None:
        """The DuckDB file for the workbench; None when the run has none (or it was pruned)."""
        return self.checked(SERVING) if SERVING in self.manifest.files else None

    def checked(self, name: str) -> Path:
        """A file that the manifest names. Raises SnapshotError when it is missing or isn't what was published.

        Its bytes are compared when it is younger than the manifest, which is written last: nobody waits for that otherwise.
        """
        path, record = self.folder / name, self.manifest.files[name]
        try:
            status, published = path.stat(), (self.folder / MANIFEST).stat()
        except OSError:
            raise SnapshotError("snapshot.file_missing", run_id=self.run_id, file=name) from None
        size = status.st_size
        if size != record.bytes:
            raise SnapshotError(
                "snapshot.file_edited", run_id=self.run_id, file=name, expected=record.bytes, found=size
            )
        if status.st_mtime_ns > published.st_mtime_ns and file_record(path).sha256 != record.sha256:
            raise SnapshotError("snapshot.file_rewritten", run_id=self.run_id, file=name)
        return path

    def connect(
        self,
        *,
        threads: int = 2,
        memory_limit: str = "1GB",
        temp_directory: Path | None = None,
        serving: bool = True,
    ) -> duckdb.DuckDBPyConnection:
        """A DuckDB connection with a view per table, that touches nothing outside this snapshot.

        Tables that `serving.duckdb` holds are read from there, its own tables (`orders`, `profile_sample` …) have
        views too; `serving=False` reads Parquet only. Queries spill to `temp_directory` when it is given.
        Raises SnapshotError when a file is missing or damaged.
        """
        import duckdb

        con = duckdb.connect()
        try:
            con.execute(f"SET threads = {int(threads)}")
            con.execute(f"SET memory_limit = {_quoted(memory_limit)}")
            con.execute(f"SET temp_directory = {_quoted(temp_directory or '')}")
            con.execute("SET TimeZone = 'UTC'")
            served: set[str] = set()
            if serving and self.serving:
                con.execute(f"ATTACH {_quoted(self.serving.resolve())} AS serving (READ_ONLY)")
                rows = con.execute(
                    "SELECT table_name FROM duckdb_tables() WHERE database_name = 'serving' UNION ALL "
                    "SELECT view_name FROM duckdb_views() WHERE database_name = 'serving' AND NOT internal"
                ).fetchall()
                served = {row[0] for row in rows}
                for table in sorted(served):
                    con.execute(f'CREATE VIEW "{table}" AS SELECT * FROM serving."{table}"')
            allowed = ", ".join(
                _quoted(folder.resolve()) for folder in (self.folder, temp_directory) if folder
            )
            con.execute(f"SET allowed_directories = [{allowed}]")
            con.execute("SET enable_external_access = false")
            con.execute("SET lock_configuration = true")
            for table in sorted(set(self.tables) - served):
                files = ", ".join(_quoted(file.resolve()) for file in self.files(table))
                con.execute(f'CREATE VIEW "{table}" AS SELECT * FROM read_parquet([{files}])')
        except duckdb.Error as error:
            con.close()
            reason = str(error).splitlines()[0]
            raise SnapshotError("snapshot.unreadable", run_id=self.run_id, reason=reason) from error
        except BaseException:
            con.close()
            raise
        return con

    def verify(self) -> Verification:
        """Compare every file with the size and sha256 in the manifest (reads everything: about a second per GB)."""
        present = {path.relative_to(self.folder).as_posix(): path for path in _files_below(self.folder)}
        recorded = self.manifest.files
        missing = tuple(name for name in sorted(recorded) if name not in present)
        alike: list[str] = []
        edited: list[str] = []
        for name in sorted(set(recorded) & set(present)):
            (alike if present[name].stat().st_size == recorded[name].bytes else edited).append(name)
        found = file_records([present[name] for name in alike])
        edited += [
            name for name, record in zip(alike, found, strict=True) if record.sha256 != recorded[name].sha256
        ]
        unexpected = tuple(sorted(set(present) - set(recorded) - {MANIFEST}))
        return Verification(missing, tuple(sorted(edited)), unexpected)


def open_snapshot(folder: Path) -> Snapshot:
    """The run in `folder`. Raises SnapshotError when its manifest is missing or broken."""
    return Snapshot(folder, read_manifest(folder))


def _files_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _quoted(text: str | Path) -> str:
    return "'" + str(text).replace("'", "''") + "'"


__all__ = ["SERVING", "Snapshot", "Verification", "open_snapshot"]
