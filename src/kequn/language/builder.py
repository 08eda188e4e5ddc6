"""The visual tree of a rule: groups of conditions, to and from the text of the language.

The builder edits exactly what a person could have typed: `write` gives the text, `read` gives the tree back, and a part
that has no row of its own (arithmetic, behaviours, NOT over a group) stays in the tree as text. Names come from the
catalog and values become literals through the parser's own classes, so that nothing typed into a form reaches SQL as SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from sqlglot import exp

from kequn.errors import RuleError
from kequn.language.rule import compile_rule, parse
from kequn.language.types import Catalog, Column

MAX_DEPTH = 8
MAX_CONDITIONS = 60
MAX_VALUES = 200
SEGMENT = "segment:"
"""Prefix of the name of a scheme among the columns: `segment:rfm` is the customer's segment in the scheme rfm."""

_COMPARE: Mapping[str, type[exp.Expr]] = {
    "ge": exp.GTE, "le": exp.LTE, "gt": exp.GT, "lt": exp.LT, "eq": exp.EQ, "ne": exp.NEQ,
}  # fmt: skip
OPERATORS: Mapping[str, tuple[str, ...]] = {
    "number": ("ge", "le", "gt", "lt", "eq", "ne", "between", "empty", "filled"),
    "text": ("in", "not_in", "starts", "contains", "empty", "filled"),
    "date": ("within", "before_days", "since", "until", "empty", "filled"),
    "boolean": ("yes", "no", "empty", "filled"),
}
"""Operators by the kind of a column, the usual one first."""
VALUES_OF: Mapping[str, int] = {
    "between": 2,
    "in": MAX_VALUES,
    "not_in": MAX_VALUES,
    "empty": 0,
    "filled": 0,
    "yes": 0,
    "no": 0,
}
"""How many values an operator takes at most; one when it isn't named."""
_KINDS = {"integer": "number", "number": "number", "money": "number", "decimal": "number", "text": "text",
          "date": "date", "timestamp": "date", "boolean": "boolean"}  # fmt: skip


@dataclass(frozen=True)
class Clause:
    """One row: a column (or `segment:scheme`), an operator, its values as written (money in major units)."""

    column: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Written:
    """A condition without a row of its own, as text."""

    text: str


@dataclass(frozen=True)
class Group:
    """Parts that must all hold (`every`) or of which one must."""

    every: bool
    parts: tuple[Clause | Written | Group, ...] = ()


Node = Clause | Written | Group


def kind_of(name: str, catalog: Catalog) -> str | None:
    """`number`, `text`, `date` or `boolean` for a column or `segment:scheme`; None when there is no such name."""
    if name.startswith(SEGMENT):
        return "text" if name.removeprefix(SEGMENT) in catalog.schemes else None
    found = catalog.columns.get(name)
    return _KINDS[found.type] if found else None


def fault(clause: Clause, catalog: Catalog) -> str:
    """What keeps a row from counting: "" for nothing, else `column`, `operator`, `unfinished`, `number` or `date`."""
    kind = kind_of(clause.column, catalog)
    if kind is None:
        return "column" if clause.column else "unfinished"
    if clause.operator not in OPERATORS[kind]:
        return "operator"
    values = [value for value in clause.values if value.strip()]
    most = VALUES_OF.get(clause.operator, 1)
    if len(values) < min(most, 2 if clause.operator == "between" else 1):
        return "unfinished"
    if kind == "number" or clause.operator in ("within", "before_days"):
        whole = clause.operator in ("within", "before_days")
        return "" if all(_is_number(value, whole) for value in values[:most]) else "number"
    if kind == "date":
        return "" if all(_is_date(value) for value in values[:most]) else "date"
    return ""


def _is_number(text: str, whole: bool) -> bool:
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return False
    if not value.is_finite() or len(value.as_tuple().digits) > 17 or abs(value.adjusted()) > 15:
        return False
    return value == value.to_integral_value() and 0 <= value <= 36_500 if whole else abs(value) <= 2**53


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text.strip())
    except ValueError:
        return False
    return True


