"""The covariates of the purchase model in kequn.yaml: profile columns that say who a customer is, never what came of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from kequn.definitions import nearest
from kequn.errors import ConfigError, KequnError

if TYPE_CHECKING:
    from kequn.pipeline.run import Running
    from kequn.profile import ProfileColumn, ProfilePlan
    from kequn.workspace import PredictionChoice

TYPES = ("number", "decimal", "integer", "money", "boolean", "text")


def covariate_columns(
    chosen: PredictionChoice, known: Mapping[str, ProfileColumn], schemes: Collection[str]
) -> tuple[str, ...]:
    """The covariates of `predictions`, checked against all columns a profile may have (`known`).

    Raises ConfigError with file and place: `pipeline.covariate_segment` for a segment (those are made from predictions),
    `covariate_prediction`, `covariate_behaviour` (it holds the answer), `covariate_custom`, `covariate_type`, `covariate_unknown`.
    """
    from kequn.predict import PREDICTION_COLUMNS

    usable = [item.name for item in known.values() if _wrong(item) is None]
    for name in chosen.covariates:
        item = known.get(name)
        code = _wrong(item) if item is not None else "unknown"
        if item is None and (
            name.startswith(("segment(", "segment ", "seg_")) or name.split("/")[0] in schemes
        ):
            code = "segment"
        elif name in PREDICTION_COLUMNS:
            code = "prediction"
        if code is not None:
            raise ConfigError(
                f"pipeline.covariate_{code}", file="kequn.yaml", where="predictions.covariates", name=name,
                nearest=nearest(name, usable) or "city_tier", type=item.type if item else "",
            )  # fmt: skip
    return tuple(dict.fromkeys(chosen.covariates))


def _wrong(item: ProfileColumn) -> str | None:
    """Why a column can't be a covariate; None where it can."""
    if item.name.startswith("x_"):
        return "custom"
    if item.basis not in ("external", "internal") or item.model == "transactional":
        return "behaviour"
    return None if item.type in TYPES and not item.name.endswith("_id") else "type"


def available(running: Running, plan: ProfilePlan) -> tuple[str, ...]:
    """The covariates that the data at hand have; each that they lack is a warning of the run."""
    chosen = running.workspace.settings.predictions
    if not chosen.covariates:
        return ()
    whole = running.registry.everything(running.as_of, running.delivered)
    columns = {item.name: item for item in (*whole.columns, *plan.columns)}
    asked = covariate_columns(chosen, columns, scheme_names(running.definitions.under("schemes")))
    there = {item.name for item in plan.columns}
    for name in asked:
        if name not in there:
            running.warnings.append(KequnError("pipeline.covariate_unavailable", name=name))
    return tuple(name for name in asked if name in there)


def scheme_names(texts: Collection[str]) -> set[str]:
    """Names of schemes from the paths of their files."""
    return {path.rsplit("/", 1)[-1].removesuffix(".yaml") for path in texts}


__all__ = ["available", "covariate_columns", "scheme_names"]
