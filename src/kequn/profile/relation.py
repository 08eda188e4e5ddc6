"""Relations: canonical tables and grains, with the type of each column and the facts it needs.

A grain is a named SELECT over tables or other grains, written once in the portable subset. Compiling it types every
column and follows it back to the columns of canonical tables, so that Kequn knows which features the data allow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

from sqlglot import exp

from kequn.errors import RuleError
from kequn.language import Catalog, Type, nearest, portable
from kequn.language.typer import Typed, Typer, column, whole_money

Needs = frozenset[str]
"""What must be in the facts: `table` or `table.column`."""


@dataclass(frozen=True)
class Relation:
    """A table or grain. `select` is None for a table (a view of that name stands in the engine).

    `per_customer` tells that the grain groups by the customer alone, so that features may take its columns as they are;
    `by_customer` are the inputs of which a customer's rows need that customer's rows alone.
    """

    name: str
    types: Mapping[str, Type]
    needs: Mapping[str, Needs]
    rows_need: Needs
    select: exp.Select | None = None
    inputs: tuple[str, ...] = ()
    aggregated: bool = False
    per_customer: bool = False
    by_customer: frozenset[str] = frozenset()

    def needed(self, columns: Iterable[str]) -> Needs:
        """What the named columns need, with what the rows themselves need."""
        return self.rows_need.union(*(self.needs[name] for name in columns if name in self.needs))


@dataclass
class GrainTyper(Typer):
    """A Typer that knows several sources by alias, and which facts may be missing without harm (inside COALESCE)."""

    sources: Mapping[str, Relation] = field(default_factory=dict)
    used: set[tuple[str, str]] = field(default_factory=set)
    optional: bool = False

    def _column(self, node: exp.Expr) -> Typed:
        assert isinstance(node, exp.Column)
        name = node.name
        if not node.table and name.lower() == "as_of":
            return super()._column(node)
        owners = [
            alias
            for alias, source in self.sources.items()
            if name in source.types and node.table in ("", alias)
        ]
        if len(owners) != 1:
            known = [known for source in self.sources.values() for known in source.types]
            raise self.fail("language.unknown_column", node, word=name, near=nearest(name, known))
        if not self.optional:
            self.used.add((owners[0], name))
        tree = column(name) if len(self.sources) == 1 else exp.column(
            exp.to_identifier(name, quoted=True), table=exp.to_identifier(owners[0], quoted=True)
        )  # fmt: skip
        self.columns.add(name)
        return Typed(tree, self.sources[owners[0]].types[name])

    def _coalesce(self, node: exp.Expr) -> Typed:
        last = node.expressions[-1]
        if not isinstance(last, exp.Literal) and type(last) is not exp.Boolean:
            return super()._coalesce(node)
        before, self.optional = self.optional, True
        try:
            return super()._coalesce(node)
        finally:
            self.optional = before

    def needs(self) -> Needs:
        return frozenset[str]().union(*(self.sources[alias].needs[name] for alias, name in self.used))


def typer_over(
    sources: Mapping[str, Relation],
    catalog: Catalog,
    text: str,
    *,
    aggregates: bool = False,
    windows: bool = False,
) -> GrainTyper:
    """A typer whose names are the columns of `sources` (alias to relation)."""
    bare = Catalog({}, as_of=catalog.as_of, minor_unit_digits=catalog.minor_unit_digits)
    return GrainTyper(bare, text, sources=sources, aggregates=aggregates, windows=windows)


def table_relation(name: str, types: Mapping[str, Type]) -> Relation:
    """A canonical table: each column needs itself, rows need the table."""
    return Relation(
        name, types, {column: frozenset({f"{name}.{column}"}) for column in types}, frozenset({name})
    )


@cache
def _portable(sql: str) -> exp.Query:
    """A grain's tree; kept, because a run plans several dates, and only read."""
    return portable(sql)