def tidy(node: Group, catalog: Catalog) -> Group:
    """The tree that counts: unfinished and wrong rows left out, empty groups gone, a group of one replaced by its part."""
    kept = _tidy(node, catalog)
    if kept is None:
        return Group(node.every)
    return kept if isinstance(kept, Group) else Group(True, (kept,))


def _tidy(node: Node, catalog: Catalog) -> Node | None:
    if isinstance(node, Clause):
        if fault(node, catalog):
            return None
        most = VALUES_OF.get(node.operator, 1)
        return replace(
            node, values=tuple(_plain(value, node, catalog) for value in node.values if value.strip())[:most]
        )
    if isinstance(node, Written):
        return node if node.text.strip() else None
    parts = tuple(kept for part in node.parts if (kept := _tidy(part, catalog)) is not None)
    return Group(node.every, parts) if len(parts) > 1 else parts[0] if parts else None


def _plain(value: str, clause: Clause, catalog: Catalog) -> str:
    kind = kind_of(clause.column, catalog)
    if kind == "number" or clause.operator in ("within", "before_days"):
        number = Decimal(value.strip()) + 0
        text = format(number, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return value.strip() if kind == "date" else value


def write(node: Group, catalog: Catalog) -> str:
    """The rule as text, "" for a tree in which nothing counts. Raises RuleError when a `Written` part is wrong."""
    tree = tidy(node, catalog)
    return _group(tree, catalog) if tree.parts else ""


def _group(group: Group, catalog: Catalog) -> str:
    word = " AND " if group.every else " OR "
    return word.join(_part(part, catalog) for part in group.parts)


def _part(part: Node, catalog: Catalog) -> str:
    if isinstance(part, Group):
        return f"({_group(part, catalog)})"
    if isinstance(part, Written):
        tree = parse(part.text)
        return f"({part.text.strip()})" if isinstance(tree, (exp.And, exp.Or)) else part.text.strip()
    return _sql(_clause(part))


def _sql(tree: exp.Expr) -> str:
    return tree.sql(dialect="duckdb", normalize_functions=False)


def _subject(name: str) -> exp.Expr:
    if name.startswith(SEGMENT):
        return exp.Anonymous(this="segment", expressions=[exp.Literal.string(name.removeprefix(SEGMENT))])
    return exp.column(exp.to_identifier(name, quoted=not _bare(name)))


@lru_cache(4096)
def _bare(name: str) -> bool:
    """Whether the name can stand without quotes."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        return False
    try:
        return type(parse(name)) is exp.Column
    except RuleError:
        return False


def _clause(clause: Clause) -> exp.Expr:
    subject, values = _subject(clause.column), clause.values
    operator = clause.operator
    if operator in ("empty", "filled"):
        missing = exp.Is(this=subject, expression=exp.Null())
        return missing if operator == "empty" else exp.Not(this=missing)
    if operator in ("yes", "no"):
        return subject if operator == "yes" else exp.Not(this=subject)
    if operator in _COMPARE:
        return _COMPARE[operator](this=subject, expression=_number(values[0]))
    if operator == "between":
        return exp.Between(this=subject, low=_number(values[0]), high=_number(values[1]))
    if operator in ("in", "not_in"):
        listed = [exp.Literal.string(value) for value in values]
        if len(listed) == 1:
            return (exp.EQ if operator == "in" else exp.NEQ)(this=subject, expression=listed[0])
        inside = exp.In(this=subject, expressions=listed)
        return inside if operator == "in" else exp.Not(this=inside)
    if operator == "starts":
        return exp.StartsWith(this=subject, expression=exp.Literal.string(values[0]))
    if operator == "contains":
        return exp.Like(this=subject, expression=exp.Literal.string(f"%{values[0]}%"))
    if operator in ("since", "until"):
        return (exp.GTE if operator == "since" else exp.LTE)(
            this=subject, expression=exp.Literal.string(values[0])
        )
    ago = exp.Sub(
        this=exp.column("as_of"),
        expression=exp.Interval(this=exp.Literal.string(values[0]), unit=exp.var("DAY")),
    )
    return (exp.GTE if operator == "within" else exp.LT)(this=subject, expression=ago)


def _number(text: str) -> exp.Expr:
    value = Decimal(text)
    plain = exp.Literal.number(format(abs(value), "f"))
    return exp.Neg(this=plain) if value < 0 else plain


def read(text: str, catalog: Catalog) -> Group:
    """The tree of a rule. Raises RuleError, with position, word and nearest name, when the rule is wrong."""
    if text.strip():
        compile_rule(text, catalog)
    return tree_of(text, catalog)


def tree_of(text: str, catalog: Catalog) -> Group:
    """The tree of a rule that compiles, for callers who have just compiled it; of an empty text the empty tree."""
    if not text.strip():
        return Group(True)
    found = _read(parse(text), catalog)
    return found if isinstance(found, Group) else Group(True, (found,))


def _read(node: exp.Expr, catalog: Catalog) -> Node:
    inner = node
    while isinstance(inner, exp.Paren):
        inner = inner.this
    if isinstance(inner, (exp.And, exp.Or)):
        joined = type(inner)
        return Group(joined is exp.And, tuple(_read(part, catalog) for part in _flat(inner, joined)))
    return _row(inner, catalog) or Written(_sql(inner))


def _flat(node: exp.Expr, joined: type[exp.Expr]) -> Iterator[exp.Expr]:
    """The operands of a chain; iterative, since a long rule leans far to the left."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if type(one) is joined:
            waiting += [one.expression, one.this]
        else:
            yield one


def _row(node: exp.Expr, catalog: Catalog) -> Clause | None:
    """The row that would be written as exactly this node, if there is one."""
    negated = isinstance(node, exp.Not)
    core = node.this if negated else node
    while negated and isinstance(core, exp.Paren):
        core = core.this
    subject = core if isinstance(core, exp.Column) else core.args.get("this")
    name = _name(subject, catalog) if isinstance(subject, exp.Expr) else None
    if name is None:
        return None
    said = _named(node, subject, name)
    for operator in OPERATORS[kind_of(name, catalog) or "text"]:
        clause = Clause(name, operator, _values(core, operator))
        if clause == _tidy(clause, catalog):
            written = _clause(clause)
            if type(written) is type(node) and _sql(written) == said:
                return clause
    return None


def _named(node: exp.Expr, subject: exp.Expr | None, name: str) -> str:
    """The text of the node without parentheses, its subject called `name` (a column may be written by its title)."""
    named = node.copy()
    for found in [named, *named.walk()]:
        if subject is not None and found == subject:
            if found is named:
                named = _subject(name)
            else:
                found.replace(_subject(name))
            break
    for paren in list(named.find_all(exp.Paren)):
        paren.replace(paren.this)
    return _sql(named)


def _name(subject: exp.Expr, catalog: Catalog) -> str | None:
    if type(subject) is exp.Column:
        found = catalog.find(subject.name)
        return found.name if found else None
    if (
        type(subject) is exp.Anonymous
        and str(subject.this).lower() == "segment"
        and len(subject.expressions) == 1
    ):
        name = SEGMENT + subject.expressions[0].name
        return name if kind_of(name, catalog) else None
    return None


def _values(core: exp.Expr, operator: str) -> tuple[str, ...]:
    if operator == "between" and isinstance(core, exp.Between):
        return _constant(core.args["low"]), _constant(core.args["high"])
    if operator in ("in", "not_in") and isinstance(core, exp.In):
        return tuple(_constant(item) for item in core.expressions)
    if VALUES_OF.get(operator) == 0:
        return ()
    right = core.args.get("expression")
    if operator in ("within", "before_days") and isinstance(right, exp.Sub):
        right = right.expression.this if isinstance(right.expression, exp.Interval) else right
    value = _constant(right) if isinstance(right, exp.Expr) else ""
    if operator == "contains":
        value = value[1:-1] if len(value) > 2 and value[0] == value[-1] == "%" else ""
    return (value,) if value else ()


def _constant(node: exp.Expr) -> str:
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal):
        return f"-{node.this.name}"
    return node.name if isinstance(node, exp.Literal) else ""


