"""The cards of the models behind lifetime value: what each found, which one is used and why, and how good it was."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from kequn.errors import ModelError
from kequn.predict.card import ModelCard, note
from kequn.predict.covariates import Attributes
from kequn.predict.gates import Gate
from kequn.predict.labels import totals_between
from kequn.predict.past import Past
from kequn.predict.purchases import season_before, statistics_before

if TYPE_CHECKING:
    from kequn.predict.clv import LifetimeValue, Statistics, ValueSettings
    from kequn.predict.clv.fit import Fit

DAYS_PER_WEEK = 7.0
IN_TIME = ("alpha", "beta")
"""Parameters that are times, but in BG/BB, which has none: printed in weeks, as in the papers."""
Quality = tuple[dict[str, Any] | None, dict[str, Any] | None]


@dataclass(frozen=True)
class Told:
    """What the cards tell of: lifetime value found from `statistics`, with covariates from `attributes` if there were any."""

    past: Past
    found: LifetimeValue
    statistics: Statistics
    minor_unit_digits: int
    attributes: Attributes | None = None


def value_cards(told: Told, sensitivity: Sequence[Mapping[str, Any]]) -> tuple[ModelCard, ...]:
    """One card per purchase model; the one in use has the quality and the `sensitivity` table (money in major units)."""
    found, as_of = told.found, told.past.as_of
    models = found.models
    measured = _held_out(told)
    fits: list[Fit[Any]] = list(models.choice.tried)
    if models.fit is not None and models.fit is not models.choice.fit:
        fits.append(models.fit)
    cards = [_card(told, fit, sensitivity, measured) for fit in fits]
    if models.fit is None:
        notes = tuple(note(code) for code in found.warnings)
        cards.append(
            ModelCard(
                "clv", _gate(found), {"sensitivity": sensitivity}, quality=measured[0], baseline=measured[1],
                used=found.method, notes=notes,
            )
        )  # fmt: skip
    if models.tailoring is not None and models.tailoring.tailored is None:
        reasons = tuple(note(code) for code in models.tailoring.warnings)
        gate = _gate(found, "bg_nbd_covariates")
        cards.append(ModelCard("bg_nbd_covariates", gate, used=found.method, fitted_on=as_of, notes=reasons))
    return (*cards, _spend_card(told))


def _card(
    told: Told, fit: Fit[Any], sensitivity: Sequence[Mapping[str, Any]], measured: Quality
) -> ModelCard:
    found, used = told.found, fit is told.found.models.fit
    parameters = _in_weeks(fit.as_record()) | _coefficients(fit)
    if used:
        parameters |= {**_assumed(found), "sensitivity": sensitivity}
    in_time = 0.0 if fit.kind == "bg_bb" else float(told.statistics.x.sum()) * math.log(DAYS_PER_WEEK)
    quality, baseline = measured if used else (None, None)
    return ModelCard(
        fit.kind,
        _gate(found, fit.kind),
        parameters,
        log_likelihood=fit.log_likelihood + in_time,
        quality=quality,
        baseline=baseline,
        published=used,
        used=found.method,
        fitted_on=told.past.as_of,
        notes=(*(_why(told) if used else ()), *(note(code) for code in fit.warnings)),
    )


def _why(told: Told) -> tuple[dict[str, Any], ...]:
    """Why the model in use is used, and what its figures count."""
    models, asked = told.found.models, told.found.settings.model
    if models.tailoring is not None and models.tailoring.tailored is not None:
        remarks = told.attributes.notes if told.attributes else ()
        reason = note("predict.why_covariates", gain=round(models.tailoring.gain or 0.0, 1))
        return (reason, *remarks, note("predict.note_covariates_today"))
    assert models.fit is not None
    others = {fit.kind for fit in models.choice.tried} - {models.fit.kind}
    if asked == models.fit.kind:
        told_so = [note("predict.why_set")]
        return (*told_so, note("predict.note_periods")) if asked == "bg_bb" else tuple(told_so)
    if asked == "auto" and others and models.fit.kind != "nbd":
        return (note("predict.why_likeliest", others=sorted(others)),)
    return ()


def _gate(found: LifetimeValue, model: str | None = None) -> Gate:
    """The first gate of a model that fails, else its last."""
    aside = ("season", "bg_nbd_covariates")
    gates = [
        gate for gate in found.gates if gate.model == model or (model is None and gate.model not in aside)
    ]
    for gate in [*(gate for gate in gates if not gate.ok), *gates]:
        return Gate(gate.ok, gate.code, gate.needed, gate.found)
    return Gate(True, "predict.gate_none", 0, 0)


def _in_weeks(record: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a purchase model with times in weeks, and its coefficients, one row for each covariate."""
    timed = () if record["model"] == "bg_bb" else IN_TIME

    def weeks(figures: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: value / DAYS_PER_WEEK if name in timed and value is not None else value
            for name, value in figures.items()
            if ":" not in name
        }

    told = weeks(record["parameters"]) | {"standard_errors": weeks(record["standard_errors"])}
    return told | {"time_unit": "week", "customers": record["customers"], "boundary": record["boundary"]}


