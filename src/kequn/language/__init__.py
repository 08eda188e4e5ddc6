"""The portable SQL subset: parser, types, whitelist, compiler. Used by features, rules and schemes."""

from kequn.language.rule import (
    Expression,
    Rule,
    compile_expression,
    compile_rule,
    matches,
    money_literal,
    parse,
)
from kequn.language.subset import portable
from kequn.language.terms import Term
from kequn.language.typer import cast, column, days_between, safe_divide
from kequn.language.types import SQL_TYPES, Catalog, Column, Type, nearest

__all__ = [
    "SQL_TYPES",
    "Catalog",
    "Column",
    "Expression",
    "Rule",
    "Term",
    "Type",
    "cast",
    "column",
    "compile_expression",
    "compile_rule",
    "days_between",
    "matches",
    "money_literal",
    "nearest",
    "parse",
    "portable",
    "safe_divide",
]
