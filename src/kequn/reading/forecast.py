"""How far each prediction of a customer can be trusted, and what moved it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kequn.i18n import catalogue, say, title
from kequn.reading.rows import has_table, rows

if TYPE_CHECKING:
    import duckdb

warnings.filterwarnings("ignore", message="Arrow output on a DB-API result", module=__name__)  # of one row
EXPLAINED = ("p_churn", "p_purchase_30d", "p_purchase_90d", "p_purchase")
"""Probabilities whose models can say what moved them, most asked for first."""
VALUE = ("p_alive", "expected_orders_12m", "expected_revenue_12m", "clv_12m", "clv", "next_order_on")
PURCHASE_MODELS = ("bg_nbd", "bg_nbd_covariates", "mbg_nbd", "pareto_nbd", "bg_bb", "nbd", "clv")
"""Cards of the models that lifetime value may come from; `clv` is that of the simple estimate."""
PURCHASE = re.compile(r"purchase_(\d+)d")
REASONS = 5
SHOWN = 2


def card_of(models: Sequence[Mapping[str, Any]], column: str) -> Mapping[str, Any] | None:
    """The card of the model behind a column of `prediction`; None when the run has none."""
    by_name = {str(card.get("model")): card for card in models}
    if column in VALUE:
        used = [
            card
            for card in models
            if card.get("used") and (card["used"] == card["model"] or card["model"] == "clv")
        ]
        return next(
            (card for card in used if card["model"] in PURCHASE_MODELS),
            None,
        )
    if column == "p_purchase":
        known = [
            name
            for name in by_name
            if name.startswith("purchase_") and name not in ("purchase_30d", "purchase_90d")
        ]
        return by_name.get(known[0] if known else "purchase_90d")
    if column == "p_churn":
        return by_name.get("contract_churn") or by_name.get("churn")
    own = {"p_purchase_30d": "purchase_30d", "p_purchase_90d": "purchase_90d", "next_best_offer": "recommend"}
    return by_name.get("health" if column.startswith("health") else own.get(column, ""))


def model_title(name: str, lang: str) -> str:
    """A model, a simpler method or a baseline in words; its own name where there are none."""
    days = PURCHASE.fullmatch(name)
    if days:
        return say("predict.model_purchase", lang, days=days.group(1))
    families = ("predict.model_", "predict.clv_model_", "predict.used_")
    return next((say(family + name, lang) for family in families if family + name in catalogue()), name)


def trust(models: Sequence[Mapping[str, Any]], column: str, lang: str) -> str:
    """How far a column can be trusted, in one phrase: its measure on held-out days beside the baseline's; "" without a card."""
    card = card_of(models, column)
    if card is None:
        return ""
    quality, baseline = card.get("quality") or {}, card.get("baseline") or {}
    used = (quality.get("candidates") or {}).get(card.get("used"), quality)
    for measure in ("auc", "rank_correlation", "ndcg_10"):
        if isinstance(used.get(measure), float):
            other = baseline.get(measure)
            code = f"reading.trust_{measure}" + ("" if isinstance(other, float) else "_alone")
            return say(
                code,
                lang,
                found=f"{used[measure]:.2f}",
                baseline=f"{other:.2f}" if isinstance(other, float) else "",
            )
    return say("reading.trust_untested", lang)


