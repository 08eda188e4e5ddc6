"""From a cluster scheme to a label for everybody in scope: sample, encode, choose, fit, assign, recognise, describe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlglot import exp

from kequn.engine import Engine, Parquet
from kequn.errors import KequnError
from kequn.language import Catalog, cast, column
from kequn.scheme.clusters.choice import (
    STABLE,
    TRY_ROWS,
    Choice,
    Stability,
    choose,
    silhouette,
    some,
    stability,
)
from kequn.scheme.clusters.encoding import (
    Encoded,
    Encoding,
    Rows,
    encoding_warnings,
    feature_of,
    learn_encoding,
)
from kequn.scheme.clusters.groups import Groups, describe_groups
from kequn.scheme.clusters.identity import Identity, first_identity, match
from kequn.scheme.clusters.methods import Fit, fit
from kequn.scheme.clusters.result import ClusterResult, Model
from kequn.scheme.clusters.sample import count_rows, draw, features_query
from kequn.scheme.kind import Bound, Scheme
from kequn.scheme.kinds.cluster import ClusterSpec, features_in, label_column
from kequn.scheme.layers import scope_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIT_ROWS = {"kmeans": 1_000_000, "latent": 50_000, "kprototypes": 5_000}
"""Beyond this many customers a better fit isn't worth its time; `max_customers` may ask for fewer."""
CUSTOMERS_A_GROUP = 20
"""`k: auto` never tries groups that would have fewer customers on average."""


@dataclass(frozen=True)
class Before:
    """What a run before knows of the scheme: its assignment files and what its manifest keeps under `clusters`."""

    run_id: str
    files: tuple[Path, ...]
    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class _Found:
    """The fit, why so many groups, and how far to trust it. `fit` is None when everybody is in one group."""

    fit: Fit | None
    choice: Choice
    stability: Stability | None = None
    silhouette: float | None = None
    warnings: tuple[KequnError, ...] = field(default=())

    @property
    def groups(self) -> int:
        return self.fit.scorer.groups if self.fit else 1


def fit_and_label(
    engine: Engine, relation: str, scheme: Scheme, catalog: Catalog, work: Path, before: Before | None = None
) -> ClusterResult:
    """Find the groups of `scheme` among the customers of `relation` and label everybody in scope.

    `relation` is a view with one row per customer and the columns of `catalog` (money in minor units, `as_of` set). Labels
    are written to `work`; the result's `relation` is a view of them. Both engines give the same members.
    Raises ModelError `cluster.extra_missing`; odd data (nobody, one customer, constant columns) gives warnings instead.
    """
    spec = scheme.spec
    assert isinstance(spec, ClusterSpec)
    features = tuple(
        feature_of(catalog.columns[name], catalog.minor_unit_digits) for name in features_in(spec, catalog)
    )
    query = features_query(
        relation, features, scope_of(Bound(scheme, catalog, scheme.name)), spec.least_known
    )
    total = count_rows(engine, query)
    rows = draw(engine, query, features, total, min(spec.max_customers, FIT_ROWS[spec.method]), spec.seed)
    encoding = learn_encoding(rows, features)
    encoded = encoding.encode(rows)
    last = before.manifest.get("k", {}).get("k") if before else None
    found = _find(scheme.name, spec, encoding, encoded, last)
    places = tuple(f"p{place}" for place in range(found.groups))
    model = Model(features, encoding, found.fit.scorer if found.fit else None, places)
    sizes = _label_everybody(engine, query, model, scheme.name, work, total)
    identity = _identity(engine, scheme.name, spec, model, sizes, before, rows)
    names = label_column(scheme.name)
    engine.view(names, _named(scheme.name, model.ids, identity.ids))
    labels = _places(model, encoded, len(rows))
    groups = describe_groups(
        scheme, encoding, encoded, rows, labels, {f.name: f for f in features}, identity, sizes, before
    )
    return ClusterResult(
        scheme.name, names, names, groups.segments,
        Model(features, encoding, model.scorer, identity.ids), identity.lineage,
        _manifest(spec, found, Model(features, encoding, model.scorer, identity.ids), groups, identity, total, len(rows), before),
        (*encoding_warnings(scheme.name, encoding), *found.warnings, *_changed(scheme.name, _lineage(identity, before))),
    )  # fmt: skip


