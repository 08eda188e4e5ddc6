"""Checks that look at more than one row: duplicates, references, negative orders. What fails is listed in `rejects`.

Reading order decides who is first: source in the order of sources.yaml, then file, then row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kequn.data.convert import identifier, literal
from kequn.data.row_checks import cancelled_mark
from kequn.data.stage import Stage

if TYPE_CHECKING:
    import duckdb

CONTENT_KEYED = ("events", "activities", "responses", "touches", "deals")
"""Tables whose natural key may repeat with different content; only wholly equal rows are duplicates there."""


@dataclass
class Rejects:
    """Rows refused by checks over several rows, kept in the temporary table `rejects`."""

    con: duckdb.DuckDBPyConnection
    stages: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.con.execute(
            "CREATE OR REPLACE TEMP TABLE rejects (stage VARCHAR, __file INTEGER, __row BIGINT, duplicate BOOLEAN, reason VARCHAR, col VARCHAR)"
        )

    def add(self, query: str) -> None:
        """Add the rows of a query with the columns of `rejects`; a row that is already refused stays refused once."""
        self.con.execute(
            "INSERT INTO rejects SELECT q.* FROM (SELECT DISTINCT ON (stage, __file, __row) * FROM"
            f" ({query}) ORDER BY duplicate) AS q ANTI JOIN rejects AS r ON q.stage = r.stage AND q.__file = r.__file AND q.__row = r.__row"
        )
        self.stages = {
            str(row[0]) for row in self.con.execute("SELECT DISTINCT stage FROM rejects").fetchall()
        }

    def kept(self, stage: Stage) -> str:
        """The rows of a stage that are still good."""
        table = identifier(stage.table)
        if stage.table not in self.stages:
            return f"(SELECT * FROM {table} WHERE __problem IS NULL)"
        return (
            f"(SELECT s.* FROM {table} AS s ANTI JOIN (SELECT __file, __row FROM rejects WHERE stage = {literal(stage.table)}) AS r"
            " ON s.__file = r.__file AND s.__row = r.__row WHERE s.__problem IS NULL)"
        )

    def all_known(self, stages: Iterable[Stage], column: str) -> bool:
        """Whether every good row of these stages has a value in `column`."""
        missing = f"SELECT 1 FROM {{}} WHERE {identifier(column)} IS NULL LIMIT 1"
        return not any(self.con.execute(missing.format(self.kept(stage))).fetchall() for stage in stages)

    def together(self, stages: Iterable[Stage], extra: str = "") -> str:
        """The good rows of several stages under one another, with `__seq` (reading order), `__stage` and `source`."""
        parts = [
            f"SELECT *, {place} AS __stage, {literal(stage.table)} AS __name, {literal(stage.source.name)} AS source,"
            f" CAST({place} AS BIGINT) * 72057594037927936 + CAST(__file AS BIGINT) * 1099511627776 + __row AS __seq{extra and extra.replace('@mark', cancelled_mark(stage.source, stage.columns))}"
            f" FROM {self.kept(stage)}"
            for place, stage in enumerate(stages)
        ]
        return f"({' UNION ALL BY NAME '.join(parts)})"


def find_duplicates(
    rejects: Rejects, stages: Sequence[Stage], key: Sequence[str], *, per_source: bool = False
) -> None:
    """Refuse every row whose key was seen before: an equal row as a duplicate, a different one as `data.duplicate_key`.

    `per_source` lets each source have the key once (their rows are merged later).
    """
    if not stages:
        return
    content_keyed = stages[0].owner.name in CONTENT_KEYED
    if content_keyed:
        key = sorted({name for stage in stages for name in stage.columns})
    content = sorted({name for stage in stages for name in stage.columns} - set(key))
    partition = ", ".join([*map(identifier, key), *(["__stage"] if per_source else [])])
    rows = rejects.together(stages)
    con = rejects.con
    whole = " AND ".join(f"{identifier(name)} IS NOT NULL" for name in key) if not content_keyed else "TRUE"
    repeated = f"SELECT {partition} FROM {rows} WHERE {whole} GROUP BY {partition} HAVING COUNT(*) > 1"
    con.execute(f"CREATE OR REPLACE TEMP TABLE repeated AS {repeated}")
    if not con.execute("SELECT COUNT(*) FROM repeated").fetchone()[0]:  # type: ignore[index]
        return
    on = " AND ".join(f"a.{name} IS NOT DISTINCT FROM b.{name}" for name in partition.split(", "))
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE doubled AS SELECT a.*, row_number() OVER (PARTITION BY {', '.join('a.' + n for n in partition.split(', '))}"
        f" ORDER BY a.__seq) AS __place FROM {rows} AS a JOIN repeated AS b ON {on}"
    )
    equal = (
        " AND ".join(f"a.{identifier(name)} IS NOT DISTINCT FROM b.{identifier(name)}" for name in content)
        or "TRUE"
    )
    rejects.add(
        f"SELECT a.__name AS stage, a.__file, a.__row, ({equal}) AS duplicate, CASE WHEN {equal} THEN NULL ELSE 'data.duplicate_key' END AS reason,"
        f" {literal(key[0])} AS col FROM doubled AS a JOIN doubled AS b ON {on} WHERE b.__place = 1 AND a.__place > 1"
    )


def find_repeated_lines(rejects: Rejects, stages: Sequence[Stage]) -> int:
    """Duplicates among order lines that have no line number.

    The same line may rightly stand twice in an order, so repeats within one file are kept (unless the source says
    `repeated_lines: drop`) and only counted; but where the same order stands in two files (overlapping exports), each line
    counts as often as in the file that has it most often. Returns the number of repeats kept.
    """
    lines = [stage for stage in stages if "line_no" not in stage.columns]
    if not lines:
        return 0
    content = sorted({name for stage in lines for name in stage.columns if name != "source"} | {"order_id"})
    names = ", ".join(map(identifier, content))
    rows = rejects.together(lines)
    con = rejects.con
    if sum(len(stage.files) for stage in lines) > 1:
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE shared AS SELECT order_id FROM {rows} GROUP BY order_id HAVING MIN(__stage * 65536 + __file) < MAX(__stage * 65536 + __file)"
        )
        rejects.add(
            "SELECT __name AS stage, __file, __row, TRUE AS duplicate, NULL AS reason, 'order_id' AS col FROM ("
            f"SELECT *, row_number() OVER (PARTITION BY {names}, __nth ORDER BY __seq) AS __place FROM ("
            f"SELECT *, row_number() OVER (PARTITION BY __stage, __file, {names} ORDER BY __row) AS __nth FROM {rows} SEMI JOIN shared USING (order_id)))"
            " WHERE __place > 1"
        )
    for stage in lines:
        if stage.source.repeated_lines == "drop":
            rejects.add(
                f"SELECT {literal(stage.table)} AS stage, __file, __row, TRUE AS duplicate, NULL AS reason, 'order_id' AS col FROM (SELECT *, row_number() OVER"
                f" (PARTITION BY {', '.join(map(identifier, sorted({*stage.columns, 'order_id'})))} ORDER BY __file, __row) AS __place FROM {rejects.kept(stage)}) WHERE __place > 1"
            )
    kept = [stage for stage in lines if stage.source.repeated_lines == "keep"]
    if not kept:
        return 0
    row = con.execute(
        f"SELECT COUNT(*) - COUNT(DISTINCT hash({names})) FROM {rejects.together(kept)}"
    ).fetchone()
    return int(row[0]) if row else 0


def find_negative_orders(rejects: Rejects, stages: Sequence[Stage]) -> None:
    """Refuse the rows of orders with a negative total that nothing marks as a cancellation.

    Marks: a negative quantity, a marked order number, a status that says so. A negative line in an order whose total isn't
    negative is a discount or a returned item and stays.
    """
    if not stages:
        return
    known = {name for stage in stages for name in stage.columns}
    marks = ["__marked"]
    if "quantity" in known:
        marks.append("COALESCE(quantity < 0, FALSE)")
    if "status" in known:
        marks.append("COALESCE(status IN ('returned', 'refunded', 'cancelled'), FALSE)")
    rows = rejects.together(stages, ", @mark AS __marked")
    rejects.add(
        f"SELECT __name AS stage, __file, __row, FALSE AS duplicate, 'data.negative_amount' AS reason, 'amount' AS col FROM {rows} SEMI JOIN"
        f" (SELECT order_id FROM {rows} GROUP BY order_id HAVING SUM(amount) < 0 AND NOT bool_or({' OR '.join(marks)})) USING (order_id)"
    )


def find_orphans(rejects: Rejects, stages: Sequence[Stage], orders: str) -> None:
    """Refuse order lines whose order isn't in `orders` (a table or query)."""
    for stage in stages:
        rejects.add(
            f"SELECT {literal(stage.table)} AS stage, __file, __row, FALSE AS duplicate, 'data.no_order' AS reason, 'order_id' AS col"
            f" FROM {rejects.kept(stage)} AS s ANTI JOIN {orders} AS o ON s.order_id = o.order_id"
        )


__all__ = [
    "CONTENT_KEYED",
    "Rejects",
    "find_duplicates",
    "find_negative_orders",
    "find_orphans",
    "find_repeated_lines",
]
