"""The frozen portable subset: the only SQL that steps may use, because both engines give the same answer for it.

Left out on purpose (measured in docs/engine.md): AVG and SUM over DOUBLE, quantiles, NTILE, ISODOW, random(), regular
expressions, lambdas, casts that round. A step's SQL is a module-level constant made by `portable`, so anything outside the
subset fails at import.
"""

from __future__ import annotations

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from kequn.errors import RuleError

STRUCTURE: frozenset[type[exp.Expr]] = frozenset(
    {
        exp.Select, exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered, exp.Limit, exp.Offset,
        exp.With, exp.CTE, exp.TableAlias, exp.Table, exp.Subquery, exp.Union, exp.Distinct, exp.Alias, exp.Star,
        exp.Window, exp.Filter, exp.Paren, exp.Tuple, exp.Values,
    }
)  # fmt: skip
SCALAR: frozenset[type[exp.Expr]] = frozenset(
    {
        exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Placeholder, exp.Var, exp.Interval,
        exp.DataType, exp.DataTypeParam,
        exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In, exp.Is, exp.Like,
        exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.DPipe, exp.Concat,
        exp.Case, exp.If, exp.Coalesce, exp.Nullif, exp.Cast, exp.Abs, exp.Least, exp.Greatest, exp.Floor, exp.Ceil, exp.Sqrt,
        exp.Lower, exp.Upper, exp.Trim, exp.Length, exp.Substring, exp.StartsWith,
        exp.Extract, exp.DateDiff,
    }
)  # fmt: skip
AGGREGATES: frozenset[type[exp.Expr]] = frozenset({exp.Count, exp.Sum, exp.Min, exp.Max})
WINDOWS: frozenset[type[exp.Expr]] = frozenset({exp.RowNumber, exp.Lag, exp.Lead})
SUBSET = STRUCTURE | SCALAR | AGGREGATES | WINDOWS

CAST_TARGETS = {
    "BIGINT",
    "DOUBLE",
    "DATE",
    "TIMESTAMP",
    "TEXT",
    "VARCHAR",
    "BOOLEAN",
    "DECIMAL",
    "INT",
    "TINYINT",
}
EXTRACT_PARTS = {"YEAR", "QUARTER", "MONTH", "DAY", "HOUR"}


def refuse_outside(tree: exp.Expr, allowed: frozenset[type[exp.Expr]], text: str) -> None:
    """Raise RuleError for the first node whose exact class isn't allowed."""
    for node in tree.walk():
        if type(node) not in allowed:
            raise RuleError("language.outside_subset", word=_name(node), position=position(node), text=text)
        if isinstance(node, exp.Cast) and node.to.this.name not in CAST_TARGETS:
            raise RuleError("language.cast", word=node.to.sql(), position=position(node), text=text)
        if isinstance(node, exp.Extract) and node.this.name.upper() not in EXTRACT_PARTS:
            raise RuleError(
                "language.outside_subset", word=node.this.name, position=position(node), text=text
            )
        if isinstance(node, exp.DateDiff) and (node.args.get("unit") or exp.var("DAY")).name.upper() != "DAY":
            raise RuleError("language.outside_subset", word=node.sql(), position=position(node), text=text)


def _name(node: exp.Expr) -> str:
    return node.sql(dialect="duckdb")[:60] or node.key


def position(node: exp.Expr) -> int:
    """Where the node begins in its source (0-based), as far as the parser kept it."""
    starts = [found.meta["start"] for found in node.walk() if "start" in found.meta]
    return min(starts) if starts else 0


def portable(sql: str) -> exp.Query:
    """Parse a step's SQL (DuckDB dialect) and refuse anything outside the subset.

    Raises RuleError at import time of the module that holds the text.

    >>> portable("SELECT customer_id, COUNT(*) AS n FROM orders GROUP BY customer_id").sql("spark")
    'SELECT customer_id, COUNT(*) AS n FROM orders GROUP BY customer_id'
    """
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
    except SqlglotError as error:
        raise RuleError(
            "language.syntax", word="", position=0, text=sql, detail=str(error).splitlines()[0]
        ) from error
    if not isinstance(tree, exp.Query):
        raise RuleError("language.outside_subset", word=tree.key, position=0, text=sql)
    refuse_outside(tree, SUBSET, sql)
    return tree


__all__ = ["AGGREGATES", "SCALAR", "SUBSET", "WINDOWS", "portable", "position", "refuse_outside"]
