"""From declarations to one query: one CTE per shared grain, one final join, one row per customer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache

from sqlglot import exp

from kequn.errors import ConfigError, RuleError
from kequn.language import SQL_TYPES, Catalog, Column, Type, nearest
from kequn.language.typer import cast, column, whole_money
from kequn.profile.declaration import NAME, FeatureDeclaration
from kequn.profile.ranges import EVERYONE, CustomerRange, narrowed
from kequn.profile.relation import Needs, Relation, compile_grain, pruned, typer_over

BASE = "customers"
MAX_FEATURE_CHARACTERS = 20_000
PROFILE = "profile"


@dataclass(frozen=True)
class ProfileColumn:
    """One column of the profile. `hidden` columns serve behaviour terms of rules; `values` titles the codes of a text column."""

    name: str
    type: Type
    title: Mapping[str, str] = field(default_factory=dict)
    unit: str | None = None
    model: str | None = None
    basis: str | None = None
    privacy: str = "none"
    window_days: int | None = None
    hidden: bool = False
    null_reason: str | None = None
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def as_column(self) -> Column:
        return Column(self.name, self.type, self.title)


@dataclass(frozen=True)
class Unavailable:
    """A feature the data don't allow: what is missing (`table` or `table.column`)."""

    name: str
    title: Mapping[str, str]
    model: str | None
    missing: tuple[str, ...]


@dataclass(frozen=True)
class ProfilePlan:
    """The query of the profile (money in minor units), its columns in order, what can't be built, and the tables it reads.

    `within` gives the query of a range of customers, so that a large profile is built piece by piece.
    """

    columns: tuple[ProfileColumn, ...]
    unavailable: tuple[Unavailable, ...]
    tables: tuple[str, ...]
    within: Callable[[CustomerRange], exp.Select] = field(compare=False, repr=False)

    @property
    def query(self) -> exp.Select:
        """The profile of everyone, assembled when asked: a run builds its ranges without it."""
        return self.within(EVERYONE)


@dataclass(frozen=True)
class Built:
    """A feature whose expression is compiled; `uses` are the names it takes from its source."""

    declaration: FeatureDeclaration
    tree: exp.Expr
    type: Type
    uses: frozenset[str]
    too_early: bool


@dataclass(frozen=True)
class Group:
    """Features that are read from a grain together; `whole` when the grain has one row per customer already."""

    items: tuple[Built, ...]
    whole: bool


@dataclass(frozen=True)
class PlanInput:
    """What a plan depends on: tables, which of their columns are delivered, when the facts begin, the run's date."""

    tables: Mapping[str, Relation]
    present: frozenset[str]
    history_start: date | None
    as_of: date
    minor_unit_digits: int = 2


