"""The language for one customer, in Python: the same trees that engines run, with SQL's NULL.

An explanation asks a hundred small questions about one row; an engine needs a hundred milliseconds for that. Every node
class of the language has its function here, and a test runs both ways over the same rows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from sqlglot import exp

from kequn.language.typer import shift

Row = Mapping[str, Any]
Function = Callable[[Row], Any]


def function_of(tree: exp.Expr) -> Function:
    """`tree` as a function of a row; NULL is None. A column that the row lacks is NULL.

    Raises NotImplementedError for a node that the language doesn't make.
    """
    made = _MAKERS.get(type(tree))
    if made is None:
        raise NotImplementedError(type(tree).__name__)
    return made(tree)


def _column(tree: exp.Expr) -> Function:
    name = tree.name
    return lambda row: row.get(name)


def _literal(tree: exp.Expr) -> Function:
    value: Any = tree.name
    if not tree.args.get("is_string"):
        value = int(value) if re.fullmatch(r"\d+", value) else Decimal(value)
    return lambda row: value


def _and(tree: exp.Expr) -> Function:
    left, right = function_of(tree.this), function_of(tree.expression)

    def both(row: Row) -> bool | None:
        a = left(row)
        if a is False:
            return False
        b = right(row)
        if b is False:
            return False
        return None if a is None or b is None else True

    return both


def _or(tree: exp.Expr) -> Function:
    left, right = function_of(tree.this), function_of(tree.expression)

    def either(row: Row) -> bool | None:
        a = left(row)
        if a is True:
            return True
        b = right(row)
        if b is True:
            return True
        return None if a is None or b is None else False

    return either


def _alike(a: Any, b: Any) -> tuple[Any, Any]:
    """Two values as engines compare them: a date beside a timestamp is its midnight."""
    if isinstance(a, date) and isinstance(b, date) and isinstance(a, datetime) != isinstance(b, datetime):
        return tuple(x if isinstance(x, datetime) else datetime.combine(x, time()) for x in (a, b))  # type: ignore[return-value]
    return a, b


def _strict(combine: Callable[..., Any], *parts: str) -> Callable[[exp.Expr], Function]:
    """A node that is NULL when one of its operands is."""

    def make(tree: exp.Expr) -> Function:
        operands = [function_of(tree.args[part]) for part in parts if tree.args.get(part) is not None]

        def apply(row: Row) -> Any:
            values = [operand(row) for operand in operands]
            return None if any(value is None for value in values) else combine(*values)

        return apply

    return make


def _compared(compare: Callable[[Any, Any], bool]) -> Callable[[exp.Expr], Function]:
    return _strict(lambda a, b: compare(*_alike(a, b)), "this", "expression")


def _in(tree: exp.Expr) -> Function:
    value, members = function_of(tree.this), [function_of(item) for item in tree.expressions]

    def among(row: Row) -> bool | None:
        found = value(row)
        if found is None:
            return None
        pairs = [_alike(found, member(row)) for member in members]
        if any(b is not None and a == b for a, b in pairs):
            return True
        return None if any(b is None for _, b in pairs) else False

    return among


def _is(tree: exp.Expr) -> Function:
    value = function_of(tree.this)
    return lambda row: value(row) is None


def _case(tree: exp.Expr) -> Function:
    branches = [(function_of(branch.this), function_of(branch.args["true"])) for branch in tree.args["ifs"]]
    default = function_of(tree.args["default"]) if tree.args.get("default") is not None else lambda row: None

    def choose(row: Row) -> Any:
        for when, value in branches:
            if when(row) is True:
                return value(row)
        return default(row)

    return choose


def _first(choose: Callable[[list[Any]], Any]) -> Callable[[exp.Expr], Function]:
    """A node over several values in which NULLs are passed over."""

    def make(tree: exp.Expr) -> Function:
        operands = [function_of(item) for item in (tree.this, *tree.expressions)]

        def apply(row: Row) -> Any:
            known = [value for operand in operands if (value := operand(row)) is not None]
            return choose(known) if known else None

        return apply

    return make


def _nullif(tree: exp.Expr) -> Function:
    left, right = function_of(tree.this), function_of(tree.expression)

    def apply(row: Row) -> Any:
        value = left(row)
        return None if value is not None and value == right(row) else value

    return apply


def _cast(tree: exp.Expr) -> Function:
    target, value = tree.args["to"].this.name, function_of(tree.this)
    convert = _CASTS[target]
    return lambda row: None if (found := value(row)) is None else convert(found)


def _as_date(value: Any) -> date:
    if isinstance(value, str):
        return date.fromisoformat(value)
    return value.date() if isinstance(value, datetime) else value


def _interval(tree: exp.Expr) -> Function:
    step = (int(tree.this.name), tree.args["unit"].name.upper())
    return lambda row: step


def _plus(a: Any, b: Any) -> Any:
    if isinstance(b, tuple):
        return shift(_as_date(a), b[0], b[1])
    return a + b


def _minus(a: Any, b: Any) -> Any:
    return shift(_as_date(a), -b[0], b[1]) if isinstance(b, tuple) else a - b


def _remainder(a: int, b: int) -> int:
    return int(math.fmod(a, b))


@cache
def _pattern(like: str) -> re.Pattern[str]:
    parts = {"%": ".*", "_": "."}
    return re.compile("".join(parts.get(char, re.escape(char)) for char in like), re.DOTALL)


def _substring(text: str, start: int, length: int | None = None) -> str:
    return text[start - 1 :] if length is None else text[start - 1 : start - 1 + length]


def _extract(tree: exp.Expr) -> Function:
    part, value = tree.this.name.upper(), function_of(tree.expression)

    def apply(row: Row) -> int | None:
        found = value(row)
        if found is None:
            return None
        return (found.month + 2) // 3 if part == "QUARTER" else int(getattr(found, part.lower()))

    return apply


def _days(later: Any, earlier: Any) -> int:
    gap: timedelta = _as_date(later) - _as_date(earlier)
    return gap.days


_CASTS: dict[str, Callable[[Any], Any]] = {
    "DOUBLE": float,
    "BIGINT": int,
    "INT": int,
    "DATE": _as_date,
    "VARCHAR": str,
    "TEXT": str,
    "BOOLEAN": bool,
    "TIMESTAMP": lambda value: (
        value if isinstance(value, datetime) else datetime.combine(_as_date(value), time())
    ),
    "DECIMAL": lambda value: Decimal(str(value)),
}
_MAKERS: dict[type[exp.Expr], Callable[[Any], Function]] = {
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Boolean: lambda tree: lambda row: bool(tree.this),
    exp.Null: lambda tree: lambda row: None,
    exp.Paren: lambda tree: function_of(tree.this),
    exp.And: _and,
    exp.Or: _or,
    exp.Not: _strict(lambda a: not a, "this"),
    exp.EQ: _compared(lambda a, b: a == b),
    exp.NEQ: _compared(lambda a, b: a != b),
    exp.GT: _compared(lambda a, b: a > b),
    exp.GTE: _compared(lambda a, b: a >= b),
    exp.LT: _compared(lambda a, b: a < b),
    exp.LTE: _compared(lambda a, b: a <= b),
    exp.Between: lambda tree: function_of(
        exp.And(
            this=exp.GTE(this=tree.this.copy(), expression=tree.args["low"].copy()),
            expression=exp.LTE(this=tree.this.copy(), expression=tree.args["high"].copy()),
        )
    ),
    exp.In: _in,
    exp.Is: _is,
    exp.Like: _strict(lambda text, like: _pattern(like).fullmatch(text) is not None, "this", "expression"),
    exp.Add: _strict(_plus, "this", "expression"),
    exp.Sub: _strict(_minus, "this", "expression"),
    exp.Mul: _strict(lambda a, b: a * b, "this", "expression"),
    exp.Div: _strict(lambda a, b: a / b, "this", "expression"),
    exp.Mod: _strict(_remainder, "this", "expression"),
    exp.Neg: _strict(lambda a: -a, "this"),
    exp.Case: _case,
    exp.Coalesce: _first(lambda known: known[0]),
    exp.Least: _first(min),
    exp.Greatest: _first(max),
    exp.Nullif: _nullif,
    exp.Cast: _cast,
    exp.Abs: _strict(abs, "this"),
    exp.Floor: _strict(math.floor, "this"),
    exp.Ceil: _strict(math.ceil, "this"),
    exp.Sqrt: _strict(math.sqrt, "this"),
    exp.Lower: _strict(str.lower, "this"),
    exp.Upper: _strict(str.upper, "this"),
    exp.Trim: _strict(lambda text: text.strip(" "), "this"),
    exp.Length: _strict(len, "this"),
    exp.Substring: _strict(_substring, "this", "start", "length"),
    exp.StartsWith: _strict(str.startswith, "this", "expression"),
    exp.DPipe: _strict(lambda a, b: a + b, "this", "expression"),
    exp.Extract: _extract,
    exp.DateDiff: _strict(_days, "this", "expression"),
    exp.Interval: _interval,
}

__all__ = ["Function", "Row", "function_of"]