def compile_grain(name: str, sql: str, relations: Mapping[str, Relation], catalog: Catalog) -> Relation:
    """Type a grain's SELECT and follow its columns back to the facts.

    Raises RuleError for anything outside the subset, an unknown name, or a projection without a name.
    """
    tree = _portable(sql)
    if not isinstance(tree, exp.Select) or tree.args.get("with_") or tree.args.get("limit"):
        raise RuleError("profile.grain_shape", word=name, position=0, text=sql)
    sources = {alias: _relation(table, relations, sql) for alias, table in _tables(tree)}
    typer = typer_over(sources, catalog, sql, aggregates=True, windows=True)
    types: dict[str, Type] = {}
    needs: dict[str, Needs] = {}
    projections = []
    for item in tree.expressions:
        if not item.alias_or_name or isinstance(item, exp.Star):
            raise RuleError("profile.grain_projection", word=item.sql(), position=0, text=sql)
        typer.used = set()
        typed = typer.visit(item.this if isinstance(item, exp.Alias) else item)
        types[item.alias_or_name] = typed.type
        needs[item.alias_or_name] = typer.needs()
        whole = whole_money(typed) if typed.type == "money" else typed.tree
        projections.append(exp.alias_(whole, item.alias_or_name, quoted=True))
    select = exp.select(*projections)
    select.set("from_", tree.args["from_"].copy())
    select.set("joins", [_typed_join(join, typer) for join in tree.args.get("joins") or []])
    group = tree.args.get("group")
    typer.used = set()
    if group:
        select.set("group", exp.Group(expressions=[typer.visit(item).tree for item in group.expressions]))
    rows_need = typer.needs().union(*(source.rows_need for source in sources.values()))
    typer.optional = True
    if tree.args.get("where"):
        select.set("where", exp.Where(this=typer.boolean(tree.args["where"].this)))
    inputs = tuple(source.name for source in sources.values())
    heavy = bool(group) or select.find(exp.Window) is not None
    return Relation(
        name, types, needs, rows_need, select, inputs, heavy, _per_customer(select), _by_customer(select)
    )


def _per_customer(select: exp.Select) -> bool:
    group = select.args.get("group")
    keys = [item.this for item in select.expressions if item.alias == "customer_id"]
    return group is not None and bool(group.expressions == keys)


def _by_customer(select: exp.Select) -> frozenset[str]:
    """Sources of a grain that are read customer by customer: rows of a customer come from rows of that customer alone."""
    key = next((item.this for item in select.expressions if item.alias == "customer_id"), None)
    if not isinstance(key, exp.Column):
        return frozenset()
    group = select.args.get("group")
    windows = [window.args.get("partition_by") or [] for window in select.find_all(exp.Window)]
    if any(key not in columns for columns in ([group.expressions] if group else []) + windows):
        return frozenset()
    joins = select.args.get("joins") or []
    tables = {
        table.alias_or_name: table.name
        for table in [select.args["from_"].this, *(join.this for join in joins)]
    }
    if not joins:
        return frozenset(tables.values())
    equal = {key.table} | {alias for join in joins for alias in _equal_to(key, join)}
    return frozenset(tables[alias] for alias in equal) - {
        name for alias, name in tables.items() if alias not in equal
    }


def _equal_to(key: exp.Column, join: exp.Join) -> list[str]:
    """Aliases whose customer_id an inner join makes equal to `key`."""
    condition = join.args.get("on")
    if join.side or condition is None:
        return []
    parts = condition.flatten() if isinstance(condition, exp.And) else [condition]
    sides = [(part.this, part.expression) for part in parts if isinstance(part, exp.EQ)]
    return [
        other.table
        for left, right in sides
        for one, other in ((left, right), (right, left))
        if one == key and isinstance(other, exp.Column) and other.name == "customer_id"
    ]


def _tables(tree: exp.Select) -> list[tuple[str, exp.Table]]:
    found = [tree.args["from_"].this, *(join.this for join in tree.args.get("joins") or [])]
    return [(table.alias_or_name, table) for table in found]


def _relation(table: exp.Expr, relations: Mapping[str, Relation], sql: str) -> Relation:
    if not isinstance(table, exp.Table) or table.name not in relations:
        word = table.name or table.sql()
        raise RuleError(
            "profile.unknown_relation", word=word, position=0, text=sql, near=nearest(word, relations)
        )
    return relations[table.name]


def _typed_join(join: exp.Join, typer: GrainTyper) -> exp.Join:
    copy = join.copy()
    if join.args.get("on"):
        copy.set("on", typer.boolean(join.args["on"]))
    return copy


def pruned(relation: Relation, wanted: set[str]) -> exp.Select:
    """The grain's SELECT with only the wanted projections."""
    assert relation.select is not None
    select = relation.select.copy()
    select.set("expressions", [item for item in select.expressions if item.alias_or_name in wanted])
    return select


__all__ = ["GrainTyper", "Needs", "Relation", "compile_grain", "pruned", "table_relation", "typer_over"]
