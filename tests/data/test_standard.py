"""The declaration of tables and columns is complete and consistent."""

from __future__ import annotations

import pytest

from kequn.data.standard import MODELS, SHAPES, TABLES, TYPES, Column, Table, fold, table

EVERY = [(t, c) for t in (*TABLES.values(), *SHAPES.values()) for c in t.columns.values()]


@pytest.mark.parametrize(("owner", "column"), EVERY, ids=[f"{t.name}.{c.name}" for t, c in EVERY])
def test_every_column_has_a_known_type_and_both_titles(owner: Table, column: Column) -> None:
    assert column.type in TYPES
    assert column.title["zh"].strip() and column.title["en"].strip()
    assert column.model is None or column.model in MODELS
    assert column.basis in (None, "external", "internal", "behaviour")
    assert column.privacy in ("none", "personal", "sensitive")
    assert column.role in ("given", "derived", "checked")


@pytest.mark.parametrize("owner", TABLES.values(), ids=lambda t: t.name)
def test_key_and_time_are_columns_and_every_table_has_a_source(owner: Table) -> None:
    assert set(owner.key) <= set(owner.columns)
    assert owner.time_column is None or owner.columns[owner.time_column].type in ("date", "timestamp")
    assert "source" in owner.columns
    assert owner.title["zh"] and owner.title["en"] and owner.grain["zh"] and owner.grain["en"]


def test_all_tables_of_the_design_are_declared() -> None:
    assert set(TABLES) == {
        "customers", "identities", "attribute_states", "companies", "orders", "order_lines", "products", "holdings",
        "events", "usage", "touches", "responses", "notes", "deals", "activities", "accounts", "consents", "places",
        "regions",
    }  # fmt: skip


def test_one_spelling_never_means_two_values() -> None:
    for _, column in EVERY:
        words = [
            fold(word)
            for value in column.values
            for word in {fold(w) for w in (value.name, value.title["zh"], value.title["en"], *value.also)}
        ]
        assert len(words) == len(set(words)), column.name


@pytest.mark.parametrize(
    ("word", "value"),
    [("男", "male"), ("M", "male"), ("女", "female"), ("Ｆ", "female"), (" Female ", "female")],
)
def test_spellings_of_gender_are_normalised(word: str, value: str) -> None:
    assert TABLES["customers"].columns["gender"].synonyms[fold(word)] == value


def test_every_column_of_a_flat_file_fills_a_column_of_the_same_type() -> None:
    for column in SHAPES["flat_orders"].columns.values():
        assert column.of is not None
        owner, name = column.of.split(".")
        assert TABLES[owner].columns[name].type == column.type


def test_an_unknown_table_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        table("nothing")
