"""cluster: groups found in the data. The pipeline fits them before assignment and puts `cluster_<scheme>` beside the profile.

Groups have stable ids (`g1`, `g2` …). A file may name those it cares about under `segments` (title, owner, playbook);
which groups there are is known once a run has settled them (`kequn.scheme.clusters.with_groups`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import Field, StrictInt
from sqlglot import exp

from kequn.language import Catalog, Rule, column
from kequn.scheme.kind import MEASURABLE, Bound, Clause, Kind, Loading, Needs, Where
from kequn.scheme.spec import Columns, QuantileParameter, SchemeSpec, SegmentSpec, meaning

GROUP_ID = re.compile(r"g([1-9][0-9]{0,3})")
MOST_GROUPS = 12
SPARE_IDS = 8
"""Ids beyond the number of groups that rules may name before a run: groups that split or arrive get a fresh id."""
FEATURE_TYPES = MEASURABLE | {"text", "boolean"}
PLAYBOOK = {
    "zh": "先看这一群的特点和规则树，再指定负责人和动作。",
    "en": "Look at what sets this group apart and at its rules, then name an owner and an action.",
}


class ClusterSpec(SchemeSpec):
    """What to group by, and how. `features` are columns or patterns (`trait_*`); those a workspace lacks are left out."""

    features: Columns
    method: Literal["kmeans", "latent", "kprototypes"] = "kmeans"
    k: StrictInt | Literal["auto"] = "auto"
    at_most: int = Field(default=8, ge=2, le=MOST_GROUPS)
    """The largest number of groups that `k: auto` tries."""
    max_customers: int = Field(default=200_000, ge=100, le=1_000_000)
    """Groups are fitted on at most so many customers (a deterministic sample); everybody is assigned."""
    seed: int = Field(default=7, ge=0, le=2**31)
    least_known: int = Field(default=1, ge=1)
    """A customer with fewer known features goes to `otherwise`: nothing can be said about them."""
    keep_above: float = Field(default=0.4, gt=0, le=1)
    """A group keeps its id when it shares at least this much (Jaccard) with the group of the run before."""
    segments: list[SegmentSpec] = Field(default_factory=list)


class SettledSpec(ClusterSpec):
    """The same after a run has found the groups: `segments` are exactly those."""


class ClusterKind(Kind[ClusterSpec]):
    name = "cluster"
    model = ClusterSpec

    def needs(self, spec: ClusterSpec, loading: Loading) -> Needs:
        for index, name in enumerate(spec.features):
            if not is_pattern(name):
                loading.column(name, ("features", index), FEATURE_TYPES)
        return Needs(one_of=(features_in(spec, loading.catalog) or tuple(spec.features),))

    def check(self, spec: ClusterSpec, loading: Loading, rules: Mapping[Where, Rule]) -> None:
        if spec.k != "auto" and not 1 <= spec.k <= MOST_GROUPS:
            raise loading.fail("cluster.k_range", ("k",), found=spec.k, most=MOST_GROUPS)
        scope = rules.get(("scope",))
        if scope is not None and scope.schemes:
            raise loading.fail("cluster.scope_segments", ("scope",), names=sorted(scope.schemes))
        for name, value in spec.parameters.items():
            if isinstance(value, QuantileParameter):  # the scope must be known before cut points are
                raise loading.fail("cluster.quantile_parameter", ("parameters", name), name=name)
        for index, segment in enumerate(spec.segments):
            if not GROUP_ID.fullmatch(segment.id):
                raise loading.fail("cluster.group_id", ("segments", index, "id"), id=segment.id)

    def segments(self, spec: ClusterSpec, others: Mapping[str, SchemeSpec]) -> tuple[SegmentSpec, ...]:
        if isinstance(spec, SettledSpec):
            return spec.ordered
        count = (spec.at_most if spec.k == "auto" else spec.k) + SPARE_IDS
        declared = {segment.id: segment for segment in spec.segments}
        ids = sorted({*declared, *(f"g{n}" for n in range(1, count + 1))}, key=group_number)
        return (*(declared.get(each, plain_group(each)) for each in ids), spec.otherwise)

    def content(self, spec: ClusterSpec) -> dict[str, Any]:
        """A name, owner or playbook given to a group changes nobody's group."""
        whole: dict[str, Any] = meaning(spec.model_dump(mode="json"))
        plain = {
            name: field.get_default(call_default_factory=True)
            for name, field in SegmentSpec.model_fields.items()
        }
        whole["segments"] = [
            each
            for each in whole["segments"]
            if any(value != plain[key] for key, value in each.items() if key != "id")
        ]
        return whole

    def clauses(self, bound: Bound) -> tuple[Clause, ...]:
        label = column(label_column(bound.scheme.name))
        return tuple(
            Clause(segment.id, exp.EQ(this=label.copy(), expression=exp.Literal.string(segment.id)))
            for segment in bound.scheme.segments
            if segment.id != bound.spec.otherwise.id
        )

    def expression(self, bound: Bound) -> exp.Expr:
        if not self.clauses(bound):
            return exp.Literal.string(bound.spec.otherwise.id)
        return super().expression(bound)


def label_column(scheme: str) -> str:
    """The column beside the profile that holds each customer's group."""
    return f"cluster_{scheme}"


def is_pattern(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def features_in(spec: ClusterSpec, catalog: Catalog) -> tuple[str, ...]:
    """The features that `catalog` has, patterns spelled out, in the order of the file."""
    found: dict[str, None] = {}
    for name in spec.features:
        if is_pattern(name):
            found |= dict.fromkeys(_matching(name, catalog))
        else:
            known = catalog.find(name)
            if known is not None and known.type in FEATURE_TYPES:
                found[known.name] = None
    return tuple(found)


def _matching(pattern: str, catalog: Catalog) -> Iterable[str]:
    for name, known in sorted(catalog.columns.items()):
        if fnmatchcase(name, pattern) and known.type in FEATURE_TYPES and not name.startswith("_"):
            yield name


def group_number(group: str) -> int:
    """The number in a group's id."""
    found = GROUP_ID.fullmatch(group)
    return int(found[1]) if found else 0


def plain_group(group: str) -> SegmentSpec:
    """A group about which nothing is known yet."""
    number = group_number(group)
    return SegmentSpec(id=group, title={"zh": f"第 {number} 群", "en": f"Group {number}"}, playbook=PLAYBOOK)


KIND = ClusterKind()
