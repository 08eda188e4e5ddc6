"""Small computed columns in a mapping: `list_amount: {sql: "sales_value + retail_disc"}`.

The text is parsed by SQLGlot and rebuilt from a whitelist of node classes; it is never pasted. Names are headers of the
source (quoted with `"` where they hold blanks or Chinese punctuation). Text columns that stand in arithmetic are read as
numbers in the source's own writing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from kequn.errors import ConfigError

if TYPE_CHECKING:
    from sqlglot import exp

MAX_LENGTH = 2_000
MAX_DEPTH = 40
_CASTS = {"VARCHAR", "TEXT", "INT", "BIGINT", "DOUBLE", "DECIMAL", "DATE", "TIMESTAMP", "BOOLEAN"}


@dataclass(frozen=True)
class Expression:
    """A parsed mapping expression and the headers that it reads."""

    source: str
    tree: exp.Expr
    headers: tuple[str, ...]


@cache
def _allowed() -> dict[type, str]:
    """Node class to its kind: `number` nodes read their operands as numbers, `plain` ones as they are."""
    from sqlglot import exp

    number = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Neg, exp.Abs)
    plain = (
        exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Coalesce, exp.Case, exp.If, exp.Cast,
        exp.TryCast, exp.DataType, exp.DataTypeParam, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.And, exp.Or,
        exp.Not, exp.Is, exp.In, exp.DPipe, exp.Concat, exp.Nullif, exp.Trim,
    )  # fmt: skip
    return {**dict.fromkeys(number, "number"), **dict.fromkeys(plain, "plain")}


def parse_expression(text: str) -> Expression:
    """Parse and check a mapping expression.

    Raises: ConfigError `data.expression_…` with the offending `word`.
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    if len(text) > MAX_LENGTH:
        raise ConfigError("data.expression_too_long", sql=text[:80], limit=MAX_LENGTH)
    if ";" in text or "--" in text or "/*" in text:
        raise ConfigError("data.expression_syntax", sql=text, word=";, --, /*")
    if max(_depths(text)) > MAX_DEPTH:
        raise ConfigError("data.expression_too_deep", sql=text[:80], limit=MAX_DEPTH)
    try:
        tree = sqlglot.parse_one(text, dialect="duckdb")
    except (SqlglotError, RecursionError) as error:
        raise ConfigError("data.expression_syntax", sql=text, word=str(error).splitlines()[0][:120]) from None
    for node in tree.walk():
        _check(node, text)
    headers = tuple(dict.fromkeys(column.name for column in tree.find_all(exp.Column)))
    return Expression(text, tree, headers)


def _depths(text: str) -> list[int]:
    depth, found = 0, [0]
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        found.append(depth)
    return found


def _check(node: exp.Expr, text: str) -> None:
    from sqlglot import exp

    if type(node) not in _allowed():
        raise ConfigError("data.expression_not_allowed", sql=text, word=node.sql(dialect="duckdb")[:80])
    if isinstance(node, exp.Column) and node.table:
        raise ConfigError("data.expression_not_allowed", sql=text, word=node.sql(dialect="duckdb"))
    if isinstance(node, exp.DataType) and node.this.name not in _CASTS:
        raise ConfigError("data.expression_not_allowed", sql=text, word=node.sql(dialect="duckdb"))
    if isinstance(node, exp.In) and (node.args.get("query") or node.args.get("unnest")):
        raise ConfigError("data.expression_not_allowed", sql=text, word="IN (SELECT …)")


def compile_expression(
    expression: Expression, names: Mapping[str, str], types: Mapping[str, str], number: Callable[[str], str]
) -> tuple[str, tuple[str, ...]]:
    """DuckDB SQL of an expression, and the aliases of the text headers that it reads as numbers.

    `names` maps headers to quoted identifiers, `types` headers to DuckDB types; `number(alias)` gives the SQL that reads a
    text column as a number.
    """
    from sqlglot import exp

    read: dict[str, None] = {}

    def numeric(node: exp.Expr, wanted: bool) -> exp.Expr:
        if isinstance(node, exp.Column):
            alias = names[node.name]
            if wanted and types[node.name] == "VARCHAR":
                read[alias] = None
                return exp.maybe_parse(number(alias), dialect="duckdb")
            return exp.maybe_parse(alias, dialect="duckdb")
        inner = wanted or _allowed()[type(node)] == "number" or _compares_number(node) or _casts_number(node)
        copy = node.copy()
        for key, value in node.args.items():
            keep = inner and not (isinstance(node, exp.If) and key == "this")
            copy.set(key, _each(value, partial(numeric, wanted=keep)))
        if isinstance(copy, exp.Div):
            copy.set(
                "expression",
                exp.Nullif(this=exp.Paren(this=copy.expression), expression=exp.Literal.number(0)),
            )
        if type(copy) is exp.Cast:
            return exp.TryCast(**copy.args)
        return copy

    return numeric(expression.tree, False).sql(dialect="duckdb"), tuple(read)


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    from sqlglot import exp

    if isinstance(value, list):
        return [change(item) if isinstance(item, exp.Expr) else item for item in value]
    return change(value) if isinstance(value, exp.Expr) else value


def _compares_number(node: exp.Expr) -> bool:
    """A comparison with a number literal or with arithmetic compares numbers."""
    from sqlglot import exp

    if not isinstance(node, (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)):
        return False
    return any(_is_numeric(side.unnest()) for side in (node.left, node.right))


def _is_numeric(node: exp.Expr) -> bool:
    from sqlglot import exp

    if isinstance(node, exp.Literal):
        return not node.is_string
    return _allowed().get(type(node)) == "number"


def _casts_number(node: exp.Expr) -> bool:
    from sqlglot import exp

    return isinstance(node, exp.Cast) and node.to.this.name in ("INT", "BIGINT", "DOUBLE", "DECIMAL")


__all__ = ["Expression", "compile_expression", "parse_expression"]
