"""The folder a user works in: typed settings and paths.

Rooms get the settings they need, never the Workspace itself.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from kequn.definitions import (
    load_yaml,
    nearest,
    parse_yaml,
    read_text,
    refusal,
    save_text,
    save_yaml,
    validate,
)
from kequn.errors import ConfigError

if TYPE_CHECKING:
    from kequn.engine import EngineSettings
    from kequn.snapshot import SnapshotStore

SETTINGS = "kequn.yaml"
_NO_MINOR_UNIT = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
IGNORED = "# 由 Kequn 生成，不入库 · made by Kequn, not for git\n/facts/\n/snapshots/\n/data/workbench/\n/state.sqlite3*\n"
_MEMORY = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]i?B)", re.IGNORECASE)
DUCKDB_SHARE = 0.85
"""Of a run's memory. DuckDB counts only what its buffers hold: at 50 M lines a process took a third more than that."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class Titles(_Strict):
    """A title in both languages."""

    zh: str
    en: str


class EngineChoice(_Strict):
    """Where a run computes. `memory_limit` and `temp_directory` are for DuckDB; `master` and `spark` are Spark's."""

    kind: Literal["duckdb", "spark"] = "duckdb"
    memory_limit: str = "4GB"
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    temp_directory: str | None = None
    master: str = "local[2]"
    spark: dict[str, str] = Field(default_factory=dict)

    @field_validator("memory_limit")
    @classmethod
    def _size(cls, text: str) -> str:
        if not _MEMORY.fullmatch(text):
            raise refusal("workspace.memory_limit")
        return text

    def duckdb_limit(self, share: float = DUCKDB_SHARE) -> str:
        """What a DuckDB is told to keep to; the rest of `memory_limit` is for Arrow, Python and what DuckDB doesn't count."""
        size = _MEMORY.fullmatch(self.memory_limit)
        assert size is not None, self.memory_limit
        return f"{float(size[1]) * share:g}{size[2]}"


class RunSettings(_Strict):
    """What the calculations assume.

    `horizon_months` and `period_months`: how far lifetime value looks and in what steps; `discount_rate`: per year;
    `margin_rate`: share of revenue that is profit, where orders carry no cost; `service_cost_per_order`: in major units;
    `purchase_days`: horizon of the purchase and churn probabilities; `lapsed_days`, `new_days`: when a customer counts as
    lapsed or new (None: proposed from the data); `repurchase`: customers buy the same product again, so what they own may
    be offered again (None: judged by category from the data); `keep_runs`: whole runs that are kept.
    """

    horizon_months: int = Field(default=12, ge=1, le=120)
    period_months: int = Field(default=1, ge=1, le=12)
    discount_rate: float = Field(default=0.1, ge=0, le=1, allow_inf_nan=False)
    margin_rate: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    service_cost_per_order: Annotated[Decimal, Field(strict=False, ge=0, allow_inf_nan=False)] | None = None
    purchase_days: int = Field(default=90, ge=1, le=1095)
    lapsed_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    new_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    repurchase: bool | None = None
    keep_runs: int = Field(default=10, ge=1, le=10_000)


class OfferChoice(_Strict):
    """What may be offered to whom. Products are named by id, or all at once by category or subcategory.

    `per_customer`: offers kept for each customer; `fatigue_days`: a product offered to somebody within so many days is not
    offered to them again (0: no limit); `only`: nothing else is offered; `never`: these are not; `not_for`: a rule, customers
    who get no offer; `eligible`: product or category to a rule, nobody else gets it. Rules use profile columns and
    behaviour, not predictions or segments, which come later.
    """

    per_customer: int = Field(default=5, ge=1, le=20)
    fatigue_days: int = Field(default=30, ge=0, le=3650)
    only: list[str] = Field(default_factory=list)
    never: list[str] = Field(default_factory=list)
    not_for: str | None = None
    eligible: dict[str, str] = Field(default_factory=dict)


