"""Who bought what: the sparse matrix that recommenders learn from, and what is known about each product.

The order lines are read once, into one row per customer, product and day with whole-number ids; every cut-off is then a
query on that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kequn.predict.features import Array
from kequn.predict.labels import arrow, columns_of, connect, is_order, paths

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Catalogue:
    """The products that may be learnt and offered, most bought first; arrays are aligned with `product_ids`.

    `unit_margin` is what one line earns on average, in minor units; `repurchase` says whether buying again is usual for
    this type of product; `numbers` are the log's; `in_stock` is False only where a stock of 0 or less is known.
    """

    product_ids: Any
    numbers: Index
    buyers: Index
    unit_margin: Array
    repurchase: NDArray[np.bool_]
    in_stock: NDArray[np.bool_]
    margin_known: bool
    outside: int

    def __len__(self) -> int:
        return len(self.buyers)


@dataclass(frozen=True)
class Interactions:
    """Purchases before `as_of`: `days` [customers, products] counts days with a purchase, `ages` the days since the last.

    Both are CSR with the same pattern; customers sorted by id. `activity` [customers, 2]: days since the last purchase and
    purchase days in the last 90 days.
    """

    as_of: date
    customer_ids: Any
    numbers: Index
    days: Any
    ages: Any
    activity: Array

    def __len__(self) -> int:
        return int(self.days.shape[0])

    def only(self, rows: Index) -> Interactions:
        """The same for some customers, given by row, ascending."""
        import pyarrow as pa

        return Interactions(
            self.as_of,
            self.customer_ids.take(pa.array(rows)),
            self.numbers[rows],
            self.days[rows],
            self.ages[rows],
            self.activity[rows],
        )


@dataclass(frozen=True)
class CatalogueSettings:
    """`minimum_buyers` a product needs to be learnt; `most` products are kept; lines older than `history_days` don't count.

    `repurchase`: "auto" judges each category by how often its buyers come back for the same product, "always", "never",
    or a mapping of category to yes or no (others automatic). `margin_rate` stands in where costs are unknown (1 counts revenue).
    """

    minimum_buyers: int = 5
    most: int = 10_000
    history_days: int = 730
    repurchase: str | Mapping[str, bool] = "auto"
    repurchase_rate: float = 0.1
    margin_rate: float = 1.0


@dataclass(frozen=True)
class Sales:
    """Order lines and products to read."""

    lines: tuple[Path, ...]
    products: tuple[Path, ...] = ()


class SalesLog:
    """Purchases before `as_of` in memory, ready to be asked about any earlier day. Close it, or use `with`."""

    def __init__(self, sales: Sales, as_of: date, settings: CatalogueSettings) -> None:
        self.as_of, self.settings = as_of, settings
        self.since = as_of - timedelta(days=settings.history_days)
        self._connection = connect()
        columns = columns_of(self._connection, sales.lines)
        self._read(sales, columns)
        self._declare(sales, "category" in columns)

    def __enter__(self) -> SalesLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, sql: str, **parameters: Any) -> Any:
        """The answer of a query on `purchase`, `person`, `good` and `declared` as an Arrow table."""
        return arrow(self._connection, sql, parameters)

    def lend(self, name: str, numbers: Index) -> None:
        """Make numbers a view `name` (number, place)."""
        import pyarrow as pa

        self._connection.register(name, pa.table({"number": numbers, "place": np.arange(len(numbers))}))

    def _read(self, sales: Sales, columns: set[str]) -> None:
        run = self._connection.execute
        cost, quantity = _optional("cost", columns), _optional("quantity", columns)
        category = "category" if "category" in columns else "NULL::VARCHAR"
        given = {"files": paths(sales.lines), "as_of": self.as_of, "since": self.since}
        run(
            f"""CREATE TEMP TABLE line AS
                SELECT customer_id, product_id, CAST(ordered_at AS DATE) AS day, COUNT(*) AS lines,
                  CAST(SUM(amount) AS BIGINT) AS amount, COUNT({cost}) AS costed, CAST(SUM({cost}) AS BIGINT) AS cost,
                  SUM(CAST({quantity} AS DOUBLE)) AS quantity, MAX({category}) AS category
                FROM read_parquet($files, union_by_name = true)
                WHERE ordered_at < $as_of AND ordered_at >= $since AND product_id IS NOT NULL AND {is_order(columns)}
                GROUP BY ALL""",
            given,
        )
        for table, key in (("person", "customer_id"), ("good", "product_id")):
            run(
                f"""CREATE TEMP TABLE {table} AS SELECT {key}, CAST(ROW_NUMBER() OVER (ORDER BY {key}) - 1 AS INTEGER) AS number
                    FROM (SELECT DISTINCT {key} FROM line)"""
            )
        run(
            """CREATE TEMP TABLE purchase AS
               SELECT p.number AS person, g.number AS good, day, lines, amount, costed, cost, quantity
               FROM line JOIN person p USING (customer_id) JOIN good g USING (product_id)"""
        )

    def _declare(self, sales: Sales, in_lines: bool) -> None:
        """One row per product: its category (of the products table, else of the lines), unit cost and stock."""
        run = self._connection.execute
        have = columns_of(self._connection, sales.products) if sales.products else set()
        usable = "product_id" in have
        types = {"category": "VARCHAR", "cost": "BIGINT", "stock": "DOUBLE"}
        shown = ", ".join(
            f"MAX(CAST({name} AS {kind})) AS {name}" if usable and name in have else f"NULL::{kind} AS {name}"
            for name, kind in types.items()
        )
        source = "read_parquet(?, union_by_name = true)" if usable else "good WHERE FALSE"
        run(
            f"CREATE TEMP TABLE listed AS SELECT product_id, {shown} FROM {source} GROUP BY product_id",
            [paths(sales.products)] if usable else [],
        )
        run(
            """CREATE TEMP TABLE declared AS
               SELECT g.number AS good, g.product_id, COALESCE(l.category, s.category) AS category, l.cost AS unit_cost, l.stock
               FROM good g LEFT JOIN listed l USING (product_id)
                 LEFT JOIN (SELECT product_id, MAX(category) AS category FROM line GROUP BY product_id) s USING (product_id)"""
        )
        run("DROP TABLE line")


def _optional(name: str, columns: set[str]) -> str:
    """A column that a source may not deliver; one unit a line when it is the quantity."""
    if name in columns:
        return name
    return "1" if name == "quantity" else "NULL::BIGINT"


def catalogue(log: SalesLog, before: date) -> Catalogue:
    """The products sold before a day, by number of buyers, then id."""
    table = log.ask(
        """WITH pair AS (SELECT good, person, COUNT(*) AS days FROM purchase WHERE day < $before GROUP BY ALL),
             bought AS (SELECT good, COUNT(*) AS buyers, COUNT(*) FILTER (WHERE days > 1) AS again FROM pair GROUP BY good),
             money AS (SELECT good, CAST(SUM(lines) AS BIGINT) AS lines, CAST(SUM(amount) AS BIGINT) AS amount,
               CASE WHEN SUM(costed) = SUM(lines) THEN CAST(SUM(cost) AS BIGINT) END AS cost, SUM(quantity) AS quantity
               FROM purchase WHERE day < $before GROUP BY good)
           SELECT * FROM bought JOIN money USING (good) JOIN declared USING (good) ORDER BY buyers DESC, product_id""",
        before=before,
    )
    return _as_catalogue(table, log.settings)


def _as_catalogue(table: Any, settings: CatalogueSettings) -> Catalogue:
    import pyarrow as pa

    buyers, again = table.column("buyers").to_numpy(), table.column("again").to_numpy()
    repurchase = _repurchase(table.column("category").to_pylist(), buyers, again, settings)
    margin, known = _margins(table, settings)
    stock = table.column("stock").to_numpy(zero_copy_only=False).astype(np.float64)
    keep = np.flatnonzero(buyers >= settings.minimum_buyers)[: settings.most]
    return Catalogue(
        table.column("product_id").cast(pa.string()).combine_chunks().take(pa.array(keep)),
        table.column("good").to_numpy()[keep],
        buyers[keep],
        margin[keep],
        repurchase[keep],
        ~(stock[keep] <= 0),
        known,
        outside=len(buyers) - len(keep),
    )


def _repurchase(
    categories: Sequence[str | None], buyers: Index, again: Index, settings: CatalogueSettings
) -> NDArray[np.bool_]:
    """Whether buying the same product again is usual in its category."""
    if settings.repurchase in ("always", "never"):
        return np.full(len(buyers), settings.repurchase == "always")
    said = settings.repurchase if isinstance(settings.repurchase, Mapping) else {}
    bought: dict[str | None, int] = {}
    returned: dict[str | None, int] = {}
    for category, count, twice in zip(categories, buyers.tolist(), again.tolist(), strict=True):
        bought[category] = bought.get(category, 0) + count
        returned[category] = returned.get(category, 0) + twice
    usual = {name: returned[name] >= settings.repurchase_rate * bought[name] for name in bought}
    usual.update({name: bool(answer) for name, answer in said.items()})
    return np.array([usual[name] for name in categories], dtype=bool)


def _margins(table: Any, settings: CatalogueSettings) -> tuple[Array, bool]:
    """Mean margin of a line in minor units: from line costs, else from the product's cost, else by the rate."""

    def numbers(name: str) -> Array:
        return np.asarray(table.column(name).to_numpy(zero_copy_only=False), dtype=np.float64)

    amount, lines = numbers("amount"), numbers("lines")
    unit_cost = numbers("unit_cost") * numbers("quantity")
    cost = np.where(np.isfinite(numbers("cost")), numbers("cost"), unit_cost)
    margin = np.where(np.isfinite(cost), amount - cost, amount * settings.margin_rate) / np.maximum(lines, 1)
    return margin, bool(np.isfinite(cost).all()) if len(cost) else False


