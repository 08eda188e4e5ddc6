"""What a changed scheme would do: the customers of the published run, put into segments by the new text."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kequn.editing.saving import checked
from kequn.engine import open_engine
from kequn.errors import ConfigError
from kequn.pipeline.run import members_before
from kequn.pipeline.views import join_predictions, view_profile
from kequn.profile import ProfileColumn
from kequn.reading.rules import prediction_columns, snapshot_catalog, snapshot_columns

if TYPE_CHECKING:
    from kequn.engine import Engine
    from kequn.scheme import Scheme
    from kequn.snapshot import Snapshot
    from kequn.workspace import Workspace


@dataclass(frozen=True)
class Effect:
    """Segments of one scheme before and after a change.

    `titles` are those of the new text; `before` and `after` count customers per segment (a segment that is new, or gone,
    stands in one of them only). `moves` are (from, to, customers), the most first; None is outside the scheme.
    """

    scheme: str
    titles: Mapping[str, Mapping[str, str]]
    before: Mapping[str, int]
    after: Mapping[str, int]
    moves: tuple[tuple[str | None, str | None, int], ...]

    @property
    def moved(self) -> int:
        """Customers who would be in another segment, in one at all, or in none any more."""
        return sum(customers for _, _, customers in self.moves)


def effect(workspace: Workspace, snapshot: Snapshot, path: str, text: str) -> Effect:
    """Assign the scheme in `text` (the new content of `path`) on the published profile and compare it with the run.

    Nothing is written to the workspace. It is what the next run would do on the same data: who stays in a segment for a while
    (`stay`) does so where the scheme still means the same, and starts anew after a change of meaning, as in any run.

    Raises ConfigError for a text with mistakes, `editing.no_effect_groups` for groups that only a run can find, and
    `editing.no_effect` naming what the published run lacks.
    """
    from kequn.scheme import assign

    manifest = snapshot.manifest.model_dump(mode="json")
    schemes = checked(workspace.folder, path, text, manifest)
    scheme = next((one for one in schemes.values() if one.file == path), None)
    if scheme is None:
        raise ConfigError("editing.no_scheme", file=path)
    needed = _needed(schemes, scheme.name)
    if any(one.kind.name == "cluster" for one in needed.values()):
        raise ConfigError("editing.no_effect_groups", scheme=scheme.name)
    terms = {name for one in needed.values() for rule in one.rules.values() for name in rule.terms}
    terms -= {item["name"] for item in manifest.get("columns", [])}
    if terms:
        raise ConfigError("editing.no_effect", scheme=scheme.name, missing=sorted(terms))
    catalog = snapshot_catalog(manifest)
    hidden = {item.name: item.as_column() for item in snapshot_columns(manifest) if item.hidden}
    sight = replace(catalog, columns={**catalog.columns, **hidden}, schemes={})
    with tempfile.TemporaryDirectory(prefix="kequn-effect-") as spare:
        engine = open_engine(replace(workspace.engine_settings(Path(spare)), kind="duckdb"))
        try:
            found = assign(
                engine, _rows(engine, snapshot, manifest), needed, sight, snapshot.manifest.as_of, Path(spare) / "assignment",
                work=Path(spare) / "work", previous=members_before(_run_before(workspace, manifest), needed),
            )  # fmt: skip
        finally:
            engine.close()
        if scheme.name in found.unavailable:
            missing = list(found.unavailable[scheme.name])
            raise ConfigError("editing.no_effect", scheme=scheme.name, missing=missing)
        moves = _moves(snapshot, scheme.name, found.wide)
    published = manifest.get("schemes", {}).get(scheme.name, {}).get("segments", {})
    titles = {segment.id: segment.title for segment in scheme.segments}
    return Effect(scheme.name, titles, dict(published), dict(found.results[scheme.name].counts), moves)


def _needed(schemes: Mapping[str, Scheme], name: str) -> dict[str, Scheme]:
    """The scheme with those it refers to, in the order in which they are assigned."""
    wanted: set[str] = set()
    left = [name]
    while left:
        one = left.pop()
        if one in schemes and one not in wanted:
            wanted.add(one)
            left += [*schemes[one].depends, *schemes[one].spec.refine.values()]
    return {one: scheme for one, scheme in schemes.items() if one in wanted}


def _run_before(workspace: Workspace, manifest: Mapping[str, Any]) -> Snapshot | None:
    """The run that the published one looked back to; None when there was none or it was pruned."""
    wanted = manifest.get("previous")
    return next((run for run in workspace.store.runs() if run.run_id == wanted), None)


def _rows(engine: Engine, snapshot: Snapshot, manifest: Mapping[str, Any]) -> str:
    """The relation of the published customers: profile, with predictions beside where the run has them."""
    digits = int(manifest.get("minor_unit_digits", 2))
    view_profile(engine, "profile", snapshot_columns(manifest), snapshot.files("profile"), digits)
    predicted = prediction_columns(manifest)
    if not (predicted and snapshot.has("prediction")):
        return "profile"
    columns = [ProfileColumn("customer_id", "text"), *predicted]
    view_profile(engine, "prediction", columns, snapshot.files("prediction"), digits)
    join_predictions(engine, "profile_predicted", "profile", "prediction", [item.name for item in predicted])
    return "profile_predicted"


def _moves(
    snapshot: Snapshot, scheme: str, wide: tuple[Path, ...]
) -> tuple[tuple[str | None, str | None, int], ...]:
    import duckdb

    before = [str(file) for file in snapshot.files("assignment") if file.name.rsplit("-", 1)[0] == scheme]
    sql = f"""
        SELECT b.segment, w."seg_{scheme}" AS after, count(*) FROM read_parquet($wide) AS w
        LEFT JOIN {"read_parquet($before)" if before else "(SELECT NULL AS customer_id, NULL AS segment)"} AS b USING (customer_id)
        WHERE b.segment IS DISTINCT FROM after GROUP BY ALL ORDER BY 3 DESC, 1, 2
    """
    given = {"wide": [str(file) for file in wide], **({"before": before} if before else {})}
    with duckdb.connect() as con:
        return tuple((old, new, int(customers)) for old, new, customers in con.execute(sql, given).fetchall())


__all__ = ["Effect", "effect"]