_FIELD = re.compile(rf"(0(?:\.\d{{1,2}}){{0,{MAX_DEPTH}}})\.([gcovt])", re.ASCII)


def from_form(items: Iterable[tuple[str, str]]) -> Group:
    """The tree of a form whose inputs are named by path: `0.g` and|or, `0.2.c` column, `.o` operator, `.v` values, `.t` text.

    Whatever has another name is passed over; too many rows are cut off; nothing raises.
    """
    fields: dict[tuple[int, ...], dict[str, list[str]]] = {}
    for name, value in items:
        found = _FIELD.fullmatch(name)
        if found and (len(fields) < MAX_CONDITIONS * 2 or tuple(map(int, found[1].split("."))) in fields):
            path = tuple(map(int, found[1].split(".")))
            fields.setdefault(path, {}).setdefault(found[2], []).append(value.replace("\x00", "")[:2000])
    children: dict[tuple[int, ...], set[int]] = {}
    for path in fields:
        for depth in range(1, len(path)):
            children.setdefault(path[:depth], set()).add(path[depth])
    root = _from_fields((0,), fields, children)
    return root if isinstance(root, Group) else Group(True, (root,) if root else ())


def _from_fields(
    path: tuple[int, ...],
    fields: Mapping[tuple[int, ...], dict[str, list[str]]],
    children: Mapping[tuple[int, ...], set[int]],
) -> Node | None:
    own = fields.get(path, {})
    if "g" in own or path in children or path == (0,):
        parts = (_from_fields((*path, number), fields, children) for number in sorted(children.get(path, ())))
        return Group(own.get("g", ["and"])[0] != "or", tuple(part for part in parts if part is not None))
    if "t" in own:
        return Written(own["t"][0])
    if "c" not in own:
        return None
    return Clause(own["c"][0], own.get("o", [""])[0], tuple(own.get("v", ())[:MAX_VALUES]))


