"""What customers will do: each model beside its baseline on held-out months, sums by segment, the offers proposed most."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kequn.i18n import LANGUAGES
from kequn.reading.model_cards import coefficients, note_text, titled
from kequn.report.source import Source, Text, known, plain, said, text

LOWER_IS_BETTER = frozenset({"brier", "log_loss", "mae"})
MEASURES = (
    "auc",
    "log_loss",
    "brier",
    "lift_10",
    "ndcg_10",
    "precision_10",
    "coverage",
    "mae",
    "gini",
    "rank_correlation",
    "top_share",
)
SHARES = frozenset({"precision_10", "coverage", "top_share"})
OFFERS = 8
SHOWN = (
    "p_alive",
    "expected_orders_12m",
    "expected_revenue_12m",
    "clv",
    "p_purchase_30d",
    "p_churn",
    "health_score",
)
SUMMED = frozenset({"expected_orders_12m"})


def predictions(source: Source, action: str | None) -> dict[str, Any]:
    """Model cards, sums by segment of the scheme `action`, offers; `gap` says why where there is nothing."""
    cards = [_card(source, card) for card in source.manifest.get("models") or ()]
    return {
        "gap": None if cards else said("report.no_predictions"),
        "cards": cards,
        "sensitivity": _sensitivity(source),
        "by_segment": _by_segment(source, action),
        "offers": _offers(source),
    }


def _card(source: Source, card: Mapping[str, Any]) -> dict[str, Any]:
    quality, baseline = card.get("quality") or {}, card.get("baseline") or {}
    rival, used = baseline.get("name"), card.get("used")
    return {
        "model": _titled(source, str(card.get("model"))),
        "published": bool(card.get("published")),
        "used": _named(source, str(used)) if used and used != card.get("model") else None,
        "gate": _gate(card.get("gate") or {}),
        "window": str(quality["window"]) if quality.get("window") else None,
        "judged": bool(quality),
        "rival": _named(source, str(rival)) if rival else None,
        "measures": [
            _measure(source, name, quality[name], baseline.get(name))
            for name in MEASURES
            if _is_number(quality.get(name))
        ],
        # the curve of what is in use, which may be a simpler model than the card's
        "reliability": ((quality.get("candidates") or {}).get(used) or quality).get("reliability") or [],
        "bands": [
            {
                "title": _words(f"predict.band_{name}", name),
                "customers": band.get("customers"),
                "churn": band.get("churn"),
            }
            for name, band in (quality.get("bands") or {}).items()
        ],
        "notes": [_note(source, note) for note in card.get("notes") or ()],
        "coefficients": _coefficients(source, card),
    }


def _each(words: Callable[[str], str]) -> Text:
    """What `words` says in every language."""
    return {lang: words(lang) for lang in LANGUAGES}


def _note(source: Source, note: Mapping[str, Any]) -> Text:
    return _each(lambda lang: note_text(source.manifest, note, lang))


def _coefficients(source: Source, card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What each covariate of the purchase model does, its title in every language."""
    told = {lang: coefficients(source.manifest, card, lang) for lang in LANGUAGES}
    return [
        {**row, "title": {lang: told[lang][place]["title"] for lang in LANGUAGES}}
        for place, row in enumerate(told["zh"])
    ]


def _sensitivity(source: Source) -> dict[str, Any] | None:
    """Value of all customers by horizon (rows) and yearly discount rate (columns); the settings in use are marked."""
    for card in source.manifest.get("models") or ():
        found, told = (card.get("parameters") or {}).get("sensitivity"), card.get("parameters") or {}
        if found:
            rates = sorted({row["discount_rate"] for row in found})
            values = {(row["horizon_months"], row["discount_rate"]): row["clv"] for row in found}
            return {
                "rates": rates,
                "margin": found[0]["margin"],
                "chosen": [told.get("horizon_months"), told.get("discount_rate")],
                "rows": [
                    {"horizon": horizon, "values": [values[horizon, rate] for rate in rates]}
                    for horizon in sorted({row["horizon_months"] for row in found})
                ],
            }
    return None


