"""The run: data → profile → predict → scheme → audience → evidence → snapshot. One direction, one pass, one `as_of`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kequn.engine import Engine, open_engine
from kequn.errors import DataError, KequnError
from kequn.language import Catalog, Column
from kequn.pipeline.clusters import Clustered, clusters_for
from kequn.pipeline.definitions import Definitions, enrich_settings, read_definitions
from kequn.pipeline.manifest import manifest_of
from kequn.pipeline.offers import offer_terms
from kequn.pipeline.progress import Clocked, Listener
from kequn.pipeline.views import join_predictions, register_facts, view_profile, write_profile
from kequn.profile import Delivered, ProfileColumn, ProfilePlan, Registry, catalog_of
from kequn.profile.enrich import Enriched, enrich
from kequn.workspace import Workspace

if TYPE_CHECKING:
    from kequn.data.facts import Facts
    from kequn.scheme import Assignment, Previous, Scheme
    from kequn.snapshot import Draft, Snapshot

WORK = "work"


@dataclass(frozen=True)
class Prediction:
    """What the predict room gave back: columns beside the profile (with types), files, model cards."""

    columns: Mapping[str, Column]
    files: tuple[Path, ...]
    models: Sequence[Mapping[str, Any]] = ()


@dataclass
class Running:
    """What the steps of one run share. Filled from top to bottom, never changed upstream."""

    workspace: Workspace
    definitions: Definitions
    facts: Facts
    as_of: date
    engine: Engine
    draft: Draft
    clock: Clocked
    previous: Snapshot | None
    warnings: list[KequnError] = field(default_factory=list)
    enriched: Enriched = field(default_factory=Enriched)
    clusters: Mapping[str, Any] = field(default_factory=dict)
    _past: Engine | None = None

    @property
    def delivered(self) -> Delivered:
        facts = {name: dict(table.columns) for name, table in self.facts.tables.items()}
        return {**facts, **self.enriched.delivered}

    @property
    def digits(self) -> int:
        return self.workspace.settings.minor_unit_digits

    @property
    def registry(self) -> Registry:
        return Registry((*self.definitions.features, *self.enriched.features))

    def past_engine(self) -> Engine:
        """The engine that looks back: this run's when it is DuckDB, else a DuckDB over the same facts."""
        if self.engine.name == "duckdb":
            return self.engine
        if self._past is None:
            settings = replace(self.workspace.engine_settings(), kind="duckdb")
            self._past = open_engine(settings)
            register_facts(self._past, self.facts.tables, self.delivered)
        return self._past

    def close(self) -> None:
        """Give back the engines."""
        self.engine.close()
        if self._past is not None:
            self._past.close()

    def work(self, name: str) -> Path:
        """A folder for intermediate tables, beside the draft's tables; dropped before publishing."""
        return self.draft.path / WORK / name


@dataclass(frozen=True)
class RunResult:
    """A published run: its snapshot and what the summary shows."""

    snapshot: Snapshot
    assignment: Assignment
    unavailable_features: int


def run(
    workspace: Workspace,
    *,
    as_of: date | None = None,
    now: datetime | None = None,
    listener: Listener | None = None,
) -> RunResult:
    """Run everything and publish a snapshot.

    `as_of` overrides the workspace's setting; `now` is the clock (default: the present). A run that fails or is killed
    leaves what was published untouched. Raises KequnError.
    """
    from kequn.snapshot import new_run_id

    now = now or datetime.now(workspace.settings.zone)
    with workspace.store.lock():
        workspace.store.sweep()
        definitions = read_definitions(workspace.folder)
        clock = Clocked(listener)
        with clock.step("facts"):
            facts = read_facts(workspace, definitions, now)
        day = as_of or workspace.as_of(facts.last_order_at, now)
        with workspace.store.begin(new_run_id(now)) as draft:
            engine = open_engine(workspace.engine_settings())
            running = Running(
                workspace, definitions, facts, day, engine, draft, clock, _before(workspace, day)
            )
            try:
                return _steps(running, now)
            finally:
                running.close()


