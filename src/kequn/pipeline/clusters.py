"""The cluster step: finds the groups of every cluster scheme, before assignment, and puts each label beside the profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kequn.errors import KequnError
from kequn.language import Catalog
from kequn.pipeline.views import join_predictions

if TYPE_CHECKING:
    from kequn.pipeline.run import Running
    from kequn.scheme import Scheme
    from kequn.scheme.clusters import Before, ClusterResult
    from kequn.snapshot import Snapshot


@dataclass(frozen=True)
class Clustered:
    """The relation with one `cluster_…` column a scheme, all schemes with the groups that were found, and the results.

    `unavailable` names the cluster schemes that could not be fitted here and what they lack.
    """

    relation: str
    schemes: Mapping[str, Scheme]
    results: Mapping[str, ClusterResult] = field(default_factory=dict)
    unavailable: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def clusters_for(
    running: Running, relation: str, catalog: Catalog, schemes: Mapping[str, Scheme]
) -> Clustered:
    """Fit and label every cluster scheme that this workspace can do; write the table `lineage`.

    `relation` is the profile with predictions, `catalog` its columns. A scheme whose libraries are missing is left out with
    a warning; the others go on.
    """
    from kequn.scheme import available

    wanted = {name: scheme for name, scheme in schemes.items() if scheme.kind.name == "cluster"}
    if not wanted:
        return Clustered(relation, schemes)
    from kequn.scheme.clusters import fit_and_label, missing_libraries, with_groups

    results: dict[str, ClusterResult] = {}
    unavailable: dict[str, tuple[str, ...]] = {}
    for name, scheme in wanted.items():
        if available(scheme, catalog):
            continue  # assignment says what is missing
        method: Any = getattr(scheme.spec, "method", "kmeans")
        lacking = missing_libraries(method)
        if lacking:
            unavailable[name] = ("kequn[cluster]",)
            running.warnings.append(
                KequnError("cluster.extra_missing", method=method, packages=list(lacking))
            )
            continue
        result = fit_and_label(
            running.engine, relation, scheme, catalog, running.work("cluster"), _before(running, name)
        )
        running.warnings.extend(result.warnings)
        joined = f"profile_with_{name}"
        join_predictions(running.engine, joined, relation, result.relation, [result.column])
        relation, results[name] = joined, result
    _write_lineage(running, results)
    running.clusters = {name: dict(result.manifest) for name, result in results.items()}
    left = {name: scheme for name, scheme in schemes.items() if name not in unavailable}
    return Clustered(
        relation, with_groups(left, {n: r.segments for n, r in results.items()}), results, unavailable
    )


def _before(running: Running, name: str) -> Before | None:
    """What the latest published run up to this date knows of a scheme, whatever its definition was."""
    from kequn.scheme.clusters import Before

    run = _latest(running)
    stored = (getattr(run.manifest, "clusters", None) or {}).get(name) if run else None
    if run is None or not stored or not run.has("assignment"):
        return None
    files = tuple(file for file in run.files("assignment") if file.name.rsplit("-", 1)[0] == name)
    return Before(run.run_id, files, stored)


def _latest(running: Running) -> Snapshot | None:
    """A second run of the same day looks at the first: groups keep their ids when only a setting changed."""
    runs = [run for run in running.workspace.store.runs() if run.manifest.as_of <= running.as_of]
    return max(runs, key=lambda run: (run.manifest.as_of, run.run_id), default=None)


def _write_lineage(running: Running, results: Mapping[str, ClusterResult]) -> None:
    import pyarrow as pa

    from kequn.pipeline.tables import write_table

    rows = [{"scheme": name, **link.as_json()} for name, result in results.items() for link in result.lineage]
    names = ("scheme", "previous", "current", "kind")
    kinds = [*((each, pa.string()) for each in names), ("customers", pa.int64()), ("jaccard", pa.float64())]
    if rows:
        write_table(pa.Table.from_pylist(rows, pa.schema(kinds)), running.draft.folder("lineage"))


__all__ = ["Clustered", "clusters_for"]
