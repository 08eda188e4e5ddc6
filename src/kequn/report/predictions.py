"""What customers will do: each model beside its baseline on held-out months, sums by segment, the offers proposed most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kequn.report.source import Source, Text, known, plain, said, text

LOWER_IS_BETTER = frozenset({"brier", "log_loss", "mae"})
MEASURES = ("auc", "log_loss", "brier", "lift_10", "ndcg_10", "precision_10", "coverage", "mae", "gini", "rank_correlation", "top_share")
SHARES = frozenset({"precision_10", "coverage", "top_share"})
OFFERS = 8


def predictions(source: Source, action: str | None) -> dict[str, Any]:
    """Model cards, sums by segment of the scheme `action`, offers; `gap` says why where there is nothing."""
    cards = [_card(source, card) for card in source.manifest.get("models") or ()]
    return {
        "gap": None if cards else said("report.no_predictions"),
        "cards": cards,
        "by_segment": _by_segment(source, action),
        "offers": _offers(source),
    }


def _card(source: Source, card: Mapping[str, Any]) -> dict[str, Any]:
    gate = card.get("gate") or {}
    quality, baseline = card.get("quality") or {}, card.get("baseline") or {}
    measures, rival = _money_scores(source, quality) if quality.get("money") else _scalars(quality, baseline)
    name = str(card.get("model"))
    return {
        "model": _named("model_name", name),
        "published": bool(card.get("published")),
        "used": _named("model_name", str(card["used"])) if card.get("used") else None,
        "gate": _gate(gate),
        "window": str(quality.get("window") or quality.get("holdout_days") or "") or None,
        "rival": _named("model_name", rival) if rival else None,
        "measures": measures,
        "reliability": quality.get("reliability") or [],
        "notes": [_note(note) for note in card.get("notes") or ()],
    }


def _gate(gate: Mapping[str, Any]) -> dict[str, Any]:
    code = f"predict.gate_{gate.get('code')}" + ("" if gate.get("ok") else "_short")
    fields = {name: _whole(gate.get(name)) for name in ("needed", "found")}
    words = said(code, **fields) if known(code) else said("report.gate", **fields)
    return {"ok": bool(gate.get("ok")), "text": words if gate else None}


def _scalars(quality: Mapping[str, Any], baseline: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
    rows = [_measure(name, quality[name], baseline.get(name)) for name in MEASURES if isinstance(quality.get(name), (int, float))]
    return rows, str(baseline["name"]) if baseline.get("name") else None


def _money_scores(source: Source, quality: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
    """Lifetime value: the model's scores on money against the baseline with the smallest error."""
    model, others = quality["money"][0], quality["money"][1:]
    rival = min(others, key=lambda score: score["mae"]) if others else {}
    unit = 10 ** int(source.manifest.get("minor_unit_digits", 2))
    rows = []
    for name in MEASURES:
        if isinstance(model.get(name), (int, float)):
            scale = unit if name == "mae" else 1
            other = rival.get(name)
            rows.append(_measure(name, model[name] / scale, other / scale if other is not None else None))
    return rows, rival.get("name")


def _measure(name: str, found: float, baseline: float | None) -> dict[str, Any]:
    better = None
    if baseline is not None and found != baseline:
        better = (found < baseline) == (name in LOWER_IS_BETTER)
    kind = "money" if name == "mae" else ("percent" if name in SHARES else "number")
    return {"name": said(f"report.measure.{name}"), "kind": kind, "model": found, "baseline": baseline, "better": better}


def _named(family: str, name: str) -> Text:
    code = f"report.{family}.{name}"
    return said(code) if known(code) else {"zh": name, "en": name}


def _note(note: Mapping[str, Any]) -> Text:
    fields = {name: value for name, value in note.items() if name != "code"}
    if "used" in fields:
        fields["used"] = _named("model_name", str(fields["used"]))
    code = str(note.get("code"))
    return said(code, **fields) if known(code) else {"zh": code, "en": code}


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _by_segment(source: Source, scheme: str | None) -> dict[str, Any] | None:
    """Money summed, everything else averaged, per segment of `scheme`."""
    columns = [c for c in source.manifest.get("prediction_columns") or () if c["type"] in ("money", "number", "integer")]
    if not columns or scheme is None or not source.has("prediction"):
        return None
    there = source.columns("prediction")
    columns = [c for c in columns if c["name"] in there]
    sums = ", ".join(f'{"sum" if c["type"] == "money" else "avg"}(p."{c["name"]}") AS "{c["name"]}"' for c in columns)
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
            {"title": source.segment_title(scheme, name), "customers": found[name]["customers"], "values": [found[name][c["name"]] for c in columns]}
            for name in source.schemes[scheme]["segments"]
            if name in found
        ],
    }


def _kind(column: Mapping[str, Any]) -> str:
    if column["type"] == "money":
        return "money"
    name = column["name"]
    return "percent" if name.startswith(("p_", "prob")) or "probability" in name or name.endswith(("_share", "_rate")) else "number"


def _offers(source: Source) -> list[dict[str, Any]]:
    """The products that stand first for most customers."""
    if not source.has("recommendation"):
        return []
    names = source.has("products")
    found = source.rows(
        "SELECT r.product_id, " + ("any_value(p.name)" if names else "NULL") + " AS name, count(*) AS customers, avg(r.probability) AS probability "
        "FROM recommendation AS r " + ("LEFT JOIN products AS p ON p.product_id = r.product_id " if names else "")
        + "WHERE r.rank = 1 GROUP BY r.product_id ORDER BY customers DESC, r.product_id LIMIT ?",
        [OFFERS],
    )  # fmt: skip
    return [{name: plain(value) for name, value in row.items()} for row in found]


__all__ = ["predictions"]
