"""Schemes after a run has found the groups: those of cluster schemes, and combinations that cross them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kequn.scheme.kind import Scheme
from kequn.scheme.kinds.cluster import ClusterKind, SettledSpec
from kequn.scheme.spec import SegmentSpec


def with_groups(
    schemes: Mapping[str, Scheme], found: Mapping[str, Sequence[SegmentSpec]]
) -> dict[str, Scheme]:
    """`schemes` with the segments of cluster schemes replaced by those that were found. Order and fingerprints stay."""
    specs = {name: scheme.spec for name, scheme in schemes.items()}
    for name, segments in found.items():
        if name in schemes and isinstance(schemes[name].kind, ClusterKind):
            specs[name] = SettledSpec.model_construct(
                **{**dict(schemes[name].spec), "segments": list(segments)}
            )
    return {
        name: replace(scheme, spec=specs[name], segments=scheme.kind.segments(specs[name], specs))
        for name, scheme in schemes.items()
    }


def with_stored_groups(schemes: Mapping[str, Scheme], stored: Mapping[str, Any]) -> dict[str, Scheme]:
    """The same from what a manifest keeps under `clusters`, for readers of a published run."""
    found: dict[str, list[SegmentSpec]] = {}
    for name, result in stored.items():
        declared = {segment.id: segment for segment in schemes[name].spec.named} if name in schemes else {}
        found[name] = [
            declared.get(group["id"], SegmentSpec(id=group["id"])).model_copy(
                update={"title": group["title"], "owner": group["owner"], "playbook": group["playbook"]}
            )
            for group in sorted(result["groups"], key=lambda group: int(group["id"][1:]))
            if group["customers"]
        ]
    return with_groups(schemes, found)


__all__ = ["with_groups", "with_stored_groups"]
