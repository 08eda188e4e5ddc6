"""How many, where they fall away, where they already are, and who: a rule over the published customers in scope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from kequn.errors import RuleError
from kequn.language import Rule, compile_rule, matches
from kequn.language.builder import Clause, Group, Node, write
from kequn.language.typer import cast, column
from kequn.reading.rules import rows_for
from kequn.web import serving
from kequn.web.accounts.scope import Scope
from kequn.web.published import money_columns, rule_catalog, said
from kequn.web.serving import Condition, Count, Reader

OVERLAPS = 6
SAMPLE_ROWS = 6


def compiled(reader: Reader, text: str) -> Rule:
    """The rule against the run. Raises RuleError, also for behaviour that this run hasn't worked out."""
    rule = compile_rule(text, rule_catalog(reader))
    missing = [term for term in rule.terms if term not in reader.columns("profile")]
    if missing:
        raise RuleError("web.term_not_counted", word=rule.terms[missing[0]].function, position=0, text=text)
    return rule


def condition(reader: Reader, rule: Rule, table: str = serving.CUSTOMERS) -> Condition:
    """The rule over the columns of `table`; predictions stand in a table of their own, so those rules go by id."""
    manifest = said(reader)
    served = reader.columns(table)
    if all(name in served for name in _names(rule)):
        return Condition(_inline(rule, manifest).sql(dialect="duckdb"), rule.canonical)
    inside = exp.select(column("customer_id")).from_(rows_for(manifest, [rule], table=table).subquery("r"))
    return Condition(f"customer_id IN ({inside.where(matches(rule)).sql(dialect='duckdb')})", rule.canonical)


def _names(rule: Rule) -> set[str]:
    return {*rule.columns, *rule.terms, *(f"seg_{scheme}" for scheme in rule.schemes)}