def read_facts(workspace: Workspace, definitions: Definitions, now: datetime) -> Facts:
    """The canonical facts of a workspace, built where a source has changed."""
    from kequn.data.facts import FactSettings, load_facts

    settings = FactSettings(
        currency=workspace.settings.currency,
        time_zone=workspace.settings.time_zone,
        clock=now,
        folder_root=workspace.folder,
        minor_unit_digits=workspace.settings.minor_unit_digits,
        memory_limit=workspace.settings.engine.duckdb_limit(),
        threads=workspace.settings.engine.threads,
    )
    facts = load_facts(definitions.sources, settings, workspace.facts)
    if "customers" not in facts.tables:
        raise DataError("pipeline.no_customers")
    return facts


def _steps(running: Running, now: datetime) -> RunResult:
    from kequn.pipeline.tables import write_tables

    register_facts(running.engine, running.facts.tables, running.delivered)
    with running.clock.step("profile"):
        running.enriched = enriched_at(running, running.as_of)
        running.warnings.extend(running.enriched.warnings)
        schemes, plan = plan_profile(running)
        folder = running.draft.folder("profile")
        customers = write_profile(running.engine, plan, folder, running.digits)
        view_profile(running.engine, "profile", plan.columns, _files(folder), running.digits)
    with running.clock.step("prediction"):
        prediction = _predict(running, plan)
    relation = _with_predictions(running, prediction)
    sight = _sight(running, plan, prediction)
    with running.clock.step("cluster"):
        clustered = clusters_for(running, relation, sight, schemes)
    with running.clock.step("assignment"):
        assignment = _assign(running, clustered, sight)
    with running.clock.step("audience"):
        _audiences(running, relation, plan, assignment)
    write_tables(running, plan, assignment)
    snapshot = _publish(running, plan, assignment, prediction, customers, now)
    return RunResult(snapshot, assignment, len(plan.unavailable))


def enriched_at(running: Running, day: date) -> Enriched:
    """What SQL can't tell, from the facts before `day`; its tables are named in the engine."""
    settings = enrich_settings(running.workspace.settings, running.definitions)
    facts = {name: dict(table.columns) for name, table in running.facts.tables.items()}
    return enrich(running.engine, facts, day, running.work(f"enriched/{day.isoformat()}"), settings)


def plan_profile(running: Running) -> tuple[Mapping[str, Scheme], ProfilePlan]:
    """The schemes of the workspace, checked, and the profile with the behaviour terms their rules use."""
    from kequn.audience import audience_terms
    from kequn.scheme import load_schemes, with_schemes

    catalog = everything(running.registry, running.delivered, running.as_of, running.digits)
    schemes = load_schemes(running.definitions.under("schemes"), catalog)
    terms = [
        term for scheme in schemes.values() for rule in scheme.rules.values() for term in rule.terms.values()
    ]
    terms += audience_terms(running.definitions.under("audiences"), with_schemes(catalog, schemes.values()))
    terms += offer_terms(running.workspace.settings.offers, catalog)
    start = running.facts.history_start
    history = start.date() if start else None
    plan = running.registry.plan(
        running.delivered, running.as_of, history, terms=terms, minor_unit_digits=running.digits
    )
    return schemes, plan


def everything(registry: Registry, delivered: Delivered, as_of: date, digits: int) -> Catalog:
    """Every name a definition may use, whether or not the data at hand allow it."""
    from kequn.predict import PREDICTION_COLUMNS

    whole = registry.everything(as_of, delivered)
    catalog = catalog_of(whole.columns, delivered, as_of, minor_unit_digits=digits)
    behaviours = catalog_of((), registry.all_tables(), as_of).behaviours
    return Catalog({**catalog.columns, **PREDICTION_COLUMNS}, {}, behaviours, as_of, digits)


def _predict(running: Running, plan: ProfilePlan) -> Prediction | None:
    from kequn.pipeline.predictions import predictions

    return predictions(running, plan)


