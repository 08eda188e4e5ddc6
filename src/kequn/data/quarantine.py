"""Rows that can't be kept: counted, written down with the reason, and reconciled to the cent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kequn.data.checks import Rejects
from kequn.data.convert import identifier, literal
from kequn.data.stage import TEXT_LIMIT, Stage
from kequn.errors import DataError

if TYPE_CHECKING:
    import duckdb

SCHEMA = (
    '("table" VARCHAR, key VARCHAR, reason VARCHAR, source VARCHAR, file VARCHAR, "row" BIGINT, "column" VARCHAR, text VARCHAR,'
    " scope VARCHAR, amount BIGINT)"
)
"""Grain: one row per refused row (`scope` row) or per unreadable optional cell of a kept row (`scope` cell); amount in minor units."""


@dataclass(frozen=True)
class Counts:
    """Rows of a table or source: always read = kept + quarantined + duplicates."""

    read: int = 0
    kept: int = 0
    quarantined: int = 0
    duplicates: int = 0

    def __post_init__(self) -> None:
        if self.read != self.kept + self.quarantined + self.duplicates:
            raise DataError("data.counts_differ", **asdict(self))

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.read + other.read,
            self.kept + other.kept,
            self.quarantined + other.quarantined,
            self.duplicates + other.duplicates,
        )


@dataclass(frozen=True)
class MoneySum:
    """A money column of a source, in minor units: source = kept + quarantined + duplicates + rounding, exactly.

    `source` and `rounding` are exact decimals: what the readable cells say before rounding, and what rounding took off.
    """

    column: str
    source: Decimal
    kept: int
    quarantined: int
    duplicates: int
    rounding: Decimal


@dataclass(frozen=True)
class SourceReport:
    """What became of the rows of one source."""

    table: str
    source: str
    counts: Counts
    reasons: Mapping[str, int] = field(default_factory=dict)
    money: tuple[MoneySum, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain values for `meta.json`."""
        money = [
            {**asdict(one), "source": str(one.source), "rounding": str(one.rounding)} for one in self.money
        ]
        return {
            "table": self.table,
            "source": self.source,
            "counts": asdict(self.counts),
            "reasons": dict(self.reasons),
            "money": money,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> SourceReport:
        """The reverse of `to_json`."""
        money = tuple(
            MoneySum(**{**one, "source": Decimal(one["source"]), "rounding": Decimal(one["rounding"])})
            for one in data["money"]
        )
        return SourceReport(data["table"], data["source"], Counts(**data["counts"]), data["reasons"], money)


def report_stage(rejects: Rejects, stage: Stage, table: str, digits: int) -> SourceReport:
    """Count the rows and the money of one staged source for `table`."""
    con, name = rejects.con, identifier(stage.table)
    joined = f"{name} AS s LEFT JOIN (SELECT * FROM rejects WHERE stage = {literal(stage.table)}) AS r ON s.__file = r.__file AND s.__row = r.__row"
    if stage.table not in rejects.stages:
        joined = f"(SELECT *, NULL::BOOLEAN AS duplicate, NULL::BIGINT AS __rejected FROM {name}) AS s"
        fate = "CASE WHEN s.__problem IS NOT NULL THEN 'q' ELSE 'k' END"
    else:
        fate = "CASE WHEN s.__problem IS NOT NULL THEN 'q' WHEN r.duplicate THEN 'd' WHEN r.stage IS NOT NULL THEN 'q' ELSE 'k' END"
    money = [column for column, kind in stage.columns.items() if kind.type == "money"]
    sums = "".join(
        f", COALESCE(SUM(s.{identifier(m)}), 0)"
        + (f", COALESCE(SUM(s.{identifier('__rest_' + m)}), 0)" if m in stage.rests else ", 0")
        for m in money
    )
    found = {
        row[0]: row[1:]
        for row in con.execute(f"SELECT {fate} AS fate, COUNT(*){sums} FROM {joined} GROUP BY 1").fetchall()
    }
    rows = {fate: int(found[fate][0]) if fate in found else 0 for fate in "kqd"}
    bad = len(stage.bad_rows)
    counts = Counts(sum(rows.values()) + bad, rows["k"], rows["q"] + bad, rows["d"])
    return SourceReport(
        table, stage.source.name, counts, _reasons(rejects, stage), tuple(_money(money, found, digits))
    )


def _money(columns: Sequence[str], found: Mapping[str, Sequence[Any]], digits: int) -> list[MoneySum]:
    sums = []
    for place, column in enumerate(columns):
        minor = {fate: int(found[fate][1 + 2 * place]) if fate in found else 0 for fate in "kqd"}
        rest = sum((Decimal(row[2 + 2 * place]) for row in found.values()), Decimal(0)).scaleb(digits)
        rest = rest.normalize() if rest else Decimal(0)
        sums.append(MoneySum(column, sum(minor.values()) + rest, minor["k"], minor["q"], minor["d"], rest))
    return sums


def _reasons(rejects: Rejects, stage: Stage) -> dict[str, int]:
    found: dict[str, int] = {}
    for number, rows in rejects.con.execute(
        f"SELECT __problem, COUNT(*) FROM {identifier(stage.table)} WHERE __problem IS NOT NULL GROUP BY 1"
    ).fetchall():
        reason = stage.problems[number].reason
        found[reason] = found.get(reason, 0) + int(rows)
    for reason, rows in rejects.con.execute(
        "SELECT reason, COUNT(*) FROM rejects WHERE stage = ? AND NOT duplicate GROUP BY 1", [stage.table]
    ).fetchall():
        found[reason] = found.get(reason, 0) + int(rows)
    for _, row in stage.bad_rows:
        found[f"files.bad.{row.reason}"] = found.get(f"files.bad.{row.reason}", 0) + 1
    return dict(sorted(found.items()))


def write_quarantine(rejects: Rejects, stages: Sequence[tuple[str, Stage]], folder: Path) -> int:
    """Write what was refused in `stages` ((table, stage) pairs) to `folder/part-00000.parquet`; the number of rows.

    Nothing is written when nothing was refused.
    """
    con = rejects.con
    con.execute(f"CREATE OR REPLACE TEMP TABLE quarantine {SCHEMA}")
    for table, stage in stages:
        _gather(rejects, table, stage)
    row = con.execute("SELECT COUNT(*) FROM quarantine").fetchone()
    rows = int(row[0]) if row else 0
    if rows:
        folder.mkdir(parents=True, exist_ok=True)
        con.execute(
            f'COPY (SELECT * FROM quarantine ORDER BY source, file, "row", scope, "column") TO {literal(folder / "part-00000.parquet")} (FORMAT parquet, COMPRESSION zstd)'
        )
    return rows


def _gather(rejects: Rejects, table: str, stage: Stage) -> None:
    """Add what was refused of one source: rows by a check of their own, rows by a check over several, rows and cells of the file."""
    con, name, source = rejects.con, identifier(stage.table), literal(stage.source.name)
    key = [k for k in ("order_id",) if stage.owner.name == "flat_orders"]
    key = key or [k for k in stage.owner.key if k in stage.columns]
    keys = f"NULLIF(concat_ws('|', {', '.join('s.' + identifier(k) for k in key)}), '')" if key else "NULL"
    amount = "s.amount" if "amount" in stage.columns else "NULL"
    file = _choice("s.__file", [file.name for file in stage.files])
    if stage.problems:
        reason = _choice("s.__problem", [problem.reason for problem in stage.problems])
        column = _choice("s.__problem", [problem.column for problem in stage.problems])
        con.execute(
            f"INSERT INTO quarantine SELECT {literal(table)}, {keys}, {reason}, {source}, {file}, s.__row, {column}, s.__text, 'row', {amount}"
            f" FROM {name} AS s WHERE s.__problem IS NOT NULL"
        )
    if stage.table in rejects.stages:
        con.execute(
            f"INSERT INTO quarantine SELECT {literal(table)}, {keys}, r.reason, {source}, {file}, s.__row, r.col, left({_offending(stage)}, {TEXT_LIMIT}), 'row', {amount}"
            f" FROM {name} AS s JOIN rejects AS r ON r.stage = {literal(stage.table)} AND r.__file = s.__file AND r.__row = s.__row WHERE NOT r.duplicate"
        )
    _append(con, [*_unread_rows(table, stage), *_emptied_cells(table, stage)])


def _choice(expression: str, words: Sequence[str | None]) -> str:
    """The word that stands at the place which `expression` gives; NULL where there is none."""
    branches = " ".join(f"WHEN {place} THEN {literal(word)}" for place, word in enumerate(words) if word)
    return f"CASE {expression} {branches} END" if branches else "NULL"


def _unread_rows(table: str, stage: Stage) -> Iterator[tuple[Any, ...]]:
    for place, bad in stage.bad_rows:
        file, text = stage.files[place].name, bad.text[:TEXT_LIMIT]
        yield (
            table,
            None,
            f"files.bad.{bad.reason}",
            stage.source.name,
            file,
            bad.row,
            None,
            text,
            "row",
            None,
        )


def _emptied_cells(table: str, stage: Stage) -> Iterator[tuple[Any, ...]]:
    for cell in stage.cells:
        file, source = stage.files[cell.file].name, stage.source.name
        yield table, cell.key, cell.reason, source, file, cell.row, cell.column, cell.text, "cell", None


def _offending(stage: Stage) -> str:
    """The text of the column that a check over several rows blames."""
    known = [name for name in ("order_id", "amount", *stage.owner.key) if name in stage.columns]
    branches = " ".join(
        f"WHEN {literal(name)} THEN CAST(s.{identifier(name)} AS VARCHAR)" for name in dict.fromkeys(known)
    )
    return f"CASE r.col {branches} END" if branches else "NULL"


def _append(con: duckdb.DuckDBPyConnection, rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    import pyarrow as pa

    names = ("table", "key", "reason", "source", "file", "row", "column", "text", "scope", "amount")
    integers = {"row", "amount"}
    arrays = {
        name: pa.array([row[place] for row in rows], pa.int64() if name in integers else pa.string())
        for place, name in enumerate(names)
    }
    con.register("loose", pa.table(arrays))
    con.execute("INSERT INTO quarantine SELECT * FROM loose")
    con.unregister("loose")


__all__ = ["SCHEMA", "Counts", "MoneySum", "SourceReport", "report_stage", "write_quarantine"]
