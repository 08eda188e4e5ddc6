"""The groups as people meet them: names kept or found, owners and playbooks carried over, traits, rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kequn.scheme.clusters.choice import some
from kequn.scheme.clusters.encoding import Encoded, Encoding, Feature, Rows
from kequn.scheme.clusters.identity import Identity
from kequn.scheme.clusters.naming import describe
from kequn.scheme.clusters.rules import RuleTree, learn_rules
from kequn.scheme.kinds.cluster import PLAYBOOK, group_number, plain_group
from kequn.scheme.spec import SegmentSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kequn.scheme.clusters.fit import Before
    from kequn.scheme.kind import Scheme

TOLD_ROWS = 50_000
"""Names and rules come from at most so many customers of the sample."""


@dataclass(frozen=True)
class Groups:
    """`segments` in the order of ids, for the scheme; the rest in the order of the model."""

    segments: tuple[SegmentSpec, ...]
    shown: tuple[Mapping[str, Any], ...]
    tree: RuleTree

    def as_json(self) -> list[dict[str, Any]]:
        return [dict(each) for each in self.shown]


def describe_groups(
    scheme: Scheme, encoding: Encoding, encoded: Encoded, rows: Rows, labels: NDArray[np.int64],
    features: Mapping[str, Feature], identity: Identity, sizes: Sequence[int], before: Before | None,
) -> Groups:  # fmt: skip
    """Words for all groups. A group that kept its id keeps its name; one that split off or merged has its parent's owner."""
    places = some(len(rows), TOLD_ROWS)
    told, code, owners = rows.take(places), encoded.take(places), labels[places]
    count = len(identity.ids)
    then = {group["id"]: group for group in before.manifest.get("groups", [])} if before else {}
    spec: Any = scheme.spec
    declared = {segment.id: segment for segment in scheme.spec.named}
    carried = {
        group: (declared[group].title if group in declared else {}) or then.get(group, {}).get("title")
        for group in identity.ids
    }
    taken = [words for words in carried.values() if words]
    raw = {name: told.numbers[name] for name in (code.name for code in encoding.numbers)}
    now = describe(encoding, code, raw, owners, count, features)
    apart = describe(encoding, code, raw, owners, count, features, taken) if taken else now
    tree = learn_rules(encoding, told, owners, count, features, seed=spec.seed)
    segments = {
        group: _segment(
            group,
            declared,
            carried[group] or apart[place].title,
            then.get(identity.parents.get(group, group)),
        )
        for place, group in enumerate(identity.ids)
    }
    total = max(1, sum(sizes))
    shown = [
        {
            "id": group, "title": dict(segments[group].title), "now": dict(now[place].title), "customers": sizes[place],
            "share": round(sizes[place] / total, 6), "traits": [trait.as_json() for trait in now[place].traits],
            "means": _means(encoding, told, owners == place), **tree.groups[place].as_json(),
            "owner": segments[group].owner, "playbook": segments[group].playbook,
            "parent": identity.parents.get(group),
        }
        for place, group in enumerate(identity.ids)
    ]  # fmt: skip
    there = sorted((group for place, group in enumerate(identity.ids) if sizes[place]), key=group_number)
    forced = [segment for group, segment in declared.items() if segment.override and group not in there]
    return Groups((*(segments[group] for group in there), *forced), tuple(shown), tree)


def _segment(
    group: str, declared: Mapping[str, SegmentSpec], words: Mapping[str, str], then: Mapping[str, Any] | None
) -> SegmentSpec:
    """What the file says comes first, then what the last run knew of the group or of its parent."""
    said = declared.get(group, plain_group(group))
    before = then or {}
    return said.model_copy(
        update={
            "title": dict(words),
            "owner": said.owner or before.get("owner"),
            "playbook": (said.playbook if group in declared else None) or before.get("playbook") or PLAYBOOK,
        }
    )


def _means(encoding: Encoding, rows: Rows, inside: NDArray[np.bool_]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for code in encoding.numbers:
        values = rows.numbers[code.name][inside]
        known = values[~np.isnan(values)]
        found[code.name] = round(float(known.mean()), 6) if len(known) else None
    return found


__all__ = ["Groups", "describe_groups"]