def _gate(gate: Mapping[str, Any]) -> dict[str, Any]:
    """A gate that was passed says how much there was; one that was not says what is missing."""
    fields = {name: _whole(gate.get(name)) for name in ("needed", "found")}
    code = str(gate.get("code"))
    if not gate:
        return {"ok": True, "text": None}
    if gate.get("ok"):
        return {"ok": True, "text": said("predict.gate_ok", **fields)}
    words = said(code, **fields) if known(code) else said("report.gate", **fields)
    return {"ok": False, "text": words}


def _measure(source: Source, name: str, found: float, baseline: Any) -> dict[str, Any]:
    """One measure beside the baseline's; errors of money stand in minor units in the card."""
    unit = 10 ** int(source.manifest.get("minor_unit_digits", 2)) if name == "mae" else 1
    other = baseline / unit if _is_number(baseline) else None
    model, better = found / unit, None
    if other is not None and model != other:
        better = (model < other) == (name in LOWER_IS_BETTER)
    kind = "money" if name == "mae" else ("percent" if name in SHARES else "measure")
    return {
        "name": said(f"report.measure.{name}"),
        "kind": kind,
        "model": model,
        "baseline": other,
        "better": better,
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _titled(source: Source, name: str) -> Text:
    """Title of a card: the purchase models of lifetime value say what they are for."""
    words = _named(source, name)
    return said("report.predict.lifetime", name=words) if known(f"predict.clv_model_{name}") else words


def _named(source: Source, name: str) -> Text:
    """A model or a method in words."""
    return _each(lambda lang: titled(source.manifest, name, lang))


def _words(code: str, otherwise: str) -> Text:
    return said(code) if known(code) else {"zh": otherwise, "en": otherwise}


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _by_segment(source: Source, scheme: str | None) -> dict[str, Any] | None:
    """Money and orders summed, everything else averaged, per segment of `scheme`."""
    columns = [
        c
        for c in source.manifest.get("prediction_columns") or ()
        if c["type"] in ("money", "number", "integer")
    ]
    if not columns or scheme is None or not source.has("prediction"):
        return None
    there = source.columns("prediction")
    columns = [c for c in columns if c["name"] in there and c["name"] in SHOWN] or [
        c for c in columns if c["name"] in there
    ][:7]
    sums = ", ".join(
        f'{"sum" if c["type"] == "money" or c["name"] in SUMMED else "avg"}(p."{c["name"]}") AS "{c["name"]}"'
        for c in columns
    )
    found = {
        row["segment"]: row
        for row in source.rows(
            f"SELECT a.segment, count(*) AS customers, {sums} FROM prediction AS p JOIN assignment AS a "
            "ON a.customer_id = p.customer_id AND a.scheme = ? GROUP BY a.segment",
            [scheme],
        )
    }  # fmt: skip
    return {
        "scheme": source.scheme_title(scheme),
        "columns": [{"title": text(c.get("title"), c["name"]), "kind": _kind(c)} for c in columns],
        "rows": [
            {
                "title": source.segment_title(scheme, name),
                "customers": found[name]["customers"],
                "values": [found[name][c["name"]] for c in columns],
            }
            for name in source.schemes[scheme]["segments"]
            if name in found
        ],
    }


def _kind(column: Mapping[str, Any]) -> str:
    if column["type"] == "money":
        return "money"
    name = column["name"]
    return (
        "percent"
        if name.startswith(("p_", "prob")) or "probability" in name or name.endswith(("_share", "_rate"))
        else "number"
    )


def _offers(source: Source) -> list[dict[str, Any]]:
    """The products that stand first for most customers."""
    if not source.has("recommendation"):
        return []
    named = source.has("product")
    found = source.rows(
        f"SELECT r.product_id, {'any_value(p.name)' if named else 'NULL'} AS name, count(*) AS customers, avg(r.probability) AS probability "
        f"FROM recommendation AS r {'LEFT JOIN product AS p ON p.product_id = r.product_id' if named else ''} "
        "WHERE r.rank = 1 GROUP BY r.product_id ORDER BY customers DESC, r.product_id LIMIT ?",
        [OFFERS],
    )
    return [{name: plain(value) for name, value in row.items()} for row in found]


__all__ = ["predictions"]
