"""What the data allow, by model, and what each missing table or column would unlock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from kequn.data.standard import Model

MODELS = get_args(Model)


def readiness(
    columns: Iterable[str | None], unavailable: Iterable[Mapping[str, Any]], schemes: Mapping[str, str | None]
) -> list[dict[str, Any]]:
    """One entry per model: features available and not, possible schemes, what would unlock which features (most first).

    `columns` are the models of the features that there are; `unavailable` are {title, model, missing} of the others;
    `schemes` are the possible ones with their models.
    """
    there, lacking = list(columns), list(unavailable)
    return [_model(model, there, lacking, schemes) for model in MODELS]


def of_run(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`readiness` as a published run found it."""
    return readiness(
        [item.get("model") for item in manifest.get("columns", [])],
        manifest.get("unavailable", []),
        {name: scheme.get("model") for name, scheme in manifest.get("schemes", {}).items()},
    )


def _model(
    model: str,
    columns: list[str | None],
    unavailable: list[Mapping[str, Any]],
    schemes: Mapping[str, str | None],
) -> dict[str, Any]:
    lacking = [item for item in unavailable if item["model"] == model]
    unlocks: dict[str, list[Mapping[str, str]]] = {}
    for item in lacking:
        unlocks.setdefault(", ".join(_whole_tables(item["missing"])), []).append(dict(item["title"]))
    return {
        "model": model,
        "available": columns.count(model),
        "unavailable": len(lacking),
        "schemes": [name for name, owner in schemes.items() if owner == model],
        "unlocks": [
            {"missing": missing, "features": features}
            for missing, features in sorted(unlocks.items(), key=lambda entry: (-len(entry[1]), entry[0]))
        ],
    }


def _whole_tables(missing: Iterable[str]) -> list[str]:
    """What is missing, the table alone where the whole table is."""
    listed = list(missing)
    tables = {name for name in listed if "." not in name}
    return sorted(tables | {name for name in listed if "." in name and name.split(".")[0] not in tables})


__all__ = ["MODELS", "of_run", "readiness"]