class PredictionChoice(_Strict):
    """Which purchase model stands behind lifetime value, and what it may learn differences between customers from.

    `purchase_model`: `auto` takes the likeliest of BG/NBD, modified BG/NBD and Pareto/NBD; `period`: how long one
    opportunity to buy lasts, for `bg_bb`; `covariates`: columns of the profile that say who a customer is, for BG/NBD.
    """

    purchase_model: Literal["auto", "bg_nbd", "mbg_nbd", "pareto_nbd", "bg_bb"] = "auto"
    period: Literal["week", "month", "quarter", "year"] = "month"
    covariates: list[str] = Field(default_factory=list, max_length=8)

    @model_validator(mode="after")
    def _belong_together(self) -> PredictionChoice:
        if self.covariates and self.purchase_model not in ("auto", "bg_nbd"):
            raise refusal("workspace.covariates_model", model=self.purchase_model)
        if "period" in self.model_fields_set and self.purchase_model != "bg_bb":
            raise refusal("workspace.period_model", model=self.purchase_model)
        return self


AsOf = Literal["latest", "today"] | dt.date


class Settings(_Strict):
    """kequn.yaml."""

    name: str | Titles = "kequn"
    language: Literal["zh", "en"] = "zh"
    currency: str = "CNY"
    time_zone: str = "Asia/Shanghai"
    as_of: AsOf = "latest"
    exchange_rates: dict[
        Annotated[str, Field(pattern="^[A-Z]{3}$")],
        Annotated[float, Field(gt=0, allow_inf_nan=False, strict=False)],
    ] = Field(default_factory=dict)
    """Units of `currency` for one unit of another currency: {EUR: 7.8} where `currency` is CNY."""
    festivals: Literal["china", "none"] | None = None
    """Whose festivals orders are held against. None: China's where `currency` is CNY."""
    leave_out: list[str] = Field(default_factory=list)
    """Built-in schemes that this business doesn't want to be given."""
    engine: EngineChoice = EngineChoice()
    settings: RunSettings = RunSettings()
    offers: OfferChoice = OfferChoice()
    predictions: PredictionChoice = PredictionChoice()

    @field_validator("currency")
    @classmethod
    def _code(cls, text: str) -> str:
        if not re.fullmatch(r"[A-Z]{3}", text):
            raise refusal("workspace.currency")
        return text

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, text: str) -> str:
        known = available_timezones()
        if text not in known:
            raise refusal("workspace.time_zone", nearest=nearest(text, sorted(known)) or "Asia/Shanghai")
        return text

    @field_validator("as_of", mode="before")
    @classmethod
    def _day(cls, value: object) -> object:
        if value in ("latest", "today") or (
            isinstance(value, dt.date) and not isinstance(value, dt.datetime)
        ):
            return value
        raise refusal("workspace.as_of")

    @property
    def with_festivals(self) -> bool:
        """Whether orders are held against China's festivals."""
        return self.festivals == "china" or (self.festivals is None and self.currency == "CNY")

    @property
    def minor_unit_digits(self) -> int:
        """Decimals of the currency: 2 for CNY, 0 for JPY, 3 for KWD (ISO 4217)."""
        return 0 if self.currency in _NO_MINOR_UNIT else 3 if self.currency in _THREE_DIGITS else 2

    @property
    def zone(self) -> ZoneInfo:
        """The workspace's time zone."""
        return ZoneInfo(self.time_zone)