def _coefficients(fit: Fit[Any]) -> dict[str, Any]:
    """What each covariate does, each with its standard error: `rate` (more purchases where positive), `a` and `b` of dropout, and
    `leaving`, their difference, which is what it adds to ln of the odds a / b of leaving. Empty for a fit without covariates.
    """
    rows: dict[str, dict[str, Any]] = {}
    for name, value in fit.parameters.items():
        effect, _, covariate = name.partition(":")
        if covariate:
            column, _, level = covariate.partition("=")
            row = rows.setdefault(covariate, {"column": column, "value": level or None})
            row |= {effect: value, f"{effect}_error": fit.standard_errors[name]}
    for covariate, row in rows.items():
        sides = [fit.names.index(f"{side}:{covariate}") for side in ("a", "b")]
        block = fit.log_covariance[np.ix_(sides, sides)]
        row["leaving"] = row["a"] - row["b"]
        row["leaving_error"] = math.sqrt(max(block[0, 0] + block[1, 1] - 2 * block[0, 1], 0.0))
    return {"coefficients": list(rows.values())} if rows else {}


def _assumed(found: LifetimeValue) -> dict[str, Any]:
    how = found.settings
    assumed = {
        "horizon_months": how.horizon_months,
        "discount_rate": how.discount_rate,
        "margin": how.margin,
        "season": list(found.season.index) if found.season.known else None,
    }
    return assumed | ({"opportunity_days": how.opportunity_days} if how.model == "bg_bb" else {})


def _spend_card(told: Told) -> ModelCard:
    """Gamma-Gamma with money in major units: `v` is an amount, and a density per yuan is 100 times one per fen."""
    found, spend = told.found, told.found.models.spend
    if spend is None:
        return ModelCard("gamma_gamma", _gate(found, "gamma_gamma"), used="own_mean")
    record, unit = spend.as_record(), 10.0**told.minor_unit_digits
    parameters = dict(record["parameters"])
    errors = dict(record["standard_errors"])
    for figures in (parameters, errors):
        if figures.get("v") is not None:
            figures["v"] /= unit
    return ModelCard(
        "gamma_gamma",
        _gate(found, "gamma_gamma"),
        {**parameters, "standard_errors": errors, "money_unit": "major", "customers": record["customers"]},
        log_likelihood=record["log_likelihood"] + record["customers"] * math.log(unit),
        published=True,
        used="gamma_gamma",
        fitted_on=told.past.as_of,
        notes=tuple(note(code) for code in spend.warnings),
    )


def _held_out(told: Told) -> Quality:
    """Quality of the model on the last third of the history (30 to 360 days), and of the best naive baseline."""
    from kequn.predict.clv import holdout_quality

    past, asked, fit = told.past, told.found.settings, told.found.models.choice.fit
    days = (
        min((past.as_of - past.start).days // 3, 365) // 30 * 30
    )  # whole 30 days: a cut-off that others use too
    if days < 30 or not past.orders:
        return None, None
    cut = past.as_of - timedelta(days=days)
    matrix = past.features(cut)
    if not len(matrix):
        return None, None
    bought, spent = _happened(past, cut, matrix.customer_ids, asked)
    try:
        measured = holdout_quality(
            statistics_before(past, cut, matrix, asked, told.attributes), bought, spent, days,
            replace(asked, model=fit.kind) if fit is not None else asked,
            as_of=cut, season=season_before(past, cut),
        )  # fmt: skip
    except ModelError as error:
        return {"window": cut, "error": error.code}, None
    records = [score.as_record() for score in measured.money]
    best = min(records[1:], key=lambda record: record["mae"] if record["mae"] is not None else math.inf)
    shown = {
        "window": cut,
        "holdout_days": days,
        "customers": measured.customers,
        **records[0],
        "purchases": [score.as_record() for score in measured.purchases],
        "beats_baselines": measured.beats_baselines,
    }
    return shown, {"window": cut, **best, "all": records[1:]}


def _happened(past: Past, cut: date, customer_ids: Any, settings: ValueSettings) -> tuple[Any, Any]:
    """Purchases and money (minor units) of customers from the cut on, 0 for who did not come."""
    import pyarrow as pa
    import pyarrow.compute as pc

    period_days = settings.opportunity_days if settings.model == "bg_bb" else 1.0
    happened = totals_between(past.orders, cut, past.as_of, period_days)
    place = pc.index_in(customer_ids, value_set=happened.column("customer_id").cast(pa.string()))
    at = np.asarray(pc.fill_null(place, -1).to_numpy(zero_copy_only=False))
    bought, spent = (
        np.append(happened.column(name).to_numpy(), 0)[at].astype(np.float64) for name in ("days", "amount")
    )
    return bought, spent


__all__ = ["Told", "value_cards"]