def what_moved(
    con: duckdb.DuckDBPyConnection, folder: Path, manifest: Mapping[str, Any], customer_id: str, lang: str
) -> list[dict[str, Any]]:
    """What moved this customer's chances of churn and of a purchase, largest part first.

    `folder` is the snapshot's, `manifest` its content. One entry per column and model: `column`, `title`, `used`,
    `probability`, and `reasons`: feature, title, value (money in major units) and contribution in log-odds, positive =
    raises this probability. Computed on demand by TreeSHAP or the logit's weights; a rate that is the same for
    everybody has no reasons. [] when the run kept no model or the customer never bought.
    """
    from kequn.predict.features import features_of
    from kequn.predict.reasons import reasons
    from kequn.predict.run import load_model

    if not has_table(con, "prediction"):
        return []
    chosen = "SELECT * FROM profile WHERE customer_id = ? AND frequency > 0"
    # execute, although it copies: DuckDB refuses a relation on a connection whose last result wasn't read to its end
    table = con.execute(chosen, [customer_id]).to_arrow_table()
    if table is None or not table.num_rows:
        return []
    matrix = features_of(table)
    scores = rows(con, "SELECT * FROM prediction WHERE customer_id = ?", [customer_id])
    titles = {item["name"]: title(item["title"], lang) for item in manifest.get("prediction_columns", [])}
    found: dict[str, dict[str, Any]] = {}
    for column in EXPLAINED:
        name = _model_file(folder / "models", manifest.get("models") or (), column)
        if (
            name is None
            or len(found) == SHOWN
            or name in found
            or not scores
            or scores[0].get(column) is None
        ):
            continue
        model = load_model(folder / "models", name)
        sign = -1 if column == "p_churn" else 1
        told = [reason for reason in reasons(model, matrix, REASONS)[0] if reason.contribution]
        found[name] = {
            "column": column,
            "title": titles.get(column, column),
            "used": say(f"predict.used_{model.learner.kind}", lang),
            "probability": scores[0][column],
            "reasons": [
                {
                    "feature": reason.feature,
                    "title": title(reason.title, lang) or reason.feature,
                    "value": _plain(reason.value, reason.feature, manifest),
                    "contribution": sign * reason.contribution,
                }
                for reason in told
            ],
        }
    return list(found.values())


def _model_file(folder: Path, models: Sequence[Mapping[str, Any]], column: str) -> str | None:
    """The stored model of a column; churn may share the purchase model of the same number of days."""
    names = {file.stem for file in folder.glob("*.json")}
    card = card_of(models, column)
    if card is None or card.get("model") == "contract_churn":
        return None
    days = (card.get("parameters") or {}).get("horizon_days")
    return next((name for name in (str(card["model"]), f"purchase_{days}d") if name in names), None)


def _plain(value: float | None, feature: str, manifest: Mapping[str, Any]) -> float | None:
    money = {item["name"] for item in manifest.get("columns", ()) if item["type"] == "money"}
    return (
        value / 10 ** manifest.get("minor_unit_digits", 2)
        if value is not None and feature in money
        else value
    )


def offered(
    con: duckdb.DuckDBPyConnection, recommendations: Sequence[Mapping[str, Any]], lang: str
) -> list[dict[str, Any]]:
    """The offers of a card with names of products and one sentence of why each."""
    ids = {row[key] for row in recommendations for key in ("product_id", "reason_product_id") if row.get(key)}
    names = product_names(con, sorted(ids))
    return [
        {
            **row,
            "product": names.get(row["product_id"], row["product_id"]),
            "why": offer_reason(row, names, lang),
        }
        for row in recommendations
    ]


def offer_reason(row: Mapping[str, Any], names: Mapping[Any, str], lang: str) -> str:
    """Why a row of `recommendation` is offered, in one sentence; `names` are those of products."""
    product, reason = names.get(row["product_id"], row["product_id"]), row.get("reason_product_id")
    if row.get("again"):
        return say("predict.offer_usual", lang, product=product)
    if reason:
        return say("predict.offer_because", lang, reason=names.get(reason, reason), product=product)
    return say("predict.offer_popular", lang, product=product)


def product_names(con: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> dict[Any, str]:
    """Names of these products, as far as the run knows them."""
    if not ids or not has_table(con, "product"):
        return {}
    found = rows(con, "SELECT product_id, name FROM product WHERE list_contains(?, product_id)", [list(ids)])
    return {row["product_id"]: row["name"] for row in found}


__all__ = ["card_of", "model_title", "offer_reason", "offered", "product_names", "trust", "what_moved"]
