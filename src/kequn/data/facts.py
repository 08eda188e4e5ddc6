"""Canonical tables as Parquet: `facts/<table>-<fingerprint>/part-00000.parquet`, built once per changed source.

A fingerprint covers the content of the files, the mapping, the settings that change values, and the tables a table is
built from. A table is written aside and renamed, so a killed process leaves nothing half written. Beside the data stand
`meta.json` (counts, money, notices) and `quarantine/` (what was refused). Rows dated after the clock are refused, so a
table that has some is built again once the clock has passed them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from kequn.data.inputs import Inputs
from kequn.data.quarantine import Counts, SourceReport
from kequn.data.sales import has_lines, names_products
from kequn.data.sources import Sources, check_zone
from kequn.data.stage import Notice
from kequn.data.standard import TABLES, Column, Type
from kequn.errors import DataError

VERSION = 2
"""Raise it when the same files would give other facts."""
Progress = Callable[[str, int, int], None]
"""Called with (table, done, total) before each table is built."""


@dataclass(frozen=True)
class FactSettings:
    """What of the workspace changes the facts.

    `clock` is the present: an aware time, or a naive one in `time_zone`. `folder_root` is the workspace folder, to which the
    paths in sources.yaml are relative.
    """

    currency: str
    time_zone: str
    clock: datetime
    folder_root: Path
    minor_unit_digits: int = 2
    memory_limit: str = "2GB"
    threads: int | None = None

    @property
    def now(self) -> datetime:
        """The clock as naive local time of the workspace."""
        if self.clock.tzinfo is None:
            return self.clock
        return self.clock.astimezone(ZoneInfo(self.time_zone)).replace(tzinfo=None)


@dataclass(frozen=True)
class FactTable:
    """One canonical table. `columns` are those that it has, with their types; money is BIGINT in minor units.

    `counts` counts rows read from files for this table; rows that follow from other tables (orders of a flat file,
    customers known only from orders) are in `rows` only.
    """

    name: str
    files: tuple[Path, ...]
    columns: Mapping[str, Type]
    rows: int
    fingerprint: str
    counts: Counts
    sources: tuple[SourceReport, ...] = ()
    quarantine: tuple[Path, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder of its Parquet files."""
        return self.files[0].parent


