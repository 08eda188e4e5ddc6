"""Next best offers: choose the recommender on a held-out window, then rank what each customer may get.

The value of an offer is its calibrated probability times the margin of the product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kequn.predict.calibration import quality
from kequn.predict.card import ModelCard, note
from kequn.predict.features import in_sample
from kequn.predict.gates import MINIMUM, Gate, check
from kequn.predict.recommend.candidates import (
    PER_KIND,
    Candidates,
    Chances,
    Scored,
    new_candidates,
    ranked,
    scored,
    usual_candidates,
)
from kequn.predict.recommend.evaluation import TOP, better, lookup, measure
from kequn.predict.recommend.interactions import (
    Catalogue,
    CatalogueSettings,
    Interactions,
    Sales,
    SalesLog,
    bought_since,
    catalogue,
    interactions,
)
from kequn.predict.recommend.recommenders import NOBODY, Factors, Neighbours, Popularity, Recommender
from kequn.predict.recommend.rules import OfferRules, blocked_products, permitted

LADDER = ("popularity", "bm25", "als")
"""From the simplest up; each must beat the best below it."""


@dataclass(frozen=True)
class RecommendSettings:
    """`horizon_days` of the probability, `offers` per customer, `judged` customers in the held-out comparison, seed, threads."""

    horizon_days: int = 30
    offers: int = 5
    judged: int = 5_000
    seed: int = 0
    threads: int = 2
    goods: CatalogueSettings = field(default_factory=CatalogueSettings)


@dataclass(frozen=True)
class Recommendations:
    """Offers as an Arrow table and the card of the model.

    Table: customer_id, rank (1 = the next best offer), product_id, probability (of a purchase within the horizon),
    expected_margin (int64, minor units), reason_product_id (NULL: liked by most people), again (a usual product).
    """

    table: Any
    card: ModelCard


def fit_recommendations(
    sales: Sales,
    as_of: date,
    start: date,
    settings: RecommendSettings | None = None,
    rules: OfferRules | None = None,
    tired: frozenset[tuple[str, str]] = frozenset(),
) -> Recommendations:
    """The next best offers of every customer with a purchase before `as_of`; facts begin on `start`.

    Below the gate there are none, and the card says what is missing.
    """
    settings, rules = settings or RecommendSettings(), rules or OfferRules()
    history = (as_of - start).days
    needed = max(MINIMUM["recommend"].history_days, 2 * settings.horizon_days)
    if not sales.lines or history < needed:
        short = Gate(False, "predict.gate_history_days", needed, history)
        if not sales.lines:
            short = Gate(False, "predict.gate_order_lines", 1, 0)
        return Recommendations(empty_table(), ModelCard("recommend", short))
    with SalesLog(sales, as_of, settings.goods) as log:
        goods = catalogue(log, as_of)
        bought = interactions(log, goods, as_of)
        gate = check(MINIMUM["recommend"], buyers=len(bought), products=len(goods), history_days=history)
        if not gate.ok:
            return Recommendations(empty_table(), ModelCard("recommend", gate))
        judged = _judge(log, settings)
    blocked = blocked_products(goods, rules)
    model = fit_recommender(judged.winner, bought, goods, settings)
    neighbours = model if isinstance(model, Neighbours) else _neighbours(bought, settings)
    found = scored(
        new_candidates(bought, goods, model.top(bought.days, PER_KIND, blocked)),
        usual_candidates(bought, goods, blocked),
        judged.chances,
    )
    found = _allowed(found, permitted(found, bought.customer_ids, goods, rules, tired))
    table = offers(found, bought, goods, neighbours, settings.offers)
    return Recommendations(table, _card(gate, judged, goods, as_of, settings))


@dataclass(frozen=True)
class Judged:
    """What the held-out window said."""

    winner: str
    chances: Chances
    window: date
    unseen: Mapping[str, Mapping[str, float]]
    whole: Mapping[str, Mapping[str, float]]
    probabilities: Mapping[str, Any]


def _judge(log: SalesLog, settings: RecommendSettings) -> Judged:
    """Fit on what was known one horizon ago, for a sample of customers, and compare with what they bought since.

    Probabilities are fitted on one half of the customers and measured, like the lists, on the other.
    """
    cutoff = log.as_of - timedelta(days=settings.horizon_days)
    goods = catalogue(log, cutoff)
    everybody = interactions(log, goods, cutoff)
    chosen = in_sample(everybody.customer_ids, settings.judged, settings.seed)
    bought = everybody.only(np.flatnonzero(chosen))
    after = bought_since(log, goods, bought)
    open_to_all = np.zeros(len(goods), dtype=bool)
    fresh = after - after.multiply(bought.days > 0)
    fresh.eliminate_zeros()
    lists, unseen, gains = {}, {}, {}
    for kind in LADDER:
        model = fit_recommender(kind, bought, goods, settings)
        lists[kind] = model.top(bought.days, PER_KIND, open_to_all)
        unseen[kind], gains[kind] = measure(lists[kind], fresh.tocsr(), len(goods))
    winner = LADDER[0]
    for kind in LADDER[1:]:
        if better(gains[kind], gains[winner]):
            winner = kind
    new = new_candidates(bought, goods, lists[winner])
    again = usual_candidates(bought, goods, open_to_all)
    learn = in_sample(bought.customer_ids, len(bought) // 2, settings.seed + 1)
    chances = Chances.fit(new.only(learn[new.rows]), again.only(learn[again.rows]), after)
    whole, probabilities = _judge_lists(new, again, chances, bought, goods, after, ~learn)
    return Judged(winner, chances, cutoff, unseen, whole, probabilities)


def _judge_lists(
    new: Candidates,
    again: Candidates,
    chances: Chances,
    bought: Interactions,
    goods: Catalogue,
    after: Any,
    tested: NDArray[np.bool_],
) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """The finished lists against popularity and against the customer's own habit, on the tested customers."""
    found = scored(new, again, chances)
    keep = tested[found.rows]
    p, happened = found.probability[keep], (lookup(after, found.rows, found.items) > 0)[keep]
    customers, products = len(bought), len(goods)
    lists = {
        "offers": ranked(found, found.probability, customers, TOP)[0],
        "offers_by_margin": ranked(found, found.probability * goods.unit_margin[found.items], customers, TOP)[
            0
        ],
        "habit": ranked(_habit(again), _habit(again).probability, customers, TOP)[0],
        "popularity": np.tile(np.arange(min(TOP, products)), (customers, 1)),
    }
    rows = np.flatnonzero(tested)
    return {kind: measure(entry[rows], after[rows], products)[0] for kind, entry in lists.items()}, quality(
        p, happened
    )


