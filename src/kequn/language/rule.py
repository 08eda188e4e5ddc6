"""Rules and expressions that people write: guarded, parsed, whitelisted, typed and rewritten; never pasted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

from kequn.errors import RuleError
from kequn.language.subset import AGGREGATES, SCALAR, WINDOWS, position, refuse_outside
from kequn.language.terms import Term
from kequn.language.typer import Typer, whole_money
from kequn.language.types import Catalog, Type

MAX_CHARACTERS = 4_000
MAX_NESTING = 32
MAX_TOKENS = 1_500
Parameters = Mapping[str, int | float | str | Decimal]

RULE_NODES = (SCALAR | {exp.Paren, exp.Anonymous}) - {exp.Concat, exp.If} | {exp.If}
FEATURE_NODES = RULE_NODES | AGGREGATES | {exp.Filter, exp.Where, exp.Distinct, exp.Star}
GRAIN_NODES = FEATURE_NODES | WINDOWS | {exp.Window, exp.Order, exp.Ordered}


@dataclass(frozen=True)
class Expression:
    """A checked expression: what was written, its normalised text and digest, a tree ready to splice, and what it uses."""

    source: str
    canonical: str
    digest: str
    tree: exp.Expr
    type: Type
    columns: frozenset[str]
    schemes: frozenset[str] = frozenset()
    terms: Mapping[str, Term] = field(default_factory=dict)


class Rule(Expression):
    """An expression that is true, false or unknown for a customer. Unknown (NULL) does not match."""


def parse(text: str, *, most: int = MAX_CHARACTERS) -> exp.Expr:
    """Parse one expression in the DuckDB dialect, with limits checked before the parser sees it.

    `most` is the longest text; declared features may be longer than rules.
    Raises RuleError for text that is empty, too long, too deeply nested, or holds comments, `;` or several statements.
    """
    if not isinstance(text, str) or not text.strip():
        raise RuleError("language.empty", word="", position=0, text="")
    if len(text) > most:
        raise RuleError("language.too_long", word="", position=most, text=text[:80], most=most)
    for at, character in enumerate(text):
        if ord(character) < 32 and character not in "\t\n\r":
            raise RuleError("language.control_character", word=repr(character), position=at, text=text)
    _guard_tokens(text, most)
    try:
        trees = sqlglot.parse(text, dialect="duckdb")
    except (SqlglotError, RecursionError) as error:
        raise _syntax_error(error, text) from error
    if len(trees) != 1 or trees[0] is None:
        raise RuleError("language.syntax", word=text[:40], position=0, text=text, detail="")
    return trees[0]


def _guard_tokens(text: str, most: int) -> None:
    try:
        tokens = sqlglot.tokenize(text, dialect="duckdb")
    except SqlglotError as error:
        raise _syntax_error(error, text) from error
    if len(tokens) > max(MAX_TOKENS, most // 2):
        raise RuleError("language.too_long", word="", position=0, text=text[:80], most=MAX_TOKENS)
    depth = 0
    for token in tokens:
        if token.comments:
            raise RuleError(
                "language.comment", word=token.comments[0].strip(), position=token.start, text=text
            )
        if token.token_type == TokenType.SEMICOLON:
            raise RuleError("language.semicolon", word=";", position=token.start, text=text)
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(token.token_type, 0)
        if depth > MAX_NESTING or (token.token_type == TokenType.CASE and depth > MAX_NESTING):
            raise RuleError("language.too_deep", word="(", position=token.start, text=text, most=MAX_NESTING)


def _syntax_error(error: Exception, text: str) -> RuleError:
    details = getattr(error, "errors", None)
    first = details[0] if details else {}
    word = str(first.get("highlight") or "")
    at = text.find(word) if word else 0
    return RuleError(
        "language.syntax",
        word=word or text[:40],
        position=max(at, 0),
        text=text,
        detail=str(first.get("description", "")),
    )


def _parameters(parameters: Parameters) -> dict[str, Decimal | str]:
    return {
        name: value if isinstance(value, str) else Decimal(str(value))
        for name, value in parameters.items()
        if not isinstance(value, bool)
    }


def _canonical(tree: exp.Expr, parameters: Mapping[str, Decimal | str]) -> str:
    def bind(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Placeholder) and node.name in parameters:
            value = parameters[node.name]
            if isinstance(value, str):
                return exp.Literal.string(value)
            plain = exp.Literal.number(format(abs(value), "f"))
            return exp.Neg(this=plain) if value < 0 else plain
        return node

    return tree.copy().transform(bind).sql(dialect="duckdb")


def compile_rule(text: str, catalog: Catalog, parameters: Parameters | None = None) -> Rule:
    """A rule such as `recency_days > :lapsed_days AND city_tier IN ('一线')`, checked and rewritten.

    Raises RuleError with `position` (0-based), `word` and, where there is one, `near` (the nearest known name).
    """
    tree = parse(text)
    refuse_outside(tree, RULE_NODES, text)
    bound = _parameters(parameters or {})
    typer = Typer(catalog, text, parameters=bound)
    compiled = typer.boolean(tree)
    canonical = _canonical(tree, bound)
    return Rule(
        text, canonical, hashlib.sha256(canonical.encode()).hexdigest(), compiled, "boolean",
        frozenset(typer.columns), frozenset(typer.schemes), dict(typer.terms),
    )  # fmt: skip


def compile_expression(
    text: str,
    catalog: Catalog,
    *,
    aggregates: bool = False,
    windows: bool = False,
    parameters: Parameters | None = None,
) -> Expression:
    """An expression of any type, for features (`aggregates`) and grains (`windows` too). Money comes out whole."""
    tree = parse(text)
    refuse_outside(tree, GRAIN_NODES if windows else FEATURE_NODES if aggregates else RULE_NODES, text)
    bound = _parameters(parameters or {})
    typer = Typer(catalog, text, aggregates=aggregates, windows=windows, parameters=bound)
    typed = typer.visit(tree)
    compiled = whole_money(typed) if typed.type == "money" else typed.tree
    canonical = _canonical(tree, bound)
    return Expression(
        text, canonical, hashlib.sha256(canonical.encode()).hexdigest(), compiled, typed.type,
        frozenset(typer.columns), frozenset(typer.schemes), dict(typer.terms),
    )  # fmt: skip


def matches(rule: Expression) -> exp.Expr:
    """Membership: true where the rule is true, false where it is false or unknown."""
    return exp.Coalesce(this=rule.tree.copy(), expressions=[exp.false()])


def money_literal(value: Decimal | int | float | str, minor_unit_digits: int = 2) -> exp.Expr:
    """An amount in major units as a literal in minor units."""
    minor = Decimal(str(value)).scaleb(minor_unit_digits)
    plain = exp.Literal.number(format(abs(minor.normalize()), "f"))
    return exp.paren(exp.Neg(this=plain)) if minor < 0 else plain


__all__ = [
    "Expression",
    "Rule",
    "compile_expression",
    "compile_rule",
    "matches",
    "money_literal",
    "parse",
    "position",
]