@dataclass(frozen=True)
class Facts:
    """All canonical tables of a workspace and what a run must know about them.

    `history_start` and `last_order_at` are local times of the first and last order; anonymous orders have no customer.
    `rounding` is what rounding took off all money, in minor units (exact decimal as text).
    """

    tables: Mapping[str, FactTable]
    quarantine: tuple[Path, ...]
    warnings: tuple[Notice, ...]
    history_start: datetime | None = None
    last_order_at: datetime | None = None
    anonymous_orders: int = 0
    anonymous_amount: int = 0
    returned_orders: int = 0
    returned_amount: int = 0
    rounding: str = "0"
    custom: Mapping[str, Mapping[str, Column]] = field(default_factory=dict)

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of the folders in use, for `sweep_facts` and manifests."""
        return tuple(sorted(table.folder.name for table in self.tables.values()))

    def declared(self, table: str, column: str) -> Column:
        """The declaration of a column, custom ones included. Raises: KeyError."""
        if column in TABLES[table].columns:
            return TABLES[table].columns[column]
        return self.custom[table][column]


def load_facts(
    sources: Sources, settings: FactSettings, folder: Path, progress: Progress | None = None
) -> Facts:
    """Bring the facts in `folder` up to date with the sources and say what they are.

    Unchanged tables are not built again and their files not read. Raises: DataError (a file or header is missing, nothing
    is mapped, the disk is full), ConfigError (unknown time zone).
    """
    check_zone(settings.time_zone, "time_zone")
    if not any(True for _ in sources.entries()):
        raise DataError("data.no_sources")
    folder.mkdir(parents=True, exist_ok=True)
    inputs = Inputs(settings.folder_root, folder)
    plan = _plan(sources)
    found: dict[str, FactTable] = {}
    builder = None
    try:
        for done, name in enumerate(plan):
            base = _base_fingerprint(name, sources, settings, inputs, found)
            table = _find(folder, name, base, settings.now)
            if table is None:
                if progress:
                    progress(name, done, len(plan))
                if builder is None:
                    from kequn.data.build import Builder

                    builder = Builder(sources, settings, folder, inputs)
                table = _write(builder, folder, name, base, settings.now, found)
            found[name] = table
    finally:
        if builder is not None:
            builder.close()
    inputs.save()
    if progress:
        progress("", len(plan), len(plan))
    return _summary(found, sources, folder)


def _plan(sources: Sources) -> list[str]:
    """The tables to build, each after those it is built from."""
    names = [
        name
        for name in TABLES
        if sources.of(name) and name not in ("customers", "orders", "order_lines", "products")
    ]
    flat_lines = [source for source in sources.flat_orders if has_lines(source)]
    sales = []
    if sources.products or any(names_products(source) for source in flat_lines):
        sales.append("products")
    if sources.orders or sources.flat_orders:
        sales.append("orders")
    if sources.order_lines or flat_lines:
        sales.append("order_lines")
    if sources.order_lines and not (sources.orders or sources.flat_orders):
        raise DataError("data.lines_without_orders")
    people = ["customers", "identities"] if sources.customers or sales or {*names} & set(RELATIONS) else []
    return [*sales, *names, *people]


RELATIONS = ("orders", "holdings", "usage", "accounts")
"""Tables whose customers are customers even when no customer table names them. (Visitors in events or prospects in deals are not.)"""
_BASES: Mapping[str, tuple[str, ...]] = {
    "products": ("products", "flat_orders"),
    "orders": ("orders", "flat_orders", "order_lines"),
    "order_lines": ("order_lines", "flat_orders"),
    "customers": ("customers", "flat_orders"),
    "identities": ("customers", "flat_orders"),
}
_DEPENDS: Mapping[str, tuple[str, ...]] = {
    "order_lines": ("orders", "products"),
    "customers": RELATIONS,
    "identities": RELATIONS,
}


def _base_fingerprint(
    name: str, sources: Sources, settings: FactSettings, inputs: Inputs, found: Mapping[str, FactTable]
) -> str:
    entries = []
    for base in _BASES.get(name, (name,)):
        for source in sources.of(base):
            entries.append([base, source.model_dump(mode="json", exclude={"files"}), inputs.digest(source)])
    depends = {other: found[other].folder.name for other in _DEPENDS.get(name, ()) if other in found}
    basis = [
        VERSION,
        name,
        settings.currency,
        settings.minor_unit_digits,
        settings.time_zone,
        entries,
        depends,
    ]
    return hashlib.sha256(json.dumps(basis, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:20]


def _find(folder: Path, name: str, base: str, now: datetime) -> FactTable | None:
    """The finished table with this fingerprint that still holds at this clock, or None."""
    for candidate in sorted(folder.glob(f"{name}-{base}*")):
        table = _read(candidate)
        if table is None:
            continue
        meta, fact = table
        latest, after = meta["latest"], meta["after"]
        if (latest is None or datetime.fromisoformat(latest) <= now) and (
            after is None or now < datetime.fromisoformat(after)
        ):
            return fact
    return None


def _read(folder: Path) -> tuple[dict[str, Any], FactTable] | None:
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        files = tuple(folder / file for file in meta["files"])
        if meta["sizes"] != [file.stat().st_size for file in files]:
            return None
    except (OSError, ValueError, KeyError):
        return None
    reports = tuple(SourceReport.from_json(one) for one in meta["sources"])
    notices = tuple(Notice(one["code"], one["fields"]) for one in meta["notices"])
    counts = sum((report.counts for report in reports), Counts())
    quarantine = tuple(sorted((folder / "quarantine").glob("*.parquet")))
    fact = FactTable(
        meta["table"], files, meta["columns"], meta["rows"], folder.name, counts, reports, quarantine, notices
    )
    return meta, fact


def _write(
    builder: Any, folder: Path, name: str, base: str, now: datetime, found: Mapping[str, FactTable]
) -> FactTable:
    """Build a table aside and move it to its place."""
    aside: Path = builder.scratch / name
    aside.mkdir()
    try:
        built = builder.build(name, aside, found)
    except OSError as error:
        raise DataError(
            "data.cannot_write", folder=str(folder), detail=error.strerror or str(error)
        ) from error
    meta = {
        "version": VERSION,
        "table": name,
        "columns": dict(built.columns),
        "rows": built.rows,
        "files": ["part-00000.parquet"],
        "sizes": [(aside / "part-00000.parquet").stat().st_size],
        "sources": [report.to_json() for report in built.reports],
        "notices": [asdict(notice) for notice in built.notices],
        "latest": built.latest.isoformat() if built.latest else None,
        "after": built.after.isoformat() if built.after else None,
    }
    suffix = f"-{hashlib.sha256(now.isoformat().encode()).hexdigest()[:8]}" if built.after else ""
    target = folder / f"{name}-{base}{suffix}"
    try:
        (aside / "meta.json").write_text(json.dumps(meta, ensure_ascii=False, indent=1), encoding="utf-8")
        _move(aside, target)
    except OSError as error:
        raise DataError(
            "data.cannot_write", folder=str(folder), detail=error.strerror or str(error)
        ) from error
    read = _read(target)
    if read is None:
        raise DataError("data.cannot_write", folder=str(folder), detail=target.name)
    return read[1]


def _move(aside: Path, target: Path) -> None:
    """Rename a finished table to its place; a damaged or outdated one there gives way."""
    import shutil

    if target.exists():
        stale = aside.parent / f"stale-{target.name}"
        target.rename(stale)
        shutil.rmtree(stale, ignore_errors=True)
    aside.rename(target)


def _summary(found: dict[str, FactTable], sources: Sources, folder: Path) -> Facts:
    """What a run must know, computed once per set of tables and remembered."""
    from kequn.data.summary import summarise

    names = hashlib.sha256(
        "".join(sorted(table.fingerprint for table in found.values())).encode()
    ).hexdigest()[:20]
    store = folder / f"summary-{names}.json"
    try:
        data = json.loads(store.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        data = summarise(found)
        aside = folder / f".{store.name}.tmp"
        aside.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
        aside.replace(store)
    notices = [notice for table in found.values() for notice in table.notices]
    notices += [Notice(one["code"], one["fields"]) for one in data["notices"]]
    first, last = (
        datetime.fromisoformat(data[key]) if data[key] else None for key in ("history_start", "last_order_at")
    )
    return Facts(
        found,
        tuple(file for table in found.values() for file in table.quarantine),
        tuple(notices),
        rounding=data["rounding"],
        custom=sources.custom_columns(),
        history_start=first,
        last_order_at=last,
        anonymous_orders=data["anonymous_orders"],
        anonymous_amount=data["anonymous_amount"],
        returned_orders=data["returned_orders"],
        returned_amount=data["returned_amount"],
    )


def sweep_facts(folder: Path, keep: Iterable[str]) -> tuple[str, ...]:
    """Remove fact folders that `keep` (names as in `Facts.folders`) doesn't name, and what dead builds left; their names.

    Call it while no other process loads facts of this workspace.
    """
    import shutil

    kept = set(keep)
    removed = []
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        table = entry.name.rsplit("-", 1)[0].split("-")[0]
        ours = entry.is_dir() and (table in TABLES or entry.name.startswith(".build-"))
        if (ours and entry.name not in kept) or (entry.name.startswith("summary-") and not kept):
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
            removed.append(entry.name)
    return tuple(removed)


__all__ = [
    "RELATIONS",
    "FactSettings",
    "FactTable",
    "Facts",
    "Progress",
    "load_facts",
    "sweep_facts",
]
