"""The visual tree of a rule says the same as its text, whichever way one goes."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kequn.errors import RuleError
from kequn.language import Catalog, Column, compile_rule
from kequn.language.builder import (
    OPERATORS,
    Clause,
    Group,
    Node,
    Wording,
    Written,
    edited,
    fault,
    from_form,
    kind_of,
    read,
    sentence,
    tidy,
    write,
)

CATALOG = Catalog(
    {
        item.name: item
        for item in (
            Column("recency_days", "integer", {"zh": "最近消费距今", "en": "Recency"}),
            Column("monetary", "money", {"zh": "累计消费", "en": "Revenue"}),
            Column("share", "number"),
            Column("city", "text", {"zh": "城市", "en": "City"}),
            Column("x_肤质", "text"),
            Column("order", "integer"),
            Column("last_order_at", "date", {"zh": "最近购买日"}),
            Column("is_member", "boolean", {"zh": "会员", "en": "Member"}),
        )
    },
    {"rfm": ("champions", "lost")},
    {"orders": {"category": "text"}},
    date(2026, 11, 22),
)
NUMBERS = st.decimals(-1_000_000, 1_000_000, places=2).map(str)
TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\\"), min_size=1, max_size=12
).filter(lambda text: text.strip() and "%" not in text)
DAYS = st.integers(0, 36_500).map(str)
DATES = st.dates(date(1990, 1, 1), date(2030, 1, 1)).map(date.isoformat)


@st.composite
def clauses(draw: st.DrawFn) -> Clause:
    name = draw(st.sampled_from([*CATALOG.columns, "segment:rfm"]))
    kind = kind_of(name, CATALOG)
    operator = draw(st.sampled_from(OPERATORS[kind]))
    if operator in ("empty", "filled", "yes", "no"):
        return Clause(name, operator)
    if name == "segment:rfm":
        operator = draw(st.sampled_from(["in", "not_in"]))
        return Clause(
            name,
            operator,
            tuple(
                draw(st.lists(st.sampled_from(["champions", "lost"]), min_size=1, max_size=2, unique=True))
            ),
        )
    if operator in ("in", "not_in"):
        return Clause(name, operator, tuple(draw(st.lists(TEXTS, min_size=1, max_size=4))))
    if operator == "between":
        return Clause(name, operator, (draw(NUMBERS), draw(NUMBERS)))
    value = {
        "number": NUMBERS,
        "text": TEXTS,
        "date": DAYS if operator in ("within", "before_days") else DATES,
    }[kind]
    return Clause(name, operator, (draw(value),))


WRITTEN = st.sampled_from(["monetary / recency_days > 3", "orders(category = '女装', days = 90) >= 2"]).map(
    Written
)
TREES = st.recursive(
    clauses() | WRITTEN,
    lambda inner: st.builds(Group, st.booleans(), st.lists(inner, min_size=0, max_size=4).map(tuple)),
    max_leaves=12,
)


@settings(deadline=None, max_examples=150)
@given(TREES)
def test_a_tree_written_and_read_again_is_the_same_tree(node: Node) -> None:
    root = tidy(node if isinstance(node, Group) else Group(True, (node,)), CATALOG)
    text = write(root, CATALOG)
    again = read(text, CATALOG)
    assert write(again, CATALOG) == text
    if len(root.parts) > 1 and "orders(" not in text and " / " not in text:
        assert again == root
    if text:
        assert compile_rule(text, CATALOG).type == "boolean"


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.from_regex(r"0(\.\d{1,2}){0,9}\.[gcovtx]", fullmatch=True) | st.text(max_size=8),
            st.sampled_from(
                [
                    *CATALOG.columns,
                    "ge",
                    "in",
                    "or",
                    "segment:rfm",
                    "segment:",
                    "nan",
                    "1e999",
                    "'; DROP TABLE x --",
                ]
            )
            | st.text(max_size=20),
        ),
        max_size=40,
    )
)
def test_any_form_gives_a_tree_whose_rows_compile_or_are_left_out(items: list[tuple[str, str]]) -> None:
    root = from_form(items)
    rows = [part for part in _leaves(root) if isinstance(part, Clause)]
    for row in rows:
        assert isinstance(sentence(row, CATALOG, Wording("zh")), str)
        if not fault(row, CATALOG):
            try:
                compile_rule(write(Group(True, (row,)), CATALOG), CATALOG)
            except RuleError as error:  # a hostile value may be refused, but only as a value
                assert error.code.startswith("language.")


def _leaves(node: Node) -> list[Node]:
    return [leaf for part in node.parts for leaf in _leaves(part)] if isinstance(node, Group) else [node]


def test_a_rule_that_was_typed_becomes_rows() -> None:
    root = read(
        "最近消费距今 <= 90 AND (city IN ('上海', '北京') OR segment('rfm') = 'champions') AND NOT is_member",
        CATALOG,
    )
    assert root == Group(
        True,
        (
            Clause("recency_days", "le", ("90",)),
            Group(
                False, (Clause("city", "in", ("上海", "北京")), Clause("segment:rfm", "in", ("champions",)))
            ),
            Clause("is_member", "no"),
        ),
    )


def test_what_has_no_row_stays_as_text() -> None:
    root = read("monetary / recency_days > 3 AND NOT (city = '上海' AND is_member)", CATALOG)
    assert [type(part) for part in root.parts] == [Written, Written]
    assert compile_rule(write(root, CATALOG), CATALOG)


def test_a_mistyped_name_is_refused_with_its_place_and_the_nearest_name() -> None:
    with pytest.raises(RuleError) as caught:
        read("is_member AND recency_day > 3", CATALOG)
    assert caught.value.fields["position"] == 14 and caught.value.fields["near"] == "recency_days"


def test_the_sentence_is_in_both_languages_with_units() -> None:
    root = read("recency_days <= 90 AND (city IN ('上海', '北京') OR is_member)", CATALOG)
    assert sentence(root, CATALOG, Wording("zh", units={"recency_days": "天"})) == (
        "最近消费距今不超过 90 天，并且（城市属于「上海、北京」，或者会员：是）"
    )
    assert (
        sentence(root, CATALOG, Wording("en"))
        == "Recency is at most 90, and (City is 上海 or 北京, or Member: yes)"
    )


def test_buttons_add_copy_and_drop_where_they_stand() -> None:
    row = Clause("is_member", "yes")
    root = Group(True, (row, Group(False, (row,))))
    assert edited(root, "add", (0, 1), Clause("city", "in")).parts[1] == Group(
        False, (row, Clause("city", "in"))
    )
    assert edited(root, "copy", (0, 0)).parts[:2] == (row, row)
    assert edited(root, "drop", (0, 1, 0)).parts[1] == Group(False)
    assert edited(root, "drop", (0, 7, 3)) == root and edited(root, "drop", (0,)) == root


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        (Clause("recency_days", "ge", ("nan",)), "number"),
        (Clause("recency_days", "ge", ("1e400",)), "number"),
        (Clause("recency_days", "ge", ("",)), "unfinished"),
        (Clause("last_order_at", "since", ("2026-02-30",)), "date"),
        (Clause("last_order_at", "within", ("1.5",)), "number"),
        (Clause("secret", "ge", ("1",)), "column"),
        (Clause("city", "ge", ("1",)), "operator"),
        (Clause("recency_days", "between", ("1",)), "unfinished"),
    ],
)
def test_a_row_that_cannot_count_says_why(clause: Clause, expected: str) -> None:
    assert fault(clause, CATALOG) == expected
    assert tidy(Group(True, (clause,)), CATALOG) == Group(True)
