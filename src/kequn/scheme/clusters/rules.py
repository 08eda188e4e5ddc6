"""A small tree that explains who is in which group, as rules of the language and in words, and how often it is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor, isinf, isnan
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from kequn.i18n import LANGUAGES, say, title
from kequn.scheme.clusters.encoding import MISSING, OTHER, Encoding, Feature, Rows
from kequn.scheme.clusters.methods import one_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEPTH = 3
LEAST_LEAF = 0.01
HELD_BACK = 4
"""Every fourth customer is kept aside; on them the tree is judged."""
Sign = Literal["<=", ">", "=", "<>", "is null", "is not null"]


@dataclass(frozen=True)
class Condition:
    """One comparison. `or_null`: customers whose value is unknown pass too."""

    feature: Feature
    sign: Sign
    value: float | str | None = None
    or_null: bool = False

    def text(self) -> str:
        """In the rule language."""
        name = self.feature.name
        if self.value is None:
            return f"{name} {self.sign.upper()}"
        found = f"{name} {self.sign} {self._literal()}"
        return f"({found} OR {name} IS NULL)" if self.or_null else found

    def _literal(self) -> str:
        if isinstance(self.value, str):
            if self.feature.type == "boolean":
                return self.value.upper()
            return "'" + self.value.replace("'", "''") + "'"
        return _plain(self.value)

    def words(self, lang: str) -> str:
        """In words."""
        name = title(dict(self.feature.title), lang) or self.feature.name
        if self.value is None:
            return say(f"cluster.rule.{self.sign.replace(' ', '_')}", lang, name=name)
        sign = {"<=": "≤", ">": ">", "=": "=", "<>": "≠"}[self.sign]
        found = f"{name} {sign} {self.value if isinstance(self.value, str) else _plain(self.value)}"
        return say("cluster.rule.or_null", lang, condition=found) if self.or_null else found

    def holds(self, rows: Rows) -> NDArray[np.bool_]:
        """Whether each row passes."""
        if self.feature.is_number:
            values = rows.numbers[self.feature.name]
            unknown = np.isnan(values)
            if self.value is None:
                return unknown if self.sign == "is null" else ~unknown
            with np.errstate(invalid="ignore"):
                passed = values <= self.value if self.sign == "<=" else values > self.value  # type: ignore[operator]
        else:
            import pyarrow.compute as pc

            labels = rows.labels[self.feature.name]
            unknown = np.asarray(labels.is_null())
            if self.value is None:
                return unknown if self.sign == "is null" else ~unknown
            equal = np.asarray(pc.fill_null(pc.equal(labels, self.value), False))
            passed = equal if self.sign == "=" else ~equal
        return np.where(unknown, self.or_null, passed)


Path = tuple[Condition, ...]


@dataclass(frozen=True)
class GroupRule:
    """What leads into one group. `right`: of those the rule catches, how many belong; `caught`: of those who belong,
    how many it catches (both on customers kept aside; None when there are none)."""

    paths: tuple[Path, ...]
    right: float | None
    caught: float | None

    def text(self) -> str | None:
        """In the rule language; None when the tree has no way into this group."""
        parts = [" AND ".join(each.text() for each in path) for path in self.paths]
        return (
            " OR ".join(f"({part})" if " AND " in part and len(parts) > 1 else part for part in parts) or None
        )

    def words(self, lang: str) -> str | None:
        """In words."""
        if not self.paths or not all(self.paths):
            return None
        join, either = say("cluster.rule.and", lang), say("cluster.rule.or", lang)
        return either.join(join.join(each.words(lang) for each in path) for path in self.paths)

    def as_json(self) -> dict[str, Any]:
        return {
            "rule": self.text(), **{lang: self.words(lang) for lang in LANGUAGES},
            "right": _rounded(self.right), "caught": _rounded(self.caught),
        }  # fmt: skip


@dataclass(frozen=True)
class RuleTree:
    """`fidelity`: share of customers kept aside for whom the rules name the same group; None when too few."""

    groups: tuple[GroupRule, ...]
    fidelity: float | None

    def place(self, rows: Rows) -> NDArray[np.int64]:
        """The group that the rules name for each row (every row passes exactly one path)."""
        found = np.full(len(rows), -1, dtype=np.int64)
        for group, rule in enumerate(self.groups):
            for path in rule.paths:
                found[_passes(path, rows)] = group
        return found


def learn_rules(
    encoding: Encoding,
    rows: Rows,
    labels: NDArray[np.int64],
    groups: int,
    features: Mapping[str, Feature],
    *,
    seed: int,
) -> RuleTree:
    """Grow the tree on three of four rows, round its limits, and judge it on the fourth."""
    from sklearn.tree import DecisionTreeClassifier

    columns, makers = _columns(encoding, rows, features)
    aside = np.arange(len(rows)) % HELD_BACK == HELD_BACK - 1
    if not makers or len(np.unique(labels[~aside])) < 2:
        everything = tuple(GroupRule(((),) if group == 0 else (), None, None) for group in range(groups))
        return RuleTree(everything, None)
    model = DecisionTreeClassifier(
        max_depth=DEPTH, min_samples_leaf=max(1, int(LEAST_LEAF * (~aside).sum())), random_state=seed
    )
    with one_thread():
        model.fit(columns[~aside], labels[~aside])
    paths: list[list[Path]] = [[] for _ in range(groups)]
    _walk(model.tree_, [int(each) for each in model.classes_], makers, 0, (), paths)
    tree = RuleTree(tuple(GroupRule(tuple(each), None, None) for each in paths), None)
    return _judged(tree, rows.take(np.flatnonzero(aside)), labels[aside])


def _judged(tree: RuleTree, rows: Rows, labels: NDArray[np.int64]) -> RuleTree:
    if not len(rows):
        return tree
    said = tree.place(rows)
    rules = []
    for group, rule in enumerate(tree.groups):
        both = int(((said == group) & (labels == group)).sum())
        named, real = int((said == group).sum()), int((labels == group).sum())
        rules.append(
            replace(rule, right=both / named if named else None, caught=both / real if real else None)
        )
    return RuleTree(tuple(rules), float((said == labels).mean()))


def _columns(
    encoding: Encoding, rows: Rows, features: Mapping[str, Feature]
) -> tuple[NDArray[np.float64], list[tuple[Feature, str | None]]]:
    """Numbers as they are (NaN unknown), and one 0/1 column a level that a rule can name."""
    import pyarrow.compute as pc

    parts: list[NDArray[np.float64]] = [rows.numbers[code.name] for code in encoding.numbers]
    makers: list[tuple[Feature, str | None]] = [(features[code.name], None) for code in encoding.numbers]
    for code in encoding.labels:
        if code.gap_of:
            continue
        values = rows.labels[code.name]
        for level in code.levels:
            if level == OTHER:
                continue
            there = values.is_null() if level == MISSING else pc.fill_null(pc.equal(values, level), False)
            parts.append(np.asarray(there).astype(np.float64))
            makers.append((features[code.name], level))
    return (np.column_stack(parts) if parts else np.zeros((len(rows), 0))), makers


def _walk(
    tree: Any, classes: Sequence[int], makers: Sequence[tuple[Feature, str | None]], node: int, path: Path,
    paths: list[list[Path]],
) -> None:  # fmt: skip
    ends = _ends(tree, node)
    if len(ends) == 1:  # a leaf, or a split that changes nothing
        paths[classes[ends.pop()]].append(path)
        return
    feature, level = makers[tree.feature[node]]
    left, right = _sides(feature, level, float(tree.threshold[node]), bool(tree.missing_go_to_left[node]))
    _walk(tree, classes, makers, int(tree.children_left[node]), _with(path, left), paths)
    _walk(tree, classes, makers, int(tree.children_right[node]), _with(path, right), paths)


def _ends(tree: Any, node: int) -> set[int]:
    """The groups (as classes of the tree) that leaves below `node` name."""
    if tree.children_left[node] < 0:
        return {int(np.argmax(tree.value[node][0]))}
    return _ends(tree, int(tree.children_left[node])) | _ends(tree, int(tree.children_right[node]))


def _sides(
    feature: Feature, level: str | None, limit: float, unknown_left: bool
) -> tuple[Condition, Condition]:
    if level == MISSING:
        return Condition(feature, "is not null"), Condition(feature, "is null")
    if isinf(limit):  # known values go left, missing ones right
        return Condition(feature, "is not null"), Condition(feature, "is null")
    if level is not None:
        return Condition(feature, "<>", level, True), Condition(feature, "=", level)
    limit = _limit(feature, limit)
    return Condition(feature, "<=", limit, unknown_left), Condition(feature, ">", limit, not unknown_left)


def _limit(feature: Feature, value: float) -> float:
    """A limit that people can read: whole for counts, 0.01 at most for money, else three figures."""
    if feature.type == "integer":
        return float(floor(value))
    rounded = float(f"{value:.3g}")
    return round(rounded, 2) if feature.type in {"money", "decimal"} else rounded


def _with(path: Path, condition: Condition) -> Path:
    """`path` and one condition more; of two limits on one side only the tighter stays."""
    kept: list[Condition] = []
    if any(each.feature == condition.feature and each.sign == "is not null" for each in path):
        condition = replace(condition, or_null=False)
    for each in path:
        same = (
            each.feature == condition.feature
            and each.sign == condition.sign
            and isinstance(each.value, float)
        )
        if not same:
            kept.append(each)
            continue
        tighter = min if condition.sign == "<=" else max
        condition = replace(
            condition,
            value=tighter(each.value, condition.value),  # type: ignore[type-var]
            or_null=each.or_null and condition.or_null,
        )
    return (*kept, condition)


def _passes(path: Path, rows: Rows) -> NDArray[np.bool_]:
    passed = np.ones(len(rows), dtype=bool)
    for condition in path:
        passed &= condition.holds(rows)
    return passed


def _plain(value: float | None) -> str:
    if value is None or isnan(value):
        return "NULL"
    return str(int(value)) if value == int(value) else np.format_float_positional(value, trim="-")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


__all__ = ["Condition", "GroupRule", "RuleTree", "learn_rules"]
