"""What a kind of scheme has to say, and what is handed to it. One file in `kinds/` per kind.

A kind turns its file into ordered clauses: the first clause that is true for a customer names the segment, and whoever
matches none goes to `otherwise`. That is why a scheme is a partition by construction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar, Generic, TypeVar

from sqlglot import exp

from kequn.definitions import LocatedDict, locate, nearest
from kequn.errors import ConfigError, RuleError
from kequn.language import SQL_TYPES, Catalog, Column, Rule, cast, column, compile_rule, money_literal
from kequn.scheme.spec import QuantileParameter, SchemeSpec, SegmentSpec, meaning

Where = tuple[str | int, ...]
MEASURABLE = frozenset({"integer", "number", "money", "decimal"})
Spec = TypeVar("Spec", bound=SchemeSpec)


@dataclass(frozen=True)
class Needs:
    """Columns that must be there, and groups of which one must be there."""

    columns: frozenset[str] = frozenset()
    one_of: tuple[tuple[str, ...], ...] = ()

    def missing(self, catalog: Catalog) -> tuple[str, ...]:
        """What `catalog` lacks; a group shows as `a|b`."""
        alone = sorted(name for name in self.columns if name not in catalog.columns)
        groups = [
            "|".join(group) for group in self.one_of if not any(name in catalog.columns for name in group)
        ]
        return (*alone, *groups)


@dataclass(frozen=True)
class Clause:
    """One way into a segment. `condition` is over columns of the profile and of `Kind.steps`; NULL does not match."""

    segment: str
    condition: exp.Expr
    label: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Quantiles:
    """Asks for cut points of `column` at `fractions`. With `top`, the largest value always lies above the last cut."""

    column: str
    fractions: tuple[Fraction, ...]
    top: bool = False


@dataclass(frozen=True)
class Ranks:
    """Asks who stands at the end of each cumulative share when ordered by `columns` (all descending), then by id."""

    columns: tuple[str, ...]
    shares: tuple[Fraction, ...]


Ask = Quantiles | Ranks


@dataclass
class Loading:
    """What a kind needs while its file is checked: where things stand, which names exist, and how to complain."""

    file: str
    data: LocatedDict
    catalog: Catalog
    parameters: Mapping[str, Any]

    def fail(self, code: str, where: Where, /, **fields: Any) -> ConfigError:
        """The error `code` at `where` of the file."""
        mark = locate(self.data, where)
        place = ".".join(map(str, where)) or "-"
        return ConfigError(code, file=self.file, where=place, line=mark.line, column=mark.column, **fields)

    def column(self, name: str, where: Where, types: Iterable[str] = MEASURABLE) -> Column:
        """The column `name`, which must be of one of `types`."""
        found = self.catalog.find(name)
        if found is None:
            close = nearest(name, list(self.catalog.columns)) or ""
            raise self.fail("scheme.unknown_column", where, name=name, near=close)
        if found.type not in types:
            raise self.fail("scheme.column_type", where, name=name, found=found.type, expected=sorted(types))
        return found

    def known(self, names: Iterable[str], where: Where, types: Iterable[str] = MEASURABLE) -> tuple[str, ...]:
        """Those of `names` that could exist, for "the first of these that the workspace has"; at least one must."""
        listed = list(names)
        found = [name for name in listed if self.catalog.find(name) is not None]
        return tuple(self.column(name, where, types).name for name in found or listed[:1])

    def rule(self, text: str, where: Where) -> Rule:
        """The compiled rule; a mistake in it is told with its place in the file and in the rule."""
        try:
            return compile_rule(text, self.catalog, self.parameters)
        except RuleError as error:
            raise self.fail("scheme.rule", where, rule=text, problem=error, **_rule_fields(error)) from None


def _rule_fields(error: RuleError) -> dict[str, Any]:
    return {name: error.fields[name] for name in ("position", "word", "near") if name in error.fields}


class Kind(Generic[Spec]):
    """Base of all kinds; a module in `kinds/` holds one subclass and an instance called KIND."""

    name: ClassVar[str]
    model: ClassVar[type[SchemeSpec]]

    def rules(self, spec: Spec) -> Iterable[tuple[Where, str]]:
        """Rules of this kind's own fields (scope and stay are common to all and handled outside)."""
        return ()

    def optional_rules(self, spec: Spec) -> frozenset[Where]:
        """Rules whose columns may be missing in a workspace; the kind leaves them out then."""
        return frozenset()

    def needs(self, spec: Spec, loading: Loading) -> Needs:
        """Columns named outside rules."""
        return Needs()

    def depends(self, spec: Spec) -> frozenset[str]:
        """Schemes that must be assigned first, apart from those that rules name."""
        return frozenset()

    def check(self, spec: Spec, loading: Loading, rules: Mapping[Where, Rule]) -> None:
        """Raise ConfigError for what can be seen to be wrong without data."""

    def segments(self, spec: Spec, others: Mapping[str, SchemeSpec]) -> tuple[SegmentSpec, ...]:
        """All segments in order, `otherwise` last; `others` are the specs of the schemes around."""
        return spec.ordered

    def content(self, spec: Spec) -> dict[str, Any]:
        """What decides who is in which segment, ready for canonical JSON; the fingerprint covers it."""
        whole: dict[str, Any] = meaning(spec.model_dump(mode="json"))
        return whole

    def scores(self, spec: Spec) -> tuple[Column, ...]:
        """Columns that the scheme gives to later schemes and to readers, beside the segment."""
        return ()

    def asks(self, bound: Bound) -> Mapping[str, Ask]:
        """Cut points to be read off the data before the clauses can be written."""
        return {}

    def steps(self, bound: Bound) -> tuple[Mapping[str, exp.Expr], ...]:
        """Columns worked out first, each step over the profile and the steps before."""
        return ()

    def clauses(self, bound: Bound) -> tuple[Clause, ...]:
        """The ordered clauses."""
        raise NotImplementedError

    def expression(self, bound: Bound) -> exp.Expr:
        """The segment id of a customer in scope, over the profile and the columns of `steps`."""
        ifs = [
            exp.If(this=clause.condition, true=exp.Literal.string(clause.segment))
            for clause in self.clauses(bound)
        ]
        return exp.Case(ifs=ifs, default=exp.Literal.string(bound.spec.otherwise.id))


