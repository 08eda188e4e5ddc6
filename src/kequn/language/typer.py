"""Type checking and rewriting: from what a person wrote to a tree that both engines understand alike.

One visitor, one method per node class. It gives back a new tree with quoted columns, guarded divisions, scaled money
literals and explicit casts, and the type of the whole. Money is BIGINT in minor units: money/money is a number,
money/number is money, and only a literal added to or compared with money is scaled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation

from sqlglot import exp

from kequn.errors import RuleError
from kequn.language.segments import unknown_segment
from kequn.language.subset import position
from kequn.language.terms import FUNCTIONS, Term, read_term
from kequn.language.types import NUMERIC, Catalog, Type, nearest

MAX_INTEGER = 2**53
COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)


@dataclass(frozen=True)
class Typed:
    """A tree with its type. `constant` is the value of a numeric literal; `exact` is false for money that holds fractions
    of a minor unit."""

    tree: exp.Expr
    type: Type
    constant: Decimal | None = None
    exact: bool = True
    is_text_literal: bool = False
    is_comparison: bool = False


def cast(tree: exp.Expr, target: str) -> exp.Expr:
    return exp.cast(tree, target, dialect="duckdb")


def column(name: str) -> exp.Column:
    """A quoted, unqualified column."""
    return exp.column(exp.to_identifier(name, quoted=True))


def safe_divide(numerator: exp.Expr, denominator: exp.Expr) -> exp.Expr:
    """Real division that gives NULL for zero."""
    return exp.paren(
        exp.Div(
            this=cast(numerator, "DOUBLE"),
            expression=exp.Nullif(
                this=cast(denominator, "DOUBLE"), expression=cast(exp.Literal.number(0), "DOUBLE")
            ),
            typed=False,
            safe=False,
        )
    )


def whole_money(typed: Typed) -> exp.Expr:
    """Money rounded half up to whole minor units."""
    if typed.exact:
        return typed.tree
    half_up = exp.Add(this=typed.tree, expression=cast(exp.Literal.number("0.5"), "DOUBLE"))
    return cast(exp.Floor(this=half_up), "BIGINT")


@dataclass
class Typer:
    """Checks one expression against a catalog. Collects the columns, schemes and behaviour terms it uses."""

    catalog: Catalog
    text: str
    aggregates: bool = False
    windows: bool = False
    parameters: dict[str, Decimal | str] = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)
    schemes: set[str] = field(default_factory=set)
    terms: dict[str, Term] = field(default_factory=dict)

    def fail(self, code: str, node: exp.Expr, **fields: object) -> RuleError:
        word = fields.pop("word", None) or node.sql(dialect="duckdb")
        return RuleError(code, word=str(word)[:200], position=position(node), text=self.text[:500], **fields)

    def visit(self, node: exp.Expr) -> Typed:
        method: Callable[[exp.Expr], Typed] | None = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise self.fail("language.outside_subset", node)
        return method(node)

    def boolean(self, node: exp.Expr) -> exp.Expr:
        typed = self.visit(node)
        if typed.type != "boolean":
            raise self.fail("language.needs_condition", node, found=typed.type)
        return typed.tree

    # names and literals
    def _column(self, node: exp.Expr) -> Typed:
        assert isinstance(node, exp.Column)
        if node.table:
            raise self.fail("language.qualified", node)
        name = node.name
        if name.lower() == "as_of" and self.catalog.as_of is not None and "as_of" not in self.catalog.columns:
            return Typed(self._date_literal(self.catalog.as_of), "date")
        found = self.catalog.find(name)
        if found is None:
            known = [
                *self.catalog.columns,
                *(c.title["zh"] for c in self.catalog.columns.values() if "zh" in c.title),
            ]
            raise self.fail("language.unknown_column", node, word=name, near=nearest(name, known))
        self.columns.add(found.name)
        return Typed(column(found.name), found.type)

    def _literal(self, node: exp.Expr) -> Typed:
        assert isinstance(node, exp.Literal)
        if node.is_string:
            if "\x00" in node.name:
                raise self.fail("language.control_character", node)
            return Typed(exp.Literal.string(node.name), "text", is_text_literal=True)
        return self._number(node.name, node)

    def _number(self, written: str, node: exp.Expr) -> Typed:
        try:
            value = Decimal(written)
        except InvalidOperation as error:
            raise self.fail("language.number", node) from error
        if not value.is_finite() or abs(value) > MAX_INTEGER or len(value.as_tuple().digits) > 17:
            raise self.fail("language.number", node)
        return self._constant(value)

    def _constant(self, value: Decimal) -> Typed:
        if value == value.to_integral_value():
            return Typed(_number_tree(value.to_integral_value()), "integer", constant=value)
        return Typed(cast(_number_tree(value), "DOUBLE"), "number", constant=value)

    def _placeholder(self, node: exp.Expr) -> Typed:
        name = node.name
        if name not in self.parameters:
            raise self.fail(
                "language.unknown_parameter", node, word=name, near=nearest(name, self.parameters)
            )
        value = self.parameters[name]
        if isinstance(value, str):
            return Typed(exp.Literal.string(value), "text", is_text_literal=True)
        return self._constant(value)

    def _boolean(self, node: exp.Expr) -> Typed:
        return Typed(exp.Boolean(this=bool(node.this)), "boolean")

    def _null(self, node: exp.Expr) -> Typed:
        raise self.fail("language.null", node)

    def _paren(self, node: exp.Expr) -> Typed:
        inner = self.visit(node.this)
        return Typed(
            exp.paren(inner.tree),
            inner.type,
            inner.constant,
            inner.exact,
            inner.is_text_literal,
            inner.is_comparison,
        )

    # conditions
    def _and(self, node: exp.Expr) -> Typed:
        return Typed(
            exp.And(this=self._operand(node.this), expression=self._operand(node.expression)), "boolean"
        )

    def _or(self, node: exp.Expr) -> Typed:
        return Typed(
            exp.Or(this=self._operand(node.this), expression=self._operand(node.expression)), "boolean"
        )

    def _operand(self, node: exp.Expr) -> exp.Expr:
        tree = self.boolean(node)
        return exp.paren(tree) if isinstance(tree, (exp.And, exp.Or)) else tree

    def _not(self, node: exp.Expr) -> Typed:
        tree = self.boolean(node.this)
        return Typed(exp.Not(this=exp.paren(tree)), "boolean", is_comparison=True)

    def _is(self, node: exp.Expr) -> Typed:
        if type(node.expression) is not exp.Null:
            raise self.fail("language.is", node)
        return Typed(
            exp.Is(this=self.visit(node.this).tree, expression=exp.Null()), "boolean", is_comparison=True
        )

    def _compare(self, node: exp.Expr) -> Typed:
        left, right = self.visit(node.this), self.visit(node.expression)
        if left.is_comparison or right.is_comparison:
            raise self.fail("language.chained", node)
        self._check_segments(node.this, [node.expression])
        self._check_segments(node.expression, [node.this])
        left, right = self._unified(left, right, node)
        if left.type == "boolean" and not isinstance(node, (exp.EQ, exp.NEQ)):
            raise self.fail("language.types", node, left=left.type, right=right.type)
        return Typed(type(node)(this=left.tree, expression=right.tree), "boolean", is_comparison=True)

    _eq = _neq = _gt = _gte = _lt = _lte = _compare

    def _between(self, node: exp.Expr) -> Typed:
        value = self.visit(node.this)
        value, low = self._unified(value, self.visit(node.args["low"]), node)
        value, high = self._unified(value, self.visit(node.args["high"]), node)
        return Typed(
            exp.Between(this=value.tree, low=low.tree, high=high.tree), "boolean", is_comparison=True
        )

    def _in(self, node: exp.Expr) -> Typed:
        if node.args.get("query") or node.args.get("unnest") or not node.expressions:
            raise self.fail("language.in", node)
        value = self.visit(node.this)
        self._check_segments(node.this, node.expressions)
        items = []
        for item in node.expressions:
            member = self.visit(item)
            if member.constant is None and not member.is_text_literal and member.type != "date":
                raise self.fail("language.in", item)
            value, member = self._unified(value, member, item)
            items.append(member.tree)
        return Typed(exp.In(this=value.tree, expressions=items), "boolean", is_comparison=True)

    def _like(self, node: exp.Expr) -> Typed:
        value, pattern = self.visit(node.this), self.visit(node.expression)
        if value.type != "text" or not pattern.is_text_literal:
            raise self.fail("language.types", node, left=value.type, right=pattern.type)
        if "\\" in pattern.tree.name:
            raise self.fail("language.like_backslash", node)
        return Typed(exp.Like(this=value.tree, expression=pattern.tree), "boolean", is_comparison=True)

    # arithmetic
    def _neg(self, node: exp.Expr) -> Typed:
        inner = self.visit(node.this)
        if inner.constant is not None:
            return self._constant(-inner.constant)
        self._need_amount(inner, node)
        return Typed(exp.Neg(this=inner.tree), inner.type, exact=inner.exact)

    def _sum_of(self, node: exp.Expr) -> Typed:
        if type(node.expression) is exp.Interval:
            return self._shifted_date(node)
        left, right = self.visit(node.this), self.visit(node.expression)
        if left.constant is not None and right.constant is not None:
            return self._constant(
                left.constant + (right.constant if type(node) is exp.Add else -right.constant)
            )
        if (
            type(node) is exp.Sub
            and left.type in {"date", "timestamp"}
            and right.type in {"date", "timestamp"}
        ):
            return Typed(days_between(right.tree, left.tree), "integer")
        self._need_amount(left, node)
        self._need_amount(right, node)
        left, right = self._unified(left, right, node)
        tree = type(node)(this=left.tree, expression=right.tree)
        return Typed(exp.paren(tree), left.type, exact=left.exact and right.exact)

    _add = _sub = _sum_of

    def _mul(self, node: exp.Expr) -> Typed:
        left, right = self.visit(node.this), self.visit(node.expression)
        if left.constant is not None and right.constant is not None:
            return self._constant(left.constant * right.constant)
        self._need_amount(left, node)
        self._need_amount(right, node)
        if left.type == right.type == "money":
            raise self.fail("language.types", node, left="money", right="money")
        money = "money" in (left.type, right.type)
        tree = exp.Mul(this=cast(left.tree, "DOUBLE"), expression=cast(right.tree, "DOUBLE"))
        return Typed(exp.paren(tree), "money" if money else "number", exact=not money)

    def _div(self, node: exp.Expr) -> Typed:
        left, right = self.visit(node.this), self.visit(node.expression)
        if left.constant is not None and right.constant:
            return self._constant(left.constant / right.constant)
        self._need_amount(left, node)
        self._need_amount(right, node)
        if right.type == "money" and left.type != "money":
            raise self.fail("language.types", node, left=left.type, right="money")
        is_money = left.type == "money" and right.type != "money"
        return Typed(
            safe_divide(left.tree, right.tree), "money" if is_money else "number", exact=not is_money
        )

    def _mod(self, node: exp.Expr) -> Typed:
        left, right = self.visit(node.this), self.visit(node.expression)
        if left.type != "integer" or right.type != "integer" or not right.constant:
            raise self.fail("language.types", node, left=left.type, right=right.type)
        return Typed(exp.Mod(this=exp.paren(left.tree), expression=right.tree), "integer")

    def _shifted_date(self, node: exp.Expr) -> Typed:
        base = self.visit(node.this)
        if base.type not in {"date", "timestamp"}:
            raise self.fail("language.types", node, left=base.type, right="interval")
        count, unit = node.expression.this, (node.expression.args.get("unit") or exp.var("DAY")).name.upper()
        number = self._interval(count, node)
        if unit not in {"DAY", "WEEK", "MONTH", "YEAR"}:
            raise self.fail("language.interval", node)
        if unit == "WEEK":
            number, unit = number * 7, "DAY"
        if type(node) is exp.Sub:
            number = -number
        fixed = _literal_date(base.tree)
        if fixed is not None:
            return Typed(self._date_literal(shift(fixed, number, unit)), "date")
        step = exp.Interval(this=exp.Literal.string(str(number)), unit=exp.var(unit))
        return Typed(cast(exp.Add(this=cast(base.tree, "DATE"), expression=step), "DATE"), "date")

    def _interval(self, count: exp.Expr, node: exp.Expr) -> int:
        written = self.parameters.get(count.name) if type(count) is exp.Placeholder else count.name
        try:
            number = int(str(written))
        except ValueError as error:
            raise self.fail("language.interval", node) from error
        if not 0 <= number <= 36_500:
            raise self.fail("language.interval", node)
        return number

    # functions
    def _coalesce(self, node: exp.Expr) -> Typed:
        first, *rest = [self.visit(item) for item in (node.this, *node.expressions)]
        members = [first]
        for item in rest:
            members[0], item = self._unified(members[0], item, node)
            members.append(item)
        tree = exp.Coalesce(this=members[0].tree, expressions=[item.tree for item in members[1:]])
        return Typed(tree, members[0].type, exact=all(item.exact for item in members))

    def _least(self, node: exp.Expr) -> Typed:
        whole = self._coalesce(node)
        return Typed(
            type(node)(this=whole.tree.this, expressions=whole.tree.expressions, ignore_nulls=True),
            whole.type,
            exact=whole.exact,
        )

    _greatest = _least

    def _nullif(self, node: exp.Expr) -> Typed:
        left, right = self._unified(self.visit(node.this), self.visit(node.expression), node)
        return Typed(exp.Nullif(this=left.tree, expression=right.tree), left.type, exact=left.exact)

    def _case(self, node: exp.Expr) -> Typed:
        if node.this is not None:
            raise self.fail("language.case_operand", node)
        whens = [(self.boolean(branch.this), branch.args["true"]) for branch in node.args["ifs"]]
        default = node.args.get("default")
        results = [None if type(value) is exp.Null else self.visit(value) for _, value in whens]
        results.append(None if default is None or type(default) is exp.Null else self.visit(default))
        kind = next((item for item in results if item is not None and item.constant is None), None)
        kind = kind or next((item for item in results if item is not None), None)
        if kind is None:
            raise self.fail("language.null", node)
        if any(item is not None and item.type == "number" for item in results) and kind.type == "integer":
            kind = Typed(cast(kind.tree, "DOUBLE"), "number")
        final = [None if item is None else self._unified(item, kind, node)[0] for item in results]
        branches = [
            exp.If(this=when, true=exp.Null() if value is None else value.tree)
            for (when, _), value in zip(whens, final, strict=False)
        ]
        last = final[-1]
        tree = exp.Case(ifs=branches, default=last.tree if last is not None else None)
        return Typed(tree, kind.type, exact=all(item is None or item.exact for item in final))

    def _same(self, node: exp.Expr) -> Typed:
        inner = self.visit(node.this)
        self._need_amount(inner, node)
        return Typed(type(node)(this=inner.tree), inner.type, exact=inner.exact)

    _abs = _same

    def _whole(self, node: exp.Expr) -> Typed:
        inner = self.visit(node.this)
        if inner.type not in NUMERIC:
            raise self.fail("language.types", node, left=inner.type, right="number")
        return Typed(cast(type(node)(this=cast(inner.tree, "DOUBLE")), "BIGINT"), "integer")

    _floor = _ceil = _whole

    def _sqrt(self, node: exp.Expr) -> Typed:
        inner = self.visit(node.this)
        if inner.type not in NUMERIC:
            raise self.fail("language.types", node, left=inner.type, right="number")
        root = exp.Sqrt(this=cast(inner.tree.copy(), "DOUBLE"))
        guard = exp.GTE(this=cast(inner.tree, "DOUBLE"), expression=cast(exp.Literal.number(0), "DOUBLE"))
        return Typed(exp.Case(ifs=[exp.If(this=guard, true=root)]), "number")

    def _text_function(self, node: exp.Expr) -> Typed:
        inner = self.visit(node.this)
        if inner.type != "text":
            raise self.fail("language.types", node, left=inner.type, right="text")
        return Typed(type(node)(this=inner.tree), "integer" if type(node) is exp.Length else "text")

    _lower = _upper = _trim = _length = _text_function

    def _startswith(self, node: exp.Expr) -> Typed:
        value, head = self.visit(node.this), self.visit(node.expression)
        if value.type != "text" or head.type != "text":
            raise self.fail("language.types", node, left=value.type, right=head.type)
        return Typed(exp.StartsWith(this=value.tree, expression=head.tree), "boolean", is_comparison=True)

    def _substring(self, node: exp.Expr) -> Typed:
        value, start = self.visit(node.this), self.visit(node.args["start"])
        length = self.visit(node.args["length"]) if node.args.get("length") else None
        if (
            value.type != "text"
            or not start.constant
            or start.constant < 1
            or (length and length.constant is None)
        ):
            raise self.fail("language.types", node, left=value.type, right=start.type)
        return Typed(
            exp.Substring(this=value.tree, start=start.tree, length=length.tree if length else None), "text"
        )

    def _dpipe(self, node: exp.Expr) -> Typed:
        left, right = self.visit(node.this), self.visit(node.expression)
        if left.type != "text" or right.type != "text":
            raise self.fail("language.types", node, left=left.type, right=right.type)
        return Typed(exp.DPipe(this=left.tree, expression=right.tree, safe=True), "text")

    def _extract(self, node: exp.Expr) -> Typed:
        part, inner = node.this.name.upper(), self.visit(node.expression)
        wanted = {"timestamp"} if part == "HOUR" else {"date", "timestamp"}
        if part not in {"YEAR", "QUARTER", "MONTH", "DAY", "HOUR"} or inner.type not in wanted:
            raise self.fail("language.types", node, left=part, right=inner.type)
        return Typed(cast(exp.Extract(this=exp.var(part), expression=inner.tree), "BIGINT"), "integer")

    def _datediff(self, node: exp.Expr) -> Typed:
        later, earlier = self.visit(node.this), self.visit(node.expression)
        unit = (node.args.get("unit") or exp.var("DAY")).name.upper()
        if {later.type, earlier.type} - {"date", "timestamp"} or unit != "DAY":
            raise self.fail("language.types", node, left=earlier.type, right=later.type)
        return Typed(days_between(earlier.tree, later.tree), "integer")

    def _cast(self, node: exp.Expr) -> Typed:
        assert isinstance(node, exp.Cast)
        target = node.to.this.name
        if target == "DATE":
            if isinstance(node.this, exp.Literal) and node.this.is_string:
                return Typed(self._date_literal(self._parsed_date(node.this.name, node)), "date")
            inner = self.visit(node.this)
            if inner.type in {"date", "timestamp"}:
                return Typed(cast(inner.tree, "DATE"), "date")
            raise self.fail("language.types", node, left=inner.type, right="date")
        inner = self.visit(node.this)
        if target == "BIGINT" and inner.type in {"integer", "money", "boolean"} and inner.exact:
            return Typed(cast(inner.tree, "BIGINT"), "money" if inner.type == "money" else "integer")
        if target == "DOUBLE" and inner.type in NUMERIC:
            return Typed(cast(inner.tree, "DOUBLE"), "number")
        raise self.fail("language.types", node, left=inner.type, right=target.lower())

    # behaviour, segments
    def _anonymous(self, node: exp.Expr) -> Typed:
        assert isinstance(node, exp.Anonymous)
        function = str(node.this).lower()
        if function == "segment":
            return self._segment(node)
        if function not in FUNCTIONS:
            raise self.fail(
                "language.unknown_function",
                node,
                word=function,
                near=nearest(function, [*FUNCTIONS, "segment"]),
            )
        term = read_term(node, self.catalog, self.text)
        self.terms[term.name] = term
        return Typed(column(term.name), term.type)

    def _segment(self, node: exp.Anonymous) -> Typed:
        arguments = node.expressions
        if len(arguments) != 1 or not (isinstance(arguments[0], exp.Literal) and arguments[0].is_string):
            raise self.fail("language.segment_argument", node)
        scheme = arguments[0].name
        if scheme not in self.catalog.schemes:
            raise self.fail(
                "language.unknown_scheme", node, word=scheme, near=nearest(scheme, self.catalog.schemes)
            )
        self.schemes.add(scheme)
        return Typed(column(f"seg_{scheme}"), "text")

    def _check_segments(self, reference: exp.Expr, compared: Sequence[exp.Expr]) -> None:
        wrong = unknown_segment(reference, compared, self.catalog.schemes)
        if wrong:
            raise self.fail("language.unknown_segment", wrong[0], **wrong[1])

    # aggregates and windows: features and grains only
    def _aggregate(self, node: exp.Expr) -> Typed:
        if not self.aggregates:
            raise self.fail("language.aggregate", node)
        if type(node) is exp.Count:
            return self._count(node)
        inner = self.visit(node.this)
        if type(node) in (exp.Min, exp.Max):
            return Typed(type(node)(this=inner.tree), inner.type, exact=inner.exact)
        if inner.type == "decimal":
            return Typed(cast(exp.Sum(this=inner.tree), "DOUBLE"), "number")
        if inner.type not in {"integer", "money"} or not inner.exact:
            raise self.fail("language.sum_of_double", node, found=inner.type)
        return Typed(cast(exp.Sum(this=inner.tree), "BIGINT"), inner.type)

    _sum = _min = _max = _aggregate

    def _count(self, node: exp.Expr) -> Typed:
        if not self.aggregates:
            raise self.fail("language.aggregate", node)
        inner = node.this
        if type(inner) is exp.Distinct:
            counted: exp.Expr = exp.Distinct(
                expressions=[self.visit(item).tree for item in inner.expressions]
            )
        else:
            counted = exp.Star() if type(inner) is exp.Star else self.visit(inner).tree
        return Typed(exp.Count(this=counted, big_int=True), "integer")

    def _filter(self, node: exp.Expr) -> Typed:
        inner = self.visit(node.this)
        where = exp.Where(this=self.boolean(node.expression.this))
        if isinstance(inner.tree, exp.Cast):
            inner.tree.set("this", exp.Filter(this=inner.tree.this.copy(), expression=where))
            return inner
        return Typed(exp.Filter(this=inner.tree, expression=where), inner.type, exact=inner.exact)

    def _window(self, node: exp.Expr) -> Typed:
        if not self.windows:
            raise self.fail("language.aggregate", node)
        partition = [self.visit(item).tree for item in node.args.get("partition_by") or []]
        order = node.args.get("order")
        ordered = [
            exp.Ordered(this=self.visit(item.this).tree, desc=bool(item.args.get("desc")), nulls_first=False)
            for item in (order.expressions if order else [])
        ]
        inner = self._window_function(node.this, bool(ordered))
        tree = inner.tree
        wrap = isinstance(tree, exp.Cast)
        window = exp.Window(
            this=tree.this.copy() if wrap else tree,
            partition_by=partition,
            order=exp.Order(expressions=ordered) if ordered else None,
            over="OVER",
        )
        return Typed(cast(window, "BIGINT") if wrap else window, inner.type, exact=inner.exact)

    def _window_function(self, node: exp.Expr, ordered: bool) -> Typed:
        if type(node) in (exp.RowNumber, exp.Lag, exp.Lead) and not ordered:
            raise self.fail("language.window_order", node)
        if type(node) is exp.RowNumber:
            return Typed(cast(exp.RowNumber(), "BIGINT"), "integer")
        if type(node) in (exp.Lag, exp.Lead):
            inner = self.visit(node.this)
            return Typed(type(node)(this=inner.tree), inner.type, exact=inner.exact)
        return self._aggregate(node)

    # agreement of two sides
    def _unified(self, left: Typed, right: Typed, node: exp.Expr) -> tuple[Typed, Typed]:
        if left.type == "money" and right.constant is not None and right.type != "money":
            return left, self._scaled(right, node)
        if right.type == "money" and left.constant is not None and left.type != "money":
            return self._scaled(left, node), right
        if left.type in {"date", "timestamp"} and right.is_text_literal:
            return left, self._as_date(right, node)
        if right.type in {"date", "timestamp"} and left.is_text_literal:
            return self._as_date(left, node), right
        if {left.type, right.type} == {"date", "timestamp"}:
            return left, right
        if left.type == right.type:
            return left, right
        if left.type in NUMERIC and right.type in NUMERIC:
            return self._as_double(left), self._as_double(right)
        raise self.fail("language.types", node, left=left.type, right=right.type)

    def _as_double(self, item: Typed) -> Typed:
        return item if item.type == "number" else Typed(cast(item.tree, "DOUBLE"), "number", item.constant)

    def _scaled(self, item: Typed, node: exp.Expr) -> Typed:
        assert item.constant is not None
        minor = item.constant.scaleb(self.catalog.minor_unit_digits)
        if abs(minor) > MAX_INTEGER:
            raise self.fail("language.number", node)
        return Typed(_number_tree(minor), "money", exact=minor == minor.to_integral_value())

    def _as_date(self, item: Typed, node: exp.Expr) -> Typed:
        return Typed(self._date_literal(self._parsed_date(item.tree.name, node)), "date")

    def _parsed_date(self, written: str, node: exp.Expr) -> date:
        try:
            return date.fromisoformat(written)
        except ValueError as error:
            raise self.fail("language.date", node, word=written) from error

    def _date_literal(self, day: date) -> exp.Expr:
        return cast(exp.Literal.string(day.isoformat()), "DATE")

    def _need_amount(self, item: Typed, node: exp.Expr) -> None:
        if item.type not in NUMERIC and item.type != "money":
            raise self.fail("language.types", node, left=item.type, right="number")


def _number_tree(value: Decimal) -> exp.Expr:
    plain = exp.Literal.number(format(abs(value), "f"))
    return exp.paren(exp.Neg(this=plain)) if value < 0 else plain


def _literal_date(tree: exp.Expr) -> date | None:
    if isinstance(tree, exp.Cast) and isinstance(tree.this, exp.Literal) and tree.to.this.name == "DATE":
        return date.fromisoformat(tree.this.name)
    return None


def days_between(earlier: exp.Expr, later: exp.Expr) -> exp.Expr:
    """Whole days between two dates; timestamps are cut to dates first, because engines count 24-hour periods otherwise."""
    return cast(
        exp.DateDiff(
            this=cast(later, "DATE"),
            expression=cast(earlier, "DATE"),
            unit=exp.var("DAY"),
            date_part_boundary=True,
        ),
        "BIGINT",
    )


def shift(day: date, count: int, unit: str) -> date:
    """`day` moved by `count` days, months or years; a day past the month's end becomes its last day."""
    if unit == "DAY":
        return _bounded(day, count)
    months = day.year * 12 + day.month - 1 + count * (12 if unit == "YEAR" else 1)
    year, month = divmod(months, 12)
    year = min(max(year, 1), 9998)
    last = (datetime(year + (month == 11), (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month + 1, min(day.day, last))


def _bounded(day: date, count: int) -> date:
    return date.fromordinal(min(max(day.toordinal() + count, 1), date.max.toordinal()))


__all__ = ["Typed", "Typer", "cast", "column", "days_between", "safe_divide", "shift", "whole_money"]
