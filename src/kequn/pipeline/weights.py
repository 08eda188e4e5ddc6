"""Learning a scorecard's weights: the profile as it was, its points, and who bought again since."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlglot import exp

from kequn.definitions import nearest, save_text
from kequn.engine import open_engine
from kequn.errors import ConfigError
from kequn.language import column, portable
from kequn.pipeline.definitions import read_definitions
from kequn.pipeline.progress import Clocked
from kequn.pipeline.run import Running, enriched_at, plan_profile, read_facts
from kequn.pipeline.views import register_facts, view_profile, write_profile
from kequn.profile import catalog_of
from kequn.scheme.kind import Scheme
from kequn.scheme.kinds.scorecard import item_name, items_in_use
from kequn.scheme.layers import Layers, scope_of
from kequn.scheme.weights import Learnt, learn
from kequn.workspace import Workspace

BOUGHT = (
    "SELECT DISTINCT customer_id FROM orders WHERE ordered_at >= DATE '{since}' AND ordered_at < DATE '{until}' AND customer_id IS NOT NULL "
    "AND amount >= 0 AND COALESCE(status NOT IN ('pending', 'cancelled', 'returned'), TRUE)"
)


def learn_weights(
    workspace: Workspace, name: str, days: int = 180, now: datetime | None = None
) -> tuple[Learnt, Scheme]:
    """Weights of the scorecard `name` from who bought again in the last `days`, by their points before.

    Nothing is published or written. Raises ConfigError for a scheme that is no scorecard or doesn't exist, KequnError
    `scheme.learn_few` with too few customers.
    """
    import numpy as np

    now = now or datetime.now(workspace.settings.zone)
    definitions = read_definitions(workspace.folder)
    facts = read_facts(workspace, definitions, now)
    until = workspace.as_of(facts.last_order_at, now)
    since = until - timedelta(days=days)
    with workspace.store.lock(), workspace.store.begin(_draft(now)) as draft:
        engine = open_engine(replace(workspace.engine_settings(), kind="duckdb"))
        running = Running(workspace, definitions, facts, since, engine, draft, Clocked(None), None)
        try:
            register_facts(engine, facts.tables, running.delivered)
            running.enriched = enriched_at(running, since)
            schemes, plan = plan_profile(running)
            scheme = _scorecard(schemes, name)
            folder = draft.folder("profile")
            write_profile(engine, plan, folder, running.digits)
            files = tuple(sorted(folder.glob("*.parquet")))
            view_profile(engine, "profile", plan.columns, files, running.digits)
            catalog = catalog_of(plan.columns, running.delivered, since, minor_unit_digits=running.digits)
            layers = Layers(engine, catalog, since, exp.select(exp.Star()).from_("profile"))
            bound = layers.bind([(scheme, scheme.name, None)])[0]
            layers.add(scheme.kind.steps(bound)[0])
            items = [item for _, item in items_in_use(bound)]
            names = [item_name(bound.prefix, item) for item in items]
            query = exp.select("customer_id", *(column(each) for each in names))
            rows = engine.sql(
                query.from_(layers.source.subquery("points")).where(scope_of(bound)).order_by("customer_id")
            )
            bought = portable(BOUGHT.format(since=since.isoformat(), until=until.isoformat()))
            again = set(engine.sql(bought).column(0).to_pylist())
        finally:
            running.close()
    ids = rows.column("customer_id").to_pylist()
    points = [rows.column(each).cast("float64").to_numpy(zero_copy_only=False) for each in names]
    matrix = np.column_stack(points) if points else np.zeros((len(ids), 0))
    stayed = np.array([key in again for key in ids], dtype=bool)
    return learn([(item.id, item.title, item.most) for item in items], matrix, stayed, ids), scheme


def write_weights(workspace: Workspace, name: str, learnt: Learnt) -> str:
    """Put the learnt points into the scheme's file, everything else as it was written; the file's name."""
    from kequn.scheme.editing import with_item_points

    files = {path: path.read_text(encoding="utf-8") for path in sorted(workspace.schemes.glob("*.yaml"))}
    file = next(path for path, text in files.items() if f"\nscheme: {name}\n" in f"\n{text}")
    save_text(file, with_item_points(files[file], {item.id: item.learnt for item in learnt.items}))
    return file.name


def _draft(now: datetime) -> str:
    from kequn.snapshot import new_run_id

    return new_run_id(now)


def _scorecard(schemes: dict[str, Scheme] | object, name: str) -> Scheme:
    assert isinstance(schemes, dict)
    cards = [each for each, scheme in schemes.items() if scheme.kind.name == "scorecard"]
    if name not in cards:
        raise ConfigError(
            "pipeline.no_scorecard", name=name, nearest=nearest(name, cards) or "–", known=cards
        )
    found: Scheme = schemes[name]
    return found


__all__ = ["learn_weights", "write_weights"]
