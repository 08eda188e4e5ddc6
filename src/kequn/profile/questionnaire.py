"""Questionnaires as data: items, scales, reverse coding, traits and what a missing answer means."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from kequn.definitions import parse_yaml, validate
from kequn.errors import ConfigError

NAME = r"^[a-z][a-z0-9_]{0,39}$"
LEAST_ALPHA = 0.7
"""Below this a scale says too little about a person (Nunnally, Psychometric Theory, 1978, p. 245)."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Scale(_Part):
    """From `low` to `high` in whole steps (`whole: false` allows anything between); labels for both ends."""

    low: float
    high: float
    whole: bool = True
    labels: dict[str, list[str]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _rises(self) -> Scale:
        if not self.low < self.high:
            raise ConfigError("enrich.scale", low=self.low, high=self.high)
        return self


class Item(_Part):
    """One question. `reverse`: agreeing speaks against the trait. `also`: what sources call it."""

    id: str = Field(min_length=1, max_length=60)
    zh: str = ""
    en: str = ""
    reverse: bool = False
    scale: Scale | None = None
    also: list[str] = Field(default_factory=list)


class Trait(_Part):
    """A scale score: the mean of its items, for whoever answered at least `at_least` (share) of them."""

    id: str = Field(pattern=NAME)
    title: dict[str, str] = Field(default_factory=dict)
    items: list[str] = Field(min_length=1)
    at_least: float = Field(default=0.75, gt=0, le=1)


class Questionnaire(_Part):
    """A questionnaire. `prices` names the four items of van Westendorp, from too cheap to too expensive."""

    questionnaire: str = Field(pattern=NAME)
    title: dict[str, str] = Field(default_factory=dict)
    scale: Scale
    items: list[Item] = Field(min_length=1)
    traits: list[Trait] = Field(default_factory=list)
    prices: list[str] = Field(default_factory=list)

    @field_validator("prices")
    @classmethod
    def _four(cls, value: list[str]) -> list[str]:
        if len(value) not in (0, 4):
            raise ConfigError("enrich.four_prices", found=len(value))
        return value

    @model_validator(mode="after")
    def _known(self) -> Questionnaire:
        ids = [item.id for item in self.items]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        wanted = {name for trait in self.traits for name in trait.items} | set(self.prices)
        if twice or wanted - set(ids):
            raise ConfigError(
                "enrich.items", questionnaire=self.questionnaire, names=twice or sorted(wanted - set(ids))
            )
        return self

    def scale_of(self, item: Item) -> Scale:
        """The item's own scale, else the questionnaire's."""
        return item.scale or self.scale

    def item(self, name: str) -> Item:
        """The item `name`."""
        return next(item for item in self.items if item.id == name)


@cache
def shipped() -> dict[str, Questionnaire]:
    """The questionnaires that come with Kequn."""
    folder = resources.files("kequn.profile.questionnaires")
    texts = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    }
    return questionnaires(texts)


def questionnaires(texts: Mapping[str, str]) -> dict[str, Questionnaire]:
    """Questionnaires by name, from YAML texts by file name. Raises ConfigError with file, line and the nearest key."""
    found: dict[str, Questionnaire] = {}
    traits: dict[str, str] = {}
    for file, text in sorted(texts.items()):
        read = validate(Questionnaire, parse_yaml(text, file), file)
        for trait in read.traits:
            if trait.id in traits:
                raise ConfigError("enrich.trait_twice", trait=trait.id, file=file, other=traits[trait.id])
            traits[trait.id] = file
        found[read.questionnaire] = read
    return found


def in_use(own: Mapping[str, str]) -> dict[str, Questionnaire]:
    """The shipped questionnaires and the workspace's own, which replace shipped ones of the same name."""
    mine = questionnaires(own)
    used = {**{name: item for name, item in shipped().items() if name not in mine}, **mine}
    taken: dict[str, str] = {}
    for name, item in used.items():
        for trait in item.traits:
            if trait.id in taken:
                raise ConfigError("enrich.trait_twice", trait=trait.id, file=name, other=taken[trait.id])
            taken[trait.id] = name
    return used


def read_folder(folder: Path) -> dict[str, str]:
    """Texts of a workspace's `questionnaires/*.yaml` by file name."""
    return (
        {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.yaml"))}
        if folder.is_dir()
        else {}
    )


def shown(questionnaire: Questionnaire, lang: str = "zh") -> list[dict[str, Any]]:
    """The items as people see them: id, words, ends of the scale."""
    return [
        {"id": item.id, "text": item.en if lang == "en" else item.zh, "low": questionnaire.scale_of(item).low,
         "high": questionnaire.scale_of(item).high, "labels": questionnaire.scale_of(item).labels.get(lang, [])}
        for item in questionnaire.items
    ]  # fmt: skip


__all__ = [
    "LEAST_ALPHA",
    "Item",
    "Questionnaire",
    "Scale",
    "Trait",
    "in_use",
    "questionnaires",
    "read_folder",
    "shipped",
    "shown",
]
