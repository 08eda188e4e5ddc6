"""The same tables built by Kequn: grains and features compiled by the registry, schemes by the scheme room, run by its engine."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

from sqlglot import exp

from bench.stages import Stages
from kequn.definitions import load_yaml, validate
from kequn.engine import Engine, EngineSettings, Parquet, open_engine
from kequn.language import Type
from kequn.profile import (
    Delivered,
    FeatureFile,
    ProfilePlan,
    Registry,
    catalog_of,
    customer_ranges,
)  # fmt: skip
from kequn.profile.plan import PlanInput, Planner
from kequn.profile.relation import table_relation

HERE = Path(__file__).parent
MEMORY = "2GB"
AS_OF, START = date(2026, 11, 1), date(2023, 11, 1)
FLAT: dict[str, dict[str, Type]] = {
    "customers": {"customer_id": "text", "city_tier": "text", "gender": "text"},
    "order_lines": {
        "order_id": "text", "customer_id": "text", "order_ts": "timestamp", "category": "text", "amount": "money",
    },
}  # fmt: skip
RFM = ("recency_days", "frequency", "monetary")
NINETEEN = (
    "customer_id", "city_tier", "gender", "tenure_days", "recency_days", "frequency", "monetary", "first_order", "last_order",
    "aov", "gap_mean", "gap_std", "n_categories", "top_category", "weekend_share", "evening_share", "revenue_90d",
    "revenue_prev_90d", "revenue_ratio",
)  # fmt: skip


def start(out: Path) -> Engine:
    return open_engine(EngineSettings(memory_limit=MEMORY, temp_directory=out / "spill"))


def files(folder: Path) -> Parquet:
    return Parquet(tuple(sorted(folder.glob("*.parquet"))))


def flat_plan(columns: tuple[str, ...] | None = None) -> ProfilePlan:
    """The declared columns over the flat table; only `columns` and what they need where these are given."""
    declared = validate(FeatureFile, load_yaml(HERE / "profile19.yaml"), "profile19.yaml")
    features = [item for item in declared.features if columns is None or item.name in columns]
    tables = {name: table_relation(name, types) for name, types in FLAT.items()}
    present = frozenset(FLAT) | {f"{name}.{column}" for name, types in FLAT.items() for column in types}
    return Planner(declared.grains, features, PlanInput(tables, present, START, AS_OF)).plan()


def build(engine: Engine, plan: ProfilePlan, columns: tuple[str, ...], folder: Path) -> int:
    """Write some columns of a plan, as the pipeline does: range by range of customers."""
    named = [exp.column(exp.to_identifier(name, quoted=True)) for name in columns]
    ranges = customer_ranges(engine, plan.tables)
    for number, customers in enumerate(ranges):
        query = exp.select(*named).from_(plan.within(customers).subquery("built", copy=False), copy=False)
        engine.write_parquet(query, folder, prefix=f"part-{number:05}")
    return len(ranges)


def profile19(data: Path, out: Path, stages: Stages) -> None:
    with stages.stage("plan"):
        engine, plan = _flat(data, out), flat_plan()
    with stages.stage("profile"):
        stages.notes["ranges"] = build(engine, plan, NINETEEN, out / "profile19")
    with stages.stage("scores"):
        score(engine, plan, out / "profile19", out / "scored19", names=False)
    engine.close()


def rfm(data: Path, out: Path, stages: Stages) -> None:
    with stages.stage("plan"):
        engine, plan = _flat(data, out), flat_plan((*RFM, "last_order"))
    with stages.stage("rfm"):
        stages.notes["ranges"] = build(engine, plan, ("customer_id", *RFM), out / "measured")
    with stages.stage("scores"):
        score(engine, plan, out / "measured", out / "rfm", names=True)
    engine.close()


def score(engine: Engine, plan: ProfilePlan, profile: Path, out: Path, *, names: bool) -> None:
    """The built-in RFM scheme over a written profile: exact cuts, scores and, with `names`, segments."""
    from kequn.scheme.layers import Layers
    from kequn.scheme.library import texts
    from kequn.scheme.loading import load_scheme

    catalog = catalog_of(plan.columns, {}, AS_OF)
    scheme = load_scheme(texts()["rfm.yaml"], "rfm.yaml", catalog)
    engine.view("measured", files(profile))
    layers = Layers(engine, catalog, AS_OF, exp.select(exp.Star()).from_("measured"))
    layers.assign([scheme])
    scores = ["rfm_r", "rfm_f", "rfm_m"]
    columns = ["customer_id", *RFM, *scores, "seg_rfm"] if names else [*NINETEEN, *scores]
    engine.write_parquet(
        exp.select(*columns).from_(layers.source.subquery("scored")).where("frequency > 0"), out
    )


def full(data: Path, out: Path, stages: Stages) -> None:
    """The profile of a run: every feature of the library that the facts allow, with those that enrichments (festivals, regions,
    prices, adoption …) make possible, written as a run publishes it."""
    from kequn.pipeline.views import register_facts, write_profile
    from kequn.profile.enrich import enrich

    with stages.stage("plan"):
        engine = start(out)
        delivered = canonical(data / "facts")
        tables = {name: files(data / "facts" / name) for name in delivered}
        register_facts(engine, tables, delivered)
    with stages.stage("enrich"):
        enriched = enrich(engine, delivered, AS_OF, out / "enriched")
        plan = Registry(enriched.features).plan({**delivered, **enriched.delivered}, AS_OF, START)
    with stages.stage("profile"):
        write_profile(engine, plan, out / "full", 2)
    stages.notes["columns"] = len(plan.columns)
    stages.notes["ranges"] = len(list((out / "full").glob("*.parquet")))
    engine.close()


def canonical(folder: Path) -> Delivered:
    """Tables and columns of the generated facts, with the types of the data standard."""
    import pyarrow.parquet as pq

    from kequn.data.standard import TABLES

    return {
        table.name: {
            name: TABLES[table.name].columns[name].type
            for name in pq.read_schema(next(table.glob("*.parquet"))).names
        }
        for table in sorted(folder.iterdir())
    }


def _flat(data: Path, out: Path) -> Engine:
    engine = start(out)
    for name in FLAT:
        engine.view(name, files(data / "flat" / name))
    return engine


TASKS = {"profile19": profile19, "rfm": rfm, "full": full}

if __name__ == "__main__":
    task, data, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    stages = Stages()
    TASKS[task](data, out, stages)
    stages.report()