class Planner:
    """Compiles grains and features once, then assembles the query."""

    def __init__(
        self, grains: Mapping[str, str], features: Sequence[FeatureDeclaration], given: PlanInput
    ) -> None:
        self.given = given
        self.catalog = Catalog({}, as_of=given.as_of, minor_unit_digits=given.minor_unit_digits)
        self.relations: dict[str, Relation] = dict(given.tables)
        for name, sql in grains.items():
            self.relations[name] = compile_grain(name, sql, self.relations, self.catalog)
        self.built: dict[str, Built] = {}
        self.missing: dict[str, Unavailable] = {}
        self.order = {item.name: number for number, item in reversed(list(enumerate(features)))}
        self._compile(features)

    def _compile(self, features: Sequence[FeatureDeclaration]) -> None:
        for declaration in features:
            if not NAME.match(declaration.name) and not declaration.name.startswith(("_t_", "x_")):
                raise ConfigError("profile.feature_name", word=declaration.name)
            if declaration.source != PROFILE and declaration.name not in self.built:
                self._compile_grain_feature(declaration)
        waiting = [item for item in features if item.source == PROFILE]
        while True:
            left = [
                item for item in waiting if item.name not in self.built and not self._compile_expression(item)
            ]
            if len(left) == len(waiting):
                break
            waiting = left
        for name in self.built:
            self.missing.pop(name, None)
        cyclic = [
            item.name for item in waiting if item.name not in self.built and item.name not in self.missing
        ]
        if cyclic:
            raise ConfigError("profile.feature_cycle", names=cyclic)

    def _compile_grain_feature(self, declaration: FeatureDeclaration) -> None:
        relation = self.relations.get(declaration.source)
        if relation is None:
            raise RuleError(
                "profile.unknown_relation", word=declaration.source, position=0, text=declaration.name,
                near=nearest(declaration.source, self.relations),
            )  # fmt: skip
        typer = typer_over(
            {declaration.source: relation},
            self.catalog,
            declaration.sql,
            aggregates=declaration.source != BASE,
        )
        typed = typer.visit(parsed_feature(declaration.sql))
        missing = self._missing(relation.rows_need | typer.needs())
        if missing:
            self._note_missing(declaration, missing)
            return
        tree = whole_money(typed) if typed.type == "money" else typed.tree
        self._add(declaration, _with_case(tree), typed.type, frozenset(typer.columns))

    def _compile_expression(self, declaration: FeatureDeclaration) -> bool:
        """Compile an expression over other features; False while one of them isn't compiled yet."""
        parsed = parsed_feature(declaration.sql)
        names = {node.name for node in parsed.find_all(exp.Column)} - {"as_of"}
        absent = names - set(self.built)
        if absent:
            missing = sorted(
                {need for name in absent if name in self.missing for need in self.missing[name].missing}
            )
            if missing:
                self._note_missing(declaration, missing)
            return False
        source = Relation(PROFILE, {name: item.type for name, item in self.built.items()}, {}, frozenset())
        typer = typer_over({PROFILE: source}, self.catalog, declaration.sql)
        typer.optional = True
        typed = typer.visit(parsed)
        tree = whole_money(typed) if typed.type == "money" else typed.tree
        self._add(declaration, tree, typed.type, frozenset(typer.columns))
        return True

    def _add(self, declaration: FeatureDeclaration, tree: exp.Expr, kind: Type, uses: frozenset[str]) -> None:
        wanted = declaration.type
        if wanted is not None and wanted != kind:
            if not (wanted in ("number", "decimal") and kind in ("integer", "number", "decimal")):
                raise ConfigError("profile.feature_type", word=declaration.name, wanted=wanted, found=kind)
            tree, kind = cast(tree, SQL_TYPES[wanted]), wanted
        start = self.given.history_start
        window = int(declaration.window) if declaration.window else None
        early = window is not None and (start is None or (self.given.as_of - start).days < window)
        self.built[declaration.name] = Built(declaration, tree, kind, uses, early)

    def _missing(self, needs: Needs) -> list[str]:
        return sorted(need for need in needs if need not in self.given.present)

    def _note_missing(self, declaration: FeatureDeclaration, missing: Sequence[str]) -> None:
        if declaration.name not in self.missing:
            self.missing[declaration.name] = Unavailable(
                declaration.name, declaration.title, declaration.model, tuple(missing)
            )

    # the query
    def plan(self) -> ProfilePlan:
        used = self._used_columns(self._grain_features())
        tables = sorted({name for name in used if name in self.given.tables} | {BASE})
        return ProfilePlan(
            tuple(self._columns()),
            tuple(self.missing.values()),
            tuple(tables),
            self.query,
        )

    def query(self, customers: CustomerRange) -> exp.Select:
        """The profile of some customers, or of everyone."""
        sources = self._grain_features()
        used = self._used_columns(sources)
        shared = self._shared(sources, used)
        select = self._layers(self._joined(sources, used, shared, customers))
        ordered = [column(item.name) for item in self._columns()]
        final = exp.select(*ordered).from_(select.subquery(PROFILE, copy=False), copy=False)
        narrow = narrowed(shared, used, self.relations) if customers != EVERYONE else set()
        for name in [name for name in self.relations if name in shared]:
            grain = self._grain_query(name, used, shared)
            if name in narrow:
                grain = customers.only(
                    exp.select(exp.Star()).from_(grain.subquery(name, copy=False), copy=False)
                )
            final = final.with_(name, as_=grain, copy=False)
        return final

    def _grain_features(self) -> dict[str, list[Built]]:
        sources: dict[str, list[Built]] = {}
        for item in self.built.values():
            if item.declaration.source != PROFILE and not item.too_early:
                sources.setdefault(item.declaration.source, []).append(item)
        return sources

    def _used_columns(self, sources: Mapping[str, list[Built]]) -> dict[str, set[str]]:
        """Which columns of each grain or table are read, from the features down to the tables."""
        used: dict[str, set[str]] = {}
        for name, items in sources.items():
            used.setdefault(name, {"customer_id"}).update(*(item.uses for item in items))
        for name in reversed(list(self.relations)):
            relation = self.relations[name]
            if name not in used or relation.select is None:
                continue
            read = {node.name for node in pruned(relation, used[name]).find_all(exp.Column)}
            for source in relation.inputs:
                used.setdefault(source, set()).update(read & set(self.relations[source].types))
        return used

    def _shared(self, sources: Mapping[str, list[Built]], used: Mapping[str, set[str]]) -> set[str]:
        """Grains that are costly and read more than once: they become CTEs, the others are inlined."""
        readers: dict[str, int] = dict.fromkeys(sources, 1)
        for name in used:
            for source in self.relations[name].inputs:
                readers[source] = readers.get(source, 0) + 1
        return {name for name, count in readers.items() if count > 1 and self.relations[name].aggregated}

    def _grain_query(self, name: str, used: Mapping[str, set[str]], shared: set[str]) -> exp.Select:
        relation = self.relations[name]
        select = pruned(relation, used[name])
        for table in [select.args["from_"].this, *(join.this for join in select.args.get("joins") or [])]:
            source = self.relations[table.name]
            if source.select is not None and source.name not in shared:
                alias = table.alias_or_name
                table.replace(self._grain_query(source.name, used, shared).subquery(alias, copy=False))
        return select

    def _joined(
        self, sources: Mapping[str, list[Built]], used: Mapping[str, set[str]], shared: set[str],
        customers: CustomerRange,
    ) -> exp.Select:  # fmt: skip
        projections: list[exp.Expr] = []
        joins: list[tuple[exp.Select, str]] = []
        base_alias = "c"
        for name, items in sources.items():
            if name == BASE:
                projections += [
                    exp.alias_(_qualified(item.tree, base_alias), item.declaration.name, quoted=True)
                    for item in items
                ]
                continue
            source = self._source(name, used, shared)
            for group in self._groups(name, items):
                alias = f"g{len(joins)}"
                named = [exp.alias_(item.tree, item.declaration.name, quoted=True) for item in group.items]
                inner = customers.only(source.select(column("customer_id"), *named))
                keys = [] if group.whole else [column("customer_id")]
                joins.append((inner.group_by(*keys, copy=False), alias))
                projections += [self._filled(item, alias) for item in group.items]
        early = [
            exp.alias_(cast(exp.Null(), SQL_TYPES[item.type]), item.declaration.name, quoted=True)
            for item in self.built.values()
            if item.too_early and item.declaration.source != PROFILE
        ]
        key = exp.column(exp.to_identifier("customer_id", quoted=True), table=base_alias)
        query = exp.select(exp.alias_(key, "customer_id", quoted=True), *projections, *early).from_(
            f"{BASE} AS {base_alias}"
        )
        for inner, alias in joins:
            on = exp.EQ(
                this=key.copy(),
                expression=exp.column(exp.to_identifier("customer_id", quoted=True), table=alias),
            )
            query.join(inner.subquery(alias, copy=False), on=on, join_type="left", copy=False)
        return customers.only(query, base_alias)

    def _source(self, name: str, used: Mapping[str, set[str]], shared: set[str]) -> exp.Select:
        """SELECT, still without projections, FROM a table, a shared grain or an inlined one."""
        if self.relations[name].select is None or name in shared:
            return exp.select().from_(exp.to_table(name))
        grain = self._grain_query(name, used, shared).subquery(name, copy=False)
        return exp.select().from_(grain, copy=False)

    def _groups(self, name: str, items: Sequence[Built]) -> list[Group]:
        """Features of one grain by how they are read: aggregated, or as they are where a customer has one row."""
        if not self.relations[name].per_customer:
            return [Group(tuple(items), whole=False)]
        whole = tuple(item for item in items if not item.tree.find(exp.AggFunc))
        rest = tuple(item for item in items if item.tree.find(exp.AggFunc))
        return [group for group in (Group(whole, whole=True), Group(rest, whole=False)) if group.items]

    def _filled(self, item: Built, alias: str) -> exp.Expr:
        name = item.declaration.name
        value: exp.Expr = exp.column(exp.to_identifier(name, quoted=True), table=alias)
        if item.declaration.empty is not None:
            literal = exp.convert(item.declaration.empty)
            value = exp.Coalesce(this=value, expressions=[cast(literal, SQL_TYPES[item.type])])
        return exp.alias_(value, name, quoted=True)

    def _layers(self, select: exp.Select) -> exp.Select:
        done = {name for name, item in self.built.items() if item.declaration.source != PROFILE}
        waiting = [item for item in self.built.values() if item.declaration.source == PROFILE]
        while waiting:
            ready = [item for item in waiting if item.uses <= done]
            projections = [
                exp.alias_(
                    cast(exp.Null(), SQL_TYPES[item.type]) if item.too_early else item.tree,
                    item.declaration.name,
                    quoted=True,
                )
                for item in ready
            ]
            select = exp.select(exp.Star(), *projections).from_(
                select.subquery(PROFILE, copy=False), copy=False
            )
            done |= {item.declaration.name for item in ready}
            waiting = [item for item in waiting if item.declaration.name not in done]
        return select

    def _columns(self) -> list[ProfileColumn]:
        key = ProfileColumn(
            "customer_id", "text", {"zh": "客户编号", "en": "Customer id"}, privacy="personal"
        )
        in_order = sorted(self.built.values(), key=lambda item: self.order[item.declaration.name])
        return [key, *(_described(item) for item in in_order)]