def interactions(log: SalesLog, goods: Catalogue, before: date) -> Interactions:
    """Purchases of the catalogue's products before a day; one row per customer with any, sorted by id."""
    import pyarrow as pa
    from scipy.sparse import csr_array

    log.lend("kept", goods.numbers)
    people = log.ask(
        """SELECT person, ANY_VALUE(customer_id) AS customer_id, DATE_DIFF('day', MAX(day), $before) AS age,
             COUNT(DISTINCT day) FILTER (WHERE day >= $recent) AS recent
           FROM purchase JOIN kept ON kept.number = good JOIN person who ON who.number = purchase.person
           WHERE day < $before GROUP BY person ORDER BY person""",
        before=before,
        recent=before - timedelta(days=90),
    )
    log.lend("row", people.column("person").to_numpy())
    pairs = log.ask(
        """SELECT row.place AS customer, kept.place AS item, COUNT(*) AS days, DATE_DIFF('day', MAX(day), $before) AS age
           FROM purchase JOIN kept ON kept.number = good JOIN row ON row.number = person
           WHERE day < $before GROUP BY ALL ORDER BY customer, item""",
        before=before,
    )
    at = (pairs.column("customer").to_numpy(), pairs.column("item").to_numpy())
    shape = (people.num_rows, len(goods))
    days = csr_array((pairs.column("days").to_numpy().astype(np.float32), at), shape=shape)
    ages = csr_array((pairs.column("age").to_numpy().astype(np.float32), at), shape=shape)
    activity = np.column_stack([people.column("age").to_numpy(), people.column("recent").to_numpy()])
    ids = people.column("customer_id").cast(pa.string()).combine_chunks()
    return Interactions(
        before, ids, people.column("person").to_numpy(), days, ages, activity.astype(np.float64)
    )


def bought_since(log: SalesLog, goods: Catalogue, known: Interactions) -> Any:
    """What the customers of `known` bought from its day on: CSR of ones [customers, products]."""
    from scipy.sparse import csr_array

    log.lend("kept", goods.numbers)
    log.lend("row", known.numbers)
    pairs = log.ask(
        """SELECT DISTINCT row.place AS customer, kept.place AS item
           FROM purchase JOIN kept ON kept.number = good JOIN row ON row.number = person
           WHERE day >= $start ORDER BY customer, item""",
        start=known.as_of,
    )
    at = (pairs.column("customer").to_numpy(), pairs.column("item").to_numpy())
    return csr_array((np.ones(pairs.num_rows, dtype=np.float32), at), shape=(len(known), len(goods)))


__all__ = [
    "Catalogue",
    "CatalogueSettings",
    "Interactions",
    "Sales",
    "SalesLog",
    "bought_since",
    "catalogue",
    "interactions",
]
