"""Everything a workspace declares, read once at the beginning of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kequn.act.outcomes import FILE as OUTCOMES
from kequn.data.sources import Source, Sources, load_sources, parse_sources
from kequn.definitions import read_text
from kequn.profile import FeatureFile, load_features
from kequn.profile.enrich import EnrichSettings
from kequn.workspace import Settings

FOLDERS = ("schemes", "audiences", "playbooks", "positioning", "questionnaires", "calendar")


@dataclass(frozen=True)
class Definitions:
    """Typed sources and features; schemes, audiences and the rest as texts by their path in the workspace."""

    sources: Sources
    features: tuple[FeatureFile, ...]
    texts: Mapping[str, str]

    def under(self, folder: str) -> dict[str, str]:
        """The texts of one folder, by path."""
        return {path: text for path, text in self.texts.items() if path.startswith(f"{folder}/")}


def read_definitions(folder: Path) -> Definitions:
    """Read `sources.yaml`, `features.yaml`, `schemes/*.yaml` and the other definitions of a workspace.

    Raises ConfigError with file and place for anything wrong in them.
    """
    texts: dict[str, str] = {}
    for name in ("kequn.yaml", "sources.yaml", "features.yaml"):
        if (folder / name).exists():
            texts[name] = read_text(folder / name)
    for part in FOLDERS:
        for path in sorted((folder / part).glob("*.yaml")):
            texts[f"{part}/{path.name}"] = read_text(path)
    sources = load_sources(folder / "sources.yaml") if "sources.yaml" in texts else parse_sources("{}")
    sources = with_outcomes(sources, folder)
    features = (load_features(folder / "features.yaml"),) if "features.yaml" in texts else ()
    return Definitions(sources, features, texts)


def enrich_settings(settings: Settings, definitions: Definitions) -> EnrichSettings:
    """What the enrichments of a workspace assume: its own questionnaires and calendar, its festivals, its exchange rates."""
    rates = settings.exchange_rates
    per = {code: 1.0 if code == settings.currency else rates.get(code) for code in ("EUR", "CNY")}
    return EnrichSettings(
        minor_unit_digits=settings.minor_unit_digits,
        questionnaires=definitions.under("questionnaires"),
        calendar=definitions.under("calendar"),
        festivals=settings.with_festivals,
        per_eur=per["EUR"],
        per_cny=per["CNY"],
    )


def with_outcomes(sources: Sources, folder: Path) -> Sources:
    """The sources and, once somebody has recorded one, the outcomes of calls as touches of every run."""
    if not (folder / OUTCOMES).is_file():
        return sources
    columns = (
        "campaign_id",
        "customer_id",
        "sent_at",
        "channel",
        "arm",
        "offer_id",
        "cost",
        "responded_at",
        "converted_order_id",
    )
    taken = {source.name for source in sources.touches}
    name = next(
        name for name in ("workbench", *(f"workbench {n}" for n in range(2, 99))) if name not in taken
    )
    own = Source(name=name, files=(OUTCOMES.as_posix(),), columns={column: column for column in columns})
    return sources.model_copy(update={"touches": (*sources.touches, own)})


__all__ = ["Definitions", "enrich_settings", "read_definitions", "with_outcomes"]
