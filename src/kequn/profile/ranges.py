"""The profile in ranges of customers, so that memory stays the same however many there are.

Facts lie sorted by customer (`data/build.py`), so a range reads little more than its own rows. Ranges follow the order of
ids in bytes, which both engines share; their files, one after the other, are the profile sorted by customer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from kequn.engine import Engine
from kequn.language.typer import column
from kequn.profile.relation import Relation

ROWS_PER_RANGE = 1_500_000
"""Rows of the largest table a range should read: hash tables of well under 1 GB that mostly fit the caches (docs/benchmarks.md)."""

IDS_SEEN = 5_000
"""Customers among whom the bounds of ranges are chosen."""


@dataclass(frozen=True)
class CustomerRange:
    """Customers whose id is at least `first` and below `end`; None is no bound."""

    first: str | None = None
    end: str | None = None

    def only(self, query: exp.Select, table: str | None = None) -> exp.Select:
        """Narrow the query, in place, to this range; it must have `customer_id`, of `table` where several have one."""
        key = exp.column(exp.to_identifier("customer_id", quoted=True), table=table)
        if self.first is not None:
            query.where(exp.GTE(this=key.copy(), expression=exp.Literal.string(self.first)), copy=False)
        if self.end is not None:
            query.where(exp.LT(this=key.copy(), expression=exp.Literal.string(self.end)), copy=False)
        return query


EVERYONE = CustomerRange()


def customer_ranges(engine: Engine, tables: Iterable[str], base: str = "customers") -> list[CustomerRange]:
    """Ranges of about equally many customers, so many that each reads at most ROWS_PER_RANGE rows of the largest table.

    A cluster divides the work itself: Spark gets one range.
    """
    if engine.name != "duckdb":
        return [EVERYONE]
    count = exp.Count(this=exp.Star(), big_int=True)
    rows = {name: int(engine.scalar(exp.select(count.copy()).from_(name))) for name in {*tables, base}}
    parts = min(-(-max(rows.values()) // ROWS_PER_RANGE), max(rows[base], 1))
    if parts < 2:
        return [EVERYONE]
    ids = _some_ids(engine, base, max(1, rows[base] // IDS_SEEN))
    parts = min(parts, len(ids))
    cuts = [ids[len(ids) * part // parts] for part in range(1, parts)]
    return [CustomerRange(first, end) for first, end in zip([None, *cuts], [*cuts, None], strict=True)]


def _some_ids(engine: Engine, base: str, step: int) -> list[str]:
    """About every `step`-th customer, in the order of ids; sorting all of them took longer than a range.

    DuckDB's own hash will do: where ranges are cut changes no cell.
    """
    hashed = exp.Mod(this=exp.func("hash", column("customer_id")), expression=exp.Literal.number(step))
    query = (
        exp.select(column("customer_id"))
        .from_(base)
        .where(exp.EQ(this=hashed, expression=exp.Literal.number(0)))
    )
    ids = [str(row["customer_id"]) for row in engine.rows(query)]
    return sorted(ids, key=str.encode)


def narrowed(shared: Iterable[str], used: Iterable[str], relations: Mapping[str, Relation]) -> set[str]:
    """Shared grains that may be computed for a range alone, because whoever reads them keeps customers apart."""
    readers: dict[str, list[str]] = {}
    for name in used:
        for source in relations[name].inputs:
            readers.setdefault(source, []).append(name)

    def holds(name: str) -> bool:
        return all(
            name in relations[reader].by_customer and holds(reader) for reader in readers.get(name, ())
        )

    return {name for name in shared if "customer_id" in relations[name].types and holds(name)}


__all__ = ["EVERYONE", "CustomerRange", "customer_ranges", "narrowed"]
