"""Declared grains and features: the shipped library and the user's `features.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from kequn.data.standard import Model
from kequn.definitions import load_yaml, validate
from kequn.i18n import packaged_yaml
from kequn.language import Type

NAME = re.compile(r"^[a-z][a-z0-9_]{0,62}$")


class FeatureDeclaration(BaseModel):
    """One feature as written: one aggregate over one grain, or an expression over other features (`from: profile`).

    `values` titles the codes that a text feature gives: a vocabulary of the data standard by name, or `{code: {zh: …, en: …}}`.
    `for` repeats it for each value, put in the place of `{d}`; `window` is how many days back it looks, so that it can be
    NULL where the facts begin later; `empty` is the value of a customer without rows (NULL when not given).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)

    name: str
    source: Annotated[str, Field(alias="from")]
    sql: str
    type: Type | None = None
    empty: int | float | str | bool | None = None
    title: dict[str, str] = Field(default_factory=dict)
    unit: str | None = None
    model: Model | None = None
    basis: Literal["external", "internal", "behaviour"] | None = None
    window: int | str | None = None
    each: Annotated[dict[str, list[int | str]], Field(alias="for")] = Field(default_factory=dict)
    privacy: Literal["none", "personal", "sensitive"] = "none"
    values: str | dict[str, dict[str, str]] = Field(default_factory=dict)

    @field_validator("values")
    @classmethod
    def _a_known_vocabulary(cls, values: str | dict[str, dict[str, str]]) -> str | dict[str, dict[str, str]]:
        from kequn.data.standard import vocabularies

        if isinstance(values, str) and values not in vocabularies():
            raise ValueError(f"unknown vocabulary {values!r}; known: {', '.join(sorted(vocabularies()))}")
        return values

    @property
    def value_titles(self) -> Mapping[str, Mapping[str, str]]:
        """What each code is called: as declared, else as the standard titles the column of a table that is taken over as it is."""
        from kequn.data.standard import TABLES, vocabularies

        if isinstance(self.values, dict) and self.values:
            return self.values
        if isinstance(self.values, str):
            return {value.name: value.title for value in vocabularies()[self.values]}
        column = TABLES[self.source].columns.get(self.sql) if self.source in TABLES else None
        return {value.name: value.title for value in column.values} if column else {}


class FeatureFile(BaseModel):
    """A features file: grains by name, features in order. The first feature of a name whose needs are met is used."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    model: Model | None = None
    basis: Literal["external", "internal", "behaviour"] | None = None
    grains: dict[str, str] = Field(default_factory=dict)
    features: list[FeatureDeclaration] = Field(default_factory=list)


def expanded(declaration: FeatureDeclaration) -> Iterator[FeatureDeclaration]:
    """The declaration once for each combination of its `for` values, with `{name}` filled in."""
    names = list(declaration.each)
    for values in product(*declaration.each.values()):
        filled = dict(zip(names, values, strict=True))
        yield declaration.model_copy(
            update={
                "name": _fill(declaration.name, filled),
                "sql": _fill(declaration.sql, filled),
                "title": {lang: _fill(text, filled) for lang, text in declaration.title.items()},
                "window": _window(declaration.window, filled),
                "each": {},
            }
        )


def _fill(text: str, values: Mapping[str, Any]) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", str(value))
    return text


def _window(window: int | str | None, values: Mapping[str, Any]) -> int | None:
    if isinstance(window, str):
        factors = [int(part) for part in _fill(window, values).split("*")]
        days = 1
        for factor in factors:
            days *= factor
        return days
    return window


@cache
def library() -> tuple[FeatureFile, ...]:
    """The shipped grains and features, one file a model; `grains.yaml` first."""
    folder = resources.files("kequn.profile.library")
    entries = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".yaml")), key=lambda entry: entry.name
    )
    entries.sort(key=lambda entry: entry.name != "grains.yaml")
    return tuple(
        validate(FeatureFile, packaged_yaml(entry.read_text(encoding="utf-8")), entry.name)
        for entry in entries
    )


def load_features(path: Path) -> FeatureFile:
    """The user's `features.yaml`. Raises ConfigError with file, line and the nearest known key."""
    return validate(FeatureFile, load_yaml(path), str(path))


def all_declarations(extra: Sequence[FeatureFile] = ()) -> tuple[dict[str, str], list[FeatureDeclaration]]:
    """Grains by name and all features, with each file's model and basis filled in."""
    grains: dict[str, str] = {}
    for file in (*library(), *extra):
        grains.update(file.grains)
    features: list[FeatureDeclaration] = []
    for file in (*extra, *library()):
        for declaration in file.features:
            defaults = {"model": declaration.model or file.model, "basis": declaration.basis or file.basis}
            features.extend(item.model_copy(update=defaults) for item in expanded(declaration))
    return grains, features


__all__ = [
    "NAME",
    "FeatureDeclaration",
    "FeatureFile",
    "all_declarations",
    "expanded",
    "library",
    "load_features",
]
