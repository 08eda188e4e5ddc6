"""How good the predictions would have been: fit up to a past day, predict what came after, beside naive baselines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from kequn.errors import ModelError
from kequn.predict.clv import baseline
from kequn.predict.clv.season import DAYS_PER_MONTH, Season
from kequn.predict.clv.settings import ValueSettings
from kequn.predict.clv.special import Array
from kequn.predict.clv.statistics import Purchases, Statistics
from kequn.predict.clv.value import lifetime_value


@dataclass(frozen=True)
class Score:
    """One prediction against what happened, over all customers known at the cut.

    `predicted` and `actual` are totals; `mae` the mean absolute error per customer; `gini` ranks customers by the
    prediction and asks how unequal the actual figures are along it (0 = no order at all, `best_gini` = perfect);
    `rank_correlation` is Spearman's; `top_share` the part of the actual total held by the 10 % predicted best.
    """

    name: str
    predicted: float
    actual: float
    mae: float
    gini: float
    best_gini: float
    rank_correlation: float
    top_share: float

    def as_record(self) -> dict[str, Any]:
        return {
            key: value if key == "name" or np.isfinite(value) else None for key, value in vars(self).items()
        }


@dataclass(frozen=True)
class Quality:
    """Scores on held-out days: the model first, then the baselines; purchases, then money (minor units)."""

    holdout_days: int
    customers: int
    method: str
    purchases: tuple[Score, ...]
    money: tuple[Score, ...]

    @property
    def beats_baselines(self) -> dict[str, bool]:
        """Whether the model's error is smaller, and its order of customers better, than every baseline's (money)."""
        model, others = self.money[0], self.money[1:]
        return {
            "mae": all(model.mae < o.mae for o in others),
            "gini": all(model.gini > o.gini for o in others),
        }

    def as_record(self) -> dict[str, Any]:
        return {
            "holdout_days": self.holdout_days, "customers": self.customers, "method": self.method,
            "purchases": [s.as_record() for s in self.purchases], "money": [s.as_record() for s in self.money],
            "beats_baselines": self.beats_baselines,
        }  # fmt: skip


def holdout_quality(
    statistics: Statistics,
    actual_purchases: Array,
    actual_money: Array,
    holdout_days: int,
    settings: ValueSettings | None = None,
    *,
    as_of: date | None = None,
    season: Season | None = None,
) -> Quality:
    """Scores of the model fitted on `statistics` (as of the cut) against the `holdout_days` that followed.

    `actual_purchases` (purchase days) and `actual_money` (minor units) are aligned with the statistics; customers who
    bought nothing have 0. A season must be estimated from days before the cut, or it has seen the answer.

    Raises ModelError `predict.clv_bad_holdout`, and what `lifetime_value` raises.
    """
    if holdout_days <= 0 or not len(statistics) == len(actual_purchases) == len(actual_money):
        raise ModelError(
            "predict.clv_bad_holdout",
            days=holdout_days,
            customers=len(statistics),
            found=len(actual_purchases),
        )
    how = settings or ValueSettings()
    horizon = replace(how, horizon_months=holdout_days / DAYS_PER_MONTH, discount_rate=0.0, margin=1.0)
    found = lifetime_value(statistics, horizon, as_of=as_of, season=season)
    rate_purchases, rate_money = baseline.mean_times_rate(statistics, holdout_days)
    purchases = [(found.method, found.expected_purchases), ("mean_times_rate", rate_purchases)]
    money = [(found.method, found.expected_revenue), ("mean_times_rate", rate_money)]
    last_year = baseline.last_year(statistics, holdout_days)
    if last_year is not None:
        money.append(("last_year", last_year))
    return Quality(
        holdout_days, len(statistics), found.method,
        tuple(score(name, figure, actual_purchases) for name, figure in purchases),
        tuple(score(name, figure, actual_money) for name, figure in money),
    )  # fmt: skip


def backtest(
    purchases: Purchases,
    as_of: int,
    holdout_days: int,
    settings: ValueSettings | None = None,
    *,
    season: Season | None = None,
) -> Quality:
    """`holdout_quality` from purchases: cut `holdout_days` before day `as_of` (days since 1970-01-01)."""
    cut = as_of - holdout_days
    customers, statistics = purchases.statistics(cut)
    days, money = purchases.between(cut, as_of).totals(customers)
    cut_date = date(1970, 1, 1) + timedelta(days=cut) if season is not None else None
    return holdout_quality(statistics, days, money, holdout_days, settings, as_of=cut_date, season=season)


def score(name: str, predicted: Array, actual: Array) -> Score:
    """All measures of one prediction; NaN where nothing was bought or nothing could be predicted."""
    figure, truth = np.asarray(predicted, dtype=np.float64), np.asarray(actual, dtype=np.float64)
    undefined = not np.all(np.isfinite(figure))
    rank, true_rank = mid_ranks(np.nan_to_num(figure)), mid_ranks(truth)
    return Score(
        name, float(figure.sum()), float(truth.sum()),
        float(np.abs(figure - truth).mean()),
        np.nan if undefined else _gini(rank, truth), _gini(true_rank, truth),
        np.nan if undefined else _correlation(rank, true_rank),
        np.nan if undefined else _top_share(rank, truth),
    )  # fmt: skip


def mid_ranks(values: Array) -> Array:
    """Ranks from 1, equal values sharing the mean of theirs."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[where])


def _gini(rank: Array, truth: Array) -> float:
    """Gini of `truth` along `rank`: 1 minus twice the area under the concentration curve."""
    n, total = len(truth), float(truth.sum())
    return float(2 * (rank * truth).sum() / (n * total) - (n + 1) / n) if total > 0 else float("nan")


def _correlation(one: Array, other: Array) -> float:
    a, b = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / scale if scale > 0 else float("nan")


def _top_share(rank: Array, truth: Array) -> float:
    """Share of the total held by the top tenth by rank; customers tied at its border count in proportion."""
    n, total = len(truth), float(truth.sum())
    if total <= 0:
        return float("nan")
    levels, where = np.unique(-rank, return_inverse=True)
    size, held = np.bincount(where), np.bincount(where, weights=truth)
    room = n / 10 - np.concatenate([[0], np.cumsum(size)[:-1]])
    return float((held * np.clip(room / size, 0, 1)).sum()) / total if len(levels) else float("nan")
