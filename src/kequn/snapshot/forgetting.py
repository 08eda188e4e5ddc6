"""Remove one customer from a finished run, so that a crash at any moment leaves either the old or the new files.

The new files are written into a journal folder beside the run, its manifest last. From then on the change is decided:
moving the files over the old ones can be repeated until it is done (`finish_journal`, also called by `sweep`).
Totals that were published (`segment`, `portrait`, aggregates in `serving.duckdb`) stay: they name nobody.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kequn.definitions import LocatedDict, LocatedList, parse_yaml, sync_folder
from kequn.errors import ConfigError, SnapshotError
from kequn.snapshot.cards import drop_from_card, names_customers
from kequn.snapshot.digest import file_record, scheme_digests
from kequn.snapshot.manifest import MANIFEST, DefinitionUse, Forgotten, Manifest, write_manifest
from kequn.snapshot.reader import SERVING, Snapshot
from kequn.snapshot.serving import drop_customer

if TYPE_CHECKING:
    import pyarrow as pa

JOURNAL = ".forget-"
REMOVED = "[forgotten]"
_POINTERS = ("referred_by",)
"""Columns that name another customer: the row stays, the name goes."""
_LISTS = ("ids", "exclude", "override")
"""Keys of definitions that list customers by id."""
_PARTS = r"""[\s|,;"'\x1f]"""
"""What stands between the parts of a key, or the cells of a raw line, in the table `quarantine`."""


@dataclass(frozen=True)
class Erasure:
    """What `forget` did: runs that held the customer, and rows that were removed (of all tables and runs)."""

    runs: tuple[str, ...] = ()
    rows: int = 0

    def __add__(self, other: Erasure) -> Erasure:
        return Erasure(self.runs + other.runs, self.rows + other.rows)


def forget_in_run(run: Snapshot, customer_id: str, now: dt.datetime, journal: Path) -> Erasure:
    """Rewrite the files of `run` that know `customer_id` without it, through the folder `journal`.

    Rows of the customer go; other customers' `referred_by` becomes NULL; lists of ids in the run's copy of the
    definitions lose it. The manifest records the member digests before and after, never the id. Raises SnapshotError
    when a file was damaged, OSError when the disk refuses; the run is then as it was.
    """
    if journal.exists():
        shutil.rmtree(journal)
    removed = 0
    try:
        changed: dict[str, Path] = {}
        for table in run.tables:
            for file in run.files(table):
                name = file.relative_to(run.folder).as_posix()
                gone = _without(file, table, customer_id, journal / name)
                if gone is not None:
                    changed[name], removed = journal / name, removed + gone
        if run.serving and drop_customer(run.serving, customer_id, journal / SERVING, _POINTERS):
            changed[SERVING] = journal / SERVING
        for name in filter(names_customers, run.manifest.files):
            if drop_from_card(run.checked(name), customer_id, journal / name):
                changed[name] = journal / name
        definitions = {
            name: use.model_copy(update={"text": without_id(use.text, customer_id)})
            for name, use in run.manifest.definitions.items()
        }
        if not changed and definitions == run.manifest.definitions:
            return Erasure()
        journal.mkdir(parents=True, exist_ok=True)
        write_manifest(journal, _manifest_after(run, changed, definitions, now))
    except BaseException:
        shutil.rmtree(journal, ignore_errors=True)
        raise
    finish_journal(journal, run.folder)
    return Erasure((run.run_id,), removed)


def _manifest_after(
    run: Snapshot, changed: dict[str, Path], definitions: dict[str, DefinitionUse], now: dt.datetime
) -> Manifest:
    before = run.manifest
    files = before.files | {name: file_record(path) for name, path in changed.items()}
    members = [changed.get(file.relative_to(run.folder).as_posix(), file) for file in _assignment(run)]
    digests = before.digests | scheme_digests(members)
    rows = dict(before.rows)
    for table, names in before.tables().items():
        if table in rows and any(name in changed for name in names):
            rows[table] = sum(_rows(changed.get(name, run.folder / name)) for name in names)
    entry = Forgotten(at=now.astimezone(dt.UTC), before=before.digests, after=digests)
    update = {"files": files, "digests": digests, "rows": rows, "definitions": definitions}
    return before.model_copy(update={**update, "forgotten": [*before.forgotten, entry]})


def _assignment(run: Snapshot) -> tuple[Path, ...]:
    return run.files("assignment") if run.has("assignment") else ()


def _rows(file: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(file).num_rows)


def finish_journal(journal: Path, folder: Path) -> None:
    """Move what `journal` holds over the files of the run `folder`; a journal without manifest was never decided and goes."""
    if (journal / MANIFEST).exists():
        for path in sorted(path for path in journal.rglob("*") if path.is_file() and path.name != MANIFEST):
            path.replace(folder / path.relative_to(journal))
        for parent in {folder, *(path for path in folder.iterdir() if path.is_dir())}:
            sync_folder(parent)
        (journal / MANIFEST).replace(folder / MANIFEST)
        sync_folder(folder)
    shutil.rmtree(journal)


def _without(file: Path, table: str, customer_id: str, out: Path) -> int | None:
    """Write `file` without the customer to `out`; returns the rows removed, None when the file doesn't know them."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as source:
        schema = source.schema_arrow
        own = _own_rows(table, schema, customer_id)
        pointers = [name for name in _POINTERS if name in schema.names]
        needed = [name for name in ("customer_id", "key", "text", *pointers) if name in schema.names]
        if own is None and not pointers:
            return None

        def known(group: int) -> bool:
            part = source.read_row_group(group, columns=needed)
            hits = [own(part)] if own else []
            hits += [pc.equal(part[name], customer_id) for name in pointers]
            return any(pc.any(hit).as_py() for hit in hits)

        if not any(known(group) for group in range(source.num_row_groups)):
            return None
        out.parent.mkdir(parents=True, exist_ok=True)
        removed = 0
        with pq.ParquetWriter(out, schema, compression="zstd") as writer:
            for group in range(source.num_row_groups):
                part = source.read_row_group(group)
                if own:
                    kept = part.filter(pc.invert(own(part)))
                    removed, part = removed + part.num_rows - kept.num_rows, kept
                for name in pointers:
                    hit = pc.fill_null(pc.equal(part[name], customer_id), False)
                    cleared = pc.if_else(hit, None, part[name]).cast(schema.field(name).type)
                    part = part.set_column(schema.get_field_index(name), schema.field(name), cleared)
                if part.num_rows:
                    writer.write_table(part, row_group_size=part.num_rows)
    with out.open("rb") as handle:
        _fsync(handle)
    return removed


def _own_rows(table: str, schema: pa.Schema, customer_id: str) -> Callable[[Any], Any] | None:
    """What tells the customer's rows of a table: a function from rows to booleans without NULL; None for no such table."""
    import pyarrow.compute as pc

    tests: list[Callable[[Any], Any]] = []
    if "customer_id" in schema.names:
        tests.append(lambda part: pc.equal(part["customer_id"], customer_id))
    if table == "quarantine":
        # rather a refused row too many than one that still names them: the counts stay in the manifest
        literal = customer_id.replace(
            "\\E", "\\E\\\\E\\Q"
        )  # Arrow's RE2 quotes with \Q…\E; re.escape writes what it refuses
        pattern = f"(^|{_PARTS})\\Q{literal}\\E($|{_PARTS})"
        tests += [_matches(name, pattern) for name in ("key", "text") if name in schema.names]
    if not tests:
        return None

    def either(part: Any) -> Any:
        found = pc.fill_null(tests[0](part), False)
        for test in tests[1:]:
            found = pc.or_(found, pc.fill_null(test(part), False))
        return found

    return either


def _matches(column: str, pattern: str) -> Callable[[Any], Any]:
    import pyarrow.compute as pc

    return lambda part: pc.match_substring_regex(part[column], pattern)


def _fsync(handle: Any) -> None:
    import os

    os.fsync(handle.fileno())


def without_id(text: str, customer_id: str) -> str:
    """The YAML `text` of a definition with `customer_id` struck from its lists of ids; other text is untouched."""
    if customer_id not in text:
        return text
    try:
        data = parse_yaml(text)
    except ConfigError:
        return text
    lines = text.splitlines(keepends=True)
    for row, column in sorted(_places(data, customer_id), reverse=True):
        line = lines[row - 1]
        rest = line[column - 1 :]
        for written in (customer_id, f"'{customer_id}'", f'"{customer_id}"'):
            if rest.startswith(written):
                lines[row - 1] = line[: column - 1] + f'"{REMOVED}"' + rest[len(written) :]
                break
        else:  # written with escapes: the whole line goes
            raise SnapshotError("snapshot.id_in_definition", line=row)
    return "".join(lines)


def _places(data: Any, customer_id: str, key: str = "") -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    if isinstance(data, LocatedDict):
        for name, value in data.items():
            found += _places(value, customer_id, name)
    elif isinstance(data, LocatedList):
        for mark, item in zip(data.marks, data, strict=True):
            if isinstance(item, (LocatedDict, LocatedList)):
                found += _places(item, customer_id, key)
            elif key in _LISTS and item is not None:
                with contextlib.suppress(ValueError):
                    if str(item) == customer_id:
                        found.append((mark.line, mark.column))
    return found


__all__ = ["JOURNAL", "REMOVED", "Erasure", "finish_journal", "forget_in_run", "without_id"]