@dataclass(frozen=True)
class Workspace:
    """A folder with a kequn.yaml, and where everything lies in it."""

    folder: Path
    settings: Settings

    @classmethod
    def open(cls, folder: Path) -> Workspace:
        """The workspace in `folder`. Raises ConfigError when there is none or its kequn.yaml is wrong."""
        file = folder / SETTINGS
        if not file.is_file():
            raise ConfigError("workspace.none", folder=str(folder), file=SETTINGS)
        return cls(folder, validate(Settings, load_yaml(file), str(file)))

    @classmethod
    def create(cls, folder: Path, settings: Settings | None = None, text: str | None = None) -> Workspace:
        """A new workspace in `folder`: kequn.yaml from `settings` (or the given `text` of it) and the empty folders.

        Raises ConfigError when `folder` already is a workspace, `text` is wrong, or the disk refuses.
        """
        file = folder / SETTINGS
        if file.exists():
            raise ConfigError("workspace.exists", folder=str(folder), file=SETTINGS)
        if folder.exists() and not folder.is_dir():
            raise ConfigError("workspace.no_folder", folder=str(folder))
        text = text if text is not None else settings_text(settings or Settings())
        made = cls(folder, validate(Settings, parse_yaml(text, str(file)), str(file)))
        save_yaml(file, text)
        try:
            for path in (made.schemes, made.audiences, made.playbooks, made.positioning, made.data):
                path.mkdir(exist_ok=True)
            if not (folder / ".gitignore").exists():
                save_text(folder / ".gitignore", IGNORED)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigError("definitions.cannot_write", file=str(error.filename), reason=reason) from error
        return made

    @property
    def sources_file(self) -> Path:
        """sources.yaml: where each canonical table comes from."""
        return self.folder / "sources.yaml"

    @property
    def features_file(self) -> Path:
        """features.yaml: the user's own profile features; need not exist."""
        return self.folder / "features.yaml"

    @property
    def schemes(self) -> Path:
        """Folder of segmentation schemes."""
        return self.folder / "schemes"

    @property
    def audiences(self) -> Path:
        """Folder of named lists."""
        return self.folder / "audiences"

    @property
    def playbooks(self) -> Path:
        """Folder of what each segment gets."""
        return self.folder / "playbooks"

    @property
    def positioning(self) -> Path:
        """Folder of market, competitors and choices."""
        return self.folder / "positioning"

    @property
    def questionnaires(self) -> Path:
        """Folder of the workspace's own questionnaires."""
        return self.folder / "questionnaires"

    @property
    def calendar(self) -> Path:
        """Folder of festivals and local events that the workspace declares."""
        return self.folder / "calendar"

    @property
    def data(self) -> Path:
        """Folder of local data files."""
        return self.folder / "data"

    @property
    def workbench_data(self) -> Path:
        """What people did in the workbench, exported as a source."""
        return self.data / "workbench"

    @property
    def facts(self) -> Path:
        """Canonical tables as Parquet."""
        return self.folder / "facts"

    @property
    def snapshots(self) -> Path:
        """Results of runs."""
        return self.folder / "snapshots"

    @property
    def state_file(self) -> Path:
        """The workbench's own database, unless KEQUN_DATABASE_URL names another."""
        return self.folder / "state.sqlite3"

    @cached_property
    def store(self) -> SnapshotStore:
        """The runs of this workspace."""
        from kequn.snapshot import SnapshotStore

        return SnapshotStore(self.snapshots)

    def definition_files(self) -> Iterator[Path]:
        """Every definition there is, in a fixed order: kequn.yaml, sources, features, schemes, audiences and the other folders."""
        for file in (self.folder / SETTINGS, self.sources_file, self.features_file):
            if file.is_file():
                yield file
        for folder in (
            self.schemes,
            self.audiences,
            self.playbooks,
            self.positioning,
            self.questionnaires,
            self.calendar,
        ):
            yield from yaml_files(folder)

    def definition_texts(self) -> dict[str, str]:
        """Text of every definition by its path in the workspace (`schemes/rfm.yaml`), for the manifest of a run.

        Raises ConfigError when a file can't be read.
        """
        return {file.relative_to(self.folder).as_posix(): read_text(file) for file in self.definition_files()}

    def engine_settings(self, *directories: Path) -> EngineSettings:
        """How the engine runs here; it may touch this folder, `directories` and the temporary one."""
        from kequn.engine import EngineSettings

        chosen = self.settings.engine
        temp = (self.folder / chosen.temp_directory).resolve() if chosen.temp_directory else None
        return EngineSettings(
            kind=chosen.kind,
            memory_limit=chosen.duckdb_limit(),
            threads=chosen.threads,
            temp_directory=temp,
            directories=(self.folder.resolve(), *directories),
            master=chosen.master,
            spark=tuple(sorted(chosen.spark.items())),
        )

    def as_of(self, last_order: dt.datetime | dt.date | None, clock: dt.datetime) -> dt.date:
        """The day a run that starts at `clock` looks from; see `resolve_as_of`."""
        return resolve_as_of(self.settings.as_of, last_order, clock, self.settings.zone)


