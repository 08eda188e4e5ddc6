"""Churn of contract businesses: how long customers hold a product, and who ends it within the horizon.

A customer's spell is the time in which any contract runs (contracts that follow within `GRACE_DAYS` continue it); it
ends when the last one does. Kaplan-Meier (1958) is the baseline, Cox's (1972) proportional hazards the model, both by
lifelines; Cox is published only when it beats Kaplan-Meier on a held-out window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kequn.errors import KequnError
from kequn.predict.calibration import beats, quality, rounded
from kequn.predict.card import ModelCard, note
from kequn.predict.extra import load, one_thread_blas
from kequn.predict.features import Array, in_sample
from kequn.predict.gates import MINIMUM, Gate, check
from kequn.predict.labels import arrow, columns_of, connect, paths

GRACE_DAYS = 30
COVARIATES = ("log_value", "products", "returning")


@dataclass(frozen=True)
class Spells:
    """One row per spell known before `as_of`: `days` held so far, whether it `ended`, and what was known at its start.

    `covariates` [n, 3]: ln(1 + value of the first contracts in minor units), products held at the start, whether the
    customer came back (1) or is held for the first time (0). `customer_ids` are sorted, spells by start within them.
    """

    as_of: date
    customer_ids: Any
    days: Array
    ended: NDArray[np.bool_]
    covariates: Array

    def __len__(self) -> int:
        return len(self.days)

    def open_ones(self) -> NDArray[np.bool_]:
        """Which spells run on `as_of`: the last one of each customer that has one."""
        return ~self.ended


def spells(holdings: Sequence[Path], as_of: date) -> Spells:
    """Spells as they were known before `as_of`: an end on or after that day had not happened yet.

    Rows whose end is before their start are left out.
    """
    with connect() as connection:
        columns = columns_of(connection, holdings)
        until = '"to"' if "to" in columns else "NULL::DATE"
        value = "COALESCE(value, 0)" if "value" in columns else "0"
        table = arrow(
            connection,
            f"""WITH held AS (
                  SELECT customer_id, "from" AS start, LEAST(COALESCE({until}, $as_of), $as_of) AS stop, product_id,
                    GREATEST({value}, 0) AS value
                  FROM read_parquet($files, union_by_name = true)
                  WHERE customer_id IS NOT NULL AND "from" < $as_of AND ({until} IS NULL OR {until} >= "from")),
                reached AS (
                  SELECT *, MAX(stop) OVER (PARTITION BY customer_id ORDER BY start, stop, product_id
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reach FROM held),
                numbered AS (
                  SELECT *, SUM(CASE WHEN reach IS NULL OR start - reach > $grace THEN 1 ELSE 0 END)
                    OVER (PARTITION BY customer_id ORDER BY start, stop, product_id ROWS UNBOUNDED PRECEDING) AS spell
                  FROM reached),
                begun AS (
                  SELECT *, MIN(start) OVER (PARTITION BY customer_id, spell) AS first FROM numbered)
                SELECT customer_id, spell, MIN(start) AS start, MAX(stop) AS stop,
                  COUNT(DISTINCT CASE WHEN start = first THEN product_id END) AS products,
                  CAST(SUM(CASE WHEN start = first THEN value ELSE 0 END) AS DOUBLE) AS value
                FROM begun GROUP BY customer_id, spell ORDER BY customer_id, spell""",
            {"files": paths(holdings), "as_of": as_of, "grace": GRACE_DAYS},
        )
    return _as_spells(table, as_of)


def _as_spells(table: Any, as_of: date) -> Spells:
    import pyarrow as pa

    start = table.column("start").to_numpy().astype("datetime64[D]")
    stop = table.column("stop").to_numpy().astype("datetime64[D]")
    covariates = np.column_stack(
        [
            np.log1p(table.column("value").to_numpy()),
            table.column("products").to_numpy().astype(np.float64),
            (table.column("spell").to_numpy() > 1).astype(np.float64),
        ]
    )
    # a contract that ran out yesterday may still be renewed: it has ended only when the grace has passed
    ended = stop < np.datetime64(as_of - timedelta(days=GRACE_DAYS))
    days = np.maximum((stop - start).astype(np.int64), 1).astype(np.float64)
    ids = table.column("customer_id").cast(pa.string()).combine_chunks()
    return Spells(as_of, ids, days, ended, covariates)


@dataclass(frozen=True)
class Survival:
    """A fitted model: baseline survival at whole days, and what each covariate adds to the log hazard (none: KM)."""

    kind: str
    curve: Array
    means: Array
    weights: Array

    def ends_within(self, held: Spells, horizon_days: int) -> Array:
        """P(the spell ends within the horizon, given that it has run so far), one per spell; NaN beyond the curve."""
        last = len(self.curve) - 1
        now = np.minimum(held.days, last).astype(np.int64)
        then = np.minimum(held.days + horizon_days, last).astype(np.int64)
        ratio = self.curve[then] / np.maximum(self.curve[now], 1e-12)
        risk = np.exp(np.clip(_weighted(held.covariates - self.means, self.weights), -20, 20))
        return np.where(held.days >= last, np.nan, 1 - np.clip(ratio, 0, 1) ** risk)


def _weighted(x: Array, weights: Array) -> Array:
    total = np.zeros(len(x))
    for place, weight in enumerate(weights):
        total += x[:, place] * weight
    return total


def fit_kaplan_meier(known: Spells) -> Survival:
    """The share still held after each number of days, for all customers alike."""
    fitter = load("lifelines").KaplanMeierFitter().fit(known.days, known.ended)
    days = np.arange(int(known.days.max()) + 1)
    curve = np.asarray(fitter.survival_function_at_times(days), dtype=np.float64)
    return Survival("kaplan_meier", curve, np.zeros(len(COVARIATES)), np.zeros(len(COVARIATES)))


def fit_cox(known: Spells, penalty: float = 0.01) -> tuple[Survival, float]:
    """Proportional hazards with a weak ridge; returns the model and its partial log-likelihood.

    Covariates that hardly vary get no weight. Raises what lifelines raises when the fit does not converge.
    """
    pandas = load("pandas")
    spread = known.covariates.std(axis=0)
    used = [place for place in range(len(COVARIATES)) if spread[place] > 1e-9]
    means = known.covariates.mean(axis=0)
    frame = pandas.DataFrame(
        {COVARIATES[place]: (known.covariates[:, place] - means[place]) / spread[place] for place in used}
    )
    frame["days"], frame["ended"] = known.days, known.ended
    with one_thread_blas():
        fitter = load("lifelines").CoxPHFitter(penalizer=penalty)
        fitter.fit(frame, duration_col="days", event_col="ended")
    weights = np.zeros(len(COVARIATES))
    for place in used:
        weights[place] = float(fitter.params_[COVARIATES[place]]) / spread[place]
    hazard = fitter.baseline_cumulative_hazard_.iloc[:, 0]
    days = np.arange(int(known.days.max()) + 1)
    at = np.searchsorted(hazard.index.to_numpy(), days, side="right") - 1
    cumulative = np.where(at >= 0, hazard.to_numpy()[np.maximum(at, 0)], 0.0)
    return Survival("cox", np.exp(-cumulative), means, weights), float(fitter.log_likelihood_)


@dataclass(frozen=True)
class ContractChurn:
    """P(ends everything within the horizon) for customers with an open spell; ids and values [n] go together."""

    customer_ids: Any
    probabilities: Array
    card: ModelCard


def fit_contract_churn(
    holdings: Sequence[Path], as_of: date, horizon_days: int, *, most: int = 100_000, seed: int = 0
) -> ContractChurn:
    """Fit on what was known one horizon ago, test on what happened since, refit today and score today's customers."""
    today = spells(holdings, as_of)
    gate = _gate(today)
    running = today.open_ones()
    import pyarrow as pa

    ids = today.customer_ids.filter(pa.array(running))
    card = ModelCard("contract_churn", gate, {"horizon_days": horizon_days})
    if not gate.ok:
        return ContractChurn(ids, np.full(int(running.sum()), np.nan), card)
    earlier = _sampled(spells(holdings, as_of - timedelta(days=horizon_days + GRACE_DAYS)), most, seed)
    winner, measured, baseline = _compare(earlier, today, horizon_days)
    sample = _sampled(today, most, seed)
    model, likelihood, used = _fit(sample, winner)
    p = rounded(np.clip(model.ends_within(_only(today, running), horizon_days), 0, 1))
    card = ModelCard(
        "contract_churn",
        gate,
        {
            "horizon_days": horizon_days,
            "grace_days": GRACE_DAYS,
            "covariates": list(COVARIATES),
            "weights": model.weights,
        },
        log_likelihood=likelihood,
        quality=measured,
        baseline=baseline,
        published=used == "cox",
        used=used,
        fitted_on=as_of,
        notes=() if used == "cox" else (note("predict.note_simpler_model", used=used),),
    )
    return ContractChurn(ids, p, card)


def _gate(known: Spells) -> Gate:
    history = float(known.days.max()) if len(known) else 0.0
    return check(
        MINIMUM["survival"], contracts=len(known), ended=int(known.ended.sum()), history_days=history
    )


def _fit(known: Spells, kind: str) -> tuple[Survival, float | None, str]:
    if kind == "cox":
        try:
            model, likelihood = fit_cox(known)
            return model, likelihood, "cox"
        except KequnError:
            raise
        except Exception:  # lifelines has no one family of errors for a fit that does not converge
            return fit_kaplan_meier(known), None, "kaplan_meier"
    return fit_kaplan_meier(known), None, "kaplan_meier"


def _compare(
    earlier: Spells, today: Spells, horizon_days: int
) -> tuple[str, dict[str, Any] | None, dict[str, Any] | None]:
    """Which of the two is the better one on the window between the two days, and how good each was."""
    running = _only(earlier, earlier.open_ones())
    if not _gate(earlier).ok or not len(running):
        return "kaplan_meier", None, None
    still = set(today.customer_ids.filter(_arrow_flags(today.open_ones())).to_pylist())
    ended = np.array([customer not in still for customer in running.customer_ids.to_pylist()])
    simple = _fit(earlier, "kaplan_meier")[0].ends_within(running, horizon_days)
    full = _fit(earlier, "cox")[0].ends_within(running, horizon_days)
    known = np.isfinite(simple) & np.isfinite(full)
    if not known.any():
        return "kaplan_meier", None, None
    winner = "cox" if beats(full[known], simple[known], ended[known]) else "kaplan_meier"
    window = earlier.as_of
    return (
        winner,
        {"name": "cox", "window": window, **quality(full[known], ended[known])},
        {"name": "kaplan_meier", "window": window, **quality(simple[known], ended[known])},
    )


def _arrow_flags(chosen: NDArray[np.bool_]) -> Any:
    import pyarrow as pa

    return pa.array(chosen)


def _only(held: Spells, chosen: NDArray[np.bool_]) -> Spells:
    return Spells(
        held.as_of,
        held.customer_ids.filter(_arrow_flags(chosen)),
        held.days[chosen],
        held.ended[chosen],
        held.covariates[chosen],
    )


def _sampled(held: Spells, most: int, seed: int) -> Spells:
    return _only(held, in_sample(held.customer_ids, most, seed))


__all__ = [
    "COVARIATES",
    "GRACE_DAYS",
    "ContractChurn",
    "Spells",
    "Survival",
    "fit_contract_churn",
    "fit_cox",
    "fit_kaplan_meier",
    "spells",
]
