"""Build one fact table after the other with DuckDB; sources that feed several tables are staged once."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kequn.data import sales as selling
from kequn.data.checks import Rejects, find_duplicates
from kequn.data.convert import Money, identifier, install, literal
from kequn.data.quarantine import SourceReport, report_stage, write_quarantine
from kequn.data.stage import Notice, Room, Stage
from kequn.data.staging import stage_source
from kequn.data.standard import CUSTOM_PREFIX, TABLES, Type, table
from kequn.engine.duckdb import PARQUET
from kequn.errors import DataError

if TYPE_CHECKING:
    from kequn.data.facts import FactSettings, FactTable
    from kequn.data.inputs import Inputs
    from kequn.data.sources import Sources

MERGED = ("customers", "products", "companies")
"""Tables of attributes: the same key in two sources is one row, filled from the first source that knows each column."""


@dataclass(frozen=True)
class Built:
    """A table that was written: its columns, rows, reports, and the span of time in which it holds.

    `latest` is the last time kept, `after` the first time that was refused because it lies after the clock.
    """

    columns: Mapping[str, Type]
    rows: int
    reports: tuple[SourceReport, ...]
    notices: tuple[Notice, ...]
    latest: datetime | None
    after: datetime | None


class Builder:
    """A DuckDB connection with a scratch folder, and the sources staged so far."""

    def __init__(self, sources: Sources, settings: FactSettings, folder: Path, inputs: Inputs) -> None:
        import duckdb

        self._sources, self._settings, self._inputs = sources, settings, inputs
        self.scratch = Path(tempfile.mkdtemp(prefix=f".build-{os.getpid()}-", dir=folder))
        self._con = duckdb.connect()
        self._con.execute(f"SET memory_limit = {literal(settings.memory_limit)}")
        self._con.execute(f"SET temp_directory = {literal(self.scratch / 'spill')}")
        if settings.threads:
            self._con.execute(f"SET threads = {int(settings.threads)}")
        self._con.execute("SET TimeZone = 'UTC'")
        self._con.execute("SET preserve_insertion_order = false")
        self._con.execute("SET allocator_background_threads = true")  # what is freed goes back to the system
        # DuckDB 2.0 folds isnan() of a column to FALSE when the first of several Parquet files has no NaN
        self._con.execute("SET disabled_optimizers = 'statistics_propagation'")
        self._con.execute("SET autoinstall_known_extensions = false")
        self._con.execute("SET autoload_known_extensions = false")
        money = Money(settings.currency, settings.minor_unit_digits)
        install(self._con, money)
        self._room = Room(self._con, money, settings.time_zone, settings.now)
        self._rejects = Rejects(self._con)
        self._stages: dict[str, list[Stage]] = {}
        self._sales: selling.Sales | None = None

    def close(self) -> None:
        """Let go of the connection and the scratch folder."""
        self._con.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def build(self, name: str, folder: Path, found: Mapping[str, FactTable]) -> Built:
        """Write the table `name` into `folder`. Raises: DataError."""
        import duckdb

        way = {
            "products": self._products,
            "orders": self._orders,
            "order_lines": self._order_lines,
            "customers": self._customers,
            "identities": self._identities,
        }.get(name)
        try:
            return way(folder, found) if way else self._plain(name, folder)
        except duckdb.OutOfMemoryException as error:
            raise DataError("data.out_of_memory", table=name, detail=str(error).splitlines()[0]) from error
        except duckdb.IOException as error:
            from kequn.engine.duckdb import io_failure

            code, fields = io_failure(error)
            if code == "engine.disk_full":
                raise DataError(code, **fields) from error
            raise DataError(
                "data.cannot_write", folder=str(folder.parent.parent), detail=str(error).splitlines()[0]
            ) from error

    def _staged(self, name: str) -> list[Stage]:
        if name not in self._stages:
            self._stages[name] = [
                stage_source(self._room, table(name), source, self._inputs.files(source), f"{name}_{place}")
                for place, source in enumerate(self._sources.of(name))
            ]
        return self._stages[name]

    def _checked_sales(self) -> selling.Sales:
        if self._sales is None:
            self._sales = selling.Sales(
                self._staged("orders"), self._staged("flat_orders"), self._staged("order_lines")
            )
            selling.check_sales(self._rejects, self._sales)
        return self._sales

    def _plain(self, name: str, folder: Path) -> Built:
        stages = self._staged(name)
        find_duplicates(self._rejects, stages, TABLES[name].key, per_source=name in MERGED)
        query, columns = self._combined(name, stages)
        return self._finish(name, folder, query, columns, stages)

    def _combined(self, name: str, stages: Sequence[Stage]) -> tuple[str, dict[str, Type]]:
        """The good rows of all sources of a table; attribute tables merged by key."""
        delivered = {column: kind.type for stage in stages for column, kind in stage.columns.items()}
        columns = _ordered(name, {**delivered, "source": "text"})
        rows = self._rejects.together(stages)
        if name in MERGED and len(stages) > 1:
            return self._merged(rows, TABLES[name].key[0], columns), columns
        return f"SELECT {_listed(columns)} FROM {rows}", columns

    @staticmethod
    def _merged(rows: str, key: str, columns: Mapping[str, Type]) -> str:
        picked = ", ".join(f"arg_min({identifier(c)}, __seq) AS {identifier(c)}" for c in columns if c != key)
        return f"SELECT {key}, {picked} FROM {rows} GROUP BY {key}"

    def _products(self, folder: Path, found: Mapping[str, FactTable]) -> Built:
        stages = self._staged("products")
        find_duplicates(self._rejects, stages, ["product_id"], per_source=True)
        flat = None
        if self._sources.flat_orders:
            flat = selling.flat_products(self._rejects, self._checked_sales().flats)
        query, columns = self._with_flat("products", stages, flat)
        return self._finish("products", folder, query, columns, stages)

    def _with_flat(
        self, name: str, stages: Sequence[Stage], flat: tuple[str, dict[str, Type]] | None
    ) -> tuple[str, dict[str, Type]]:
        """Own sources of an attribute table, filled up from flat files."""
        key = TABLES[name].key[0]
        if flat is None:
            return self._combined(name, stages)
        if not stages:
            columns = _ordered(name, {key: "text", **flat[1], "source": "text"})
            return f"SELECT {_listed(columns)} FROM ({flat[0]})", columns
        own, own_columns = self._combined(name, stages)
        columns = _ordered(name, {**own_columns, **flat[1]})
        rows = f"(SELECT *, 0 AS __seq FROM ({own}) UNION ALL BY NAME SELECT *, 1 AS __seq FROM ({flat[0]}))"
        return self._merged(rows, key, columns), columns

    def _orders(self, folder: Path, found: Mapping[str, FactTable]) -> Built:
        sales = self._checked_sales()
        columns = _ordered("orders", sales.columns)
        query = f"SELECT {_listed(columns)} FROM {selling.ORDERS}"
        return self._finish(
            "orders", folder, query, columns, [*sales.orders, *sales.flat_orders], notices=sales.notices
        )

    def _order_lines(self, folder: Path, found: Mapping[str, FactTable]) -> Built:
        sales = self._checked_sales()
        stages = [*sales.flat_lines, *sales.lines]
        products = found.get("products")
        files = _scan(products) if products else None
        query, columns = selling.lines_query(
            self._rejects, sales, files, list(products.columns) if products else []
        )
        return self._finish("order_lines", folder, query, columns, stages)

    def _customers(self, folder: Path, found: Mapping[str, FactTable]) -> Built:
        stages = self._staged("customers")
        find_duplicates(self._rejects, stages, ["customer_id"], per_source=True)
        flat = None
        if self._sources.flat_orders and self._flat_names_customers():
            flat = selling.flat_customers(self._rejects, self._checked_sales().flats)
        columns: dict[str, Type] = {"customer_id": "text", "source": "text"}
        own = "SELECT NULL::VARCHAR AS customer_id, NULL::VARCHAR AS source WHERE FALSE"
        if stages or flat:
            own, columns = self._with_flat("customers", stages, flat)
        self._con.execute(f"CREATE OR REPLACE TEMP TABLE known_customers AS {own}")
        seen = _seen_customers(found)
        query = (
            f"SELECT {_listed(columns)}, TRUE AS declared FROM known_customers UNION ALL BY NAME"
            f" SELECT customer_id, MIN(source) AS source, FALSE AS declared FROM {seen} ANTI JOIN known_customers USING (customer_id) GROUP BY customer_id"
        )
        built = self._finish(
            "customers", folder, query, _ordered("customers", {**columns, "declared": "boolean"}), stages
        )
        if not stages and flat is None:
            return built
        row = self._con.execute(
            f"SELECT COUNT(*) FROM read_parquet({literal(folder / 'part-00000.parquet')}) WHERE NOT declared"
        ).fetchone()
        if row and row[0]:
            notice = Notice("data.customers_only_from_orders", {"customers": int(row[0])})
            return Built(
                built.columns, built.rows, built.reports, (*built.notices, notice), built.latest, built.after
            )
        return built

    def _flat_names_customers(self) -> bool:
        target = selling.flat_target("customers")
        return any(name in target for source in self._sources.flat_orders for name in source.mapped())

    def _identities(self, folder: Path, found: Mapping[str, FactTable]) -> Built:
        """One to one for now: every id of every source is its own customer."""
        stages = self._staged("customers")
        find_duplicates(self._rejects, stages, ["customer_id"], per_source=True)
        parts = [f"SELECT source, customer_id FROM {_seen_customers(found)}"]
        if stages:
            parts.append(f"SELECT source, customer_id FROM {self._rejects.together(stages)}")
        query = f"SELECT DISTINCT source, customer_id AS source_key, customer_id FROM ({' UNION ALL '.join(parts)})"
        return self._finish(
            "identities", folder, query, {"source": "text", "source_key": "text", "customer_id": "text"}, []
        )

    def _finish(
        self,
        name: str,
        folder: Path,
        query: str,
        columns: Mapping[str, Type],
        stages: Sequence[Stage],
        notices: Sequence[Notice] = (),
    ) -> Built:
        """Write the query, sorted, and the quarantine of its sources; count everything."""
        order = ", ".join(f"{identifier(c)} NULLS LAST" for c in _sort(name, columns))
        target = folder / "part-00000.parquet"
        row = self._con.execute(
            f"COPY (SELECT {_listed(columns)} FROM ({query}) ORDER BY {order}) TO {literal(target)}"
            f" (FORMAT parquet, {PARQUET})"
        ).fetchone()
        write_quarantine(self._rejects, [(name, stage) for stage in stages], folder / "quarantine")
        reports = tuple(
            report_stage(self._rejects, stage, name, self._settings.minor_unit_digits) for stage in stages
        )
        own = [notice for stage in stages for notice in stage.notices]
        own += _cell_notices(name, stages)
        latest, after = self._span(name, target, columns, stages)
        return Built(columns, int(row[0]) if row else 0, reports, (*own, *notices), latest, after)

    def _span(
        self, name: str, file: Path, columns: Mapping[str, Type], stages: Sequence[Stage]
    ) -> tuple[datetime | None, datetime | None]:
        time = TABLES[name].time_column
        latest = None
        if time and time in columns:
            row = self._con.execute(
                f"SELECT CAST(MAX({identifier(time)}) AS TIMESTAMP) FROM read_parquet({literal(file)})"
            ).fetchone()
            latest = row[0] if row else None
        refused = []
        if (
            name in ("orders", "order_lines", "products") and self._sales is not None
        ):  # they hold and fall together
            stages = [*self._sales.orders, *self._sales.flats, *self._sales.lines]
        for stage in stages:
            after = [
                place for place, problem in enumerate(stage.problems) if problem.reason == "data.after_clock"
            ]
            if after:
                moment = identifier(str(stage.problems[after[0]].column))
                row = self._con.execute(
                    f"SELECT CAST(MIN({moment}) AS TIMESTAMP) FROM {identifier(stage.table)} WHERE __problem = {after[0]}"
                ).fetchone()
                if row and row[0]:
                    refused.append(row[0])
        return latest, min(refused, default=None)


def _cell_notices(name: str, stages: Sequence[Stage]) -> list[Notice]:
    found: dict[tuple[str, str], list[str]] = {}
    for stage in stages:
        for cell in stage.cells:
            found.setdefault((stage.source.name, cell.column), []).append(cell.text)
    return [
        Notice(
            "data.unreadable_cells",
            {"table": name, "source": source, "column": column, "cells": len(texts), "texts": texts[:3]},
        )
        for (source, column), texts in found.items()
    ]


def _scan(fact: FactTable) -> str:
    return f"read_parquet([{', '.join(literal(file) for file in fact.files)}])"


def _seen_customers(found: Mapping[str, FactTable]) -> str:
    """Customer ids that stand in the tables of relations, with the source that has them."""
    from kequn.data.facts import RELATIONS

    parts = [
        f"SELECT DISTINCT customer_id, source FROM {_scan(found[name])} WHERE customer_id IS NOT NULL"
        for name in RELATIONS
        if name in found and "customer_id" in found[name].columns
    ]
    return f"({' UNION '.join(parts) or 'SELECT NULL::VARCHAR AS customer_id, NULL::VARCHAR AS source WHERE FALSE'})"


def _listed(columns: Mapping[str, Type]) -> str:
    return ", ".join(identifier(name) for name in columns)


def _ordered(name: str, columns: Mapping[str, Type]) -> dict[str, Type]:
    """Columns in the order of the standard, custom ones last; without those that are only checked."""
    known = [
        column
        for column, kind in TABLES[name].columns.items()
        if column in columns and kind.role != "checked"
    ]
    return {
        column: columns[column] for column in (*known, *(c for c in columns if c.startswith(CUSTOM_PREFIX)))
    }


def _sort(name: str, columns: Mapping[str, Type]) -> list[str]:
    """Customer first, then time, then the key: what readers group by lies together."""
    wanted = ["customer_id", TABLES[name].time_column, *TABLES[name].key]
    found = dict.fromkeys(c for c in wanted if c in columns)
    if len(found) < 2 or name not in ("orders", "order_lines"):
        found.update(dict.fromkeys(columns))
    return [str(column) for column in found]


__all__ = ["Builder", "Built"]
