"""Orders, order lines and products from their own tables and from flat files of order lines.

What it decides, so that money always adds up:

* An order's amount (and list_amount, discount, cost) comes from the order table, else from the sum of its good lines.
* `status` is always filled. An order with a negative amount, or with a marked number, is `returned`: a document of its own
  date that takes money back; it is no purchase. A positive order called "returned" is `refunded`.
* A negative amount that nothing marks (negative quantity, order number, status) is quarantined with the whole order.
* An order of which some lines were cancelled or refunded is `partly_refunded`; the amounts of those lines are in
  `refunded_amount`, so that amount − refunded_amount is what the shop kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kequn.data.checks import (
    Rejects,
    find_duplicates,
    find_negative_orders,
    find_orphans,
    find_repeated_lines,
)
from kequn.data.convert import identifier, literal
from kequn.data.sources import Source
from kequn.data.stage import Notice, Stage
from kequn.data.standard import CUSTOM_PREFIX, SHAPES, TABLES, Type

ORDERS = "final_orders"
_SUMMED = ("amount", "list_amount", "discount", "cost")
_GONE = "('refunded', 'cancelled', 'pending', 'returned')"


def has_lines(source: Source) -> bool:
    """Does a flat file tell products (then its rows are order lines), or is each row a whole order?"""
    return any(name in source.mapped() for name in ("product_id", "product_name", "category"))


def names_products(source: Source) -> bool:
    """Does a flat file tell more of a product than its id?"""
    mapped = source.mapped()
    return {"product_id", "product_name"} & set(mapped) != set() and any(
        name in flat_target("products") for name in mapped
    )


def flat_target(table: str) -> dict[str, str]:
    """Column of the flat shape to the column of `table` that it fills."""
    found = {}
    for column in SHAPES["flat_orders"].columns.values():
        owner, name = str(column.of).split(".")
        if owner == table:
            found[column.name] = name
    return found


@dataclass
class Sales:
    """The staged sources of sales, checked together; the basis of orders, order_lines, products and customers."""

    orders: list[Stage]
    flats: list[Stage]
    lines: list[Stage]
    columns: dict[str, Type] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)

    @property
    def flat_lines(self) -> list[Stage]:
        """Flat files whose rows are order lines."""
        return [stage for stage in self.flats if has_lines(stage.source)]

    @property
    def flat_orders(self) -> list[Stage]:
        """Flat files whose rows are whole orders."""
        return [stage for stage in self.flats if not has_lines(stage.source)]


def check_sales(rejects: Rejects, sales: Sales) -> None:
    """Run the checks over several rows and make the temporary table `final_orders`."""
    find_duplicates(rejects, sales.orders, ["order_id"])
    find_duplicates(rejects, [s for s in sales.flat_orders if "order_id" in s.columns], ["order_id"])
    numbered = [s for s in (*sales.flat_lines, *sales.lines) if "line_no" in s.columns]
    find_duplicates(rejects, numbered, ["order_id", "line_no"])
    repeated = find_repeated_lines(rejects, [*sales.flat_lines, *sales.lines])
    if repeated:
        sales.notices.append(Notice("data.repeated_lines", {"rows": repeated}))
    find_negative_orders(rejects, sales.flats)
    sales.columns = _order_columns(sales)
    if sales.orders and not _amount_everywhere(sales):
        _refuse_orders_without_amount(rejects, sales)
    rejects.con.execute(f"CREATE OR REPLACE TEMP TABLE {ORDERS} AS {_orders_query(rejects, sales)}")
    find_orphans(rejects, sales.lines, ORDERS)


def _amount_everywhere(sales: Sales) -> bool:
    return all("amount" in stage.columns for stage in sales.orders)


def _refuse_orders_without_amount(rejects: Rejects, sales: Sales) -> None:
    lines = _lines_total(rejects, sales) or "(SELECT NULL AS order_id, NULL AS amount LIMIT 0)"
    for stage in sales.orders:
        own = "s.amount IS NULL AND" if "amount" in stage.columns else ""
        rejects.add(
            f"SELECT {literal(stage.table)} AS stage, __file, __row, FALSE AS duplicate, 'data.missing' AS reason, 'amount' AS col"
            f" FROM {rejects.kept(stage)} AS s LEFT JOIN {lines} AS l ON s.order_id = l.order_id WHERE {own} l.amount IS NULL"
        )


def _order_columns(sales: Sales) -> dict[str, Type]:
    """Columns of the orders: what a source delivers, what lines give, and always amount, status and source."""
    delivered = {name for stage in sales.orders for name in stage.columns}
    flat = flat_target("orders")
    delivered |= {flat[name] for stage in sales.flats for name in stage.columns if name in flat}
    delivered |= {name for stage in (*sales.flats, *sales.lines) for name in stage.columns if name in _SUMMED}
    delivered |= {"order_id", "customer_id", "ordered_at", "amount", "status", "source"}
    if any("status" in stage.columns for stage in (*sales.orders, *sales.flats)):
        delivered.add("refunded_amount")
    known = TABLES["orders"].columns
    columns: dict[str, Type] = {
        name: column.type for name, column in known.items() if name in delivered and column.role != "checked"
    }
    for stage in (*sales.orders, *sales.flats):
        columns.update(
            {name: column.type for name, column in stage.columns.items() if name.startswith(CUSTOM_PREFIX)}
        )
    return columns


def _orders_query(rejects: Rejects, sales: Sales) -> str:
    parts = []
    if sales.orders:
        parts.append(_own_orders(rejects, sales))
    if sales.flats:
        new = f" ANTI JOIN ({rejects.together(sales.orders)}) AS o USING (order_id)" if sales.orders else ""
        parts.append(f"SELECT * FROM ({_flat_orders(rejects, sales.flats)}){new}")
    listed = ", ".join(identifier(name) for name in sales.columns)
    return f"SELECT {listed} FROM ({_empty('orders', sales.columns)} UNION ALL BY NAME {' UNION ALL BY NAME '.join(parts)})"


_DUCKDB_TYPES: dict[Type, str] = {
    "money": "BIGINT", "integer": "BIGINT", "number": "DOUBLE", "decimal": "DECIMAL(18,3)", "text": "VARCHAR", "date": "DATE",
    "timestamp": "TIMESTAMP", "boolean": "BOOLEAN",
}  # fmt: skip


def _empty(table: str, columns: Mapping[str, Type]) -> str:
    """No rows, but every column with its type, so that a union has them all."""
    listed = ", ".join(f"NULL::{_DUCKDB_TYPES[kind]} AS {identifier(name)}" for name, kind in columns.items())
    return f"(SELECT {listed} WHERE FALSE)"


def _own_orders(rejects: Rejects, sales: Sales) -> str:
    """The rows of the order tables, completed by the sums of their lines."""
    delivered = {name for stage in sales.orders for name in stage.columns}
    stages = [*sales.lines, *sales.flat_lines]
    given = {name for stage in stages for name in stage.columns}
    summed = [
        name
        for name in _SUMMED
        if stages and (name in given or name == "amount") and not _complete(rejects, sales.orders, name)
    ]
    totals = (
        _lines_total(rejects, sales) if summed else None
    )  # adding up all lines only where orders lack something
    picked = [
        "o.* EXCLUDE ("
        + ", ".join(
            [
                *(n for n in (*_SUMMED, "status", "refunded_amount") if n in delivered),
                "__stage",
                "__name",
                "__seq",
                "__file",
                "__row",
                "__problem",
                "__text",
            ]
        )
        + ")"
    ]
    for name in _SUMMED:
        sides = [*([f"o.{name}"] if name in delivered else []), *([f"l.{name}"] if name in summed else [])]
        if sides:
            picked.append(f"COALESCE({', '.join(sides)}) AS {name}")
    status = "o.status" if "status" in delivered else "NULL"
    amount = f"COALESCE({', '.join([*(['o.amount'] if 'amount' in delivered else []), *(['l.amount'] if 'amount' in summed else [])])})"
    picked.append(
        f"CASE WHEN {amount} < 0 OR o.__marked THEN 'returned' WHEN {status} = 'returned' THEN 'refunded' ELSE COALESCE({status}, 'completed') END AS status"
    )
    if "refunded_amount" in sales.columns:
        given_refund = "o.refunded_amount" if "refunded_amount" in delivered else "NULL::BIGINT"
        picked.append(
            f"COALESCE({given_refund}, CASE WHEN {status} = 'refunded' OR ({status} = 'returned' AND {amount} >= 0) THEN {amount} END) AS refunded_amount"
        )
    join = f" LEFT JOIN {totals} AS l ON o.order_id = l.order_id" if totals else ""
    return (
        f"SELECT {', '.join(picked)} FROM {rejects.together(sales.orders, ', @mark AS __marked')} AS o{join}"
    )


def _complete(rejects: Rejects, stages: Sequence[Stage], name: str) -> bool:
    """Whether every good row of these stages has this column, and a value in it."""
    return all(name in stage.columns for stage in stages) and rejects.all_known(stages, name)


def _lines_total(rejects: Rejects, sales: Sales) -> str | None:
    """One row per order: sums over its good lines."""
    stages = [*sales.lines, *sales.flat_lines]
    if not stages:
        return None
    given = {name for stage in stages for name in stage.columns}
    sums = ", ".join(f"CAST(SUM({name}) AS BIGINT) AS {name}" for name in _SUMMED if name in given)
    return f"(SELECT order_id, {sums} FROM {rejects.together(stages)} GROUP BY order_id)"


def _flat_orders(rejects: Rejects, flats: Sequence[Stage]) -> str:
    """One row per order of the flat files. Attributes are those of the first row that has one."""
    given = {name for stage in flats for name in stage.columns}
    target = {"customer_id": "customer_id", **flat_target("orders")}
    picked = ["order_id", "MIN(ordered_at) AS ordered_at", "arg_min(source, __seq) AS source"]
    for name, kind in {k: v for stage in flats for k, v in stage.columns.items()}.items():
        if (
            name in target and name not in ("ordered_at", "status", "refunded_at", "refunded_amount")
        ) or name.startswith(CUSTOM_PREFIX):
            picked.append(f"arg_min({identifier(name)}, __seq) AS {identifier(target.get(name, name))}")
        elif name in _SUMMED and kind.type == "money":
            picked.append(f"CAST(SUM({name}) AS BIGINT) AS {name}")
    if "refunded_at" in given:
        picked.append("MAX(refunded_at) AS refunded_at")
    state = "COALESCE(status, 'completed')" if "status" in given else "'completed'"
    mixed = f"(bool_or({state} IN ('completed', 'partly_refunded')) AND bool_or({state} IN {_GONE}))"
    picked.append(
        f"CASE WHEN SUM(amount) < 0 OR bool_or(__marked) THEN 'returned' WHEN {mixed} THEN 'partly_refunded'"
        f" WHEN MIN({state}) = MAX({state}) AND MIN({state}) <> 'returned' THEN MIN({state})"
        f" WHEN bool_or({state} IN ('refunded', 'returned')) THEN 'refunded' ELSE 'cancelled' END AS status"
        if "status" in given
        else "CASE WHEN SUM(amount) < 0 OR bool_or(__marked) THEN 'returned' ELSE 'completed' END AS status"
    )
    if "status" in given or "refunded_amount" in given:
        own = "refunded_amount" if "refunded_amount" in given else "NULL"
        gone = f"CASE WHEN {state} IN {_GONE} AND amount > 0 THEN amount END" if "status" in given else "NULL"
        picked.append(
            f"CASE WHEN bool_and({state} IN ('cancelled', 'pending')) THEN NULL ELSE CAST(SUM(COALESCE({own}, {gone})) AS BIGINT) END AS refunded_amount"
        )
    return (
        f"SELECT {', '.join(picked)} FROM {rejects.together(flats, ', @mark AS __marked')} GROUP BY order_id"
    )


def lines_query(
    rejects: Rejects, sales: Sales, products: str | None, product_columns: Sequence[str]
) -> tuple[str, dict[str, Type]]:
    """The order lines with customer, time, status and refund of their order and the category of their product.

    Grain: one row per order and line number. `products` is the table expression of the product facts, if there are any.
    """
    stages = [*sales.flat_lines, *sales.lines]
    given = {name: column for stage in stages for name, column in stage.columns.items()}
    known = TABLES["order_lines"].columns
    own = [
        name
        for name, column in known.items()
        if column.role == "given" and name in given and name not in ("order_id", "line_no")
    ]
    custom = [name for stage in sales.lines for name in stage.columns if name.startswith(CUSTOM_PREFIX)]
    flat_named = "product_name" in given and "product_id" not in given
    numbered = all("line_no" in stage.columns for stage in stages)
    place = "row_number() OVER (PARTITION BY k.order_id ORDER BY k.__seq)"
    number = place
    if numbered:  # the window costs a sort of all lines, so only where a number is missing
        whole = rejects.all_known(stages, "line_no")
        number = "k.line_no" if whole else f"COALESCE(k.line_no, 1000000 + {place})"
    kept = rejects.together(stages)
    picked = [
        "k.order_id",
        f"CAST({number} AS BIGINT) AS line_no",
        *(f"k.{identifier(name)}" for name in (*own, *custom)),
    ]
    columns: dict[str, Type] = {"order_id": "text", "line_no": "integer"}
    columns.update({name: known[name].type for name in own})
    columns.update({name: given[name].type for name in custom})
    if flat_named:
        picked.append("k.product_name AS product_id")
        columns["product_id"] = "text"
    picked += ["o.customer_id", "o.ordered_at", _line_status(given), "k.source"]
    columns |= {"customer_id": "text", "ordered_at": "timestamp", "status": "text", "source": "text"}
    if "refunded_at" in sales.columns:
        picked.append("o.refunded_at")
        columns["refunded_at"] = "timestamp"
    product = "product_id" in columns and products is not None
    for name in ("category", "subcategory", "brand"):
        sides = [
            *([f"p.{name}"] if product and name in product_columns else []),
            *([f"k.{name}"] if name in given else []),
        ]
        if sides:
            picked.append(f"COALESCE({', '.join(sides)}) AS {name}")
            columns[name] = "text"
    key = "k.product_name" if flat_named else "k.product_id"
    join = f" LEFT JOIN {products} AS p ON {key} = p.product_id" if product else ""
    order = [name for name in known if name in columns] + custom
    query = f"SELECT {', '.join(picked)} FROM {kept} AS k JOIN {ORDERS} AS o ON k.order_id = o.order_id{join}"
    return query, {name: columns[name] for name in order}


def _line_status(given: Mapping[str, object]) -> str:
    own = (
        "CASE WHEN k.status = 'returned' AND k.amount >= 0 THEN 'refunded' ELSE k.status END"
        if "status" in given
        else "NULL"
    )
    return f"CASE WHEN o.status = 'returned' THEN 'returned' ELSE COALESCE({own}, CASE WHEN o.status = 'partly_refunded' THEN 'completed' END, o.status) END AS status"


def flat_products(rejects: Rejects, flats: Sequence[Stage]) -> tuple[str, dict[str, Type]] | None:
    """Products named in flat files: the attributes of their latest row. None when no product has an attribute."""
    target = flat_target("products")
    stages = [stage for stage in flats if has_lines(stage.source)]
    given = {name for stage in stages for name in stage.columns}
    attributes = [name for name in target if name in given]
    if not any(names_products(stage.source) for stage in stages):
        return None
    key = "product_id" if "product_id" in given else "product_name"
    picked = ", ".join(f"arg_max({identifier(name)}, __seq) AS {target[name]}" for name in attributes)
    query = f"SELECT {key} AS product_id, {picked}, arg_max(source, __seq) AS source FROM {rejects.together(stages)} WHERE {key} IS NOT NULL GROUP BY {key}"
    columns: dict[str, Type] = {target[name]: "text" for name in attributes}
    return query, columns


def flat_customers(rejects: Rejects, flats: Sequence[Stage]) -> tuple[str, dict[str, Type]] | None:
    """Customers named in flat files: the attributes of their latest order. None when no attribute is mapped."""
    target = flat_target("customers")
    stages = [stage for stage in flats if "customer_id" in stage.columns]
    given = {name: column for stage in stages for name, column in stage.columns.items()}
    attributes = [name for name in target if name in given]
    if not attributes:
        return None
    latest = "CAST(epoch_us(ordered_at) AS HUGEINT) * 4611686018427387904 + __seq"
    picked = ", ".join(f"arg_max({identifier(name)}, {latest}) AS {target[name]}" for name in attributes)
    query = f"SELECT customer_id, {picked}, arg_min(source, __seq) AS source FROM {rejects.together(stages)} WHERE customer_id IS NOT NULL GROUP BY customer_id"
    return query, {target[name]: given[name].type for name in attributes}


__all__ = [
    "ORDERS",
    "Sales",
    "check_sales",
    "flat_customers",
    "flat_products",
    "flat_target",
    "has_lines",
    "lines_query",
    "names_products",
]