def edited(root: Group, action: str, path: tuple[int, ...], new: Node | None = None) -> Group:
    """The tree after a button: `add` (a part into the group at `path`), `copy` or `drop` (the part at `path`).

    A path that leads nowhere changes nothing. The first number of a path is the root itself.
    """
    if action == "add":
        return _at(root, path[1:], lambda node: replace(node, parts=(*node.parts, new)) if new else node)
    if len(path) < 2:
        return root
    last = path[-1]

    def change(node: Group) -> Group:
        if last >= len(node.parts):
            return node
        kept = list(node.parts)
        kept[last : last + 1] = (
            [kept[last], kept[last]] if action == "copy" else [] if action == "drop" else [kept[last]]
        )
        return replace(node, parts=tuple(kept))

    return _at(root, path[1:-1], change)


def _at(node: Group, path: tuple[int, ...], change: Callable[[Group], Group]) -> Group:
    if not path:
        return change(node)
    inner = node.parts[path[0]] if path[0] < len(node.parts) else None
    if not isinstance(inner, Group):
        return node
    parts = list(node.parts)
    parts[path[0]] = _at(inner, path[1:], change)
    return replace(node, parts=tuple(parts))


_SAID: Mapping[str, dict[str, str]] = {
    "ge": {"zh": "{name}不低于 {value}", "en": "{name} is at least {value}"},
    "le": {"zh": "{name}不超过 {value}", "en": "{name} is at most {value}"},
    "gt": {"zh": "{name}大于 {value}", "en": "{name} is more than {value}"},
    "lt": {"zh": "{name}小于 {value}", "en": "{name} is less than {value}"},
    "eq": {"zh": "{name}等于 {value}", "en": "{name} is {value}"},
    "ne": {"zh": "{name}不等于 {value}", "en": "{name} is not {value}"},
    "between": {"zh": "{name}在 {value} 到 {upper} 之间", "en": "{name} is between {value} and {upper}"},
    "in": {"zh": "{name}属于「{listed}」", "en": "{name} is {listed}"},
    "not_in": {"zh": "{name}不属于「{listed}」", "en": "{name} is not {listed}"},
    "starts": {"zh": "{name}以「{value}」开头", "en": "{name} starts with “{value}”"},
    "contains": {"zh": "{name}含有「{value}」", "en": "{name} contains “{value}”"},
    "within": {"zh": "{name}在最近 {value} 天内", "en": "{name} is within the last {value} days"},
    "before_days": {"zh": "{name}早于 {value} 天前", "en": "{name} is more than {value} days ago"},
    "since": {"zh": "{name}不早于 {value}", "en": "{name} is on or after {value}"},
    "until": {"zh": "{name}不晚于 {value}", "en": "{name} is on or before {value}"},
    "yes": {"zh": "{name}：是", "en": "{name}: yes"},
    "no": {"zh": "{name}：否", "en": "{name}: no"},
    "empty": {"zh": "{name}没有数据", "en": "{name} has no data"},
    "filled": {"zh": "{name}有数据", "en": "{name} has data"},
}


