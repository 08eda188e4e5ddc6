"""Checks that look at one row: missing and unreadable cells, times, amounts and their signs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from kequn.data.convert import ABSURD_MINOR_UNITS, as_text, identifier, literal
from kequn.data.sources import Source
from kequn.data.stage import Problem, Room
from kequn.data.standard import Column, Table


def is_hard(owner: Table, column: Column) -> bool:
    """A cell that can't be read costs the row when the row is worthless or misleading without it; else it becomes missing."""
    if _must_be_there(owner, column) or column.name in owner.key or column.name == owner.time_column:
        return True
    return owner.time_column is not None and (column.type == "money" or column.name == "quantity")


def _must_be_there(owner: Table, column: Column) -> bool:
    if column.required or (
        owner.name in ("flat_orders", "order_lines") and column.name in ("amount", "order_id")
    ):
        return True
    return column.name in owner.key and owner.name not in _LOOSE_KEYS


_LOOSE_KEYS = ("events", "order_lines", "responses", "deals")
"""Tables of which part of the key may be empty."""


def _present(column: str, raw_type: str) -> str:
    raw = f'"r_{column}"'
    if raw_type == "VARCHAR":
        return f"NOT kq_missing({raw})"
    return (
        f"({raw} IS NOT NULL AND NOT isnan({raw}))"
        if raw_type in ("DOUBLE", "FLOAT")
        else f"{raw} IS NOT NULL"
    )


def unread_cell(column: str, raw_type: str, failures: dict[str, list[str]]) -> str:
    """A cell that isn't blank and can't be read, or a computed one with an operand that can't."""
    unread = f"({identifier(column)} IS NULL AND {_present(column, raw_type)})"
    return f'({unread} OR "f_{column}")' if column in failures else unread


def row_problems(
    room: Room,
    owner: Table,
    source: Source,
    columns: dict[str, Column],
    types: dict[str, str],
    failures: dict[str, list[str]],
) -> Iterator[Problem]:
    def text(column: str) -> str:
        return as_text(f'"r_{column}"', types[f"r_{column}"])

    for name, column in columns.items():
        if not is_hard(owner, column):
            continue
        quoted = identifier(name)
        unread = unread_cell(name, types[f"r_{name}"], failures)
        if column.type == "money":
            if types[f"r_{name}"] == "VARCHAR":
                yield Problem(
                    "data.other_currency", name, f'{unread} AND kq_other_currency("r_{name}")', text(name)
                )
            yield Problem("data.absurd_amount", name, f"abs({quoted}) > {ABSURD_MINOR_UNITS}", text(name))
        if column.type != "text":
            yield Problem(f"data.not_{column.type}", name, unread, text(name))
        if _must_be_there(owner, column):
            yield Problem("data.missing", name, f"{quoted} IS NULL")
    yield from _time_problems(room, owner, columns, text)
    if "currency" in columns:
        names = ", ".join(literal(word) for word in room.money.names())
        yield Problem(
            "data.other_currency", "currency", f"lower(trim(currency)) NOT IN ({names})", text("currency")
        )
    yield from _sign_problems(owner, source, columns, text)


def _time_problems(
    room: Room, owner: Table, columns: dict[str, Column], text: Callable[[str], str]
) -> Iterator[Problem]:
    time = owner.time_column
    if time is None or time not in columns:
        return
    limit = "DATE" if columns[time].type == "date" else "TIMESTAMP"
    yield Problem(
        "data.after_clock",
        time,
        f"{identifier(time)} > CAST({literal(room.clock.isoformat(sep=' '))} AS {limit})",
        text(time),
    )
    if columns[time].type == "timestamp":
        yield Problem("data.before_1970", time, f"{identifier(time)} < TIMESTAMP '1970-01-01'", text(time))


def _sign_problems(
    owner: Table, source: Source, columns: dict[str, Column], text: Callable[[str], str]
) -> Iterator[Problem]:
    """Marks of a cancellation that contradict the amount, and negative orders without any mark."""
    if owner.name not in ("orders", "order_lines", "flat_orders") or "amount" not in columns:
        return
    if "quantity" in columns:
        yield Problem("data.sign_mismatch", "amount", "quantity < 0 AND amount > 0", text("amount"))
    marked = cancelled_mark(source, columns)
    if source.cancelled_prefix:
        yield Problem("data.sign_mismatch", "amount", f"{marked} AND amount > 0", text("amount"))
    if owner.name == "orders":
        status = (
            "COALESCE(status, '') IN ('returned', 'refunded', 'cancelled')"
            if "status" in columns
            else "FALSE"
        )
        yield Problem(
            "data.negative_amount",
            "amount",
            f"amount < 0 AND NOT ({status}) AND NOT ({marked})",
            text("amount"),
        )


def cancelled_mark(source: Source, columns: dict[str, Column]) -> str:
    """The condition "this order number is marked as a cancellation"."""
    if source.cancelled_prefix is None or "order_id" not in columns:
        return "FALSE"
    pattern = "^" + re.escape(source.cancelled_prefix) + r"[-_ ]?\d"
    return f"COALESCE(regexp_matches(order_id, {literal(pattern)}), FALSE)"


__all__ = ["cancelled_mark", "is_hard", "row_problems", "unread_cell"]
