"""Behaviour terms of rules: `orders(category = '女装', days = 90) >= 2`.

A term is compiled to a one-off feature over facts: a hidden column of the profile whose name comes from its content, so
that equal terms of several rules are computed once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from kequn.errors import RuleError
from kequn.language.subset import position
from kequn.language.types import Catalog, Type, nearest

FUNCTIONS: Mapping[str, Type] = {
    "orders": "integer",
    "revenue": "money",
    "quantity": "number",
    "events": "integer",
    "days_since": "integer",
    "category_share": "number",
    "brand_share": "number",
}
SHARES: Mapping[str, str] = {"category_share": "category", "brand_share": "brand"}
MAX_DAYS = 36_500


@dataclass(frozen=True)
class Term:
    """What customers did: `function` over the rows that pass `filters`, within the last `days` days (None: ever)."""

    function: str
    source: str
    filters: tuple[tuple[str, tuple[str, ...]], ...]
    days: int | None

    @property
    def type(self) -> Type:
        return FUNCTIONS[self.function]

    @property
    def name(self) -> str:
        content = json.dumps([self.function, self.source, self.filters, self.days], ensure_ascii=False)
        return "_t_" + hashlib.sha256(content.encode()).hexdigest()[:12]


def read_term(call: exp.Anonymous, catalog: Catalog, text: str) -> Term:
    """Check one call and turn it into a Term. Raises RuleError with the offending word."""
    function = str(call.this).lower()
    arguments = list(call.expressions)
    source = "events" if function == "events" else "orders"
    if function == "days_since":
        if not arguments or type(arguments[0]) is not exp.Column:
            raise RuleError("language.term_source", word=function, position=position(call), text=text)
        source = arguments.pop(0).name.lower()
    if function in SHARES:
        return _share(function, arguments, catalog, text, position(call))
    filters_known = catalog.behaviours.get(source)
    if filters_known is None:
        raise RuleError(
            "language.term_unavailable",
            word=source,
            position=position(call),
            text=text,
            known=sorted(catalog.behaviours),
        )
    days: int | None = None
    filters: list[tuple[str, tuple[str, ...]]] = []
    for argument in arguments:
        name, values = _argument(argument, text)
        if name == "days":
            days = _days(values, argument, text)
        elif name not in filters_known:
            raise RuleError(
                "language.unknown_column", word=name, position=position(argument), text=text,
                near=nearest(name, [*filters_known, "days"]),
            )  # fmt: skip
        else:
            filters.append((name, tuple(sorted(values))))
    return Term(function, source, tuple(sorted(filters)), days)


def _share(function: str, arguments: list[exp.Expr], catalog: Catalog, text: str, at: int) -> Term:
    column = SHARES[function]
    if len(arguments) != 1 or not (isinstance(arguments[0], exp.Literal) and arguments[0].is_string):
        raise RuleError("language.share_argument", word=function, position=at, text=text)
    if column not in catalog.behaviours.get("orders", {}):
        raise RuleError(
            "language.term_unavailable", word=column, position=at, text=text, known=sorted(catalog.behaviours)
        )
    return Term(function, "orders", ((column, (arguments[0].name,)),), None)


def _argument(argument: exp.Expr, text: str) -> tuple[str, list[str]]:
    if (
        type(argument) is exp.EQ
        and type(argument.this) is exp.Column
        and type(argument.expression) is exp.Literal
    ):
        return argument.this.name.lower(), [argument.expression.name]
    is_list = type(argument) is exp.In and type(argument.this) is exp.Column and bool(argument.expressions)
    if is_list and all(type(item) is exp.Literal for item in argument.expressions):
        return argument.this.name.lower(), [item.name for item in argument.expressions]
    raise RuleError(
        "language.term_argument", word=argument.sql(dialect="duckdb"), position=position(argument), text=text
    )


def _days(values: list[str], argument: exp.Expr, text: str) -> int:
    if len(values) == 1 and values[0].isdigit() and 1 <= int(values[0]) <= MAX_DAYS:
        return int(values[0])
    raise RuleError(
        "language.term_days", word=",".join(values), position=position(argument), text=text, most=MAX_DAYS
    )


__all__ = ["FUNCTIONS", "Term", "read_term"]