@dataclass(frozen=True)
class Scheme:
    """A checked scheme. `rules` are compiled against everything that could exist; `bind` compiles against what does."""

    name: str
    spec: SchemeSpec
    kind: Kind[Any]
    file: str
    rules: Mapping[Where, Rule]
    needs: Needs
    depends: frozenset[str]
    segments: tuple[SegmentSpec, ...]
    fingerprint: str
    metadata_fingerprint: str
    optional: Mapping[str, Column] = field(default_factory=dict)

    def segment(self, segment_id: str) -> SegmentSpec | None:
        """The segment with this id."""
        return next((segment for segment in self.segments if segment.id == segment_id), None)


@dataclass(frozen=True)
class Bound:
    """A scheme tied to a workspace: its columns, its `as_of` and, once read off the data, its cut points.

    `prefix` names the columns that the kind works out; it is the scheme's name except inside a refinement.
    """

    scheme: Scheme
    catalog: Catalog
    prefix: str
    cuts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def spec(self) -> Any:
        return self.scheme.spec

    def has(self, name: str) -> bool:
        """Whether the workspace has this column."""
        return self.catalog.find(name) is not None

    def parameters(self) -> dict[str, int | float | str | Decimal]:
        """Values of all parameters; one read off the data is in the units people write (元, not 分)."""
        values: dict[str, int | float | str | Decimal] = {}
        for name, value in self.scheme.spec.parameters.items():
            if isinstance(value, QuantileParameter):
                values[name] = self._quantile(name, value)
            else:
                values[name] = value
        return values

    def _quantile(self, name: str, parameter: QuantileParameter) -> Decimal:
        found = self.cuts.get(parameter_key(name))
        value = found["values"][0] if found and found["values"] else None
        if value is None:
            return Decimal(0)
        money = self.column(parameter.of).type == "money"
        return Decimal(str(value)).scaleb(-self.catalog.minor_unit_digits if money else 0)

    def rule(self, text: str) -> exp.Expr:
        """The tree of a rule, ready to splice; optional columns that aren't there are NULL."""
        absent = {
            name: made for name, made in self.scheme.optional.items() if name not in self.catalog.columns
        }
        if not absent:
            return compile_rule(text, self.catalog, self.parameters()).tree
        sight = replace(self.catalog, columns={**self.catalog.columns, **absent})

        def unknown(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Column) and node.name in absent:
                return cast(exp.Null(), SQL_TYPES[absent[node.name].type])
            return node

        return compile_rule(text, sight, self.parameters()).tree.transform(unknown)

    def usable(self, where: Where) -> bool:
        """Whether every column and term of the rule at `where` is there."""
        rule = self.scheme.rules[where]
        lacking = missing_columns(rule, self.catalog) - self.scheme.optional.keys()
        return not (lacking or missing_terms(rule, self.catalog))

    def column(self, name: str) -> Column:
        found = self.catalog.find(name)
        assert found is not None, name
        return found

    def first(self, names: Iterable[str]) -> str:
        """The first of `names` that the workspace has."""
        return next(self.column(name).name for name in names if self.has(name))

    def measure(self, name: str) -> exp.Expr:
        """A column as BIGINT or DOUBLE."""
        found = self.column(name)
        return cast(column(found.name), "DOUBLE") if found.type == "decimal" else column(found.name)

    def threshold(self, name: str, value: int | float | Decimal) -> exp.Expr:
        """A value that people wrote (major units), to compare with `measure(name)`."""
        if self.column(name).type == "money":
            return money_literal(Decimal(str(value)), self.catalog.minor_unit_digits)
        return number(value)

    def passes(self, scheme_rule: exp.Expr) -> exp.Expr:
        return exp.Coalesce(this=scheme_rule, expressions=[exp.false()])


