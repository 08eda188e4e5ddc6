"""predictions: each model with its data gate, quality and baseline, and how far lifetime value hangs on its settings."""

from __future__ import annotations

from typing import Any

from kequn.cli.app import HERE, JsonOption, LangOption, WorkspaceOption, app, published
from kequn.cli.printing import count, percent, print_json, print_line, print_table
from kequn.i18n import say


@app.command()
def predictions(folder: WorkspaceOption = HERE, lang: LangOption = None, as_json: JsonOption = False) -> None:
    """每个预测模型：数据是否够、拟合质量、和基准比 · Each model: data gate, fit, quality against its baseline."""
    _, snapshot, lang = published(folder, lang)
    manifest = snapshot.manifest.model_dump(mode="json")
    models = manifest.get("models", [])
    if as_json:
        print_json(models)
        return
    if not models:
        print_line(say("report.no_predictions", lang))
    for card in models:
        for line in [
            *_model_lines(card, manifest.get("minor_unit_digits", 2), lang),
            *_why_lines(manifest, card, lang),
        ]:
            print_line(line)
    _print_sensitivity(models, lang)


def _print_sensitivity(models: list[dict[str, Any]], lang: str) -> None:
    """Lifetime value of all customers by horizon and discount rate."""
    found: list[dict[str, Any]] = next(
        (m["parameters"]["sensitivity"] for m in models if (m.get("parameters") or {}).get("sensitivity")), []
    )
    rates = sorted({row["discount_rate"] for row in found})
    values = {(row["horizon_months"], row["discount_rate"]): row["clv"] for row in found}
    body = [
        [f"{horizon:g}", *(count(round(values[horizon, rate])) for rate in rates)]
        for horizon in sorted({row["horizon_months"] for row in found})
    ]
    if body:
        names = [
            say("summary.horizon", lang),
            *(say("summary.rate", lang, rate=percent(rate)) for rate in rates),
        ]
        heading = say("summary.sensitivity", lang, margin=percent(found[0]["margin"]))
        print_table(heading, names, body, right=range(1, len(names)))


MEASURES = ("auc", "log_loss", "rank_correlation", "mae", "ndcg_10", "precision_10")
"""What of a model's quality fits a line; `--json` has all of it."""


def _model_lines(card: dict[str, Any], digits: int, lang: str) -> list[str]:
    """A model: what is in use, its data gate and fit date; then what it reached on held-out days beside its baseline."""
    used = str(card["used"]) if card.get("used") else ""
    state = "published" if card.get("published") else "unused"
    if used and used != card["model"] and not card.get("published"):
        state = "instead" if (card.get("gate") or {}).get("ok") else "simpler"
    head = [
        say(f"summary.model_{state}", lang, model=_short(str(card["model"]), lang), used=_short(used, lang))
    ]
    head.append(_gate(card.get("gate"), lang))
    if card.get("fitted_on"):
        head.append(say("summary.fitted", lang, day=card["fitted_on"]))
    quality, baseline = card.get("quality") or {}, card.get("baseline") or {}
    from kequn.reading.model_cards import short

    shown = [
        say("summary.against", lang, measure=short(say(f"report.measure.{name}", lang)), found=_figure(name, quality[name], digits),
            baseline=_figure(name, baseline.get(name), digits))
        for name in MEASURES
        if isinstance(quality.get(name), float)
    ]  # fmt: skip
    if not shown:
        return [" · ".join(head)]
    rival = (
        say("summary.rival", lang, name=_short(str(baseline["name"]), lang)) if baseline.get("name") else ""
    )
    return [" · ".join(head), "    " + " · ".join([*shown, rival] if rival else shown)]


def _why_lines(manifest: dict[str, Any], card: dict[str, Any], lang: str) -> list[str]:
    """Why a purchase model is used or not, and what each of its covariates does."""
    from kequn.reading.forecast import PURCHASE_MODELS
    from kequn.reading.model_cards import coefficients, note_text

    if card["model"] not in PURCHASE_MODELS:
        return []
    lines = [f"    {note_text(manifest, note, lang)}" for note in card.get("notes") or ()]
    for row in coefficients(manifest, card, lang):
        effects = {name: _with_error(row[name]) for name in ("rate", "leaving")}
        lines.append("    " + say("summary.covariate", lang, title=row["title"], **effects))
    return lines


def _with_error(effect: dict[str, Any]) -> str:
    error = f" ± {effect['error']:.3f}" if effect["error"] is not None else ""
    return f"×{effect['factor']:.2f} ({effect['value']:+.3f}{error})"


def _short(name: str, lang: str) -> str:
    from kequn.reading.forecast import model_title
    from kequn.reading.model_cards import short

    return short(model_title(name, lang))


def _figure(name: str, value: Any, digits: int) -> str:
    if not isinstance(value, float):
        return "–"
    return f"{value / 10**digits:,.2f}" if name == "mae" else f"{value:.3f}"


def _gate(gate: Any, lang: str) -> str:
    """What there was of what is needed; below it the sentence of what is missing."""
    if not isinstance(gate, dict):
        return ""
    needed, found = count(gate.get("needed")), count(gate.get("found"))
    if gate.get("ok"):
        return f"✓ {found} / {needed}" if gate.get("needed") else "✓"
    return say(str(gate.get("code") or "word.no"), lang, needed=needed, found=found)


__all__: list[str] = []
