"""What the engine is asked: the features of customers in scope, of everybody or of a sample by sha256."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from sqlglot import exp

from kequn.engine import Engine
from kequn.language import cast, column
from kequn.scheme.clusters.encoding import Feature, Rows, rows_of

if TYPE_CHECKING:
    import pyarrow as pa


def features_query(
    relation: str, features: Sequence[Feature], scope: exp.Expr, least_known: int = 1
) -> exp.Select:
    """customer_id and the features, numbers as DOUBLE, labels as text.

    One row per customer in scope of whom at least `least_known` features are known.
    """
    columns = [
        exp.alias_(cast(column(each.name), "DOUBLE" if each.is_number else "VARCHAR"), each.name, quoted=True)
        for each in features
    ]
    return exp.select(column("customer_id"), *columns).from_(exp.to_table(relation)).where(
        exp.and_(scope.copy(), _known(features, least_known))
    )  # fmt: skip


def _known(features: Sequence[Feature], least: int) -> exp.Expr:
    parts: list[exp.Expr] = [
        exp.Case(
            ifs=[
                exp.If(this=exp.Is(this=column(each.name), expression=exp.Null()), true=exp.Literal.number(0))
            ],
            default=exp.Literal.number(1),
        )
        for each in features
    ]
    total = parts[0]
    for part in parts[1:]:
        total = exp.Add(this=total, expression=part)
    return exp.GTE(this=exp.paren(total), expression=exp.Literal.number(min(least, len(features))))


def count_rows(engine: Engine, query: exp.Select) -> int:
    """Rows of a query."""
    inner = query.subquery("f")
    return int(
        engine.scalar(exp.select(cast(exp.Count(this=exp.Star(), big_int=True), "BIGINT")).from_(inner)) or 0
    )


def draw(
    engine: Engine, query: exp.Select, features: Sequence[Feature], total: int, most: int, seed: int
) -> Rows:
    """At most `most` of `total` customers, those with the smallest sha256 of seed and id, in the order of ids."""
    import pyarrow.compute as pc

    if total > most:
        query = query.copy().where(_below(seed, most / total))
    table = engine.sql(query)
    table = table.take(pc.sort_indices(table.column("customer_id").cast("string")))
    if table.num_rows > most:
        table = table.take(_smallest(table.column("customer_id"), most, seed))
    return rows_of(table, features)


def _below(seed: int, share: float) -> exp.Expr:
    """True for about `share` of all customers (a little more, so that enough are left to cut to size)."""
    key = exp.DPipe(this=exp.Literal.string(f"{seed}:"), expression=column("customer_id"), safe=True)
    digest = exp.SHA2(this=key, length=exp.Literal.number(256))
    start = exp.Substring(this=digest, start=exp.Literal.number(1), length=exp.Literal.number(8))
    limit = min(int(share * 1.05 * 16**8), 16**8 - 1)
    return exp.LT(this=start, expression=exp.Literal.string(f"{limit:08x}"))


def _smallest(ids: pa.ChunkedArray, most: int, seed: int) -> pa.Array:
    import pyarrow as pa

    keys = [hashlib.sha256(f"{seed}:{customer}".encode()).digest() for customer in ids.to_pylist()]
    chosen = sorted(range(len(keys)), key=keys.__getitem__)[:most]
    return pa.array(np.sort(np.array(chosen, dtype=np.int64)))


__all__ = ["count_rows", "draw", "features_query"]