def _described(item: Built) -> ProfileColumn:
    written = item.declaration
    return ProfileColumn(
        written.name, item.type, written.title, written.unit, written.model, written.basis, written.privacy,
        int(written.window) if written.window else None, written.name.startswith("_"),
        "history" if item.too_early else None, written.value_titles,
    )  # fmt: skip


@cache
def parsed_feature(sql: str) -> exp.Expr:
    """A feature's expression; kept, because a run plans several dates. Typers read it and never change it."""
    from kequn.language.rule import FEATURE_NODES, parse
    from kequn.language.subset import refuse_outside

    tree = parse(sql, most=MAX_FEATURE_CHARACTERS)
    refuse_outside(tree, FEATURE_NODES, sql)
    return tree


def _with_case(tree: exp.Expr) -> exp.Expr:
    """FILTER as a CASE inside its aggregate: the same value, for a seventh less CPU on DuckDB (docs/benchmarks.md)."""

    def rewritten(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Filter) or isinstance(node.this.this, exp.Distinct):
            return node
        aggregate: exp.Expr = node.this.copy()
        counted = exp.Literal.number(1) if isinstance(aggregate.this, exp.Star) else aggregate.this.copy()
        aggregate.set("this", exp.Case(ifs=[exp.If(this=node.expression.this.copy(), true=counted)]))
        return aggregate

    made: exp.Expr = tree.transform(rewritten)
    return made


def _qualified(tree: exp.Expr, alias: str) -> exp.Expr:
    copy = tree.copy()
    for node in copy.find_all(exp.Column):
        node.set("table", exp.to_identifier(alias))
    return copy


__all__ = ["PROFILE", "PlanInput", "Planner", "ProfileColumn", "ProfilePlan", "Unavailable", "parsed_feature"]
