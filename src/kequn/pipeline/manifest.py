"""What a run says of itself: data, definitions, columns, models, counts and warnings, as plain JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kequn.data.facts import Facts
    from kequn.pipeline.run import Prediction, Running
    from kequn.profile import ProfileColumn, ProfilePlan
    from kequn.scheme import Assignment, Scheme
    from kequn.snapshot import Manifest


def manifest_of(
    running: Running, plan: ProfilePlan, assignment: Assignment, prediction: Prediction | None, customers: int, now: datetime
) -> Manifest:  # fmt: skip
    """The manifest of the run that `running` is about to publish; its `files` are filled in by the store."""
    from kequn.snapshot import Manifest

    facts = running.facts
    return Manifest.model_validate(
        {
            "run_id": running.draft.run_id,
            "as_of": running.as_of,
            "created_at": now,
            "engine": running.engine.name,
            "versions": {name: version(name) for name in ("kequn", "duckdb", "sqlglot", "pyarrow", "numpy")},
            "currency": running.workspace.settings.currency,
            "minor_unit_digits": running.digits,
            "language": running.workspace.settings.language,
            "workspace": running.workspace.settings.model_dump(mode="json")["name"],
            "facts": {
                name: {"rows": t.rows, "fingerprint": t.folder.name, "columns": dict(t.columns)} for name, t in facts.tables.items()
            },
            "behaviours": {name: dict(columns) for name, columns in assignment.catalog.behaviours.items()},
            "prediction_columns": [
                {"name": c.name, "type": c.type, "title": dict(c.title)} for c in (prediction.columns.values() if prediction else ())
            ],
            "reconciliation": _reconciliation(facts),
            "history_start": facts.history_start.isoformat() if facts.history_start else None,
            "definitions": {
                path: {"text": text, "fingerprint": hashlib.sha256(text.encode()).hexdigest()}
                for path, text in running.definitions.texts.items()
            },
            "schemes": {name: {**result.manifest(), **_worded(result.bound.scheme)} for name, result in assignment.results.items()},
            "schemes_unavailable": {name: list(missing) for name, missing in assignment.unavailable.items()},
            "clusters": dict(running.clusters),
            "digests": {name: result.digest for name, result in assignment.results.items()},
            "cuts": {name: dict(result.bound.cuts) for name, result in assignment.results.items()},
            "columns": [_column(item) for item in plan.columns],
            "unavailable": [{"name": u.name, "title": dict(u.title), "model": u.model, "missing": list(u.missing)} for u in plan.unavailable],
            "models": list(prediction.models) if prediction else [],
            "customers": customers,
            "seconds": dict(running.clock.seconds),
            "warnings": [{"code": w.code, **_plain(w.fields)} for w in (*running.warnings,)]
            + [{"code": n.code, **_plain(n.fields)} for n in facts.warnings],
            "previous": running.previous.run_id if running.previous else None,
        }
    )  # fmt: skip


def _reconciliation(facts: Facts) -> dict[str, Any]:
    """Rows and money from source to facts: read = kept + quarantined + duplicates; anonymous sales apart."""
    return {
        "tables": {
            name: {"read": t.counts.read, "kept": t.counts.kept, "quarantined": t.counts.quarantined, "duplicates": t.counts.duplicates}
            for name, t in facts.tables.items()
        },
        "anonymous_orders": facts.anonymous_orders,
        "anonymous_amount": facts.anonymous_amount,
        "returned_orders": facts.returned_orders,
        "returned_amount": facts.returned_amount,
        "rounding": facts.rounding,
    }  # fmt: skip


def _worded(scheme: Scheme) -> dict[str, Any]:
    """What readers show of a scheme: titles, purpose, limits, model, owner, playbook sentences."""
    spec = scheme.spec
    return {
        "title": dict(spec.title), "purpose": dict(spec.purpose), "limits": dict(spec.limits), "model": spec.model,
        "bases": list(spec.bases), "judge_by": spec.judge_by, "owner": spec.owner,
        "playbooks": {segment.id: segment.playbook for segment in scheme.segments},
        "segment_titles": {segment.id: dict(segment.title) for segment in scheme.segments},
    }  # fmt: skip


def _column(item: ProfileColumn) -> dict[str, Any]:
    return {
        "name": item.name, "type": item.type, "title": dict(item.title), "unit": item.unit, "model": item.model,
        "basis": item.basis, "privacy": item.privacy, "hidden": item.hidden, "null_reason": item.null_reason,
        **({"values": {code: dict(words) for code, words in item.values.items()}} if item.values else {}),
    }  # fmt: skip


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, (int, float, bool, list)) else str(value)
        for name, value in fields.items()
    }


__all__ = ["manifest_of"]
