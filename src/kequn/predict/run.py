"""The predict step of a run: every model in turn, one table of predictions, one of offers, one card per model."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from kequn.errors import ModelError
from kequn.predict.card import ModelCard, note
from kequn.predict.covariates import read_attributes
from kequn.predict.features import Array, FeatureMatrix, as_float, parquet_files, read_features
from kequn.predict.gates import Gate
from kequn.predict.health import Health, fit_health
from kequn.predict.learners import SEED, THREADS
from kequn.predict.past import Past, ProfileAt
from kequn.predict.propensity import Propensity, PropensitySettings, fit_propensity
from kequn.predict.recommend import (
    CatalogueSettings,
    OfferRules,
    Recommendations,
    RecommendSettings,
    Sales,
    fit_recommendations,
    offered_lately,
)
from kequn.predict.survival import ContractChurn, fit_contract_churn
from kequn.predict.table import Files, Findings, prediction_table, write
from kequn.predict.value import Value, fit_value

if TYPE_CHECKING:
    from kequn.predict.clv import ValueSettings

Result = TypeVar("Result")


@dataclass(frozen=True)
class PredictSettings:
    """What the predictions assume.

    `purchase_days`: N of `p_purchase`, beside the fixed 30 and 90; `churn_days`: no order for so many days is churn (None: the 95th percentile of customers' mean gaps, 30 to 365);
    `margin_rate`: share of revenue that is profit (None: measured from the profile's margins, else 1: value counts
    revenue); `repurchase`: see CatalogueSettings; `contract`: churn comes from `holdings` (None: when there are holdings
    and no orders); `model`: the purchase model; `covariates`: profile columns it may learn differences from;
    `opportunity_days`: how long an opportunity of BG/BB lasts; `most`: customers a model is trained on.
    """

    purchase_days: int = 90
    churn_days: int | None = None
    horizon_months: float = 12.0
    period_months: float = 1.0
    discount_rate: float = 0.1
    margin_rate: float | None = None
    model: str = "auto"
    covariates: tuple[str, ...] = ()
    opportunity_days: float | None = None
    repurchase: str | Mapping[str, bool] = "auto"
    rules: OfferRules = field(default_factory=OfferRules)
    offers: int = 5
    contract: bool | None = None
    minor_unit_digits: int = 2
    most: int = 100_000
    seed: int = SEED
    threads: int = THREADS


@dataclass(frozen=True)
class PredictInputs:
    """What a run hands over.

    `profile`: folder of Parquet, one row per customer as of `as_of` (money BIGINT minor units or DECIMAL major ones);
    `facts`: table to files (orders, order_lines, products, holdings, touches as far as there are any); `history_start`:
    first day of the facts; `profile_at`: the profile as it was known before an earlier day; `folder`: where
    `prediction/`, `recommendation/` and `models/` are written.
    """

    profile: Path
    as_of: date
    history_start: date | None
    facts: Mapping[str, Sequence[Path]]
    profile_at: ProfileAt
    folder: Path
    settings: PredictSettings = field(default_factory=PredictSettings)

    def files(self, table: str) -> Files:
        """Files of a fact table, () when no source delivers it."""
        return tuple(self.facts.get(table, ()))


@dataclass(frozen=True)
class PredictResult:
    """Files written, one card per model, and the seconds each took.

    `prediction` has one row per customer of the profile (PREDICTION_COLUMNS; money BIGINT minor units); `recommendation`
    one per customer and rank; `models` holds what `explain` needs.
    """

    prediction: Files
    recommendation: Files
    models: Path
    cards: tuple[ModelCard, ...]
    seconds: Mapping[str, float]

    def as_list(self) -> list[dict[str, Any]]:
        """The cards as `kequn predictions --json` prints them."""
        return [card.as_dict() for card in self.cards]


@dataclass
class _Step:
    """What the models of one run share."""

    inputs: PredictInputs
    past: Past
    scoring: FeatureMatrix
    cards: list[ModelCard] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    models: dict[str, Propensity] = field(default_factory=dict)

    def timed(self, name: str, work: Callable[[], Result], otherwise: Result) -> Result:
        """Do one model's work; a missing library closes that model only, with a card that names the extra."""
        start = time.perf_counter()
        try:
            return work()
        except ModelError as error:
            if error.code != "predict.extra_missing":
                raise
            gate = Gate(False, "predict.gate_library", 1, 0)
            self.cards.append(ModelCard(name, gate, notes=(note(error.code, **error.fields),)))
            return otherwise
        finally:
            self.seconds[name] = round(time.perf_counter() - start, 3)


def predict(inputs: PredictInputs) -> PredictResult:
    """All predictions of one run.

    Raises ModelError when the profile can't be used (`predict.no_profile`, `predict.missing_column`,
    `predict.profile_from_the_future`, `predict.duplicate_customer`); too little data raises nothing: cards say it.
    """
    scoring = read_features(inputs.profile, before=inputs.as_of)
    start = inputs.history_start or inputs.as_of
    how = inputs.settings
    past = Past(inputs.profile_at, inputs.files("orders"), start, inputs.as_of, most=how.most, seed=how.seed)
    step = _Step(inputs, past, scoring)
    margin = how.margin_rate if how.margin_rate is not None else measured_margin(inputs.profile)
    churn_days = how.churn_days or _churn_days(scoring)

    value = step.timed(
        "value",
        lambda: fit_value(
            past,
            scoring,
            _value_settings(how, margin),
            how.minor_unit_digits,
            read_attributes(inputs.profile, how.covariates, scoring),
        ),
        Value({}, ()),
    )
    step.cards += value.cards
    chances = _chances(step, value, churn_days)
    contract = _contract(step, churn_days)
    health = step.timed("health", lambda: _health(step, churn_days), None)
    offers = step.timed("recommend", lambda: _offers(step, margin), None)

    findings = Findings(
        scoring, value.columns, chances, how.purchase_days, churn_days, contract, health, offers
    )
    prediction = write(inputs.folder / "prediction", prediction_table(inputs.profile, inputs.as_of, findings))
    recommendation = write(inputs.folder / "recommendation", offers.table) if offers else ()
    models = _save_models(inputs.folder / "models", step.models)
    return PredictResult(prediction, recommendation, models, tuple(step.cards), step.seconds)


def measured_margin(profile: Path) -> float | None:
    """Margin over revenue of all customers whose margin is known; None where no order carries a cost."""
    import pyarrow.parquet as pq

    files = parquet_files(profile)
    if not {"margin", "monetary"} <= set(pq.read_schema(files[0]).names):
        return None
    table = pq.ParquetDataset(files).read(columns=["margin", "monetary"])
    margin, money = as_float(table.column("margin")), as_float(table.column("monetary"))
    known = np.isfinite(margin) & np.isfinite(money)
    total = float(money[known].sum())
    rate = float(margin[known].sum()) / total if total > 0 else 0.0
    return round(min(rate, 1.0), 6) if rate > 0 else None


def _churn_days(scoring: FeatureMatrix) -> int:
    gaps = scoring.column("gap_mean_days")
    known = gaps[np.isfinite(gaps)]
    if not len(known):
        return 180
    return int(np.clip(np.quantile(known, 0.95, method="inverted_cdf"), 30, 365))


def _value_settings(how: PredictSettings, margin: float | None) -> ValueSettings:
    from kequn.predict.clv import ValueSettings

    settings = ValueSettings(
        how.horizon_months, how.period_months, how.discount_rate, 1.0 if margin is None else margin, how.model
    )
    return replace(settings, opportunity_days=how.opportunity_days) if how.opportunity_days else settings


def _chances(step: _Step, value: Value, churn_days: int) -> dict[int, Array]:
    """P(an order within h days) for each horizon, aligned with the scoring matrix; never falling in h."""
    how = step.inputs.settings
    names = {days: f"purchase_{days}d" for days in (30, 90, how.purchase_days)}
    fitting = PropensitySettings(seed=how.seed, threads=how.threads)
    found: dict[int, Array] = {}
    for days in sorted({*names, churn_days}):
        name = names.get(days, "churn")
        fit = step.timed(name, partial(fit_propensity, step.past, days, step.scoring, name, fitting), None)
        card = fit.card if fit else step.cards.pop()
        if fit and fit.model:
            found[days] = fit.model.score(step.scoring)
            step.models[name] = fit.model
        else:
            simple = value.buys_within(days)
            if simple is not None and value.method is not None:
                found[days] = simple
                card = _instead(card, value.method)
        step.cards.append(card)
        if days == churn_days and name != "churn":
            step.cards.append(_renamed(card, "churn"))
    highest = np.zeros(len(step.scoring))
    for days in sorted(found):
        highest = np.maximum(highest, found[days])
        found[days] = highest
    return found


def _instead(card: ModelCard, used: str) -> ModelCard:
    return replace(card, used=used, notes=(*card.notes, note("predict.note_simpler_model", used=used)))


def _renamed(card: ModelCard, name: str) -> ModelCard:
    return replace(card, model=name)


def _contract(step: _Step, churn_days: int) -> ContractChurn | None:
    """Churn of contracts, where the business is one of contracts."""
    holdings, how = step.inputs.files("holdings"), step.inputs.settings
    if not holdings or how.contract is False or (how.contract is None and step.past.orders):
        return None
    found = step.timed(
        "contract_churn",
        lambda: fit_contract_churn(holdings, step.inputs.as_of, churn_days, most=how.most, seed=how.seed),
        None,
    )
    if found is not None:
        step.cards.append(found.card)
    return found


def _health(step: _Step, churn_days: int) -> Health | None:
    if not len(step.scoring):
        return None
    found, card = fit_health(step.past, churn_days, step.scoring)
    step.cards.append(card)
    return found


def _offers(step: _Step, margin: float | None) -> Recommendations:
    inputs, how = step.inputs, step.inputs.settings
    goods = CatalogueSettings(repurchase=how.repurchase, margin_rate=1.0 if margin is None else margin)
    settings = RecommendSettings(offers=how.offers, seed=how.seed % 2**31, threads=how.threads, goods=goods)
    tired = offered_lately(inputs.files("touches"), inputs.as_of, how.rules.fatigue_days)
    found = fit_recommendations(
        Sales(inputs.files("order_lines"), inputs.files("products")),
        inputs.as_of,
        step.past.start,
        settings,
        how.rules,
        tired,
    )
    step.cards.append(found.card)
    return found


def _save_models(folder: Path, models: Mapping[str, Propensity]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in models.items():
        aside = folder / f".{name}.json"
        # figures must come back to the last bit, so nothing is rounded here
        aside.write_text(json.dumps(model.as_dict(), ensure_ascii=False), encoding="utf-8")
        aside.replace(folder / f"{name}.json")
    return folder


def load_model(folder: Path, name: str) -> Propensity:
    """A propensity model of a run, from its `models` folder: `purchase_30d`, `purchase_90d` or `churn`.

    Raises ModelError `predict.no_model`.
    """
    file = folder / f"{name}.json"
    if not file.is_file():
        raise ModelError("predict.no_model", name=name)
    return Propensity.from_dict(json.loads(file.read_text(encoding="utf-8")))


__all__ = [
    "PredictInputs",
    "PredictResult",
    "PredictSettings",
    "load_model",
    "measured_margin",
    "predict",
]
