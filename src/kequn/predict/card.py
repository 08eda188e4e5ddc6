"""The card of a model: what it is, what it was fitted on, how good it is against its baseline, and what is published."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from kequn.predict.gates import Gate


@dataclass(frozen=True)
class ModelCard:
    """One entry of `kequn predictions --json`.

    `quality` was measured on `quality["window"]`, which no fit had seen; `baseline` is measured on the same rows.
    `published` says whether the model's own figures stand in the tables; `used` names whose figures do (a simpler
    model's when it was not beaten), None when there are none.
    """

    model: str
    gate: Gate
    parameters: Mapping[str, Any] = field(default_factory=dict)
    log_likelihood: float | None = None
    quality: Mapping[str, Any] | None = None
    baseline: Mapping[str, Any] | None = None
    published: bool = False
    used: str | None = None
    fitted_on: date | None = None
    notes: tuple[Mapping[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values: dates as text, NaN and infinities as null."""
        return dict(plain(asdict(self)))


def note(code: str, **fields: Any) -> dict[str, Any]:
    """A remark on a card: a code of the catalogue and its fields."""
    return {"code": code, **fields}


def plain(value: Any) -> Any:
    """`value` as JSON can hold it."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "item") and not isinstance(value, (str, bytes)) and getattr(value, "ndim", 1) == 0:
        value = value.item()
    elif hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return round(value, 9) if math.isfinite(value) else None
    return value


__all__ = ["ModelCard", "note", "plain"]