def _find(name: str, spec: ClusterSpec, encoding: Encoding, encoded: Encoded, last: int | None) -> _Found:
    if not len(encoded):
        return _Found(
            None, Choice(1, "cluster.reason.nobody"), warnings=(KequnError("cluster.nobody", scheme=name),)
        )
    different = (
        1 if encoding.empty else _different(encoded, max(spec.at_most, 1 if spec.k == "auto" else spec.k))
    )
    warnings: list[KequnError] = []
    if spec.k == "auto":
        most = min(spec.at_most, different, len(encoded) // CUSTOMERS_A_GROUP)
        if most < 2:
            warnings.append(
                KequnError("cluster.one_group", scheme=name, customers=len(encoded), different=different)
            )
            return _Found(None, Choice(1, "cluster.reason.too_few"), warnings=tuple(warnings))
        choice = choose(spec.method, encoding, encoded, most, seed=spec.seed, last=last)
    else:
        choice = Choice(min(spec.k, different), "cluster.reason.fixed")
        if choice.k < spec.k:
            warnings.append(
                KequnError("cluster.fewer_groups", scheme=name, asked=spec.k, different=different)
            )
    if choice.k == 1:
        return _Found(None, choice, warnings=tuple(warnings))
    tried = encoded.take(some(len(encoded), TRY_ROWS[spec.method]))
    choice, fitted, stable = _settled(spec, encoding, encoded, tried, choice)
    if stable.rand < STABLE:
        warnings.append(
            KequnError("cluster.unstable", scheme=name, found=round(stable.rand, 2), least=STABLE)
        )
    apart = silhouette(encoding, tried, fitted.scorer.labels(encoding, tried))
    return _Found(fitted, choice, stable, apart, tuple(warnings))


def _settled(
    spec: ClusterSpec, encoding: Encoding, encoded: Encoded, tried: Encoded, choice: Choice
) -> tuple[Choice, Fit, Stability]:
    """The fit and its stability. A number that was proposed steps down until its groups stay the same between samples."""

    def at(k: int) -> tuple[Fit, Stability]:
        fitted = fit(spec.method, encoding, encoded, k, seed=spec.seed, starts=3)
        return fitted, stability(spec.method, encoding, tried, fitted, seed=spec.seed)

    first = at(choice.k)
    if spec.k == "auto" and first[1].rand < STABLE:
        for k in range(choice.k - 1, 1, -1):
            fitted, stable = at(k)
            if stable.rand >= STABLE:
                return replace(choice, k=k, reason="cluster.reason.fewer_stable"), fitted, stable
    return choice, *first


def _different(encoded: Encoded, enough: int) -> int:
    """How many different customers there are, counted no further than needed."""
    for rows in (2_000, len(encoded)):
        part = encoded.take(some(len(encoded), rows))
        both = np.concatenate([np.nan_to_num(part.numbers, nan=99.0), part.codes], axis=1)
        count = len(np.unique(both, axis=0))
        if count >= enough:
            break
    return count


def _label_everybody(
    engine: Engine, query: exp.Select, model: Model, scheme: str, work: Path, total: int
) -> tuple[int, ...]:
    """Write customer_id and place for everybody as `_kequn_places_<scheme>`; customers in each place."""
    import pyarrow as pa

    view = f"_kequn_places_{scheme}"
    schema = pa.schema([("customer_id", pa.string()), ("place", pa.string())])
    if total:
        engine.map_arrow(query, lambda batch: model.label(batch, "place"), schema, work, prefix=scheme)
        engine.view(view, Parquet(tuple(sorted(work.glob(f"{scheme}-*.parquet")))))
    else:
        nobody = cast(exp.Null(), "VARCHAR")
        empty = exp.select(exp.alias_(nobody, "customer_id"), exp.alias_(nobody.copy(), "place"))
        engine.view(view, exp.select(exp.Star()).from_(empty.subquery("e")).where(exp.false()))
    count = exp.alias_(cast(exp.Count(this=exp.Star(), big_int=True), "BIGINT"), "customers")
    found = engine.rows(exp.select(column("place"), count).from_(view).group_by(column("place")))
    by_place = {row["place"]: int(row["customers"]) for row in found}
    return tuple(by_place.get(place, 0) for place in model.ids)


def _identity(
    engine: Engine,
    scheme: str,
    spec: ClusterSpec,
    model: Model,
    sizes: Sequence[int],
    before: Before | None,
    rows: Rows,
) -> Identity:
    if before is None or not before.files or not before.manifest:
        return first_identity(sizes)
    previous = [str(group) for group in before.manifest["model"]["ids"]]
    return match(
        previous,
        _overlap(engine, scheme, previous, model.ids, before.files),
        sizes,
        next_number=int(before.manifest["next"]),
        keep_above=spec.keep_above,
        distance=_distance(before, model, rows),
    )


def _overlap(
    engine: Engine, scheme: str, previous: Sequence[str], places: Sequence[str], files: tuple[Path, ...]
) -> NDArray[np.int64]:
    """previous × places: customers who were in the one and are in the other."""
    engine.view(f"_kequn_before_{scheme}", Parquet(files))
    count = exp.alias_(cast(exp.Count(this=exp.Star(), big_int=True), "BIGINT"), "customers")
    old, new = exp.column("rule_segment", table="b"), exp.column("place", table="n")
    same = exp.EQ(this=exp.column("customer_id", table="b"), expression=exp.column("customer_id", table="n"))
    query = (
        exp.select(old, new, count)
        .from_(f"_kequn_before_{scheme} AS b")
        .join(f"_kequn_places_{scheme} AS n", on=same)
    )
    table = np.zeros((len(previous), len(places)), dtype=np.int64)
    for row in engine.rows(query.group_by(old.copy(), new.copy())):
        if row["rule_segment"] in previous:
            table[previous.index(row["rule_segment"]), places.index(row["place"])] = row["customers"]
    return table


def _distance(before: Before, model: Model, rows: Rows) -> NDArray[np.float64] | None:
    """previous × new: squared distance between mean values, in standard deviations of today."""
    labels = _places(model, model.encoding.encode(rows), len(rows))
    codes = model.encoding.numbers
    if not codes or not len(rows):
        return None
    now = [
        [_mean(rows.numbers[code.name][labels == place]) for code in codes] for place in range(len(model.ids))
    ]
    then = [[group["means"].get(code.name) for code in codes] for group in _in_order(before.manifest)]

    def read(means: Sequence[Sequence[float | None]]) -> NDArray[np.float64]:
        plain = np.array(
            [[np.nan if value is None else value for value in row] for row in means], dtype=np.float64
        )
        return np.column_stack([code.transform(plain[:, place]) for place, code in enumerate(codes)])

    found: NDArray[np.float64] = np.nansum((read(then)[:, None, :] - read(now)[None, :, :]) ** 2, axis=2)
    return found


def _in_order(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    by_id = {group["id"]: group for group in manifest["groups"]}
    return [by_id[group] for group in manifest["model"]["ids"]]


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _places(model: Model, encoded: Encoded, count: int) -> NDArray[np.int64]:
    return model.scorer.labels(model.encoding, encoded) if model.scorer else np.zeros(count, dtype=np.int64)


def _named(scheme: str, places: Sequence[str], ids: Sequence[str]) -> exp.Select:
    """The labels of everybody: customer_id, cluster_<scheme>."""
    ifs = [
        exp.If(
            this=exp.EQ(this=column("place"), expression=exp.Literal.string(place)),
            true=exp.Literal.string(group),
        )
        for place, group in zip(places, ids, strict=True)
    ]
    label = exp.alias_(exp.Case(ifs=ifs), label_column(scheme), quoted=True)
    return exp.select(column("customer_id"), label).from_(f"_kequn_places_{scheme}")


def _manifest(
    spec: ClusterSpec, found: _Found, model: Model, groups: Groups, identity: Identity, total: int, sampled: int,
    before: Before | None,
) -> dict[str, Any]:  # fmt: skip
    stable = found.stability
    shown = groups.as_json()
    for place, group in enumerate(shown):
        group["stability"] = stable.jaccard[place] if stable else None
    return {
        "method": spec.method, "asked": spec.k, "k": found.choice.as_json(), "customers": total, "fitted_on": sampled,
        "model": model.as_json(),
        "quality": {
            "stability": stable.rand if stable else None, "bootstrap_samples": stable.samples if stable else 0,
            "stable": stable.rand >= STABLE if stable else None, "silhouette": found.silhouette,
            "bic": found.fit.bic if found.fit else None, "fidelity": groups.tree.fidelity,
        },
        "groups": shown, "lineage": _lineage(identity, before),
        "previous": before.run_id if before else None, "next": identity.next,
    }  # fmt: skip


def _lineage(identity: Identity, before: Before | None) -> list[dict[str, Any]]:
    """The lineage with the titles that groups had in the run before: one that is gone has no other."""
    then = {group["id"]: group["title"] for group in before.manifest.get("groups", [])} if before else {}
    return [{**link.as_json(), "previous_title": then.get(link.previous)} for link in identity.lineage]


def _changed(scheme: str, lineage: Sequence[Mapping[str, Any]]) -> Iterator[KequnError]:
    """Splits, merges, newcomers and groups that are gone, told as one warning of the run."""
    ids = {
        kind: sorted({str(link["current"] or link["previous"]) for link in lineage if link["kind"] == kind})
        for kind in ("split", "merge", "new", "retired")
    }
    if any(ids.values()):
        yield KequnError(
            "cluster.changed", scheme=scheme, **{kind: names or "–" for kind, names in ids.items()}
        )


__all__ = ["Before", "fit_and_label"]