@dataclass(frozen=True)
class Wording:
    """What a sentence is told with: language, titles of schemes and segments, and units by column name."""

    lang: str = "zh"
    schemes: Mapping[str, str] = field(default_factory=dict)
    segments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)


def sentence(node: Node, catalog: Catalog, wording: Wording) -> str:
    """The condition in words, zh or en; "" when nothing counts.

    >>> sentence(Clause("recency_days", "le", ("90",)), Catalog({"recency_days": Column("recency_days", "integer")}), Wording("en"))
    'recency_days is at most 90'
    """
    kept = _tidy(node, catalog)
    return _told(kept, catalog, wording, top=True) if kept is not None else ""


def _told(node: Node, catalog: Catalog, wording: Wording, *, top: bool) -> str:
    if isinstance(node, Written):
        return node.text
    if isinstance(node, Clause):
        return _row_told(node, catalog, wording)
    parts = [_told(part, catalog, wording, top=False) for part in node.parts]
    english = wording.lang == "en"
    word = (", and " if node.every else ", or ") if english else ("，并且" if node.every else "，或者")
    text = word.join(parts)
    return text if top else f"({text})" if english else f"（{text}）"


def _row_told(clause: Clause, catalog: Catalog, wording: Wording) -> str:
    name, values = title_of(clause.column, catalog, wording), list(clause.values)
    if clause.column.startswith(SEGMENT):
        titles = wording.segments.get(clause.column.removeprefix(SEGMENT), {})
        values = [titles.get(value, value) for value in values]
    elif clause.operator not in ("in", "not_in"):
        unit = wording.units.get(clause.column, "")
        values = [f"{value} {unit}".strip() for value in values]
    between = " or " if wording.lang == "en" else "、"
    return _SAID[clause.operator][wording.lang].format(
        name=name, value=(values or [""])[0], upper=(values or [""])[-1], listed=between.join(values)
    )


def title_of(name: str, catalog: Catalog, wording: Wording) -> str:
    """The title of a column or of `segment:scheme` in the wording's language."""
    if name.startswith(SEGMENT):
        return wording.schemes.get(name.removeprefix(SEGMENT), name.removeprefix(SEGMENT))
    found: Column | None = catalog.columns.get(name)
    return (found.title.get(wording.lang) or name) if found else name


__all__ = [
    "MAX_CONDITIONS", "MAX_DEPTH", "OPERATORS", "SEGMENT", "VALUES_OF", "Clause", "Group", "Node", "Wording", "Written",
    "edited", "fault", "from_form", "kind_of", "read", "sentence", "tidy", "title_of", "tree_of", "write",
]  # fmt: skip
