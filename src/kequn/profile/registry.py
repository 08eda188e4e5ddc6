"""The registry: which features there are, and the plan that builds those the data allow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from sqlglot import exp

from kequn.data.standard import TABLES
from kequn.language import SQL_TYPES, Catalog, Column, Term, Type
from kequn.language.typer import cast, column
from kequn.profile.declaration import FeatureDeclaration, FeatureFile, all_declarations
from kequn.profile.enrich.tables import ENRICHED
from kequn.profile.enrich.unlocking import in_facts
from kequn.profile.plan import BASE, PROFILE, PlanInput, Planner, ProfileColumn, ProfilePlan, parsed_feature
from kequn.profile.relation import Relation, table_relation
from kequn.profile.terms import behaviours, term_features

WORD = re.compile(r"\w+")
Delivered = Mapping[str, Mapping[str, Type]]
"""The facts at hand: table to the columns that a source delivered, with their types."""


@dataclass(frozen=True)
class Registry:
    """Declared grains and features: the library and the user's own files."""

    extra: Sequence[FeatureFile] = field(default=())

    def plan(
        self,
        delivered: Delivered,
        as_of: date,
        history_start: date | None,
        *,
        terms: Iterable[Term] = (),
        minor_unit_digits: int = 2,
        only: Iterable[str] | None = None,
    ) -> ProfilePlan:
        """The query that builds one row per customer from the facts before `as_of`.

        `only` names the features that are wanted (with those they are made of), where not all are.
        Raises ConfigError or RuleError for a wrong declaration.
        """
        grains, features = all_declarations(self.extra)
        given = PlanInput(relations(delivered), present(delivered), history_start, as_of, minor_unit_digits)
        wanted = [*features, *_custom(delivered)] if only is None else needed_for(features, only)
        asked = [*wanted, *term_features(terms)]
        plan = Planner(grains if only is None else grains_for(grains, asked), asked, given).plan()
        return replace(
            plan, unavailable=tuple(replace(u, missing=in_facts(u.missing)) for u in plan.unavailable)
        )

    def terms_plan(self, delivered: Delivered, as_of: date, terms: Iterable[Term]) -> ProfilePlan:
        """Only the behaviour terms: customer_id and one hidden column per term."""
        grains, _ = all_declarations(self.extra)
        given = PlanInput(relations(delivered), present(delivered), None, as_of)
        asked = list(term_features(terms))
        return Planner(grains_for(grains, asked), asked, given).plan()

    def everything(self, as_of: date, delivered: Delivered | None = None) -> ProfilePlan:
        """The plan if every table and column were delivered: all columns that a definition may name.

        `delivered` adds columns that only this workspace has, such as the traits of its own questionnaires.
        """
        tables = {name: dict(columns) for name, columns in self.all_tables().items()}
        for name, columns in (delivered or {}).items():
            tables.setdefault(name, {}).update(columns)
        return self.plan(tables, as_of, date(1970, 1, 1))

    def all_tables(self) -> Delivered:
        """Every table of the standard and every enriched one, with every column."""
        return {
            **{name: {c.name: c.type for c in table.columns.values()} for name, table in TABLES.items()},
            **ENRICHED(),
        }


def needed_for(features: Sequence[FeatureDeclaration], names: Iterable[str]) -> list[FeatureDeclaration]:
    """The named features and all that their expressions use."""
    wanted, before = set(names), 0
    while len(wanted) != before:
        before = len(wanted)
        for item in features:
            if item.source == PROFILE and item.name in wanted:
                wanted |= {node.name for node in parsed_feature(item.sql).find_all(exp.Column)}
    return [item for item in features if item.name in wanted]


def grains_for(grains: Mapping[str, str], features: Sequence[FeatureDeclaration]) -> dict[str, str]:
    """The grains that the features read and those that they are made of; a grain names only earlier ones."""
    wanted = {item.source for item in features}
    for name, sql in reversed(list(grains.items())):
        if name in wanted:
            wanted |= {word for word in WORD.findall(sql) if word in grains}
    return {name: sql for name, sql in grains.items() if name in wanted}


def present(delivered: Delivered) -> frozenset[str]:
    """All `table` and `table.column` that were delivered. A table without rows counts as delivered."""
    names = {f"{table}.{name}" for table, columns in delivered.items() for name in columns}
    return frozenset(names | set(delivered) | {BASE, f"{BASE}.customer_id"})


def relations(delivered: Delivered) -> dict[str, Relation]:
    """Every table of the standard and every enriched one with all its columns and the custom ones."""
    declared: dict[str, dict[str, Type]] = {
        **{name: {c.name: c.type for c in table.columns.values()} for name, table in TABLES.items()}, **ENRICHED()
    }  # fmt: skip
    return {
        name: table_relation(name, {**types, **delivered.get(name, {})}) for name, types in declared.items()
    }


def table_view(name: str, delivered: Delivered, raw: str) -> exp.Select:
    """A view of table `name` with all columns of the standard: NULL where no source delivers them."""
    types = relations(delivered)[name].types
    have = delivered.get(name)
    if have is None:
        empty = [
            exp.alias_(cast(exp.Null(), SQL_TYPES[kind]), key, quoted=True) for key, kind in types.items()
        ]
        return exp.select(*empty).where(exp.false())
    shown = [
        column(key) if key in have else exp.alias_(cast(exp.Null(), SQL_TYPES[kind]), key, quoted=True)
        for key, kind in types.items()
    ]
    return exp.select(*shown).from_(
        exp.to_identifier(raw, quoted=True).sql(dialect="duckdb"), dialect="duckdb"
    )


def catalog_of(
    columns: Iterable[ProfileColumn], delivered: Delivered, as_of: date, *, minor_unit_digits: int = 2,
    schemes: Mapping[str, tuple[str, ...]] | None = None,
) -> Catalog:  # fmt: skip
    """The catalog that rules are checked against: visible profile columns, behaviours, segments."""
    names = {item.name: Column(item.name, item.type, item.title) for item in columns if not item.hidden}
    return Catalog(names, schemes or {}, behaviours(present(delivered)), as_of, minor_unit_digits)


def _custom(delivered: Delivered) -> list[FeatureDeclaration]:
    names = [name for name in delivered.get(BASE, {}) if name.startswith("x_")]
    return [
        FeatureDeclaration.model_validate(
            {"name": name, "from": BASE, "sql": exp.to_identifier(name, quoted=True).sql(), "privacy": "personal",
             "title": {"zh": name.removeprefix("x_"), "en": name.removeprefix("x_")}}
        )
        for name in names
    ]  # fmt: skip


__all__ = ["Delivered", "Registry", "catalog_of", "present", "relations", "table_view"]