def _with_predictions(running: Running, prediction: Prediction | None) -> str:
    if prediction is None or not prediction.files:
        return "profile"
    columns = [
        ProfileColumn("customer_id", "text"),
        *(ProfileColumn(c.name, c.type) for c in prediction.columns.values()),
    ]
    view_profile(running.engine, "prediction", columns, prediction.files, running.digits)
    join_predictions(running.engine, "profile_predicted", "profile", "prediction", list(prediction.columns))
    return "profile_predicted"


def _sight(running: Running, plan: ProfilePlan, prediction: Prediction | None) -> Catalog:
    """The columns of this run: profile and predictions."""
    catalog = catalog_of(plan.columns, running.delivered, running.as_of, minor_unit_digits=running.digits)
    columns = {**catalog.columns, **(prediction.columns if prediction else {})}
    return Catalog(columns, {}, catalog.behaviours, running.as_of, running.digits)


def _assign(running: Running, clustered: Clustered, sight: Catalog) -> Assignment:
    from kequn.scheme import assign

    assignment = assign(
        running.engine, clustered.relation, clustered.schemes, sight, running.as_of,
        running.draft.folder("assignment"), work=running.work("wide"), previous=members_before(running.previous, clustered.schemes),
    )  # fmt: skip
    running.warnings.extend(assignment.warnings)
    return replace(assignment, unavailable={**assignment.unavailable, **clustered.unavailable})


def members_before(previous: Snapshot | None, schemes: Mapping[str, Scheme]) -> dict[str, Previous]:
    """For each scheme the last run's members, where the definition means the same."""
    from kequn.scheme import Previous

    if previous is None or not previous.has("assignment"):
        return {}
    before = getattr(previous.manifest, "schemes", None) or {}
    files = previous.files("assignment")
    return {
        name: Previous(previous.run_id, tuple(f for f in files if f.name.rsplit("-", 1)[0] == name))
        for name, scheme in schemes.items()
        if before.get(name, {}).get("fingerprint") == scheme.fingerprint
    }


def _audiences(running: Running, relation: str, plan: ProfilePlan, assignment: Assignment) -> None:
    from kequn.audience import load_audiences, write_audiences

    texts = running.definitions.under("audiences")
    if not texts:
        return
    hidden = {item.name: item.as_column() for item in plan.columns if item.hidden}
    everywhere = everything(running.registry, running.delivered, running.as_of, running.digits)
    sight = replace(
        assignment.catalog, columns={**everywhere.columns, **assignment.catalog.columns, **hidden}
    )
    audiences = load_audiences(texts, replace(sight, behaviours=everywhere.behaviours))
    running.warnings += write_audiences(
        running.engine, audiences, relation, "_kequn_wide", assignment.catalog, running.workspace.audiences,
        running.work("audience"), running.draft.folder("audience_member"),
    )  # fmt: skip


def _before(workspace: Workspace, as_of: date) -> Snapshot | None:
    """The latest published run with an earlier date."""
    earlier = [run for run in workspace.store.runs() if run.manifest.as_of < as_of]
    return max(earlier, key=lambda run: (run.manifest.as_of, run.run_id), default=None)


def _publish(
    running: Running, plan: ProfilePlan, assignment: Assignment, prediction: Prediction | None, customers: int, now: datetime
) -> Snapshot:  # fmt: skip
    import shutil

    with running.clock.step("publish"):
        shutil.rmtree(running.draft.path / WORK, ignore_errors=True)
        manifest = manifest_of(running, plan, assignment, prediction, customers, now)
        snapshot = running.draft.publish(manifest)
        running.workspace.store.prune(running.workspace.settings.settings.keep_runs)
    return snapshot


def _files(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(folder.glob("*.parquet")))


__all__ = [
    "Prediction",
    "RunResult",
    "Running",
    "everything",
    "members_before",
    "plan_profile",
    "read_facts",
    "run",
]
