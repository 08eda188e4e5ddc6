"""What a scheme file may say: the part that every kind shares. Each kind adds its own fields in `kinds/`."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictFloat,
    StrictInt,
    StrictStr,
    field_validator,
)

from kequn.data.standard import Model
from kequn.definitions import refusal
from kequn.i18n import LANGUAGES

ID = r"^[a-z][a-z0-9_]{0,39}$"
"""Ids of schemes and segments: they name files and columns, so they stay short ASCII; titles are for people."""


def _both_languages(value: Any) -> Any:
    return {"zh": value, "en": value} if isinstance(value, str) else value


def _list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _known_languages(value: dict[str, str]) -> dict[str, str]:
    for lang in value:
        if lang not in LANGUAGES:
            raise refusal("scheme.language", name=lang, known=list(LANGUAGES))
    return value


def _exact(value: Any) -> Any:
    return Decimal(str(value)) if isinstance(value, float) else value


Exact = Annotated[Decimal, BeforeValidator(_exact)]
"""A share as it was written: 0.1 is a tenth, not the nearest binary fraction."""
Words = Annotated[dict[str, str], BeforeValidator(_both_languages), AfterValidator(_known_languages)]
"""Text for people: one string for both languages, or {zh: …, en: …}."""
Columns = Annotated[list[str], BeforeValidator(_list), Field(min_length=1)]
"""One column, or several of which the first available is used."""
Basis = Literal["external", "internal", "behaviour"]
Measure = Literal["revenue", "retention", "category_mix", "channel", "response"]


class Part(BaseModel):
    """A mapping in a scheme file: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class QuantileParameter(Part):
    """A parameter whose value is read off the data: the `quantile` of column `of` within the scheme's scope."""

    of: str
    quantile: Exact = Field(gt=0, lt=1)


class Proposal(Part):
    """How `init` proposes a parameter: a statistic of the data by name, kept within bounds and rounded to `step`."""

    source: str = Field(alias="from")
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = Field(default=None, gt=0)


class Guard(Part):
    """A segment below either size gives a warning: too small to act on."""

    min_customers: int = Field(default=0, ge=0)
    min_share: float = Field(default=0.0, ge=0, le=1)


class SegmentSpec(Part):
    """One segment. `playbook` is the id of a playbook or one sentence of what to do."""

    id: str
    title: Words = Field(default_factory=dict)
    description: Words = Field(default_factory=dict)
    playbook: str | dict[str, str] | None = None
    owner: str | None = None
    stay: str | None = None
    minimum_days: int | None = Field(default=None, ge=1, le=3_650)
    override: list[StrictStr] = Field(default_factory=list)


def unknown_segment() -> SegmentSpec:
    """The segment of customers about whom a scheme can't say anything."""
    return SegmentSpec(
        id="unknown",
        title={"zh": "未知", "en": "Unknown"},
        playbook={"zh": "补全所需资料后再细分。", "en": "Complete the missing data before acting."},
    )


class SchemeSpec(Part):
    """A scheme file. Kinds declare `segments` (and more) themselves."""

    scheme: str
    kind: str
    title: Words = Field(default_factory=dict)
    model: Model = "transactional"
    purpose: Words = Field(default_factory=dict)
    limits: Words = Field(default_factory=dict)
    bases: list[Basis] = Field(default_factory=list)
    judge_by: Measure | None = None
    owner: str | None = None
    parameters: dict[str, StrictInt | StrictFloat | StrictStr | QuantileParameter] = Field(
        default_factory=dict
    )
    propose: dict[str, Proposal] = Field(default_factory=dict)
    optional: list[str] = Field(default_factory=list)
    """Columns that rules may name though a workspace may lack them: missing ones are unknown (NULL) for everybody."""
    one_of: list[list[str]] = Field(default_factory=list)
    """Groups of columns of which the workspace must have one."""
    scope: str | None = None
    otherwise: SegmentSpec = Field(default_factory=unknown_segment)
    refine: dict[str, str] = Field(default_factory=dict)
    guard: Guard = Field(default_factory=Guard)

    @property
    def named(self) -> tuple[SegmentSpec, ...]:
        """The segments in their order, without `otherwise`."""
        return tuple(getattr(self, "segments", ()))

    @property
    def ordered(self) -> tuple[SegmentSpec, ...]:
        """All segments in the order in which they match; `otherwise` last."""
        return (*self.named, self.otherwise)

    @field_validator("parameters")
    @classmethod
    def _names(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if not name.isidentifier():
                raise refusal("scheme.parameter_name", name=name)
        return value


METADATA = frozenset(
    {
        "title",
        "description",
        "playbook",
        "owner",
        "purpose",
        "limits",
        "model",
        "bases",
        "judge_by",
        "propose",
        "guard",
    }
)
"""Fields that change what people read, never who is in a segment."""


def meaning(value: Any) -> Any:
    """A scheme without its metadata: what decides who is in which segment, ready for canonical JSON."""
    if isinstance(value, dict):
        return {key: meaning(inner) for key, inner in value.items() if key not in METADATA}
    if isinstance(value, list):
        return [meaning(inner) for inner in value]
    return str(value) if isinstance(value, Decimal) else value


def metadata(value: Any) -> Any:
    """The rest: titles, owners, playbooks, limits, in the same shape."""
    if isinstance(value, dict):
        kept = {key: inner if key in METADATA else metadata(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if key in METADATA or inner}
    if isinstance(value, list):
        return [metadata(inner) for inner in value]
    return None


__all__ = [
    "ID",
    "Columns",
    "Exact",
    "Guard",
    "Part",
    "Proposal",
    "QuantileParameter",
    "SchemeSpec",
    "SegmentSpec",
    "Words",
    "meaning",
    "metadata",
    "unknown_segment",
]