def _habit(again: Candidates) -> Scored:
    """What the customer bought on most days, as if that were the probability: the baseline of usual products."""
    times = again.features[:, 0] - 1e-6 * again.features[:, 1] if len(again) else np.empty(0)
    return Scored(again.rows, again.items, again.again, times)


def fit_recommender(
    kind: str, bought: Interactions, goods: Catalogue, settings: RecommendSettings
) -> Recommender:
    """Fit one of LADDER on the purchases."""
    if kind == "als":
        return Factors.fit(bought.days, seed=settings.seed, threads=settings.threads)
    return _neighbours(bought, settings) if kind == "bm25" else Popularity(len(goods))


def _neighbours(bought: Interactions, settings: RecommendSettings) -> Neighbours:
    """Item neighbours, learnt from a sample of customers: who buys what together needs no more."""
    rows = np.flatnonzero(in_sample(bought.customer_ids, settings.judged, settings.seed))
    return Neighbours.fit(bought.days[rows], threads=settings.threads)


def _allowed(found: Scored, flags: NDArray[np.bool_]) -> Scored:
    if flags.all():
        return found
    return Scored(found.rows[flags], found.items[flags], found.again[flags], found.probability[flags])


def offers(found: Scored, bought: Interactions, goods: Catalogue, neighbours: Neighbours, count: int) -> Any:
    """The best `count` candidates per customer by probability × margin, with the product that explains each.

    Products that lose money are not offered.
    """
    import pyarrow as pa

    worth = found.probability * goods.unit_margin[found.items]
    gaining = worth > 0
    found, worth = _allowed(found, gaining), worth[gaining]
    lists, positions = ranked(found, worth, len(bought), count)
    rows, place = np.nonzero(lists != NOBODY)
    items, at = lists[rows, place], positions[rows, place]
    reason = np.where(found.again[at], items, explaining(rows, items, bought, neighbours))
    products = goods.product_ids
    return pa.table(
        {
            "customer_id": bought.customer_ids.take(pa.array(rows)),
            "rank": pa.array(place + 1, pa.int64()),
            "product_id": products.take(pa.array(items)),
            "probability": pa.array(found.probability[at]),
            "expected_margin": pa.array(np.floor(worth[at] + 0.5).astype(np.int64)),
            "reason_product_id": products.take(pa.array(reason, mask=reason == NOBODY)),
            "again": pa.array(found.again[at]),
        }
    )


