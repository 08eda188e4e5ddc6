"""The Python evaluator gives for every expression of the language what DuckDB gives, NULLs included."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlglot import exp
from tests.scheme.people import AS_OF, everything, write

from kequn.engine import EngineSettings, open_engine
from kequn.language import compile_expression
from kequn.language.rule import RULE_NODES
from kequn.scheme.evaluation import _MAKERS, function_of

ROWS: list[dict[str, Any]] = [
    {"customer_id": f"C{n}", "frequency": f, "recency_days": r, "monetary": m, "score": s, "weight": w, "grade": g,
     "is_referred": b, "last_order_at": d, "first_order_at": e}
    for n, (f, r, m, s, w, g, b, d, e) in enumerate([
        (0, 1, 0, 0.0, Decimal("0.500"), "", True, AS_OF, date(2024, 2, 29)),
        (3, None, 12_345, -1.5, None, "一线 城市", False, None, date(2025, 12, 31)),
        (None, 400, -250, 0.1, Decimal("2.125"), None, None, date(2026, 3, 31), None),
        (7, 30, None, None, Decimal("-1.000"), "a%b_c", True, date(2025, 1, 30), date(2023, 5, 5)),
        (2, 2, 99, 1e-9, Decimal("3.000"), " Trim\nme ", None, date(2020, 2, 29), date(2020, 2, 28)),
    ])
]  # fmt: skip
EXPRESSIONS = [
    "frequency > 2", "frequency >= 2.5", "frequency <> 3", "frequency < recency_days", "frequency = 3 OR monetary > 100", "NOT (frequency > 2)",
    "frequency > 2 AND monetary > 0 AND score IS NULL", "frequency IS NOT NULL", "frequency IN (0, 7)", "NOT (frequency IN (1, 3))", "grade IN ('', 'a%b_c')",
    "frequency BETWEEN 2 AND 3", "NOT (score BETWEEN 0 AND 0.1)", "monetary BETWEEN 0.99 AND 200", "monetary / frequency > 1", "monetary / monetary = 1",
    "frequency / recency_days", "monetary / frequency", "monetary * 0.5", "frequency + recency_days * 2 - 1", "monetary + 1.5", "-score", "-(-frequency)", "frequency % 2",
    "ABS(score)", "FLOOR(score)", "CEIL(score)", "SQRT(score)", "FLOOR(weight)", "COALESCE(frequency, recency_days, 5)", "COALESCE(score, 1) > 0", "NULLIF(frequency, 3)",
    "LEAST(frequency, recency_days)", "GREATEST(frequency, recency_days)", "weight > 0.5", "weight * 2",
    "CASE WHEN frequency > 2 THEN 'a' WHEN frequency IS NULL THEN 'b' END", "CASE WHEN is_referred THEN frequency ELSE 0 END", "is_referred", "is_referred = FALSE",
    "grade LIKE '%城%'", "grade LIKE 'a_b%'", "grade LIKE '% %'", "grade || '!'", "LOWER(grade)", "UPPER(grade)", "TRIM(grade)", "LENGTH(grade)", "SUBSTRING(grade, 2, 3)", "SUBSTRING(grade, 3)",
    "STARTS_WITH(grade, '一')", "grade > 'a'", "last_order_at >= DATE '2026-03-31'", "last_order_at >= as_of - INTERVAL 90 DAY", "last_order_at - first_order_at",
    "last_order_at - INTERVAL 1 MONTH", "first_order_at + INTERVAL 1 YEAR", "first_order_at + INTERVAL 2 WEEK", "DATE_DIFF('day', first_order_at, last_order_at)",
    "EXTRACT(YEAR FROM last_order_at)", "EXTRACT(QUARTER FROM last_order_at)", "EXTRACT(MONTH FROM last_order_at)", "EXTRACT(DAY FROM last_order_at)", "last_order_at = as_of",
    "CAST(frequency AS DOUBLE)", "CAST(last_order_at AS DATE)", "orders(days = 30) > 1",
]  # fmt: skip


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_python_and_duckdb_agree_on(text: str, tmp_path: Path) -> None:
    compiled = compile_expression(text, everything())
    engine = open_engine(EngineSettings(threads=1))
    rows = [dict(row) for row in ROWS]
    write(engine, tmp_path, rows)
    source = exp.select("*").from_("profile")
    for number, name in enumerate(compiled.terms):
        source = source.select(exp.alias_(exp.cast(exp.Literal.number(number), "BIGINT"), name, quoted=True))
        for row in rows:
            row[name] = number
    query = exp.select(exp.alias_(compiled.tree.copy(), "answer"), exp.column("customer_id")).from_(
        source.subquery("p")
    )
    answers = {row["customer_id"]: row["answer"] for row in engine.sql(query).to_pylist()}
    engine.close()
    evaluate = function_of(compiled.tree)
    for row in rows:
        found, wanted = evaluate(row), answers[row["customer_id"]]
        if isinstance(wanted, float) and found is not None:
            assert math.isclose(found, wanted, rel_tol=1e-15), (text, row)
        else:
            assert found == wanted, (text, row)


def test_every_node_of_the_language_can_be_evaluated() -> None:
    parts = {exp.Identifier, exp.Placeholder, exp.Var, exp.DataType, exp.DataTypeParam, exp.Anonymous, exp.If}
    assert RULE_NODES - parts <= set(_MAKERS)