def parameter_key(name: str) -> str:
    """Key of a parameter among the cut points."""
    return f"parameter.{name}"


def number(value: int | float | Decimal) -> exp.Expr:
    """A literal that both engines read alike: whole numbers as they are, others as the nearest DOUBLE."""
    if isinstance(value, int) or value == int(value):
        whole = int(value)
        plain = exp.Literal.number(str(abs(whole)))
        return exp.paren(exp.Neg(this=plain)) if whole < 0 else plain
    return cast(exp.Literal.string(repr(float(value))), "DOUBLE")


def missing_columns(rule: Rule, catalog: Catalog) -> frozenset[str]:
    """Columns of `rule` that `catalog` lacks; behaviour terms are columns too, but never missing ones."""
    return frozenset(name for name in rule.columns if name not in catalog.columns)


def missing_terms(rule: Rule, catalog: Catalog) -> frozenset[str]:
    """Facts that the rule's behaviour terms need and `catalog` lacks, as `orders.channel` or `events`."""
    lacking = set()
    for term in rule.terms.values():
        known = catalog.behaviours.get(term.source)
        if known is None:
            lacking.add(term.source)
        else:
            lacking |= {f"{term.source}.{name}" for name, _ in term.filters if name not in known}
    return frozenset(lacking)


__all__ = [
    "MEASURABLE",
    "Ask",
    "Bound",
    "Clause",
    "Kind",
    "Loading",
    "Needs",
    "Quantiles",
    "Ranks",
    "Scheme",
    "Where",
    "missing_columns",
    "missing_terms",
    "number",
    "parameter_key",
]
