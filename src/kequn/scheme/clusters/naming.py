"""Names that people understand: what sets a group apart from everybody else, in a few words of zh and en."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kequn.i18n import LANGUAGES, say, title
from kequn.scheme.clusters.encoding import MISSING, OTHER, Encoded, Encoding, Feature
from kequn.scheme.clusters.wording import level_words, number_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

TELLING = 0.35
"""Smallest difference (in standard deviations of all customers) that goes into a name."""
SAME_THING = 0.7
"""Traits that go together this much (correlation) say the same twice."""
CLEAR = 1.0
"""A difference this large is clear; a smaller one is slight."""
WORDS = 2
MOST_WORDS = 4
KEPT_TRAITS = 8


@dataclass(frozen=True)
class Trait:
    """How a group differs in one number, level or gap. `effect`: standardised difference from everybody else.

    `inside` and `outside` are means (major units) of a number, or shares of a level.
    """

    feature: str
    level: str | None
    effect: float
    inside: float
    outside: float
    words: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        return {
            "feature": self.feature, "level": self.level, "effect": round(self.effect, 4),
            "inside": round(self.inside, 6), "outside": round(self.outside, 6), "words": dict(self.words),
        }  # fmt: skip


@dataclass(frozen=True)
class Described:
    """One group: its name, and its strongest traits first."""

    title: Mapping[str, str]
    traits: tuple[Trait, ...]


def describe(
    encoding: Encoding, encoded: Encoded, raw: Mapping[str, NDArray[np.float64]], labels: NDArray[np.int64],
    groups: int, features: Mapping[str, Feature], taken: Sequence[Mapping[str, str]] = (),
) -> tuple[Described, ...]:  # fmt: skip
    """Names of all groups, different from each other and from those in `taken`.

    `raw` are the numbers behind the code; `labels` the place of each row's group.
    """
    columns, makers = _columns(encoding, encoded, raw, features)
    spread = np.nanstd(columns, axis=0) if len(columns) else np.zeros(columns.shape[1])
    related = _related(columns)
    used = [{title(words, lang) for words in taken} for lang in LANGUAGES]
    found = []
    for group in range(groups):
        inside = labels == group
        traits = _traits(columns, makers, spread, inside)
        words = _distinct(traits, makers, related, used)
        for lang, names in zip(LANGUAGES, used, strict=True):
            names.add(words[lang])
        found.append(Described(words, tuple(trait for _, trait in traits[:KEPT_TRAITS])))
    return tuple(found)


@dataclass(frozen=True)
class _Maker:
    """What a column of the comparison stands for."""

    feature: str
    level: str | None
    titles: Mapping[str, str]
    raw: NDArray[np.float64] | None

    def words(self, above: bool) -> dict[str, str]:
        if self.level is not None:
            return level_words(self.feature, self.level, self.titles, above)
        return number_words(self.feature, self.titles, above)


def _columns(
    encoding: Encoding,
    encoded: Encoded,
    raw: Mapping[str, NDArray[np.float64]],
    features: Mapping[str, Feature],
) -> tuple[NDArray[np.float64], list[_Maker]]:
    makers = [_Maker(code.name, None, features[code.name].title, raw[code.name]) for code in encoding.numbers]
    for code in encoding.labels:
        name = code.gap_of[0] if code.gap_of else code.name
        makers += [_Maker(name, level, features[name].title, None) for level in code.levels]
    return np.concatenate([encoded.numbers, encoding.one_hot(encoded.codes)], axis=1), makers


def _related(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    if not columns.size:
        return np.zeros((columns.shape[1], columns.shape[1]))
    centred = np.nan_to_num(columns - np.nanmean(columns, axis=0))
    length = np.sqrt((centred**2).sum(axis=0))
    length[length == 0] = 1.0
    found: NDArray[np.float64] = np.abs((centred / length).T @ (centred / length))
    return found


def _traits(
    columns: NDArray[np.float64],
    makers: Sequence[_Maker],
    spread: NDArray[np.float64],
    inside: NDArray[np.bool_],
) -> list[tuple[int, Trait]]:
    """All traits with their column, the strongest first."""
    rest = ~inside
    if not inside.any() or not rest.any():
        return []
    found = []
    for place, maker in enumerate(makers):
        here, there = _mean(columns[inside, place]), _mean(columns[rest, place])
        if here is None or there is None or not spread[place] > 0 or maker.level == "known":
            continue
        effect = (here - there) / float(spread[place])
        if maker.raw is not None:
            here, there = _mean(maker.raw[inside]) or 0.0, _mean(maker.raw[rest]) or 0.0
        found.append((place, Trait(maker.feature, maker.level, effect, here, there, maker.words(effect > 0))))
    return sorted(found, key=lambda item: (-_weight(item[1]), item[0]))


def _weight(trait: Trait) -> float:
    """Strength in a name: what a group is says more than what it is not, and known more than unknown."""
    strength = abs(trait.effect)
    if trait.level is not None and trait.effect < 0:
        strength *= 0.5
    return strength * 0.7 if trait.level in {MISSING, OTHER} else strength


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _distinct(
    traits: Sequence[tuple[int, Trait]], makers: Sequence[_Maker], related: NDArray[np.float64],
    used: Sequence[set[str]],
) -> dict[str, str]:  # fmt: skip
    """The shortest name that nobody has; where even four words don't tell, how clear the first trait is, then a number."""
    chosen: list[tuple[int, Trait]] = []
    for place, trait in traits:
        if abs(trait.effect) < TELLING or len(chosen) == MOST_WORDS:
            break
        if any(trait.feature == other.feature or related[place, at] > SAME_THING for at, other in chosen):
            continue
        chosen.append((place, trait))
    names = [
        _joined([trait for _, trait in chosen[:count]])
        for count in range(min(WORDS, len(chosen)), len(chosen) + 1)
    ]
    if chosen and names:
        names.append(_by_degree([trait for _, trait in chosen[:WORDS]]))
    for name in names:
        if all(name[lang] not in known for lang, known in zip(LANGUAGES, used, strict=True)):
            return name
    number = 2
    while any(f"{names[0][lang]} ({number})" in known for lang, known in zip(LANGUAGES, used, strict=True)):
        number += 1
    return {lang: f"{names[0][lang]} ({number})" for lang in LANGUAGES}


def _by_degree(traits: Sequence[Trait]) -> dict[str, str]:
    code = "cluster.clearly" if abs(traits[0].effect) >= CLEAR else "cluster.slightly"
    return {lang: _capitalised(say(code, lang, words=_phrase(traits, lang)), lang) for lang in LANGUAGES}


def _joined(traits: Sequence[Trait]) -> dict[str, str]:
    return {lang: _capitalised(_phrase(traits, lang), lang) for lang in LANGUAGES}


def _phrase(traits: Sequence[Trait], lang: str) -> str:
    return " · ".join(trait.words[lang] for trait in traits) or say("cluster.average", lang)


def _capitalised(words: str, lang: str) -> str:
    return words[:1].upper() + words[1:] if lang == "en" else words


__all__ = ["Described", "Trait", "describe"]
