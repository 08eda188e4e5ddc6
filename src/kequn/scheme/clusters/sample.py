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


def features_query(relation: str, features: Sequence[Feature], scope: exp.Expr) -> exp.Select:
    """customer_id and the features of everybody in scope: numbers as DOUBLE, labels as text. One row per customer."""
    columns = [
        exp.alias_(cast(column(each.name), "DOUBLE" if each.is_number else "VARCHAR"), each.name, quoted=True)
        for each in features
    ]
    query = exp.select(column("customer_id"), *columns).from_(exp.to_table(relation))
    return query if isinstance(scope, exp.Boolean) and scope.this else query.where(scope.copy())


def count_in_scope(engine: Engine, relation: str, scope: exp.Expr) -> int:
    """Customers in scope."""
    inner = features_query(relation, (), scope).subquery("f")
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


__all__ = ["count_in_scope", "draw", "features_query"]
