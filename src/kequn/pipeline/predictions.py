"""The predict step: hands the predict room what it needs, and publishes its money in major units."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from kequn.engine import Parquet
from kequn.language import Column
from kequn.pipeline.covariates import available
from kequn.pipeline.offers import resolved
from kequn.pipeline.views import write_profile
from kequn.profile import ProfileColumn, ProfilePlan
from kequn.profile.published import published

if TYPE_CHECKING:
    from kequn.pipeline.run import Prediction, Running
    from kequn.predict import PredictSettings

PREDICTED_FACTS = ("orders", "order_lines", "products", "holdings", "touches")
RECOMMENDATION_MONEY = ("expected_margin",)


def predictions(running: Running, plan: ProfilePlan) -> Prediction | None:
    """Run every model the data allow; None when the business has neither orders nor contracts.

    Predictions look at the profile and the facts only, so both engines give the same.
    """
    from kequn.pipeline.run import Prediction
    from kequn.predict import PREDICTION_COLUMNS, PredictInputs, predict

    facts = {
        name: running.facts.tables[name].files for name in PREDICTED_FACTS if name in running.facts.tables
    }
    if not running.facts.history_start and "holdings" not in facts:
        return None
    work = running.work("prediction")
    inputs = PredictInputs(
        profile=running.draft.folder("profile"),
        as_of=running.as_of,
        history_start=running.facts.history_start.date() if running.facts.history_start else None,
        facts=facts,
        profile_at=lambda day: profile_at(running, day),
        folder=work,
        settings=_settings(running, plan),
    )
    result = predict(inputs)
    files = _publish(running, "prediction", result.prediction, PREDICTION_COLUMNS)
    if result.recommendation:
        _publish(running, "recommendation", result.recommendation, None)
    _keep_models(running, result.models)
    return Prediction(PREDICTION_COLUMNS, files, result.as_list())


def _settings(running: Running, plan: ProfilePlan) -> PredictSettings:
    from kequn.predict import PredictSettings
    from kequn.predict.clv.periodic import PERIODS

    chosen, models = running.workspace.settings.settings, running.workspace.settings.predictions
    repurchase = {None: "auto", True: "always", False: "never"}[chosen.repurchase]
    return PredictSettings(
        purchase_days=chosen.purchase_days,
        churn_days=chosen.lapsed_days,
        horizon_months=chosen.horizon_months,
        period_months=chosen.period_months,
        discount_rate=chosen.discount_rate,
        margin_rate=chosen.margin_rate,
        model=models.purchase_model,
        covariates=available(running, plan),
        opportunity_days=PERIODS[models.period],
        repurchase=repurchase,
        rules=resolved(running, plan),
        offers=running.workspace.settings.offers.per_customer,
        minor_unit_digits=running.digits,
    )


def profile_at(running: Running, day: date) -> Path:
    """The profile as it was known before `day`, with the features that models use, built once per run.

    None of them needs enrichment: only what is counted from dated facts may be asked of the past. DuckDB builds it on
    either engine, because both give the same cells and models are trained on a sample.
    """
    from kequn.predict.features import DATED

    folder = running.work(f"profile_at/{day.isoformat()}")
    if not folder.exists():
        start = running.facts.history_start
        plan = running.registry.plan(
            running.delivered, day, start.date() if start else None,
            minor_unit_digits=running.digits, only=[*DATED, "last_order_at"],
        )  # fmt: skip
        write_profile(running.past_engine(), plan, folder, running.digits)
    return folder


def _publish(
    running: Running, table: str, files: tuple[Path, ...], columns: Mapping[str, Column] | None
) -> tuple[Path, ...]:
    """Write a table of the predict room into the draft with money in major units; the files written."""
    import pyarrow.parquet as pq

    names = pq.read_schema(files[0]).names
    shown = [_described(name, columns) for name in names]
    running.engine.view(f"{table}_inner", Parquet(files))
    folder = running.draft.folder(table)
    order = ("customer_id", "rank") if "rank" in names else ("customer_id",)
    running.engine.write_parquet(published(shown, f"{table}_inner", running.digits), folder, sort=order)
    return tuple(sorted(folder.glob("*.parquet")))


def _described(name: str, columns: Mapping[str, Column] | None) -> ProfileColumn:
    if columns and name in columns:
        return ProfileColumn(name, columns[name].type)
    return ProfileColumn(name, "money" if name in RECOMMENDATION_MONEY else "text")


def _keep_models(running: Running, folder: Path) -> None:
    import shutil

    if folder.exists() and any(folder.iterdir()):
        shutil.copytree(folder, running.draft.path / "models", dirs_exist_ok=True)


__all__ = ["predictions", "profile_at"]
