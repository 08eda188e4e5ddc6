"""What the data allow: for each of the seven models, which columns are there and what each missing one would add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kequn.data.standard import MODELS, TABLES, Model

if TYPE_CHECKING:
    from kequn.data.facts import Facts


@dataclass(frozen=True)
class ModelReadiness:
    """One model and its columns, as `table.column`. `missing` columns stand in delivered tables, `absent` tables aren't delivered."""

    model: Model
    present: tuple[str, ...]
    missing: tuple[str, ...]
    absent: Mapping[str, tuple[str, ...]]

    @property
    def ready(self) -> bool:
        """Is there anything for this model to work with?"""
        return bool(self.present)


def readiness(facts: Facts) -> tuple[ModelReadiness, ...]:
    """Readiness of each model, in the order of DOMAIN's list; profile features refine it."""
    return tuple(_of(model, facts) for model in MODELS)


def unlocks(facts: Facts) -> dict[str, tuple[Model, ...]]:
    """Each table that isn't delivered, to the models that it would feed; most models first."""
    found = {
        name: tuple(
            model for model in MODELS if any(column.model == model for column in table.mappable.values())
        )
        for name, table in TABLES.items()
        if name not in facts.tables or not facts.tables[name].rows
    }
    return dict(
        sorted(
            ((name, models) for name, models in found.items() if models),
            key=lambda item: (-len(item[1]), item[0]),
        )
    )


def _of(model: Model, facts: Facts) -> ModelReadiness:
    present, missing, absent = [], [], {}
    for name, table in TABLES.items():
        columns = [
            column.name
            for column in table.columns.values()
            if column.model == model and column.role != "checked"
        ]
        if not columns:
            continue
        delivered = facts.tables.get(name)
        if delivered is None or not delivered.rows:
            absent[name] = tuple(columns)
            continue
        present += [f"{name}.{column}" for column in columns if column in delivered.columns]
        missing += [f"{name}.{column}" for column in columns if column not in delivered.columns]
    return ModelReadiness(model, tuple(present), tuple(missing), absent)


__all__ = ["ModelReadiness", "readiness", "unlocks"]