def yaml_files(folder: Path) -> list[Path]:
    """The YAML files of a folder by name, without hidden ones; empty when there is no such folder."""
    found = (path for pattern in ("*.yaml", "*.yml") for path in folder.glob(pattern) if path.is_file())
    return sorted(path for path in found if not path.name.startswith("."))


def resolve_as_of(
    setting: AsOf, last_order: dt.datetime | dt.date | None, clock: dt.datetime, zone: ZoneInfo
) -> dt.date:
    """The day whose first midnight bounds the facts that a run reads.

    `latest`: the day after `last_order`, the last order that is not after the clock (without any order: today);
    `today`: the date of `clock`; or the date itself. `clock` is aware; `last_order` is local time of `zone` when naive.
    Raises ConfigError when a date lies beyond tomorrow: nothing of it has happened yet.
    """
    if clock.tzinfo is None:
        raise ValueError("clock needs a time zone")
    today = clock.astimezone(zone).date()
    if setting == "today" or (setting == "latest" and last_order is None):
        return today
    if isinstance(setting, dt.date):
        if setting > today + dt.timedelta(days=1):
            raise ConfigError("workspace.as_of_future", as_of=setting.isoformat(), today=today.isoformat())
        return setting
    if isinstance(last_order, dt.datetime):
        last_order = (last_order.astimezone(zone) if last_order.tzinfo else last_order).date()
    assert last_order is not None
    return min(last_order, today) + dt.timedelta(days=1)


def settings_text(settings: Settings) -> str:
    """kequn.yaml for `settings`, with a comment beside what people change most."""
    chosen = settings.model_dump(mode="json", exclude_defaults=True)
    name = chosen.get("name", "kequn")
    shown = (
        f"{{zh: {_quoted(name['zh'])}, en: {_quoted(name['en'])}}}"
        if isinstance(name, dict)
        else _quoted(name)
    )
    lines = [
        "# 工作区设置 · Workspace settings",
        f"name: {shown}",
        f"language: {settings.language}  # zh | en",
        f"currency: {_quoted(settings.currency)}",
        f"time_zone: {settings.time_zone}",
        f"as_of: {settings.as_of}  # latest 最后一单的次日 · today 今天 · 2026-01-31",
    ]
    for key in ("exchange_rates", "festivals", "leave_out"):
        if key in chosen:
            lines.append(f"{key}: {_flow(chosen[key])}")
    for key in ("engine", "settings", "predictions"):
        if key in chosen:
            lines.append(f"{key}:")
            lines += [f"  {inner}: {_flow(value)}" for inner, value in chosen[key].items()]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(str(key))}: {_flow(inner)}" for key, inner in value.items()) + "}"
    return (
        str(value).lower()
        if isinstance(value, bool)
        else _quoted(value)
        if isinstance(value, str)
        else str(value)
    )


__all__ = [
    "SETTINGS",
    "AsOf",
    "EngineChoice",
    "RunSettings",
    "Settings",
    "Titles",
    "Workspace",
    "resolve_as_of",
    "settings_text",
    "yaml_files",
]