def _inline(rule: Rule, manifest: Mapping[str, Any]) -> exp.Expr:
    """The rule with money columns in minor units, as `inward` would give them: one scan without a subquery."""
    money = {item["name"] for item in manifest.get("columns", []) if item["type"] == "money"}
    digits = int(manifest.get("minor_unit_digits", 2))

    def minor(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and node.name in money:
            return cast(exp.Mul(this=node.copy(), expression=exp.Literal.number(10**digits)), "BIGINT")
        return node

    return matches(rule).transform(minor)


def estimated(reader: Reader, rule: Rule, scope: Scope) -> Count | None:
    """The number at once: known exactly, or from the 2 % sample; None when only counting tells."""
    known = serving.known_count(reader, Condition("", rule.canonical), scope)
    if known is not None or serving.SAMPLE not in reader.tables:
        return known
    return serving.estimate(reader, condition(reader, rule, serving.SAMPLE), scope)


def counted(reader: Reader, rule: Rule, scope: Scope) -> Count:
    """The exact number."""
    return serving.exact(reader, condition(reader, rule), scope)


def everyone(reader: Reader, scope: Scope) -> int:
    """All customers in scope."""
    return serving.exact(reader, Condition("TRUE", "TRUE"), scope).customers


@dataclass(frozen=True)
class Step:
    """One line of the funnel: what is left when this part is added."""

    part: Node
    customers: int


def funnel(reader: Reader, root: Group, scope: Scope, whole: int) -> list[Step]:
    """Customers left after each further part of the outermost group; for "any" those reached so far."""
    catalog = rule_catalog(reader)
    steps = []
    for number in range(1, len(root.parts) + 1):
        rule = compiled(reader, write(Group(root.every, root.parts[:number]), catalog))
        left = counted(reader, rule, scope).customers if whole else 0
        steps.append(Step(root.parts[number - 1], left))
    return steps


def overlap(reader: Reader, rule: Rule, scope: Scope, schemes: Sequence[str]) -> list[tuple[str, str, int]]:
    """(scheme, segment, customers of the rule in it) for the largest segments of `schemes`, largest first."""
    where, values = reader.scoped(scope)
    served = reader.columns("profile")
    names = [name for name in schemes if f"seg_{name}" in served]
    if not names:
        return []
    quoted = [column(f"seg_{name}").sql(dialect="duckdb") for name in names]
    listed, sets = ", ".join(quoted), ", ".join(f"({one})" for one in quoted)
    sql = (
        f"SELECT COUNT(*), {listed} FROM profile WHERE ({condition(reader, rule).sql}) AND {where} "
        f"GROUP BY GROUPING SETS ({sets})"
    )
    with reader.limited():
        rows = reader.rows(sql, values)
    found = [
        (name, str(segment), int(customers))
        for customers, *segments in rows
        for name, segment in zip(names, segments, strict=True)
        if segment is not None  # of a set that isn't this row's, or outside the scheme
    ]
    return sorted(found, key=lambda one: (-one[2], *one[:2]))[:OVERLAPS]


def spent(reader: Reader) -> str:
    """The column that says what a customer spent, in this run; "" without one."""
    return next((name for name in money_columns(reader) if name in reader.columns("profile")), "")


def figures(reader: Reader, rule: Rule, scope: Scope) -> dict[str, Any]:
    """Sums and means of the matching customers, for those columns that the run has."""
    served = reader.columns("profile")
    money = spent(reader)
    wanted = {
        "revenue": ("SUM", money), "per_head": ("AVG", money),
        "order_value": ("AVG", "average_order_value"), "recency": ("MEDIAN", "recency_days"),
    }  # fmt: skip
    chosen = {name: f"{how}({source})" for name, (how, source) in wanted.items() if source in served}
    if not chosen:
        return {}
    where, values = reader.scoped(scope)
    listed = ", ".join(f"{sql} AS {name}" for name, sql in chosen.items())
    with reader.limited():
        return (
            reader.one(
                f"SELECT {listed} FROM profile WHERE ({condition(reader, rule).sql}) AND {where}", values
            )
            or {}
        )


def members(reader: Reader, rule: Rule, scope: Scope) -> list[dict[str, Any]]:
    """A few of the matching customers, the same ones each time."""
    served = reader.columns("profile")
    shown = [name for name in ("customer_id", "city", "recency_days") if name in served]
    shown += [f"{spent(reader)} AS spent"] if spent(reader) else []
    where, values = reader.scoped(scope)
    sql = f"SELECT {', '.join(shown)} FROM profile WHERE ({condition(reader, rule).sql}) AND {where} ORDER BY md5(customer_id), customer_id LIMIT {SAMPLE_ROWS}"
    with reader.limited():
        return reader.dicts(sql, values)


NUMBERS = (
    "orders_90d",
    "average_order_value",
    "distinct_categories",
    "promotion_share",
    "response_rate",
    "weekend_share",
    "tenure_days",
)
SUGGESTED = 4


@dataclass(frozen=True)
class Suggestion:
    """A condition that sets the rule's customers apart: their share against everybody's."""

    clause: Clause
    inside: float
    everybody: float

    @property
    def lift(self) -> float:
        return self.inside / self.everybody


def suggestions(
    reader: Reader, rule: Rule, scope: Scope, enumerations: Mapping[str, Sequence[str]]
) -> list[Suggestion]:
    """The conditions with the largest lift; worked out over the sample when that is large enough, else over everybody.

    `enumerations` are the text columns that may be suggested, with their values.
    """
    enough = (
        serving.SAMPLE in reader.tables
        and reader.value(f"SELECT COUNT(*) FROM {serving.SAMPLE}") >= serving.SMALL
    )
    table = serving.SAMPLE if enough else serving.CUSTOMERS
    where, values = reader.scoped(scope, table)
    tests: list[tuple[Clause, str]] = []
    for name, known in enumerations.items():
        if name not in rule.columns:
            tests += [
                (
                    Clause(name, "in", (value,)),
                    exp.EQ(this=column(name), expression=exp.Literal.string(value)).sql(dialect="duckdb"),
                )
                for value in known
            ]
    served = reader.columns(table)
    numbers = [name for name in NUMBERS if name in served and name not in rule.columns]
    if numbers:
        upper = reader.rows(
            f"SELECT {', '.join(f'quantile_disc({name}, 0.75)' for name in numbers)} FROM {table} WHERE {where}",
            values,
        )[0]
        tests += [
            (Clause(name, "ge", (_round(edge),)), f"{name} >= {_round(edge)}")
            for name, edge in zip(numbers, upper, strict=True)
            if edge
        ]
    if not tests:
        return []
    inside = condition(reader, rule, table).sql
    counts = ", ".join(f"COUNT(*) FILTER (inside AND ({sql})), COUNT(*) FILTER ({sql})" for _, sql in tests)
    with reader.limited():
        row = reader.rows(
            f"SELECT COUNT(*) FILTER (inside), COUNT(*), {counts} FROM (SELECT *, ({inside}) AS inside FROM {table} WHERE {where})",
            values,
        )[0]
    if not row[0] or row[0] == row[1]:
        return []
    found = [
        Suggestion(clause, row[2 + 2 * i] / row[0], row[3 + 2 * i] / row[1])
        for i, (clause, _) in enumerate(tests)
        if row[3 + 2 * i]
    ]
    telling = [item for item in found if 0.05 <= item.inside <= 0.95 and item.lift >= 1.15]
    best: dict[str, Suggestion] = {}
    for item in sorted(telling, key=lambda item: (-item.lift, item.clause.column, item.clause.values)):
        best.setdefault(item.clause.column, item)
    return list(best.values())[:SUGGESTED]


def _round(value: Any) -> str:
    return (
        format(float(value), ".2g") if abs(float(value)) < 1 else format(float(f"{float(value):.2g}"), ".0f")
    )