def explaining(
    rows: NDArray[np.int64], items: NDArray[np.int64], bought: Interactions, neighbours: Neighbours
) -> NDArray[np.int64]:
    """For each offer the bought product whose buyers most often buy the offered one too; NOBODY where none is near."""
    toward = neighbours.similarity.T.tocsr()
    found = np.full(len(rows), NOBODY, dtype=np.int64)
    step = 20_000
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        near = toward[items[part]].multiply(bought.days[rows[part]] > 0).tocsr()
        near.sort_indices()
        filled = np.flatnonzero(np.diff(near.indptr))
        if len(filled):
            entry = np.repeat(np.arange(near.shape[0]), np.diff(near.indptr))
            order = np.lexsort((near.indices, -near.data, entry))
            first = order[np.searchsorted(entry[order], filled)]
            found[start + filled] = near.indices[first]
    return found


def empty_table() -> Any:
    """No offers, with the columns of the table."""
    import pyarrow as pa

    return pa.schema(
        [
            ("customer_id", pa.string()),
            ("rank", pa.int64()),
            ("product_id", pa.string()),
            ("probability", pa.float64()),
            ("expected_margin", pa.int64()),
            ("reason_product_id", pa.string()),
            ("again", pa.bool_()),
        ]
    ).empty_table()


def _card(
    gate: Gate, judged: Judged, goods: Catalogue, as_of: date, settings: RecommendSettings
) -> ModelCard:
    notes = [] if judged.winner == LADDER[-1] else [note("predict.note_simpler_model", used=judged.winner)]
    if not goods.margin_known:
        notes.append(note("predict.note_margin_assumed", rate=settings.goods.margin_rate))
    if goods.outside:
        notes.append(note("predict.note_products_outside", outside=goods.outside, kept=len(goods)))
    return ModelCard(
        "recommend",
        gate,
        {
            "horizon_days": settings.horizon_days,
            "products": len(goods),
            "repurchase_products": int(goods.repurchase.sum()),
            "seed": settings.seed,
        },
        quality={
            "name": "offers",
            "window": judged.window,
            **judged.whole["offers"],
            "by_margin": judged.whole["offers_by_margin"],
            "unseen_only": judged.unseen,
            "probability": judged.probabilities,
        },
        baseline={
            "name": "popularity",
            "window": judged.window,
            **judged.whole["popularity"],
            "habit": judged.whole["habit"],
        },
        published=judged.winner != LADDER[0],
        used=judged.winner,
        fitted_on=as_of,
        notes=tuple(notes),
    )


__all__ = [
    "LADDER",
    "RecommendSettings",
    "Recommendations",
    "empty_table",
    "explaining",
    "fit_recommendations",
    "fit_recommender",
    "offers",
]
