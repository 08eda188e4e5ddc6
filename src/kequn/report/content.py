"""Everything the report shows, as plain JSON: figures as numbers, words as {zh, en}. The page only words and draws it."""

from __future__ import annotations

from typing import Any

from kequn.i18n import LANGUAGES, Lang, catalogue
from kequn.report.areas import areas
from kequn.report.predictions import predictions
from kequn.report.rulebook import rulebook
from kequn.report.segments import action_scheme, all_schemes, crossed, heat_map, portrait_gap, tiers
from kequn.report.source import Source, text
from kequn.report.summary import attention, deciles, figures, findings, monthly
from kequn.report.trust import quality, seven_models
from kequn.snapshot import Snapshot

PAGE_WORDS = "report."


def gather(snapshot: Snapshot, lang: Lang = "zh") -> dict[str, Any]:
    """Read a run. Money in major units, shares between 0 and 1, undefined is None.

    Raises SnapshotError `snapshot.pruned` when the run's profile was pruned, and what opening a damaged run raises.
    """
    snapshot.files("profile")
    manifest = snapshot.manifest.model_dump(mode="json")
    with snapshot.connect() as con:
        return _gather(Source(con, manifest), lang)


def _gather(source: Source, lang: Lang) -> dict[str, Any]:
    manifest = source.manifest
    whole, tenths, schemes = figures(source), deciles(source), all_schemes(source)
    action = action_scheme(schemes)
    return {
        "language": lang,
        "languages": list(LANGUAGES),
        "words": words(),
        "currency": manifest.get("currency") or "CNY",
        "cover": {
            "workspace": text(manifest.get("workspace"), "Kequn"), "as_of": manifest["as_of"], "run_id": manifest["run_id"],
            "engine": manifest.get("engine"), "created_at": manifest.get("created_at"), "history_start": manifest.get("history_start"),
            "version": (manifest.get("versions") or {}).get("kequn"),
        },
        "figures": {**whole, "top_decile": tenths[0]["share"] if tenths else None},
        "findings": findings(whole, tenths, action["segments"] if action else []),
        "attention": attention(source),
        "monthly": monthly(source),
        "deciles": tenths,
        "action": action["name"] if action else None,
        "heat_map": heat_map(source),
        "tiers": tiers(source, schemes),
        "crossed": crossed(source),
        "areas": areas(source),
        "schemes": schemes,
        "portrait_gap": portrait_gap(source),
        "models": seven_models(source),
        "predictions": predictions(source, action["name"] if action else None),
        "quality": quality(source),
        "rulebook": rulebook(source),
    }  # fmt: skip


def words() -> dict[str, dict[str, str]]:
    """The page's own words: {lang: {code without `report.`: text}}."""
    own = {
        code.removeprefix(PAGE_WORDS): said
        for code, said in catalogue().items()
        if code.startswith(PAGE_WORDS)
    }
    return {lang: {code: said[lang] for code, said in own.items()} for lang in LANGUAGES}


__all__ = ["gather", "words"]
