"""What an audience file may say: who is in, and who is left out."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from kequn.definitions import refusal

ID = r"^[a-z][a-z0-9_]{0,39}$"
SEGMENT = r"^[a-z][a-z0-9_]{0,39}/[a-z][a-z0-9_]{0,39}(\+[a-z][a-z0-9_]{0,39}){0,2}$"


def _both(value: Any) -> Any:
    return {"zh": value, "en": value} if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _inside(name: str) -> str:
    if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or ":" in name:
        raise refusal("audience.path")
    return name


class Members(BaseModel):
    """Customers by rule, by segments (`scheme/segment`), or by ids in a file of the folder `audiences/`; any of them
    makes a customer a member."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    rule: str | None = None
    segments: Annotated[list[Annotated[str, Field(pattern=SEGMENT)]], BeforeValidator(_listed)] = Field(
        default_factory=list
    )
    ids: Annotated[str, AfterValidator(_inside)] | None = None
    column: str | None = None

    @property
    def empty(self) -> bool:
        return self.rule is None and not self.segments and self.ids is None


class AudienceSpec(Members):
    """One audience. It may overlap others."""

    audience: str = Field(pattern=ID)
    title: Annotated[dict[str, str], BeforeValidator(_both)] = Field(default_factory=dict)
    purpose: Annotated[dict[str, str], BeforeValidator(_both)] = Field(default_factory=dict)
    owner: str | None = None
    exclude: Members = Field(default_factory=Members)

    @model_validator(mode="after")
    def _someone(self) -> AudienceSpec:
        if self.empty:
            raise refusal("audience.nobody")
        return self


__all__ = ["AudienceSpec", "Members"]
